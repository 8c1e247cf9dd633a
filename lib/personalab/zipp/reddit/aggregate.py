"""Shards to the tables and the graph of ZIPP 3.1, out of core in DuckDB (ZIPP E.1, F.1.2).

What needs the whole set is done here: an item that stands in several files counts once, caps per user and per
subreddit, users who say little are dropped, rare subreddits pruned. E.1 and F.1.2 name these steps and give no figures
except for the pruning; the defaults are ours. Down-weighting busy users and subreddits is the edge weights' part
(`graph.edge_features`). The same shards give the same bytes, whatever the number of threads.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from .. import graph_store
from .ingest import Shard

#: Reasons of this stage, in order.
DUPLICATE, USER_CAP, SUBREDDIT_CAP, LITTLE, RARE = (
    "duplicate",
    "above the user's cap",
    "above the subreddit's cap",
    "user says little",
    "rare subreddit",
)
#: What is written, in order; users are held as UUIDs (16 bytes for 32 digits), subreddits as their number in `names`.
_TABLES = {
    "users": """
        SELECT replace(user::VARCHAR, '-', '') AS user, count(*) FILTER (kind = 'post') AS posts,
            count(*) FILTER (kind = 'comment') AS comments, count(DISTINCT name) AS subreddits,
            count(image) AS images, sum(words)::BIGINT AS words
        FROM kept GROUP BY kept.user ORDER BY kept.user""",
    "subreddits": """
        SELECT subreddit, users, posts, comments, title, description
        FROM (SELECT name, count(DISTINCT user) AS users, count(*) FILTER (kind = 'post') AS posts,
            count(*) FILTER (kind = 'comment') AS comments FROM kept GROUP BY name)
        JOIN names USING (name) LEFT JOIN described ON lower(subreddit) = described.subreddit_named
        ORDER BY posts + comments DESC, subreddit""",
    "edges": """
        SELECT user_row AS user, subreddit_row AS subreddit, count(*) FILTER (kind = 'post')::INTEGER AS posts,
            count(*) FILTER (kind = 'comment')::INTEGER AS comments, coalesce(sum(score), 0)::BIGINT AS score
        FROM kept JOIN user_rows USING (user) JOIN subreddit_rows USING (name) GROUP BY ALL ORDER BY ALL""",
    "items": """
        SELECT user_row AS user, subreddit_row AS subreddit, kept.kind, kept.score, day, kept.words, text, kept.image
        FROM kept JOIN all_items USING (place) JOIN user_rows ON kept.user = user_rows.user
            JOIN subreddit_rows ON kept.name = subreddit_rows.name
        ORDER BY user_row, subreddit_row, kept.score DESC NULLS LAST, kept.id""",
}


def aggregate(
    shards: Sequence[Shard],
    folder: str | Path,
    *,
    user_cap: int = 5_000,
    subreddit_cap: int = 1_000_000,
    min_items: int = 3,
    min_words: int = 20,
    min_distinct: float = 0.5,
    keep: int | float = 1.0,
    descriptions: pd.DataFrame | None = None,
    memory: str = "4GB",
    threads: int | None = None,
    spill: str | Path | None = None,
) -> dict[str, int]:
    """Write users, subreddits, edges and items as Parquet, and the graph.

    users.parquet (user, posts, comments, subreddits, images, words), by user; subreddits.parquet (subreddit, users,
    posts, comments, title, description), by activity, then name; edges.parquet (user, subreddit, posts, comments,
    score), where the first two are row numbers of those tables, and score is the sum; items.parquet (user, subreddit,
    kind, score, day, words, text, image) by user, subreddit and score; graph/ for `graph_store.open_graph`.

    Args:
        shards: as `ingest` returned them; of an item in several files the first is taken.
        user_cap, subreddit_cap: most items of each; which ones, the items' keyed hashes choose. At most 65,535 a user.
        min_items, min_words, min_distinct: a user needs so many items, so many words in all, and so large a share of
            texts that differ ("sparse, repetitive, or semantically empty").
        keep: subreddits kept, by activity: a number, or a share (float, 0 to 1). The paper keeps 15 of 32 thousand.
        descriptions: columns subreddit, title, description, one row per subreddit; others get nulls.
        memory, threads, spill: DuckDB's limit, threads (by default one per core) and folder for what exceeds the limit
            (by default under `folder`, removed afterwards).

    Returns:
        Items by reason over the whole chain: "read" = all others together.

    Raises:
        ValueError: an argument out of range, or no item is left.
    """
    _check(user_cap, keep, descriptions)
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for left in folder.glob(".spill-*"):  # of a run that was killed
        shutil.rmtree(left)
    config = {"memory_limit": memory, "threads": threads or os.cpu_count() or 1}
    with (
        tempfile.TemporaryDirectory(dir=spill or folder, prefix=".spill-") as temporary,
        duckdb.connect(f"{temporary}/aggregate.duckdb", config=config) as db,
    ):
        counts = _narrow(db, shards, user_cap, subreddit_cap, (min_items, min_words, min_distinct), keep)
        chain = _chain(shards, counts)
        if not chain["kept"]:
            raise ValueError(f"no item is left: {chain}. Give more dumps or lower the minima")
        _describe(db, descriptions)
        for name, query in _TABLES.items():
            if name == "edges":
                _number(db, folder)
            _save(db, query, folder / f"{name}.parquet")
    n_subreddits = pq.read_metadata(folder / "subreddits.parquet").num_rows
    graph_store.write(folder / "graph", _chunks(folder / "edges.parquet"), n_subreddits)
    return chain


def _check(user_cap: int, keep: int | float, descriptions: pd.DataFrame | None) -> None:
    if not 1 <= user_cap <= np.iinfo(np.uint16).max:
        raise ValueError(
            f"user_cap is {user_cap}; expected 1 to 65535, which is what an edge of the graph can hold"
        )
    if keep <= 0 or (isinstance(keep, float) and keep > 1):
        raise ValueError(
            f"keep is {keep!r}; expected a number of subreddits (int) or a share of them (float up to 1)"
        )
    if descriptions is not None and descriptions["subreddit"].str.lower().duplicated().any():
        raise ValueError("descriptions name a subreddit twice; expected one row each")


def _narrow(
    db: duckdb.DuckDBPyConnection,
    shards: Sequence[Shard],
    user_cap: int,
    subreddit_cap: int,
    least: tuple[int, int, float],
    keep: int | float,
) -> list[int]:
    """Make the table `kept` step by step; the number of items after each."""
    files = [str(shard.items.resolve()) for shard in shards]
    db.execute(
        "CREATE TABLE files AS SELECT unnest(?) AS filename, unnest(range(?)) AS number", [files, len(files)]
    )
    db.execute("SET preserve_insertion_order = false")
    db.execute(f"""CREATE VIEW all_items AS SELECT read.* EXCLUDE (filename, file_row_number),
        number * (1::BIGINT << 40) + file_row_number AS place
        FROM read_parquet([{", ".join(map(_quoted, files))}], filename = true, file_row_number = true) read
        JOIN files USING (filename)""")
    db.execute("""CREATE TABLE names AS SELECT (row_number() OVER (ORDER BY subreddit))::INTEGER AS name, subreddit
        FROM (SELECT DISTINCT subreddit FROM all_items)""")
    db.execute("""CREATE TABLE once AS
        SELECT id, user::UUID AS user, name, kind, score, words, image, place, hash(text) AS said
        FROM all_items JOIN names USING (subreddit)
        SEMI JOIN (SELECT min(place) AS place FROM all_items GROUP BY id) first USING (place)""")
    _cap(db, "once", "by_user", "user", user_cap)
    _cap(db, "by_user", "by_subreddit", "name", subreddit_cap)
    db.execute(
        """CREATE TABLE telling AS SELECT * FROM by_subreddit SEMI JOIN (SELECT user FROM by_subreddit GROUP BY user
        HAVING count(*) >= ? AND sum(words) >= ? AND count(DISTINCT said) >= ? * count(*)) USING (user)""",
        list(least),
    )
    number = db.sql("SELECT count(DISTINCT name) FROM telling").fetchall()[0][0]
    number = keep if isinstance(keep, int) else max(1, round(keep * number))
    db.execute(
        """CREATE TABLE kept AS SELECT * FROM telling SEMI JOIN (SELECT name FROM telling JOIN names USING (name)
        GROUP BY ALL ORDER BY count(*) DESC, any_value(subreddit) LIMIT ?) USING (name)""",
        [number],
    )
    db.execute("SET preserve_insertion_order = true")
    tables = ("all_items", "once", "by_user", "by_subreddit", "telling", "kept")
    return [db.sql(f"SELECT count(*) FROM {table}").fetchall()[0][0] for table in tables]


def _cap(db: duckdb.DuckDBPyConnection, source: str, target: str, column: str, most: int) -> None:
    """At most so many items of each value of a column; only those of the large ones are ordered."""
    db.execute(f"""CREATE TABLE {target} AS SELECT * FROM {source} ANTI JOIN (
        SELECT id FROM {source} SEMI JOIN
            (SELECT {column} FROM {source} GROUP BY {column} HAVING count(*) > {most}) large USING ({column})
        QUALIFY row_number() OVER (PARTITION BY {column} ORDER BY id) > {most}) above USING (id)""")


def _chain(shards: Sequence[Shard], counts: list[int]) -> dict[str, int]:
    """Items by reason from the first line read to the last item kept."""
    sums = {name: sum(shard.counts[name] for shard in shards) for name in shards[0].counts}
    assert sums.pop("kept") == counts[0], "shards hold other items than they say; make them again"
    reasons = (DUPLICATE, USER_CAP, SUBREDDIT_CAP, LITTLE, RARE)
    sums |= {
        reason: before - after for reason, before, after in zip(reasons, counts, counts[1:], strict=False)
    }
    sums["kept"] = counts[-1]
    assert 2 * sums["read"] == sum(sums.values()), f"{sums} do not add up"
    return sums


def _describe(db: duckdb.DuckDBPyConnection, descriptions: pd.DataFrame | None) -> None:
    db.execute("CREATE TABLE described (subreddit_named VARCHAR, title VARCHAR, description VARCHAR)")
    if descriptions is not None:
        db.register("given", descriptions)
        db.execute("INSERT INTO described SELECT lower(subreddit), title, description FROM given")


def _save(db: duckdb.DuckDBPyConnection, query: str, path: Path) -> None:
    part = path.with_name(f".{path.name}.part")
    db.execute(f"COPY ({query}) TO {_quoted(part)} (FORMAT parquet)")
    os.replace(part, path)


def _number(db: duckdb.DuckDBPyConnection, folder: Path) -> None:
    """The rows of users and subreddits in the tables just written."""
    tables = [
        f"read_parquet({_quoted(folder / name)}, file_row_number = true)"
        for name in ("users.parquet", "subreddits.parquet")
    ]
    row = "file_row_number::INTEGER"
    db.execute(f"CREATE TABLE user_rows AS SELECT user::UUID AS user, {row} AS user_row FROM {tables[0]}")
    db.execute(f"""CREATE TABLE subreddit_rows AS SELECT name, {row} AS subreddit_row
        FROM {tables[1]} JOIN names USING (subreddit)""")


def _quoted(path: str | Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"


def _chunks(path: Path) -> Iterator[tuple[np.ndarray, ...]]:
    """The edges in pieces of whole users, for `graph_store.write`."""
    held: list[np.ndarray] = [np.zeros(0, np.int64)] * 4
    for batch in pq.ParquetFile(path).iter_batches(2**20, columns=["user", "subreddit", "posts", "comments"]):
        held = [np.concatenate([old, new.to_numpy()]) for old, new in zip(held, batch.columns, strict=True)]
        whole = np.searchsorted(held[0], held[0][-1])
        if whole:
            yield np.unique(held[0][:whole], return_counts=True)[1], *(part[:whole] for part in held[1:])
            held = [part[whole:] for part in held]
    if len(held[0]):
        yield np.array([len(held[0])]), *held[1:]

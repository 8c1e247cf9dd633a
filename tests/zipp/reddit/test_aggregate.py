"""The tables and the graph, beside a plain pandas group-by over the same items."""

import math
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personalab.zipp import graph_store
from personalab.zipp.reddit.aggregate import aggregate
from personalab.zipp.reddit.ingest import Shard
from personalab.zipp.reddit.shards import ITEMS

EVERYONE = {"min_items": 1, "min_words": 0, "min_distinct": 0.0}


def shard(path: Path, frame: pd.DataFrame) -> Shard:
    """A shard with these items; what a frame does not say is the same everywhere."""
    usual = {
        "kind": "comment",
        "score": 1,
        "day": date(2019, 10, 25),
        "words": 10,
        "image": None,
        "text": "words",
    }
    frame = frame.assign(**{name: value for name, value in usual.items() if name not in frame})
    arrays = [
        pa.array(frame[name], field.type, from_pandas=True)
        for name, field in zip(ITEMS.names, ITEMS, strict=True)
    ]
    pq.write_table(pa.Table.from_arrays(arrays, schema=ITEMS), path)
    return Shard(path, {"read": len(frame), "quarantined": 0, "kept": len(frame)})


def user(number: int) -> str:
    return f"{int(number) * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**128:032x}"


def made(rng: np.random.Generator, n: int, users: int = 30, subreddits: int = 12) -> pd.DataFrame:
    """Random items, ids in random order."""
    return pd.DataFrame(
        {
            "id": rng.permutation(n) - n // 2,
            "user": [user(number) for number in rng.integers(users, size=n)],
            "subreddit": [f"sub{int(number)}" for number in rng.random(n) ** 3 * subreddits],
            "kind": np.where(rng.random(n) < 0.3, "post", "comment"),
            "score": [
                None if math.isnan(score) else score for score in rng.choice([1.0, 5.0, -3.0, np.nan], n)
            ],
            "words": rng.integers(1, 40, n),
            "text": [f"text {number}" for number in rng.integers(n, size=n)],
            "image": np.where(rng.random(n) < 0.1, "ff", None),
        }
    )


def read(folder: Path, name: str) -> pd.DataFrame:
    return pd.read_parquet(folder / f"{name}.parquet")


def check_against_pandas(items: pd.DataFrame, folder: Path) -> None:
    """What stands in `folder` is what pandas makes of these items, in the promised order, and the graph agrees."""
    items = items.assign(posts=items.kind == "post", comments=items.kind == "comment")
    users, subreddits, edges = (read(folder, name) for name in ("users", "subreddits", "edges"))
    by_user = items.groupby("user").agg(
        posts=("posts", "sum"), comments=("comments", "sum"), subreddits=("subreddit", "nunique"),
        images=("image", "count"), words=("words", "sum"),
    ).reset_index()  # fmt: skip
    pd.testing.assert_frame_equal(users, by_user.sort_values("user", ignore_index=True), check_dtype=False)
    by_subreddit = items.groupby("subreddit").agg(
        users=("user", "nunique"), posts=("posts", "sum"), comments=("comments", "sum"), activity=("kind", "size")
    ).reset_index().sort_values(["activity", "subreddit"], ascending=[False, True], ignore_index=True)  # fmt: skip
    pd.testing.assert_frame_equal(
        subreddits.iloc[:, :4], by_subreddit.drop(columns="activity"), check_dtype=False
    )
    keys = ["user", "subreddit"]
    expected = items.groupby(keys).agg(
        posts=("posts", "sum"), comments=("comments", "sum"), score=("score", "sum")
    )
    named = edges.assign(
        user=users.user[edges.user].values, subreddit=subreddits.subreddit[edges.subreddit].values
    )
    pd.testing.assert_frame_equal(
        named.set_index(keys).sort_index(), expected.sort_index(), check_dtype=False
    )
    assert edges[keys].apply(tuple, axis=1).is_monotonic_increasing
    graph = graph_store.open_graph(folder / "graph")
    assert (graph.n_users, graph.n_subreddits, graph.n_edges) == (len(users), len(subreddits), len(edges))
    assert graph.subreddits.tolist() == edges.subreddit.tolist()
    assert graph.degrees.tolist() == users.subreddits.tolist()
    assert graph.posts.tolist() == edges.posts.tolist() and graph.comments.tolist() == edges.comments.tolist()
    assert graph.subreddit_total.tolist() == by_subreddit.activity.tolist()


@given(st.integers(0, 2**31), st.integers(1, 200), st.integers(1, 3))
@settings(max_examples=8, deadline=None)
def test_the_tables_are_a_group_by_and_files_may_overlap(tmp_path_factory, seed, n, parts):
    rng, folder = np.random.default_rng(seed), tmp_path_factory.mktemp("made")
    items = made(rng, n)
    again = items.sample(frac=0.3, random_state=seed).assign(score=99)
    pieces = [*(items.iloc[part::parts] for part in range(parts)), again]
    shards = [shard(folder / f"{number}.parquet", piece) for number, piece in enumerate(pieces) if len(piece)]
    counts = aggregate(shards, folder / "out", **EVERYONE)
    assert (counts["duplicate"], counts["kept"]) == (len(again), n)
    check_against_pandas(items, folder / "out")


def test_items_stand_by_user_subreddit_and_score(tmp_path):
    items = made(np.random.default_rng(1), 500)
    aggregate([shard(tmp_path / "a.parquet", items)], tmp_path / "out", **EVERYONE)
    users, subreddits, found = (read(tmp_path / "out", name) for name in ("users", "subreddits", "items"))
    named = found.assign(
        user=users.user[found.user].values, subreddit=subreddits.subreddit[found.subreddit].values
    )
    order = {name: number for number, name in enumerate(subreddits.subreddit)}
    expected = items.assign(rank=items.subreddit.map(order), falling=-items.score.astype(float))
    expected = expected.sort_values(["user", "rank", "falling", "id"], ignore_index=True)
    for name in ("user", "subreddit", "kind", "words", "text"):
        assert named[name].tolist() == expected[name].tolist(), name
    assert "id" not in found


def test_caps_choose_by_the_items_hashes(tmp_path):
    items = made(np.random.default_rng(2), 3000, users=20, subreddits=9)
    options = EVERYONE | {"user_cap": 100, "subreddit_cap": 150}
    counts = aggregate([shard(tmp_path / "a.parquet", items)], tmp_path / "out", **options)
    first = items.sort_values("id").groupby("user").head(100)
    second = first.sort_values("id").groupby("subreddit").head(150)
    assert counts["above the user's cap"] == len(items) - len(first) > 0
    assert counts["above the subreddit's cap"] == len(first) - len(second) > 0
    check_against_pandas(second, tmp_path / "out")


def test_users_who_say_little_are_dropped(tmp_path):
    users = {
        "sparse": [("a", 30), ("b", 30)],
        "repetitive": [("same", 20)] * 5 + [("other", 20)],
        "empty": [("a", 2), ("b", 2), ("c", 2)],
        "telling": [("a", 10), ("b", 10), ("b", 10), ("c", 10)],
    }
    names = {name: user(number) for number, name in enumerate(users)}
    said = [(names[name], text, words) for name, texts in users.items() for text, words in texts]
    items = (
        pd.DataFrame(said, columns=["user", "text", "words"]).assign(subreddit="pics").reset_index(names="id")
    )
    counts = aggregate([shard(tmp_path / "a.parquet", items)], tmp_path / "out")
    assert read(tmp_path / "out", "users").user.tolist() == [names["telling"]]
    assert (counts["user says little"], counts["kept"]) == (11, 4)


@pytest.mark.parametrize("keep", [3, 0.25, 1.0, 99])
def test_rare_subreddits_are_pruned(tmp_path, keep):
    items = made(np.random.default_rng(3), 800)
    counts = aggregate([shard(tmp_path / "a.parquet", items)], tmp_path / "out", keep=keep, **EVERYONE)
    busiest = (
        items.subreddit.value_counts()
        .reset_index()
        .sort_values(["count", "subreddit"], ascending=[False, True])
    )
    n = min(keep if isinstance(keep, int) else round(keep * len(busiest)), len(busiest))
    left = items[items.subreddit.isin(busiest.subreddit[:n])]
    assert counts["rare subreddit"] == len(items) - len(left) == counts["read"] - counts["kept"]
    check_against_pandas(left, tmp_path / "out")


def test_descriptions_are_found_whatever_the_case(tmp_path):
    items = pd.DataFrame({"id": [1, 2], "user": [user(1)] * 2, "subreddit": ["EarthPorn", "pics"]})
    given_ = pd.DataFrame(
        {"subreddit": ["earthporn"], "title": ["Earth"], "description": ['Landscapes; it\'s "SFW"']}
    )
    options = EVERYONE | {"descriptions": given_}
    aggregate([shard(tmp_path / "a.parquet", items)], tmp_path / "out", **options)
    found = read(tmp_path / "out", "subreddits").set_index("subreddit")
    assert found.loc["EarthPorn", ["title", "description"]].tolist() == given_.iloc[0, 1:].tolist()
    assert found.loc["pics", ["title", "description"]].isna().all()


def test_the_same_bytes_whatever_the_threads_memory_and_folder(tmp_path):
    items = made(np.random.default_rng(4), 130_000, users=9000, subreddits=300)
    shards = [shard(tmp_path / f"it's {part}.parquet", items.iloc[part::3]) for part in range(3)]
    for name, options in {
        "a": {"threads": 1},
        "b": {"threads": 2, "memory": "100MB", "spill": tmp_path},
    }.items():
        aggregate(shards, tmp_path / f"o'{name}", keep=0.9, user_cap=100, **options)
    files = [file.relative_to(tmp_path / "o'a") for file in (tmp_path / "o'a").rglob("*") if file.is_file()]
    assert len(files) == 4 + 8
    for file in files:
        assert (tmp_path / "o'a" / file).read_bytes() == (tmp_path / "o'b" / file).read_bytes(), file


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"user_cap": 70_000}, "expected 1 to 65535"),
        ({"keep": 1.5}, "a share of them"),
        ({"keep": 0}, "a share of them"),
        ({"min_items": 50}, "no item is left"),
        ({"descriptions": pd.DataFrame({"subreddit": ["a", "A"]})}, "twice"),
    ],
)
def test_what_cannot_work_is_refused(tmp_path, options, message):
    items = made(np.random.default_rng(5), 40)
    with pytest.raises(ValueError, match=message):
        aggregate([shard(tmp_path / "a.parquet", items)], tmp_path / "out", **options)

"""Invented dumps, read by hand and by the whole chain: what was planted is found, to the line, and nothing private is."""

import io
import json
import re
from collections import Counter
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest
import zstandard

from personalab.world import users
from personalab.world.words import wordings
from personalab.zipp import graph_store, synthetic, synthetic_dump
from personalab.zipp.reddit import aggregate, ingest

PEOPLE, COMMUNITIES, SEED = 40, 120, 4


def people():
    writers = [users.draw_user(np.random.default_rng([SEED, i])) for i in range(PEOPLE)]
    rng = np.random.default_rng(SEED)
    places = synthetic.communities(COMMUNITIES, rng)
    tastes = synthetic.lifts([one.taste for one in writers])
    return writers, synthetic.population(tastes, PEOPLE, rng, most=150), places


def write(folder, seed=SEED):
    return synthetic_dump.write_dumps(folder, *people(), share=0.8, seed=seed, picturing=0.6)


@pytest.fixture(scope="module")
def dump(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dumps")
    return folder, write(folder)


def raw_lines(path):
    with open(path, "rb") as file:
        return zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True).read().splitlines()


@pytest.fixture(scope="module")
def rows(dump):
    """(name of the file, JSON object or None) of every line."""
    found = []
    for path in sorted(dump[0].iterdir()):
        for line in raw_lines(path):
            try:
                row = json.loads(line)
            except ValueError:  # broken JSON or broken UTF-8
                row = None
            found.append((path.name, row if isinstance(row, dict) else None))
    return found


def kind(row):
    """The kind of noise that a line is, by the fields that make it so in Reddit's own dumps."""
    if row is None:
        return "broken"
    if row["distinguished"] == "moderator":
        return "moderator"
    if row["author"] == "AutoModerator" or row["author"].endswith("_bot"):
        return "bot"
    if row["author"] == "[deleted]" or row.get("body") == "[removed]":
        return "deleted"
    if row.get("over_18"):
        return "nsfw"
    if row["subreddit"].startswith("u_"):
        return "personal page"
    return "short" if len(row.get("body", "one two three four five").split()) < 5 else "kept"


@pytest.fixture(scope="module")
def kept(rows):
    """Lines to keep, each once."""
    return list({row["id"]: row for _, row in rows if kind(row) == "kept"}.values())


def test_every_kind_of_line_is_there_as_often_as_it_was_planted(dump, rows, kept):
    counted = Counter(kind(row) for _, row in rows)
    counted["repeated"] = counted["kept"] - len(kept)
    counted["kept"] = len(kept)
    assert counted == dump[1].lines and set(counted) == {"kept", "broken", *synthetic_dump.NOISE}
    assert min(counted.values()) > 0


def test_one_line_is_one_interaction_of_the_recipe(kept, dump):
    _, population, places = people()
    found = Counter((row["author"], row["subreddit"], "title" in row) for row in kept)
    expected, start = Counter(), 0
    for degrees, place, posts, comments in synthetic.interactions(population, places, share=0.8, seed=SEED):
        owner = np.repeat(np.arange(start, start + len(degrees)), degrees)
        for i, p, n_posts, n_comments in zip(owner, place, posts, comments, strict=True):
            edge = dump[1].names[i], places.names[p]
            expected[*edge, True], expected[*edge, False] = int(n_posts), int(n_comments)
        start += len(degrees)
    assert found == +expected


def test_files_are_monthly_and_hold_posts_or_comments_of_their_month(rows):
    assert {name for name, _ in rows} == {
        f"{one}_2024-0{month}.zst" for one in ("RS", "RC") for month in (1, 2)
    }
    for name, row in rows:
        if row is not None:
            assert ("title" in row) == name.startswith("RS")
            assert f"{datetime.fromtimestamp(row['created_utc'], UTC):%Y-%m}" == name[3:10]


def test_large_files_have_several_frames_and_small_ones_are_not_cut():
    packed = synthetic_dump._packed([b"%d" % i for i in range(95)], frame=10)
    sizes, left = [], packed
    while left:
        one = zstandard.ZstdDecompressor().decompressobj()
        sizes.append(len(one.decompress(left).splitlines()))
        left = one.unused_data
    assert sizes == [10] * 9 + [5]
    assert zstandard.ZstdDecompressor().stream_reader(io.BytesIO(packed), read_across_frames=True).read() == (
        b"".join(b"%d\n" % i for i in range(95))
    )


def test_pictures_are_posted_by_their_user_and_told_in_the_title(dump, kept):
    planted = dump[1]
    posted = {row["url"]: row for row in kept if row.get("url")}
    assert set(posted) == set(planted.pictures) and len(posted) > 10
    for url, (user, scene) in planted.pictures.items():
        assert posted[url]["author"] == planted.names[user] and not posted[url]["is_self"]
        told = [a for a in ("setting", "time", "weather", "palette", "style") if a in scene]
        assert told and all(
            any(wording in posted[url]["title"] for wording in wordings()[a][scene[a]]) for a in told
        )
    most = Counter(user for user, _ in planted.pictures.values())
    assert max(most.values()) <= 3


def test_names_are_unique_and_made_of_the_words(dump):
    names = dump[1].names
    assert len(set(names)) == PEOPLE == len({name.lower() for name in names})
    pattern = f"({'|'.join(synthetic_dump.FIRST)})_({'|'.join(synthetic_dump.SECOND)})_\\d+"
    assert all(re.fullmatch(pattern, name) for name in names)


def test_private_details_are_hidden_in_texts(kept):
    texts = [row.get("title") or row["body"] for row in kept]
    held = {secret: sum(secret in text for text in texts) for secret in synthetic_dump.PRIVATE.values()}
    assert sum(n > 0 for n in held.values()) >= 4, held
    assert 0.01 < sum(held.values()) / len(texts) < 0.03, "a fiftieth of the texts"


def test_the_same_seed_gives_the_same_bytes(dump, tmp_path):
    assert write(tmp_path / "again") == dump[1]
    for path in dump[0].iterdir():
        assert (tmp_path / "again" / path.name).read_bytes() == path.read_bytes()
    write(tmp_path / "other", seed=SEED + 1)
    assert raw_lines(tmp_path / "other" / "RC_2024-01.zst") != raw_lines(dump[0] / "RC_2024-01.zst")


def test_one_writer_for_each_of_the_people(tmp_path):
    writers, population, places = people()
    with pytest.raises(ValueError, match="39 writers for 40 people"):
        synthetic_dump.write_dumps(tmp_path, writers[1:], population, places, share=1, seed=0)


@pytest.fixture(scope="module")
def chain(dump, tmp_path_factory):
    """What the reader makes of the dump: its folder and its counts."""
    out = tmp_path_factory.mktemp("read")
    shards = ingest.ingest(sorted(dump[0].iterdir()), out / "shards", synthetic_dump.nobodys_key())
    return out, aggregate.aggregate(shards, out, min_items=1, min_words=1, min_distinct=0.0, memory="500MB")


def test_the_reader_counts_what_was_planted(dump, chain):
    planted, counted = dump[1].lines, chain[1]
    assert counted == {
        **dict.fromkeys(counted, 0),
        "read": planted.total(),
        "kept": planted["kept"],
        "bot or moderator": planted["bot"] + planted["moderator"],
        "NSFW": planted["nsfw"],
        "deleted": planted["deleted"],
        "comment too short": planted["short"],
        "personal page": planted["personal page"],
        "quarantined": planted["broken"],
        "duplicate": planted["repeated"],
    }


def test_the_edge_table_is_an_independent_count(dump, chain, kept):
    key = synthetic_dump.nobodys_key()
    edges, accounts, named = (
        pd.read_parquet(chain[0] / f"{name}.parquet") for name in ("edges", "users", "subreddits")
    )
    found = {
        (accounts["user"][u], named["subreddit"][s]): (p, c)
        for u, s, p, c in edges[["user", "subreddit", "posts", "comments"]].itertuples(index=False)
    }
    counts = Counter((key.identifier(row["author"]), row["subreddit"], "title" in row) for row in kept)
    expected = {edge[:2]: (counts[*edge[:2], True], counts[*edge[:2], False]) for edge in counts}
    assert found == expected
    made = graph_store.open_graph(chain[0] / "graph")
    assert made.n_edges == len(expected) and int(made.user_total.sum()) == len(kept)


def test_no_account_and_no_private_detail_is_in_any_byte_written(dump, chain):
    written = [path.read_bytes() for path in chain[0].rglob("*") if path.is_file()]
    # Parquet packs its pages, so a look at the bytes alone would find nothing in any case
    for path in chain[0].rglob("*.parquet"):
        frame = pd.read_parquet(path)
        written += [str(value).encode() for name in frame for value in frame[name].dropna().unique()]
    everything = b"\n".join(written).lower()
    secrets = [*dump[1].names, *synthetic_dump.PRIVATE.values(), *dump[1].pictures]
    assert len(everything) > 10**5
    assert not [secret for secret in secrets if secret.lower().encode() in everything]

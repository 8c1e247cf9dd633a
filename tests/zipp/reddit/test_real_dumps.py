"""Real monthly dumps, where PERSONALAB_DATA names the folder that holds reddit_dumps/."""

import bz2
import html
import io
import json
import os
import re
from pathlib import Path

import pandas as pd
import pytest
import zstandard
from test_aggregate import EVERYONE, check_against_pandas

from personalab.zipp.reddit import shards
from personalab.zipp.reddit.aggregate import aggregate
from personalab.zipp.reddit.ingest import ingest
from personalab.zipp.reddit.privacy import Key

KEY = Key(b"a key for tests, thirty-two bytes")
#: Lines of each file, counted when the files were cut out of the months they come from.
LINES = {
    "RC_2005-12.zst": 1075, "RC_2006-01.zst": 3664, "RC_2006-02.bz2": 9037, "RC_2006-03.bz2": 13822,
    "RS_2006-01.bz2": 140, "RS_2006-02.bz2": 416, "RS_2006-03.bz2": 203,
    "RS_2019-10.askmen_askwomen_sample.zst": 1202,
}  # fmt: skip


@pytest.fixture(scope="module")
def dumps_folder() -> Path:
    folder = os.environ.get("PERSONALAB_DATA")
    if folder is None or not (Path(folder) / "reddit_dumps").is_dir():
        pytest.skip("PERSONALAB_DATA is not set or holds no reddit_dumps/ with the monthly dumps")
    return Path(folder) / "reddit_dumps"


@pytest.fixture(scope="module")
def made(dumps_folder, tmp_path_factory):
    """Shards of all files; texts are left as they are, which is most of the time and has tests of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shards, "scrub", lambda text: text)
        patch.setattr(shards, "redact", lambda text: (text, 0))
        patch.setattr(shards.Mentions, "hide", lambda self, text: text)
        return ingest([dumps_folder / name for name in LINES], tmp_path_factory.mktemp("real"), KEY)


def plain_rows(path: Path) -> pd.DataFrame:
    """All rows by the standard library's JSON and the packers' own readers."""
    data = path.read_bytes()
    if path.suffix == ".bz2":
        data = bz2.decompress(data)
    else:
        data = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(data)).read()
    return pd.DataFrame([json.loads(line) for line in data.splitlines()])


def test_no_line_is_lost(made):
    assert {shard.items.stem: shard.counts["read"] for shard in made} == LINES
    assert sum(shard.counts["quarantined"] for shard in made) == 0


def kept_rows(path: Path) -> pd.DataFrame:
    """What the filters should keep of a file, said once more in pandas."""
    rows, marks = plain_rows(path), ["[deleted]", "[removed]"]
    if path.name.startswith("RC"):
        long = rows.body.str.split().str.len() >= 5
        rows = rows.assign(text=rows.body, kind="comment")[long & ~rows.body.isin(marks)]
    else:
        there = ~rows.selftext.isin(marks) & rows.get("removed_by_category", rows.distinguished).isna()
        rows = rows.assign(text=(rows.title + "\n\n" + rows.selftext).str.strip(), kind="post")[there]
    return rows[rows.author != "[deleted]"]


def test_the_graph_is_a_plain_group_by(made, dumps_folder, tmp_path):
    items = pd.concat([kept_rows(dumps_folder / name) for name in LINES], ignore_index=True)
    items["text"] = items.text.map(html.unescape).str.strip()
    items = items[items.text.str.contains(r"\w", regex=True)]
    picture = items.url.str.endswith((".jpg", ".jpeg", ".png", ".webp")).fillna(False).astype(bool)
    items = items.assign(user=items.author.map(KEY.identifier), image=items.url.where(picture))
    items["words"] = items.text.str.split().str.len()
    counts = aggregate(made, tmp_path, **EVERYONE)
    assert counts["kept"] == len(items) > 18_000
    check_against_pandas(items[["user", "subreddit", "kind", "score", "words", "image"]], tmp_path)


def test_no_author_of_a_dump_stands_in_its_shard(dumps_folder, tmp_path):
    file = dumps_folder / "RC_2006-01.zst"
    authors = set(plain_rows(file).author) - {"[deleted]"}
    (shard,) = ingest([file], tmp_path, KEY)
    found = pd.read_parquet(shard.items)
    said = {word for text in found.text for word in re.findall(r"\w+", text)}
    assert len(authors) > 700 and len(found) > 2000
    assert not authors & (said | set(found.user) | set(found.subreddit))

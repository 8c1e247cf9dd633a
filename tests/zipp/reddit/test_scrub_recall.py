"""How much of what is private in real comments scrub finds, against marks made by hand.

params/labels/reddit_private_spans.csv holds the marks; its texts are Pushshift's monthly dumps, which are not in the
repository. "tuning" may be looked at, "held-out" is the other half of the same draw, and "fresh" a second draw that
was marked once the rules and the lists of names stood (later changes served canaries and redaction only). Kind "either" (people of fiction and scripture,
things named after people, pseudonyms) counts neither way.
"""

import bz2
import csv
import json
import os
from collections import Counter, defaultdict
from itertools import pairwise
from pathlib import Path

import pytest
import zstandard

from personalab.sources import ROOT
from personalab.zipp.reddit.scrub import spans

LABELS = ROOT / "params" / "labels" / "reddit_private_spans.csv"
#: (part, kind) -> least share found, as measured
FLOORS = {
    ("held-out", "url"): 44 / 44,
    ("held-out", "name"): 32 / 32,
    ("held-out", "single_name"): 11 / 16,
    ("held-out", "place"): 1 / 1,
    ("fresh", "url"): 24 / 24,
    ("fresh", "name"): 33 / 37,
    ("fresh", "single_name"): 8 / 14,
    ("fresh", "place"): 3 / 3,
}
#: part -> least share of what scrub cut out that was private
PRECISION = {"held-out": 88 / 90, "fresh": 69 / 75}


@pytest.fixture(scope="module")
def marks():
    """(file, line) -> (part, [(start, end, kind)])."""
    found = {}
    with open(LABELS, newline="") as file:
        for row in csv.DictReader(file):
            spans_here = found.setdefault((row["file"], int(row["line"])), (row["part"], []))[1]
            if row["kind"]:
                spans_here.append((int(row["start"]), int(row["end"]), row["kind"]))
    return found


@pytest.fixture(scope="module")
def texts(marks):
    """(file, line) -> body of a comment, or title, blank line and text of a submission."""
    folder = os.environ.get("PERSONALAB_DATA")
    if not folder:
        pytest.skip(
            "PERSONALAB_DATA is not set; it names the folder that holds reddit_dumps/RC_2006-01.zst and the like"
        )
    found = {}
    for name in sorted({file for file, _ in marks}):
        for number, line in enumerate(read(Path(folder) / "reddit_dumps" / name).split(b"\n"), 1):
            if (name, number) in marks:
                item = json.loads(line)
                found[name, number] = (
                    item["body"] if "body" in item else f"{item['title']}\n\n{item.get('selftext') or ''}"
                )
    return found


def read(path):
    """All of a compressed file."""
    if path.suffix == ".bz2":
        return bz2.decompress(path.read_bytes())
    with open(path, "rb") as file:
        return (
            zstandard.ZstdDecompressor(max_window_size=2**31)
            .stream_reader(file, read_across_frames=True)
            .read()
        )


def measure(marks, texts):
    """Counts of found and marked by (part, kind), of right and all cuts by part."""
    found, marked, right, cut = Counter(), Counter(), Counter(), Counter()
    for key, (part, private) in marks.items():
        ours = spans(texts[key])
        for start, end, kind in private:
            if kind != "either":
                letters = [at for at in range(start, end) if texts[key][at].isalnum()]
                marked[part, kind] += 1
                found[part, kind] += all(any(span.start <= at < span.end for span in ours) for at in letters)
        for span in ours:
            kinds = {kind for start, end, kind in private if span.start < end and start < span.end}
            if kinds != {"either"}:
                cut[part] += 1
                right[part] += bool(kinds)
    return found, marked, right, cut


def test_marks_are_well_formed_and_many(marks):
    parts = Counter(part for part, _ in marks.values())
    assert sum(parts.values()) >= 400 and min(parts.values()) >= 100
    assert set(parts) == {"tuning", "held-out", "fresh"}
    for _, private in marks.values():
        assert private == sorted(private)
        assert all(a[1] <= b[0] for a, b in pairwise(private))


def test_recall_and_precision_on_comments_that_were_not_tuned_on(marks, texts):
    assert all(end <= len(texts[key]) for key, (_, private) in marks.items() for _, end, _ in private)
    found, marked, right, cut = measure(marks, texts)
    table = defaultdict(list)
    for part, kind in sorted(marked):
        table[part].append(f"{kind} {found[part, kind]}/{marked[part, kind]}")
    for part, cells in table.items():
        print(f"{part}: recall {', '.join(cells)}; precision {right[part]}/{cut[part]}")
    assert {key: found[key] / marked[key] for key in FLOORS if found[key] / marked[key] < FLOORS[key]} == {}
    assert {
        part: right[part] / cut[part] for part in PRECISION if right[part] / cut[part] < PRECISION[part]
    } == {}

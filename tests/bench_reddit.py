"""How fast dumps become shards, beside the plain loop `json.loads(line)` over the same file (`make bench`).

Dumps are made here: rows as wide as those of 2006 (about 550 bytes) and of 2019 (about 2,000 bytes), one in four by a
deleted account. "reads" is reading, parsing, filtering and hashing; "scrubs" is all that `ingest` does, Parquet included,
on fewer lines. 1 and 2 are processes; the plain loop always has one. Memory is the most that one process has while it reads.
"""

import io
import json
import multiprocessing
import re
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import zstandard

from personalab.zipp.reddit import filters, ingest, shards
from personalab.zipp.reddit.privacy import Key, load_key
from personalab.zipp.reddit.scrub import scrub

LINES = {"comments of 2006": 60_000, "posts of 2019": 20_000}
SCRUBBED = 2_000
WORDS = (
    "the of and to a in that is it you for this with on as are have be they not but was what if all at or like there "
    "light harbour photograph camera lens evening morning colour people think really would about when more which their "
    "because something never Thanks However America Python http://example.org/a I'm don't very good one 2006 3.5"
).split()


def rows(kind: str, n: int) -> bytes:
    """A dump's lines; the fields that nobody reads are as many and as long as in the real files."""
    rng = np.random.default_rng(0)
    modern = kind == "posts of 2019"
    filler = {
        f"field_{number}": (None, False, [], "self.AskMen", 0)[number % 5]
        for number in range(66 if modern else 12)
    }
    lines = []
    for number, author in enumerate(rng.zipf(1.4, n) % 5000):
        text = " ".join(rng.choice(WORDS, rng.integers(3, 90)))
        row = {
            "id": f"{number:x}",
            "author": f"heron_{author}" if rng.random() < 0.75 else "[deleted]",
            "score": 3,
        }
        row |= {
            "subreddit": f"sub{author % 40}",
            "created_utc": 1_572_000_000 + number,
            "distinguished": None,
        }
        row |= (
            {"title": text[:60], "selftext": text, "url": "https://i.redd.it/a.jpg"}
            if modern
            else {"body": text}
        )
        lines.append(json.dumps(row | filler))
    return "\n".join(lines).encode() + b"\n"


def plain(path: Path) -> None:
    """What a first script would do."""
    with open(path, "rb") as file:
        stream = zstandard.ZstdDecompressor(max_window_size=2**31).stream_reader(file)
        for line in io.TextIOWrapper(stream, encoding="utf-8"):
            json.loads(line)


def read(path: Path) -> int:
    """Reading, parsing, filtering, hashing; the number of items kept."""
    hashes = shards.Hashes(Key(b"a key for benches, not for data!"))
    kept = 0
    for one in filters.sift(path, Counter(), print):
        hashes.user(one.author), hashes.item(one.id)
        kept += 1
    return kept


def seconds(function: Callable[[], object], repeats: int = 3) -> float:
    best = float("inf")
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        best = min(best, time.perf_counter() - start)
    return best


def peak(path: Path) -> int:
    """Most memory that a fresh process has while it reads, its imports included (MiB)."""
    read(path)
    return int(re.search(r"VmHWM:\s*(\d+)", Path("/proc/self/status").read_text())[1]) // 1024


def measure(kind: str, n: int, folder: Path) -> None:
    """Print the two lines of one kind of dump."""
    data, packer, spawn = (
        rows(kind, n),
        zstandard.ZstdCompressor(level=3),
        multiprocessing.get_context("spawn"),
    )
    path, small = folder / f"{kind}.zst", [folder / f"{kind} {part}.zst" for part in (1, 2)]
    path.write_bytes(packer.compress(data))
    for part, file in enumerate(small):
        file.write_bytes(packer.compress(b"\n".join(data.splitlines()[part * SCRUBBED :][:SCRUBBED])))
    with ProcessPoolExecutor(1, spawn) as pool:
        memory = pool.submit(peak, path).result()
    with ProcessPoolExecutor(2, spawn) as pool:
        list(pool.map(read, small))
        loop, one = n / seconds(lambda: plain(path)), n / seconds(lambda: read(path))
        two = 2 * n / seconds(lambda: list(pool.map(read, [path, path])))
    load = partial(load_key, folder / "key")
    scrub("The first text takes the lists from their files.")
    scrubbed = 2 * SCRUBBED / seconds(lambda: ingest.ingest(small, folder / kind, load, workers=1), 1)
    print(
        f"{kind:18}{loop:12,.0f}{one:12,.0f}{two:12,.0f}{one / loop:10.2f}{two / loop:10.2f}{scrubbed:12,.0f}{memory:8} MiB"
    )


def main() -> None:
    print(
        f"{'lines/s':18}{'plain loop':>12}{'reads, 1':>12}{'reads, 2':>12}{'ratio, 1':>10}{'ratio, 2':>10}{'scrubs, 1':>12}{'memory':>12}"
    )
    with TemporaryDirectory() as folder:
        for kind, n in LINES.items():
            measure(kind, n, Path(folder))


if __name__ == "__main__":
    main()

"""Small dumps for tests: rows as Reddit writes them, and the containers they come in."""

import bz2
import gzip
import json
from pathlib import Path
from typing import Any

import zstandard

TEXT = "the light on the harbour was lovely that evening"


def comment(number: int, author: str | None = "quiet_heron_77", **fields: Any) -> dict[str, Any]:
    row = {"id": f"c{number}", "author": author, "subreddit": "itookapicture", "created_utc": 1_572_000_000}
    return row | {"score": number % 7, "body": f"{TEXT} {number}", "distinguished": None} | fields


def post(number: int, author: str | None = "quiet_heron_77", **fields: Any) -> dict[str, Any]:
    row = {"id": f"p{number}", "author": author, "subreddit": "EarthPorn", "created_utc": "1572000000"}
    row |= {
        "score": 3,
        "title": f"Harbour at dusk {number}",
        "selftext": "",
        "over_18": False,
        "is_self": False,
    }
    return row | {"url": f"https://i.redd.it/h{number}.jpg", "subreddit_type": "public"} | fields


def ndjson(rows: list[Any]) -> bytes:
    """One line each; bytes go in as they are."""
    return b"".join((row if isinstance(row, bytes) else json.dumps(row).encode()) + b"\n" for row in rows)


def zst(data: bytes, frames: int = 1) -> bytes:
    """Some zstd frames with checksums and without their sizes, as a streaming packer writes them."""
    step = len(data) // frames + 1
    pack = zstandard.ZstdCompressor(write_checksum=True, write_content_size=False)
    return b"".join(pack.compress(data[start : start + step]) for start in range(0, len(data) or 1, step))


def write(path: Path, rows: list[Any]) -> Path:
    """A dump packed as its suffix says."""
    pack = {".zst": zst, ".bz2": bz2.compress, ".gz": gzip.compress}.get(path.suffix, bytes)
    path.write_bytes(pack(ndjson(rows)))
    return path

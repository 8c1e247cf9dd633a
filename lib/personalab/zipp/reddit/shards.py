"""One dump as one Parquet file of items: kept, scrubbed, with keyed hashes in the place of names.

Batches of some thousand items go through memory; nothing else of a file is held. Same input and key, same bytes.
"""

import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from . import filters
from .items import Item
from .mentions import Mentions
from .privacy import Key
from .scrub import redact, scrub

#: Says of texts which are unsafe, one flag each: the place of the paper's Llama Guard.
Unsafe = Callable[[list[str]], Sequence[bool]]
#: Reasons that come after those of `filters.REASONS`.
EMPTY, UNSAFE = "nothing left after scrubbing", "unsafe"
ITEMS = pa.schema(
    [
        ("id", pa.int64()),  # keyed hash of Reddit's
        ("user", pa.string()),  # keyed hash of the name
        ("subreddit", pa.string()),
        ("kind", pa.string()),  # "post" or "comment"
        ("score", pa.int32()),
        ("day", pa.date32()),
        ("words", pa.int32()),
        ("text", pa.string()),  # scrubbed
        ("image", pa.string()),  # keyed hash of the picture's URL, null if none
    ]
)
PICTURES = pa.schema([("image", pa.string()), ("url", pa.string())])
_BATCH, _CHARACTERS = 10_000, 8_000_000


class Hashes:
    """Keyed hashes of what would point to a person; without the key none can be computed or undone.

    Users get the key's own identifiers, the same in every data set. Items and pictures, of which there are far more, get
    BLAKE2b under a secret drawn from the key: 64 bits for items (a chance of 1 % that two of 600 million agree), 128 for
    pictures.
    """

    def __init__(self, key: Key):
        secret = bytes.fromhex(key.identifier("ids of items and pictures"))
        self.user = lru_cache(maxsize=2**18)(key.identifier)
        self._item = hashlib.blake2b(key=secret, digest_size=8, person=b"item")
        self._picture = hashlib.blake2b(key=secret, digest_size=16, person=b"picture")

    def item(self, name: str) -> int:
        """Of a post's or comment's id; as even as a random number, so that it can choose among items."""
        state = self._item.copy()
        state.update(name.encode())
        return int.from_bytes(state.digest(), "little", signed=True)

    def picture(self, url: str) -> str:
        """Of a picture's URL, in which capitals matter."""
        state = self._picture.copy()
        state.update(url.encode())
        return state.hexdigest()


def write(
    path: Path, outputs: Sequence[Path], key: Key, unsafe: Unsafe | None, settings: dict[str, Any]
) -> dict[str, int]:
    """Make the items, the quarantine and, if there is a third path, the table of pictures of one dump.

    Args:
        unsafe: sees the scrubbed texts of what passed everything else.
        settings: of `filters.sift`.

    Returns:
        Counts: "read" = "kept" + "quarantined" + the reasons of `filters.REASONS`, EMPTY and UNSAFE.

    Raises:
        DumpError: see `dumps.blocks`; no output is changed then.
    """
    counts: Counter[str] = Counter()
    hashes = Hashes(key)
    with (
        _parts(outputs) as (items, quarantine, *pictures),
        open(quarantine, "w") as aside,
        pq.ParquetWriter(items, ITEMS) as writer,
        pq.ParquetWriter(pictures[0] if pictures else pa.BufferOutputStream(), PICTURES) as urls,
    ):

        def set_aside(line: int, offset: int | None, reason: str) -> None:
            aside.write(json.dumps({"line": line, "offset": offset, "reason": reason}) + "\n")

        authors: dict[str | None, None] = {}
        mentions = Mentions()
        sifted = filters.sift(path, counts, set_aside, authors=authors, **settings)
        while batch := _batch(sifted):
            mentions.learn(authors)
            authors.clear()
            kept, texts = _safe(*_clean(batch, mentions, counts), unsafe, counts)
            writer.write_table(_table(kept, texts, hashes))
            if pictures:
                urls.write_table(_urls(kept, hashes))
    assert 2 * counts["read"] == counts.total(), f"{path.name}: {dict(counts)} do not add up"
    return {name: counts[name] for name in ("read", "quarantined", *filters.REASONS, EMPTY, UNSAFE, "kept")}


def _batch(items: Iterator[Item]) -> list[Item]:
    """The next items: at most 10,000, and no more once their texts pass 8 million characters."""
    batch, size = [], 0
    for one in islice(items, _BATCH):
        batch.append(one)
        size += len(one.text)
        if size > _CHARACTERS:
            break
    return batch


def _clean(batch: list[Item], mentions: Mentions, counts: Counter[str]) -> tuple[list[Item], list[str]]:
    """The items of which something is left, and what is left of their texts."""
    texts = [filters.clean(one.text, lambda text: scrub(mentions.hide(text)), redact) for one in batch]
    kept = [one for one, text in zip(batch, texts, strict=True) if text is not None]
    counts[EMPTY] += len(batch) - len(kept)
    return kept, [text for text in texts if text is not None]


def _safe(
    batch: list[Item], texts: list[str], unsafe: Unsafe | None, counts: Counter[str]
) -> tuple[list[Item], list[str]]:
    flags = list(unsafe(texts)) if unsafe and texts else [False] * len(texts)
    if len(flags) != len(texts):
        raise ValueError(f"unsafe() gave {len(flags)} flags for {len(texts)} texts; expected one each")
    counts[UNSAFE] += sum(map(bool, flags))
    counts["kept"] += len(texts) - sum(map(bool, flags))
    left = [place for place, flag in enumerate(flags) if not flag]
    return [batch[place] for place in left], [texts[place] for place in left]


def _table(kept: list[Item], texts: list[str], hashes: Hashes) -> pa.Table:
    columns = [
        [hashes.item(one.id) for one in kept],
        [hashes.user(one.author) for one in kept],
        [one.subreddit for one in kept],
        ["comment" if one.id[1] == "1" else "post" for one in kept],
        [one.score for one in kept],
        [one.day for one in kept],
        [len(text.split()) for text in texts],
        texts,
        [hashes.picture(one.picture) if one.picture else None for one in kept],
    ]
    return pa.Table.from_arrays(
        [pa.array(column, field.type) for column, field in zip(columns, ITEMS, strict=True)], schema=ITEMS
    )


def _urls(kept: list[Item], hashes: Hashes) -> pa.Table:
    shown = [{"image": hashes.picture(one.picture), "url": one.picture} for one in kept if one.picture]
    return pa.Table.from_pylist(shown, PICTURES)


@contextmanager
def _parts(outputs: Sequence[Path]) -> Iterator[list[Path]]:
    """Paths to write to, which become `outputs` when all is well."""
    parts = [path.with_name(f".{path.name}.part") for path in outputs]
    for part in parts:
        part.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield parts
        for part, path in zip(parts, outputs, strict=True):
            with open(part, "rb") as file:
                os.fsync(file.fileno())
            os.replace(part, path)
    finally:
        for part in parts:
            part.unlink(missing_ok=True)

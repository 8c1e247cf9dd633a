"""Lines of Reddit's dump files, streamed: .zst, .bz2, .gz, plain NDJSON, or one Listing of the Reddit API.

Memory is bounded whatever a file holds: blocks of at most 128 KiB are unpacked at a time, a line above the limit is passed
over without being held, and a zstd window takes what its frame asks for, at most 2 GiB (the dumps ask for that). A file that ends early or is damaged is an error that says where; nothing here looks
into a line. The exception is a Listing, which is one JSON document and is read as a whole.
"""

import bz2
import gzip
import os
import re
import zlib
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import orjson
import zstandard

#: Lines above this are set aside unread (bytes); Reddit's longest posts take about a quarter of a megabyte.
LONGEST = 16 * 2**20
#: The largest zstd window that is accepted (bytes): the dumps are packed with `--long=31`.
WINDOW = 2**31
_CHUNK = 2**17
_ZSTD = b"\x28\xb5\x2f\xfd"
_LISTING = re.compile(rb"""\s*(\[\s*)?\{\s*"kind"\s*:\s*"Listing\"""")


class DumpError(ValueError):
    """A dump that cannot be read on; the message names file, position and what to do."""


class Block(NamedTuple):
    """Some lines in a row."""

    number: int
    """Of the first line, from 1; blank lines count. In a Listing, the place of the first child."""
    offset: int | None
    """Of the first line in the unpacked stream (bytes); None in a Listing."""
    lines: list[bytes | None]
    """Without line ends; None is a line longer than the limit."""


def blocks(path: str | Path, limit: int = LONGEST) -> Iterator[Block]:
    """The lines of a dump, some hundreds at a time.

    Args:
        path: the suffix (.zst, .bz2, .gz) or else the first bytes tell how it is packed.
        limit: longest line (bytes), at least 128 KiB; for a Listing, the longest file.

    Raises:
        FileNotFoundError: there is no such file.
        DumpError: the file ends early, is damaged, or is a Listing that is too long or not JSON. Blocks before the
            damage have been given out by then.
    """
    if limit < _CHUNK:
        raise ValueError(f"limit is {limit} bytes; expected at least {_CHUNK}")
    chunks = _unpacked(Path(path))
    first = next(chunks, b"")
    chunks = chain([first], chunks)
    yield from _children(Path(path), chunks, limit) if _LISTING.match(first) else _lines(chunks, limit)


def _lines(chunks: Iterable[bytes], limit: int) -> Iterator[Block]:
    number, offset = 1, 0
    held, size = [], 0
    for chunk in chunks:
        head, newline, rest = chunk.partition(b"\n")
        size += len(head)
        held = [*held, head] if size <= limit else []
        if not newline:
            continue
        yield Block(number, offset, [b"".join(held) if size <= limit else None])
        number, offset = number + 1, offset + size + 1
        *lines, tail = rest.split(b"\n")
        yield Block(number, offset, lines)
        number, offset = number + len(lines), offset + len(rest) - len(tail)
        held, size = [tail], len(tail)
    if size:
        yield Block(number, offset, [b"".join(held) if size <= limit else None])


def _children(path: Path, chunks: Iterable[bytes], limit: int) -> Iterator[Block]:
    """The posts and comments of a Listing (or several, one per line), one line each."""
    text = b""
    for chunk in chunks:
        text += chunk
        if len(text) > limit:
            raise DumpError(
                f"{path}: a Listing of more than {limit} bytes. Save its children one per line, or raise the limit"
            )
    try:
        documents = _documents(text)
    except orjson.JSONDecodeError as error:
        raise DumpError(
            f"{path}: begins like a Listing and is not JSON at character {error.pos}. Fetch the page again"
        ) from None
    yield Block(1, None, [orjson.dumps(thing) for document in documents for thing in _things(document)])


def _documents(text: bytes) -> list[Any]:
    try:
        return [orjson.loads(text)]
    except orjson.JSONDecodeError:
        return [orjson.loads(line) for line in text.splitlines() if line.strip()]


def _things(node: Any) -> Iterator[Any]:
    """What a Listing holds, replies to comments after the comment; anything odd is given out as it is."""
    if isinstance(node, list):
        for one in node:
            yield from _things(one)
    elif isinstance(node, dict) and node.get("kind") == "Listing":
        yield from _things((node.get("data") or {}).get("children") or [])
    else:
        data = node.get("data") if isinstance(node, dict) else None
        if not isinstance(data, dict) or not isinstance(data.get("replies"), dict):
            yield node if data is None else data
            return
        yield {field: value for field, value in data.items() if field != "replies"}
        yield from _things(data["replies"])


def _unpacked(path: Path) -> Iterator[bytes]:
    """The unpacked stream in pieces of at most 128 KiB, none empty."""
    done = 0
    with open(path, "rb") as file:
        try:
            for chunk in _reader(path, file)(file):
                done += len(chunk)
                if chunk:
                    yield chunk
        except (OSError, EOFError, zlib.error, zstandard.ZstdError) as error:
            raise DumpError(
                f"{path}: {error}, near byte {file.tell()} of the file, after {done} unpacked bytes. "
                "Fetch the file again and compare its checksum"
            ) from None


def _reader(path: Path, file: BinaryIO) -> Any:
    magic = file.read(4)
    file.seek(0)
    packed = {".zst": _zst, ".bz2": _bz2, ".gz": _gz}
    plain = dict.fromkeys((".json", ".jsonl", ".ndjson"), _plain)
    if reader := (packed | plain).get(path.suffix):
        return reader
    starts = ((_ZSTD, _zst), (b"BZh", _bz2), (b"\x1f\x8b", _gz))
    return next((reader for start, reader in starts if magic.startswith(start)), _plain)


def _plain(file: BinaryIO) -> Iterator[bytes]:
    return iter(lambda: file.read(_CHUNK), b"")


def _gz(file: BinaryIO) -> Iterator[bytes]:
    return _plain(gzip.GzipFile(fileobj=file))


def _bz2(file: BinaryIO) -> Iterator[bytes]:
    """All streams of the file. The standard library's reader takes a damaged second stream for the end."""
    stream, data = bz2.BZ2Decompressor(), b""
    while True:
        if stream.eof:
            data = stream.unused_data or file.read(_CHUNK)
            if not data:
                return
            stream = bz2.BZ2Decompressor()
        elif stream.needs_input:
            data = file.read(_CHUNK)
            if not data:
                raise EOFError("the file ends inside a bzip2 stream")
        else:
            data = b""
        yield stream.decompress(data, _CHUNK)


def _zst(file: BinaryIO) -> Iterator[bytes]:
    """All frames of the file. zstandard's stream reader takes a file that ends inside a frame for complete."""
    length = os.fstat(file.fileno()).st_size
    if not length:
        raise EOFError("the file is empty")
    while magic := file.read(4):
        if len(magic) == 4 and magic[1:] == b"\x2a\x4d\x18" and magic[0] & 0xF0 == 0x50:
            file.seek(int.from_bytes(_exactly(file, 4), "little"), os.SEEK_CUR)
            if file.tell() > length:
                raise EOFError("the file ends inside a skippable zstd frame")
        elif magic == _ZSTD:
            yield from _frame(file)
        else:
            raise zstandard.ZstdError("no zstd frame begins here")


def _frame(file: BinaryIO) -> Iterator[bytes]:
    """One frame, block by block (RFC 8878, 3.1.1): no block unpacks to more than 128 KiB."""
    start = _exactly(file, 1)
    sizes, single, checksum, dictionary = start[0] >> 6, start[0] >> 5 & 1, start[0] >> 2 & 1, start[0] & 3
    header = (0 if single else 1) + (0, 1, 2, 4)[dictionary] + (single, 2, 4, 8)[sizes]
    frame = zstandard.ZstdDecompressor(max_window_size=WINDOW).decompressobj()
    yield frame.decompress(_ZSTD + start + _exactly(file, header))
    last = False
    while not last:
        head = _exactly(file, 3)
        word = int.from_bytes(head, "little")
        last, kind, size = word & 1, word >> 1 & 3, word >> 3
        if size > _CHUNK or kind == 3:
            raise zstandard.ZstdError("a zstd block that no packer writes")
        yield frame.decompress(head + _exactly(file, 1 if kind == 1 else size))
    if checksum:
        yield frame.decompress(_exactly(file, 4))
    if not frame.eof:
        raise zstandard.ZstdError("a zstd frame goes on after its last block")


def _exactly(file: BinaryIO, n: int) -> bytes:
    data = file.read(n)
    if len(data) < n:
        raise EOFError("the file ends inside a zstd frame")
    return data

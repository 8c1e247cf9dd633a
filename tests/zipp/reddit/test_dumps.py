"""Lines of dumps, beside the standard library's own readers, and what happens to damaged, huge and hostile files."""

import bz2
import gzip
import json
import subprocess
import sys
from pathlib import Path

import pytest
import zstandard
from hypothesis import example, given, settings
from hypothesis import strategies as st
from made_dumps import comment, ndjson, zst

from personalab.zipp.reddit import dumps
from personalab.zipp.reddit.dumps import DumpError, blocks

SKIPPABLE = b"\x50\x2a\x4d\x18\x03\x00\x00\x00abc"
DATA = ndjson([comment(number) for number in range(300)])
WHOLE = {"d.zst": zst(DATA, 3), "d.bz2": bz2.compress(DATA[:999]) + bz2.compress(DATA[999:]), "d.gz": gzip.compress(DATA)}  # fmt: skip


def lines(path, limit=dumps.LONGEST):
    """(number, offset, line) of every line of a dump."""
    out = []
    for block in blocks(path, limit):
        offset = block.offset
        for place, line in enumerate(block.lines):
            out.append((block.number + place, offset, line))
            offset = None if offset is None or line is None else offset + len(line) + 1
    return out


def expected(data):
    out, offset = [], 0
    for number, line in enumerate(data.split(b"\n"), 1):
        out.append((number, offset, line))
        offset += len(line) + 1
    return out[:-1] if data.endswith(b"\n") or not data else out


@given(st.binary(max_size=400), st.integers(1, 4))
@example(b"", 1)
@example(b"\n\n", 1)
@example(b"no newline at the end", 2)
@settings(max_examples=60, deadline=None)
def test_any_bytes_come_back_line_by_line(tmp_path_factory, data, frames):
    folder = tmp_path_factory.mktemp("dumps")
    packed = {
        "d.json": data,
        "d.bz2": bz2.compress(data),
        "d.gz": gzip.compress(data),
        "d.zst": zst(data, frames),
    }
    packed["d.zst"] = SKIPPABLE + packed["d.zst"]
    for name, content in packed.items():
        (folder / name).write_bytes(content)
        assert lines(folder / name) == expected(data), name


@pytest.mark.parametrize("name", [*WHOLE, "d.jsonl"])
def test_lines_that_cross_blocks_keep_number_and_offset(tmp_path, monkeypatch, name):
    data = ndjson([b"x" * (number * 7919 % 60_000) for number in range(90)])
    pack = {"d.zst": zst, "d.bz2": bz2.compress, "d.gz": gzip.compress}.get(name, bytes)
    (tmp_path / name).write_bytes(pack(data))
    assert lines(tmp_path / name) == expected(data)


def test_without_a_suffix_the_first_bytes_tell(tmp_path):
    for content in (*WHOLE.values(), DATA):
        (tmp_path / "RC_2019-10").write_bytes(content)
        assert lines(tmp_path / "RC_2019-10") == expected(DATA)


@pytest.mark.parametrize("name", WHOLE)
def test_a_file_cut_anywhere_is_an_error_that_says_where(tmp_path, name):
    whole, path = WHOLE[name], tmp_path / name
    step = len(DATA) // 3 + 1
    first = {"d.zst": zst(DATA[:step]), "d.bz2": bz2.compress(DATA[:999]), "d.gz": whole}[name]
    for cut in [*range(1, len(whole), 29), len(first) - 1, len(first) + 1, len(whole) - 1]:
        path.write_bytes(whole[:cut])
        if cut == len(first) or (name == "d.zst" and cut == 2 * len(first)) or cut >= len(whole):
            continue
        with pytest.raises(
            DumpError, match=rf"{name}: .*near byte \d+ of the file, after \d+ unpacked bytes"
        ):
            lines(path)
    path.write_bytes(first)
    assert b"\n".join(line for _, _, line in lines(path)) in DATA


def test_an_empty_packed_file_is_an_error(tmp_path):
    for name in ("d.zst", "d.bz2"):
        (tmp_path / name).write_bytes(b"")
        with pytest.raises(DumpError):
            lines(tmp_path / name)


@given(st.sampled_from(sorted(WHOLE)), st.integers(0, 10**6), st.integers(1, 255))
@settings(max_examples=150, deadline=None)
def test_a_damaged_byte_is_an_error_or_changes_nothing(tmp_path_factory, name, place, flip):
    whole = bytearray(WHOLE[name])
    whole[place % len(whole)] ^= flip
    path = tmp_path_factory.getbasetemp() / name
    path.write_bytes(whole)
    try:
        assert lines(path) == expected(DATA)
    except DumpError as error:
        assert name in str(error)


def test_bytes_after_the_last_frame_are_an_error(tmp_path):
    for name in ("d.zst", "d.bz2"):
        (tmp_path / name).write_bytes(WHOLE[name] + b"garbage")
        with pytest.raises(DumpError):
            lines(tmp_path / name)


def test_a_window_of_two_gibibytes_is_accepted(tmp_path):
    parameters = zstandard.ZstdCompressionParameters.from_level(1, window_log=31, enable_ldm=True)
    packer = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    (tmp_path / "d.zst").write_bytes(packer.compress(DATA) + packer.flush())
    assert zstandard.get_frame_parameters((tmp_path / "d.zst").read_bytes()).window_size == dumps.WINDOW
    assert lines(tmp_path / "d.zst") == expected(DATA)


def test_a_line_above_the_limit_is_passed_over(tmp_path):
    path = tmp_path / "d.json"
    long = b"x" * (2**17 + 1)
    path.write_bytes(b"a\n" + long + b"\n" + long[1:] + b"\nb\n" + long)
    assert lines(path, 2**17) == [
        (1, 0, b"a"),
        (2, 2, None),
        (3, len(long) + 3, long[1:]),
        (4, 2 * len(long) + 3, b"b"),
        (5, 2 * len(long) + 5, None),
    ]
    with pytest.raises(ValueError, match="expected at least"):
        lines(path, 100)


MEMORY = """
import resource, sys
from pathlib import Path
from personalab.zipp.reddit.dumps import blocks
now = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (now + 2**26, now + 2**26))
print([(b.number + i, line) for b in blocks(sys.argv[1]) for i, line in enumerate(b.lines)])
"""


def bomb(blocks_: int) -> bytes:
    """A zstd frame of repeated bytes by hand (RFC 8878): each 4 bytes unpack to 128 KiB; window 8 MiB."""
    size = 2**17
    block = (size << 3 | 1 << 1).to_bytes(3, "little") + b"x"
    last = (2 << 3 | 1).to_bytes(3, "little") + b"\nb"
    raw = (2 << 3).to_bytes(3, "little") + b"a\n"
    return b"\x28\xb5\x2f\xfd\x00\x68" + raw + block * blocks_ + last


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("d.zst", bomb(8192)),
        (
            "d.bz2",
            bz2.compress(b"a\n" + b"x" * 2**26) + bz2.compress(b"x" * 2**26) + bz2.compress(b"\nb"),
        ),
        ("d.json", b"a\n" + b"x" * 10**8 + b"\nb"),
    ],
    ids=["1 GiB in 32 KiB of zstd", "128 MiB in 100 bytes of bzip2", "a line of 100 MB"],
)
@pytest.mark.skipif(
    not Path("/proc/self/statm").exists(), reason="reads its own size in /proc, which this system lacks"
)
def test_bombs_and_long_lines_cost_time_not_memory(tmp_path, name, content):
    """64 MiB more than after the imports is all that the process may take."""
    (tmp_path / name).write_bytes(content)
    call = [sys.executable, "-c", MEMORY, tmp_path / name]
    run = subprocess.run(call, capture_output=True, text=True, timeout=60)
    assert (run.stdout.strip(), run.stderr) == ("[(1, b'a'), (2, None), (3, b'b')]", "")


def test_a_listing_of_the_api_gives_its_children_and_their_replies(tmp_path):
    reply = {"kind": "Listing", "data": {"children": [{"kind": "t1", "data": {"id": "b", "replies": ""}}]}}
    first = {"kind": "t1", "data": {"id": "a", "replies": reply}}
    more = {"kind": "more", "data": {"count": 3}}
    page = {
        "kind": "Listing",
        "data": {"after": None, "children": [first, more, {"kind": "t3", "data": {"id": "p"}}]},
    }
    given = [{"id": "a"}, {"id": "b", "replies": ""}, {"count": 3}, {"id": "p"}]
    for text in (json.dumps(page), json.dumps(page, indent=1), " [" + json.dumps(page) + "]"):
        (tmp_path / "page.json").write_text(text)
        assert [
            (number, offset, json.loads(line)) for number, offset, line in lines(tmp_path / "page.json")
        ] == [(number, None, row) for number, row in enumerate(given, 1)]
    (tmp_path / "page.json").write_text("\n".join([json.dumps(page)] * 2))
    assert len(lines(tmp_path / "page.json")) == 8
    (tmp_path / "page.json").write_text(json.dumps(page)[:-1])
    with pytest.raises(DumpError, match="Fetch the page again"):
        lines(tmp_path / "page.json")
    (tmp_path / "page.json").write_text(json.dumps(page) + " " * 2**17)
    with pytest.raises(DumpError, match="raise the limit"):
        lines(tmp_path / "page.json", 2**17)

"""Shards: whole or not at all, the same whatever happened on the way, and without a name of the corpus."""

import fcntl
import json
import multiprocessing
import os
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from made_dumps import TEXT, comment, post, write

from personalab import sources
from personalab.zipp.reddit.dumps import DumpError
from personalab.zipp.reddit.ingest import ingest
from personalab.zipp.reddit.privacy import Key, load_key
from personalab.zipp.reddit.shards import ITEMS, Hashes

KEY = Key(b"a key for tests, thirty-two bytes")
AUTHORS = [f"quiet_heron_{number}" for number in range(40)]


def rows(seed: int, n: int = 60) -> list[dict]:
    kinds = (comment, post)
    return [kinds[n % 5 == 0](seed * 10**6 + n, AUTHORS[(seed + n * n) % 40]) for n in range(n)]


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted(folder.iterdir()) if file.name != ".lock"}


def flags_dusk(texts):
    return ["dusk" in text for text in texts]


def test_a_shard_by_hand(tmp_path):
    given = [
        comment(1),
        post(2, "rower"),
        comment(3, "rower", score=None),
        b"{",
        comment(4, body="no"),
        post(5, None),
    ]
    (shard,) = ingest(
        [write(tmp_path / "RC_1.zst", given)], tmp_path / "out", KEY, private=tmp_path / "private"
    )
    assert {name: n for name, n in shard.counts.items() if n} == {
        "read": 6,
        "quarantined": 1,
        "deleted": 1,
        "comment too short": 1,
        "kept": 3,
    }
    table = pq.read_table(shard.items)
    assert table.schema.equals(ITEMS)
    found = table.to_pylist()
    assert [row["user"] for row in found] == [
        KEY.identifier(name) for name in ("quiet_heron_77", "rower", "Rower")
    ]
    assert [row["kind"] for row in found] == ["comment", "post", "comment"]
    assert [row["score"] for row in found] == [1, 3, None]
    assert [row["words"] for row in found] == [10, 4, 10]
    assert found[0]["text"] == f"{TEXT} 1" and str(found[0]["day"]) == "2019-10-25"
    assert [row["image"] is None for row in found] == [True, False, True]
    pictures = pq.read_table(tmp_path / "private" / "RC_1.zst.pictures.parquet").to_pylist()
    assert pictures == [{"image": found[1]["image"], "url": "https://i.redd.it/h2.jpg"}]
    aside = [
        json.loads(line) for line in (tmp_path / "out" / "RC_1.zst.quarantine.jsonl").read_text().splitlines()
    ]
    assert [(bad["line"], bad["reason"]) for bad in aside] == [(4, "not JSON")]


def test_hashes_need_the_key_and_keep_capitals_of_pictures_apart():
    ours, again, other = Hashes(KEY), Hashes(KEY), Hashes(Key(b"another key of thirty-two bytes!!"))
    assert ours.item("t1_a") == again.item("t1_a") != other.item("t1_a")
    assert ours.picture("https://imgur.com/aB") not in (ours.picture("https://imgur.com/Ab"), other.picture("https://imgur.com/aB"))  # fmt: skip
    assert len({ours.item(f"t1_{number}") for number in range(10_000)}) == 10_000


def test_workers_make_the_same_bytes_and_a_second_run_makes_nothing(tmp_path):
    files = [
        write(tmp_path / f"RC_{number}{suffix}", rows(number))
        for number, suffix in enumerate((".zst", ".bz2", ""))
    ]
    load = partial(load_key, tmp_path / "key")
    one, two = (ingest(files, tmp_path / f"out{workers}", load, workers=workers) for workers in (1, 2))
    assert contents(tmp_path / "out1") == contents(tmp_path / "out2")
    assert [shard.counts for shard in one] == [shard.counts for shard in two]
    times = {file: file.stat().st_mtime_ns for file in (tmp_path / "out1").iterdir()}
    os.utime(files[0])
    assert ingest(files, tmp_path / "out1", load()) == one
    assert {file: file.stat().st_mtime_ns for file in (tmp_path / "out1").iterdir()} == times


@pytest.mark.parametrize(
    "change",
    [
        {"min_words": 9},
        {"nsfw": ["EarthPorn"]},
        {"unsafe": flags_dusk},
        {"key": Key(b"another key of thirty-two bytes!!")},
    ],
    ids=str,
)
def test_another_setting_or_key_makes_the_shard_again(tmp_path, change):
    file = write(tmp_path / "RC_1.zst", rows(1))
    (first,) = ingest([file], tmp_path / "out", KEY)
    before = contents(tmp_path / "out")
    (second,) = ingest([file], tmp_path / "out", **({"key": KEY} | change))
    assert contents(tmp_path / "out")["RC_1.zst.json"] != before["RC_1.zst.json"]
    assert second.counts["read"] == first.counts["read"]
    (again,) = ingest([file], tmp_path / "out", KEY)
    assert again == first and contents(tmp_path / "out") == before


def test_a_changed_input_or_a_shortened_output_makes_the_shard_again(tmp_path):
    file = write(tmp_path / "RC_1.zst", rows(1))
    (shard,) = ingest([file], tmp_path / "out", KEY)
    whole = contents(tmp_path / "out")
    shard.items.write_bytes(b"PAR1")
    assert ingest([file], tmp_path / "out", KEY) == [shard] and contents(tmp_path / "out") == whole
    write(file, rows(1, 61))
    assert ingest([file], tmp_path / "out", KEY)[0].counts["read"] == 61


def test_a_damaged_file_is_named_and_the_others_are_made(tmp_path):
    files = [write(tmp_path / f"RC_{number}.zst", rows(number)) for number in range(3)]
    files[1].write_bytes(files[1].read_bytes()[:-9])
    for workers in (1, 2):
        with pytest.raises(DumpError, match=r"RC_1\.zst: the file ends inside a zstd frame"):
            ingest(files, tmp_path / str(workers), partial(load_key, tmp_path / "key"), workers=workers)
        names = set(contents(tmp_path / str(workers)))
        assert {"RC_0.zst.json", "RC_2.zst.json"} < names and not any("RC_1" in name for name in names)


def test_unsafe_texts_are_dropped_and_a_failing_judge_ends_the_run(tmp_path):
    file = write(tmp_path / "RC_1.zst", rows(1))
    (shard,) = ingest([file], tmp_path / "out", KEY, unsafe=flags_dusk)
    assert shard.counts["unsafe"] == 12 and "dusk" not in str(pq.read_table(shard.items)["text"].to_pylist())
    with pytest.raises(ValueError, match="gave 1 flags for 60 texts"):
        ingest([file], tmp_path / "out", KEY, unsafe=lambda texts: [False])
    assert "RC_1.zst.json" not in contents(tmp_path / "out")


def test_what_cannot_work_is_refused_at_once(tmp_path):
    file = write(tmp_path / "RC_1.zst", rows(1))
    (tmp_path / "b").mkdir()
    with pytest.raises(FileNotFoundError, match="no such dump"):
        ingest([tmp_path / "none.zst"], tmp_path / "out", KEY)
    with pytest.raises(ValueError, match="more than once"):
        ingest([file, write(tmp_path / "b" / "RC_1.zst", [])], tmp_path / "out", KEY)
    for private in (tmp_path / "out" / "private", sources.ROOT / "outputs"):
        with pytest.raises(ValueError, match="expected one elsewhere"):
            ingest([file], tmp_path / "out", KEY, private=private)
    with pytest.raises(ValueError, match="a function that loads it"):
        ingest([file, write(tmp_path / "RC_2.zst", [])], tmp_path / "out", KEY, workers=2)
    (tmp_path / "out").mkdir()
    with open(tmp_path / "out" / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(BlockingIOError, match="another run"):
            ingest([file], tmp_path / "out", KEY)


def test_no_name_of_the_corpus_stands_in_any_output(tmp_path):
    spoken = [comment(900 + n, author, body=f"thanks u/{AUTHORS[n - 1]} for the tip on the harbour") for n, author in enumerate(AUTHORS)]  # fmt: skip
    spoken += [comment(990 + n, "rower", body=f"I agree with {author.upper()}'s harbour, and-{author}.") for n, author in enumerate(AUTHORS)]  # fmt: skip
    broken = [json.dumps(comment(1, author)).encode()[:-1] for author in AUTHORS]
    personal = [post(n, author, subreddit=f"u_{author}") for n, author in enumerate(AUTHORS)]
    shards = ingest(
        [write(tmp_path / "RC_1.zst", rows(1) + spoken + broken + personal)], tmp_path / "out", KEY
    )
    assert shards[0].counts["quarantined"] == shards[0].counts["personal page"] == 40
    plain = (
        b"".join(contents(tmp_path / "out").values())
        + str(pq.read_table(shards[0].items).to_pylist()).encode()
    )
    assert b"harbour" in plain
    for author in AUTHORS:
        assert author.encode() not in plain.lower()
    ids = [row["id"] for row in rows(1)]
    assert not any(name.encode() in plain for name in ids)


RUN = """
import sys
from functools import partial
from personalab.zipp.reddit.ingest import ingest
from personalab.zipp.reddit.privacy import load_key
if __name__ == "__main__":
    ingest(sys.argv[3:], sys.argv[1], partial(load_key, sys.argv[2]), workers=2)
"""


def descendants(pid: int) -> list[int]:
    children = [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return children + [grandchild for child in children for grandchild in descendants(child)]


def alive(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rsplit(")", 1)[1].split()[0] != "Z"


@pytest.mark.skipif(
    not Path("/proc/self/task").exists(), reason="finds processes in /proc, which this system lacks"
)
def test_killed_at_any_moment_it_goes_on_to_the_same_bytes(tmp_path):
    files = [write(tmp_path / f"RC_{number}.zst", rows(number, 400)) for number in range(4)]
    ingest(files, tmp_path / "undisturbed", load_key(tmp_path / "key"))
    out = tmp_path / "out"
    command = [sys.executable, "-c", RUN, out, tmp_path / "key", *files]
    moments = [(".*.part", 1), ("*.zst.json", 1), ("*.zst.json", 2)]
    for pattern, number in moments:
        run = subprocess.Popen(command)
        deadline = time.monotonic() + 30
        while len(list(out.glob(pattern))) < number:
            assert run.poll() is None and time.monotonic() < deadline
            time.sleep(0.002)
        assert run.poll() is None, "it was over before it could be killed"
        workers = descendants(run.pid)
        run.kill()
        run.wait()
        while any(map(alive, workers)):
            assert time.monotonic() < deadline, "workers outlive the run"
            time.sleep(0.01)
    assert len(list(out.glob("*.zst.json"))) < 4
    subprocess.run(command, check=True)
    assert contents(out) == contents(tmp_path / "undisturbed")
    assert multiprocessing.active_children() == []

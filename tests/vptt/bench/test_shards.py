"""Shards against the plain generator: the same personas, whatever the size, the workers and the interruptions."""

import os
import signal
import subprocess
import sys
import time

import pytest

from personalab.records import RecordError, to_jsonl
from personalab.vptt import bench
from personalab.vptt.bench import personas, shards
from personalab.vptt.bench.seeds import parse_lines

SEEDS = parse_lines(bench.own_seeds(120)).kept
SMALL = {"posts": 3, "words": (5, 40)}


def plain(n: int) -> bytes:
    return to_jsonl(bench.generate(SEEDS, n, **SMALL))


@pytest.mark.parametrize("size", [1, 4, 9, 50])
def test_the_size_of_a_shard_changes_no_persona(tmp_path, size):
    written = list(shards.write(tmp_path, SEEDS, 9, size=size, workers=1, **SMALL))
    assert to_jsonl(shards.read(written)) == plain(9)
    assert [shard.first for shard in written] == list(range(0, 9, size)) and written[-1].last == 8
    assert sum(shard.kept for shard in written) == 9 and not any(shard.dropped for shard in written)


def test_two_processes_write_the_same_bytes(tmp_path):
    written = list(shards.write(tmp_path, SEEDS, 12, size=3, workers=2, **SMALL))
    assert b"".join(shard.path.read_bytes() for shard in written) == plain(12)


def test_a_larger_bench_keeps_the_shards_of_a_smaller_one(tmp_path):
    few = list(shards.write(tmp_path, SEEDS, 6, size=2, workers=1, **SMALL))
    before = [shard.path.stat().st_mtime_ns for shard in few]
    many = list(shards.write(tmp_path, SEEDS, 9, size=2, workers=1, **SMALL))
    assert [shard.path.stat().st_mtime_ns for shard in many[:3]] == before
    assert to_jsonl(shards.read(many)) == plain(9)


@pytest.mark.parametrize("change", [{"seed": 1}, {"posts": 4}, {"words": (5, 41)}, {"rule": "identity"}])
def test_another_recipe_is_another_folder(tmp_path, change):
    (first,) = shards.write(tmp_path, SEEDS, 1, workers=1, **SMALL)
    (other,) = shards.write(tmp_path, SEEDS, 1, workers=1, **SMALL | change)
    assert first.path.parent != other.path.parent and first.path.name == other.path.name


def test_other_seeds_are_another_folder_and_the_order_counts():
    names = {shards.recipe(seeds, seed=0) for seeds in (SEEDS, SEEDS[1:], SEEDS[::-1])}
    assert len(names) == 3


def test_dropped_personas_are_counted(tmp_path, monkeypatch):
    whole = personas.write_posts
    monkeypatch.setattr(personas, "write_posts", lambda d, *rest: whole(d, *rest)[: 2 + d.age % 2])
    (shard,) = shards.write(tmp_path, SEEDS, 9, workers=1, **SMALL)
    kept = list(shards.read([shard]))
    assert 0 < len(kept) == shard.kept < 9 and shard.dropped == 9 - len(kept)
    assert {persona.id for persona in kept} < {f"p{i:05d}" for i in range(9)}


def test_a_damaged_shard_is_named(tmp_path):
    (shard,) = shards.write(tmp_path, SEEDS, 2, workers=1, **SMALL)
    shard.path.write_bytes(shard.path.read_bytes()[:-100])
    with pytest.raises(RecordError, match=rf"{shard.path.name}, line 2"):
        list(shards.read([shard]))


@pytest.mark.parametrize("wrong", [{"size": 0}, {"workers": 0}, {"seeds": []}])
def test_impossible_requests_are_refused(tmp_path, wrong):
    asked = {"seeds": SEEDS, "size": 2, "workers": 1} | wrong
    with pytest.raises(ValueError, match="at least one of each"):
        shards.write(tmp_path, asked.pop("seeds"), 3, **asked)


SCRIPT = """
import sys
from pathlib import Path
from personalab.vptt import bench
from personalab.vptt.bench import shards
from personalab.vptt.bench.seeds import parse_lines

if __name__ == "__main__":
    seeds = parse_lines(bench.own_seeds(120)).kept
    for shard in shards.write(Path(sys.argv[1]), seeds, 400, size=5, workers=2, posts=3, words=(5, 40)):
        print(shard.path, flush=True)
"""


def test_a_killed_run_repeats_only_the_shards_in_flight_and_leaves_no_worker(tmp_path):
    script, folder = tmp_path / "write.py", tmp_path / "shards"
    script.write_text(SCRIPT)
    run = subprocess.Popen(
        [sys.executable, str(script), str(folder)], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    for _ in range(3):
        assert run.stdout.readline()
    workers = subprocess.run(["pgrep", "-P", str(run.pid)], capture_output=True, text=True).stdout.split()
    os.kill(run.pid, signal.SIGKILL)
    run.wait()
    assert len(workers) >= 2
    deadline = time.monotonic() + 10
    while any(os.path.exists(f"/proc/{worker}") for worker in workers) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(os.path.exists(f"/proc/{worker}") for worker in workers)
    done = {path: path.stat().st_mtime_ns for path in folder.rglob("0*.jsonl")}
    assert 3 <= len(done) < 80, "the run was over before it could be killed"
    again = list(shards.write(folder, SEEDS, 400, size=5, workers=1, **SMALL))
    assert {path: path.stat().st_mtime_ns for path in done} == done
    assert to_jsonl(shards.read(again)) == plain(400)

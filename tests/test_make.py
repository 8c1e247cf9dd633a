"""make on a small copy: everything once, then nothing, then exactly what an edit reaches."""

import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from conftest import environment

SHARED = ("vptt/s3_1_bench", "vptt/s3_2_vprag")


def ran(process: subprocess.CompletedProcess[str]) -> list[str]:
    """The notebooks that were run, in order."""
    return [line.split()[0] for line in process.stdout.splitlines() if " took " in line]


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def results(root: Path) -> dict[str, str]:
    """Hashes of tables and data."""
    files = [*root.glob("outputs/mini/tables/*"), *root.glob("outputs/mini/data/**/*.parquet")]
    return {str(file.relative_to(root)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def test_a_day_of_work(copy, make):
    """One long test, because every notebook run costs seconds."""
    first, second = copy / "notebooks/vptt/s3_1_bench.ipynb", copy / "notebooks/vptt/s3_2_vprag.ipynb"
    apart = copy / "notebooks/00_start_here.ipynb"
    assert sorted(ran(make("-j2"))) == ["00_start_here", *SHARED]

    start = time.monotonic()
    again = make()
    assert again.returncode == 0 and ran(again) == [] and time.monotonic() - start < 5

    for file in [*copy.glob("notebooks/**/*.ipynb"), *copy.glob("lib/**/*.py")]:
        file.touch()
    assert ran(make()) == []

    edit(second, "sums.csv", "totals.csv")
    assert ran(make()) == ["vptt/s3_2_vprag"]

    edit(first, "normal(size=n)", "normall(size=n)")
    for _ in range(2):
        broken = make()
        assert broken.returncode != 0 and ran(broken) == []
        assert "raised AttributeError" in broken.stderr and "s3_1_bench.failed.ipynb" in broken.stderr

    edit(first, "normall(size=n)", "normal(size=n + 1)")
    dry = make("-n").stdout
    assert "run vptt/s3_1_bench" in dry and "run vptt/s3_2_vprag" in dry and "run 00_start_here" not in dry
    assert ran(make("00_start_here")) == []
    assert ran(make()) == list(SHARED)
    assert not list(copy.rglob("*.failed.ipynb"))

    edit(copy / "lib/personalab/runs.py", '"""Where', '"""Here')
    assert ran(make("vptt/s3_1_bench")) == ["vptt/s3_1_bench"]
    edit(apart, "rate = 0.5", "seeds = ''")
    assert ran(make("SEEDS=people.jsonl", "DEVICE=cuda", "00_start_here")) == ["00_start_here"]
    assert ran(make("SEEDS=people.jsonl", "00_start_here")) == []
    assert ran(make()) == ["00_start_here", "vptt/s3_2_vprag"]


def test_killed_at_any_moment_the_next_make_gives_the_same_bytes(copy, make):
    command = ["make", f"PYTHON={sys.executable}", "vptt/s3_2_vprag"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    for moment in (0.6, 1.2, 1.8, 2.4, 3.0):
        process = subprocess.Popen(command, cwd=copy, env=environment(copy), start_new_session=True, **quiet)
        time.sleep(moment)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert make("vptt/s3_2_vprag").returncode == 0
    after_kills = results(copy)
    assert ran(make("vptt/s3_2_vprag")) == []
    make("clean")
    assert (
        ran(make("vptt/s3_2_vprag")) == list(SHARED)
        and results(copy) == after_kills
        and len(after_kills) == 2
    )


def test_help_lists_every_documented_target(make):
    text = make("help").stdout
    for target in (
        "all",
        "test",
        "doctor",
        "compare",
        "lint",
        "bench",
        "lab",
        "clean",
        "lock",
        "table3",
        "fig_vprag",
    ):
        assert f" {target} " in text.replace("\n", " ")

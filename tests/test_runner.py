"""Refusals before a kernel starts, failures that papermill lets pass, one writer, keys that move with content."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from conftest import PARAMETERS, environment, write_notebook
from personalab import execute, parameters, runner, sources

DECLARED = {"n": 3, "rate": 0.5, "label": "a", "on": True, "names": ["a"], "limit": None}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for module in (sources, parameters, execute, runner):
        monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(os, "environ", os.environ.copy())
    return tmp_path


def notebook(root: Path, *cells: str) -> Path:
    return write_notebook(root / "notebooks" / "vptt" / "x.ipynb", list(cells))


def key(root: Path, profile: str = "mini") -> tuple[str, int]:
    runner.refresh_keys(profile, {})
    file = root / "outputs" / profile / "keys" / "vptt" / "x.key"
    return file.read_text(), file.stat().st_mtime_ns


# ---- parameters


@pytest.mark.parametrize(
    ("name", "value"),
    [("n", 7), ("rate", 1), ("label", "b"), ("on", False), ("names", ["x", "y"]), ("limit", 3)],
)
def test_values_of_the_declared_type_pass(name, value):
    parameters.check_parameter(name, value, DECLARED)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("lable", "b", "unknown parameter 'lable'; did you mean 'label'"),
        ("zzz", 1, "expected one of"),
        ("label", 3, r"got 3 \(int\), expected str"),
        ("n", 3.0, r"got 3.0 \(float\), expected int"),
        ("n", True, r"got True \(bool\), expected int"),
        ("on", 1, r"got 1 \(int\), expected bool"),
        ("rate", None, r"expected float"),
        ("n", {"a": 1}, "parameters do not nest"),
        ("names", [["a"]], "parameters do not nest"),
        ("limit", {"a": 1}, "parameters do not nest"),
        ("names", "a", r"\(str\), expected list"),
    ],
)
def test_others_are_refused_with_what_to_do(name, value, message):
    with pytest.raises(ValueError, match=message):
        parameters.check_parameter(name, value, DECLARED)


SECRETS = [
    ("api_key", "x"), ("openai_apikey", "x"), ("token", "x"), ("hf_token", "x"), ("client_secret", "x"),
    ("password", "x"), ("label", "sk-" + "a" * 20), ("label", "hf_" + "b" * 30), ("label", "0f" * 20),
    ("names", ["Ab3" * 12]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value"), SECRETS)
def test_what_looks_like_a_secret_is_refused_and_not_repeated(name, value):
    with pytest.raises(ValueError, match="looks like a secret") as error:
        parameters.check_parameter(name, value, DECLARED | {name: DECLARED.get(name, "x")})
    assert value == "x" or str(value) not in str(error.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_tokens", 3),
        ("token_budget", 3),
        ("keyboard", "x"),
        ("model", "sentence-transformers/all-MiniLM-L6-v2"),
        ("seeds", "data/personahub/Persona2026_part1.jsonl"),
        ("text", "a portrait at dusk, in warm light, 35 mm, with Film Grain"),
    ],
)
def test_what_only_resembles_one_passes(name, value):
    parameters.check_parameter(name, value, {name: value})


def test_later_sources_win_and_the_profile_is_set(root):
    notebook(root)
    file = root / "params" / "smoke" / "vptt" / "x.yaml"
    file.parent.mkdir(parents=True)
    file.write_text("n: 1\nrate: 1\n")
    found = parameters.effective_parameters("vptt/x", "smoke", {"seed": 5}, {"label": "b", "device": "cuda"})
    assert found == {"profile": "smoke", "n": 1, "seed": 5, "rate": 1, "label": "b"}
    file.write_text("- 1\n")
    with pytest.raises(ValueError, match="got a list, expected lines of"):
        parameters.effective_parameters("vptt/x", "smoke")
    file.write_text("n: [1\n")
    with pytest.raises(ValueError, match="not YAML"):
        parameters.effective_parameters("vptt/x", "smoke")


@pytest.mark.parametrize("option", ["label=3", "m=3", "n={a: 1}", "n=x", "label=sk-aaaaaaaaaaaaaaaaaaaa"])
def test_a_refused_run_starts_nothing(root, capsys, option):
    notebook(root)
    assert runner.main(["run", "vptt/x", "--set", option]) == 1
    captured = capsys.readouterr()
    assert captured.err.startswith("personalab.runner: vptt/x: ") and captured.err.count("\n") == 1
    assert not (root / "outputs").exists() and captured.out == ""


def test_unknown_notebooks_and_malformed_options_are_refused(root, capsys):
    notebook(root)
    assert runner.main(["run", "vptt/y"]) == 1
    assert "no notebook 'vptt/y'" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        runner.main(["run", "vptt/x", "--set", "n"])
    with pytest.raises(SystemExit):
        runner.main(["run", "vptt/x", "--profile", "maxi"])


# ---- keys


def test_keys_move_with_content_alone(root):
    path = notebook(root, "1 + 1")
    first = key(root)
    path.touch()
    assert key(root) == first
    notebook(root, "1 + 2")
    second = key(root)
    assert second[0] != first[0] and second[1] > first[1]
    assert runner.main(["keys", "--set", "n=4"]) == 0
    assert (root / "outputs/mini/keys/vptt/x.key").read_text() != second[0]
    assert key(root)[0] == second[0]


def test_keys_follow_parameter_files_and_the_profile(root):
    notebook(root)
    mini, smoke = key(root)[0], key(root, "smoke")[0]
    assert mini != smoke
    file = root / "params" / "smoke" / "vptt" / "x.yaml"
    file.parent.mkdir(parents=True)
    file.write_text("n: 1\n")
    assert key(root, "smoke")[0] != smoke and key(root)[0] == mini
    changed = key(root, "smoke")
    file.write_text("# one row\nn: 1\n")
    assert key(root, "smoke") == changed


def test_a_notebook_that_cannot_run_is_stale_without_stopping_the_others(root):
    write_notebook(root / "notebooks" / "good.ipynb", [])
    notebook(root, "def f(:")
    assert key(root)[0].startswith("cannot run: ")
    assert len((root / "outputs/mini/keys/good.key").read_text()) == 64


def test_a_missing_result_makes_a_key_move(root):
    notebook(root)
    before = key(root)
    manifest = {"outputs": {"outputs/mini/tables/t.csv": "hash"}}
    sources.write_atomic(root / "outputs/mini/data/vptt/x/manifest.json", json.dumps(manifest).encode())
    sources.write_atomic(root / "outputs/mini/tables/t.csv", b"")
    assert key(root) == before
    (root / "outputs/mini/tables/t.csv").unlink()
    moved = key(root)
    assert moved[0] == before[0] and moved[1] > before[1]


# ---- runs

ENVIRONMENT = """
import os, sys
seen = {key: os.environ.get(key) for key in ("HF_HUB_OFFLINE", "PYTHONHASHSEED")}
open("seen.txt", "w").write(repr((sys.executable, os.getcwd(), seen, n)))
"""


def test_a_good_run(root, capsys):
    path = notebook(root, ENVIRONMENT, "%matplotlib inline", "print(n)")
    assert runner.main(["run", "vptt/x", "--profile", "smoke", "--set", "n=4", "--offer", "device=cuda"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0] == "vptt/x, no time on record yet; 1 to run, about 0 s on record" and out[1].startswith(
        "      vptt/x took "
    )
    offline = {"HF_HUB_OFFLINE": "1", "PYTHONHASHSEED": "0"}
    assert (root / "seen.txt").read_text() == repr((sys.executable, str(root), offline, 4))

    folder = root / "outputs" / "smoke" / "notebooks" / "vptt"
    assert sorted(os.listdir(folder)) == ["x.ipynb", "x.json", "x.lock"]
    assert '"4\\n"' in (folder / "x.ipynb").read_text()
    manifest = json.loads((folder / "x.json").read_text())
    assert manifest["parameters"]["n"] == 4 and manifest["seconds"] > 0 and manifest["peak_memory_mb"] > 10
    runner.refresh_keys("smoke", {"n": 4})
    assert manifest["key"] == (root / "outputs/smoke/keys/vptt/x.key").read_text()
    assert "outputs" in path.read_text() and "4\\n" not in path.read_text()


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (["x = 1", "1 / 0", "y = 1"], "code cell 3 ('1 / 0') raised ZeroDivisionError: division by zero"),
        (["import sys\nsys.exit(0)", "y = 1"], "code cell 2 ('import sys') raised SystemExit: 0"),
        (["x = 1", "raise SystemExit"], "code cell 3 ('raise SystemExit') raised SystemExit"),
        (["import os\nos._exit(0)", "y = 1"], "code cell 2 ('import os'): the kernel died there"),
        (["x = 1", "import os\nos.kill(os.getpid(), 9)"], "code cell 3 ('import os'): the kernel died there"),
    ],
    ids=["raises", "exits-early", "exits-last", "kernel-exits", "kernel-killed"],
)
def test_a_failed_run_stays_apart_and_the_old_one_stays_old(root, capsys, cells, message):
    path = notebook(root, *cells)
    final = root / "outputs" / "mini" / "notebooks" / "vptt" / "x.ipynb"
    sources.write_atomic(final, b"the last good one")
    old = final.stat().st_mtime_ns
    assert runner.main(["run", "vptt/x"]) == 1
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert message in error and error.endswith("see outputs/mini/notebooks/vptt/x.failed.ipynb")
    assert final.read_bytes() == b"the last good one" and final.stat().st_mtime_ns == old
    assert final.with_suffix(".failed.ipynb").exists() and path.exists()
    assert not final.with_suffix(".json").exists()


def test_an_unrun_cell_counts_even_without_an_error(tmp_path):
    ran = {"cell_type": "code", "source": ["x = 1"], "outputs": [], "execution_count": 1}
    ran["metadata"] = {"papermill": {"start_time": "now"}}
    file = tmp_path / "x.ipynb"
    file.write_text(json.dumps({"cells": [ran, ran | {"execution_count": None}]}))
    assert execute.failed_cell(file) == "code cell 2 ('x = 1') was not run"
    file.write_text(json.dumps({"cells": [ran, ran | {"execution_count": None, "source": []}]}))
    assert execute.failed_cell(file) is None
    assert execute.failed_cell(tmp_path / "nothing.ipynb") is None


def test_a_notebook_without_kernelspec_is_refused(root, capsys):
    path = notebook(root)
    content = json.loads(path.read_text())
    del content["metadata"]["kernelspec"]
    path.write_text(json.dumps(content))
    assert runner.main(["run", "vptt/x"]) == 1
    assert "no kernelspec; open it in JupyterLab" in capsys.readouterr().err


# ---- one writer


def test_a_second_writer_waits(tmp_path, capsys):
    entered = threading.Event()

    def second() -> None:
        with execute.one_writer(tmp_path / "x.lock"):
            entered.set()

    with execute.one_writer(tmp_path / "x.lock"):
        thread = threading.Thread(target=second)
        thread.start()
        assert not entered.wait(0.3)
    assert entered.wait(5)
    thread.join()
    assert "another run is still writing" in capsys.readouterr().out


SLEEPER = "import os, time\nopen('pid', 'w').write(str(os.getpid()))\ntime.sleep(60)"


def alive(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


@pytest.mark.skipif(not Path("/proc").exists(), reason="reads /proc")
def test_a_killed_runner_leaves_no_kernel_and_its_kernel_keeps_the_lock(copy):
    write_notebook(copy / "notebooks" / "vptt" / "x.ipynb", [SLEEPER], PARAMETERS)
    command = [sys.executable, "-m", "personalab.runner", "run", "vptt/x"]
    process = subprocess.Popen(command, cwd=copy, env=environment(copy), stdout=subprocess.DEVNULL)
    wait_until(lambda: (copy / "pid").exists() and (copy / "pid").read_text())
    pid = int((copy / "pid").read_text())
    lock = copy / "outputs" / "mini" / "notebooks" / "vptt" / "x.lock"
    assert str(lock) in {os.path.realpath(link) for link in Path(f"/proc/{pid}/fd").iterdir()}
    process.send_signal(signal.SIGKILL)
    process.wait()
    wait_until(lambda: not alive(pid), seconds=10)
    with execute.one_writer(lock):  # free again
        pass


def wait_until(condition, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)

"""Run a notebook so that `make` can trust what it finds afterwards.

What this adds to papermill: parameters are checked before a kernel starts; an executed notebook appears under
its name only when every cell has run; one writer at a time; a manifest says what went in and how long it took.
`keys` writes for every notebook a hash of all it rests on. make compares the times of those files, which move
only with their content. What this does not do: know the order of notebooks (the Makefile does), read results.
"""

import argparse
import json
import os
import resource
import sys
import time
from typing import Any

from .parameters import assignment, effective_parameters
from .sources import (
    PROFILES,
    ROOT,
    declared_parameters,
    files_behind,
    notebook_cells,
    notebook_names,
    notebook_path,
    sha256,
    write_atomic,
)


def recipe(name: str, parameters: dict[str, Any]) -> tuple[str, dict[str, str]]:
    """The key of a run (a hash of cells, parameters and files) and the hash of each file behind it, by path."""
    path = notebook_path(name)
    files = {
        os.path.relpath(file, ROOT): sha256(file.read_bytes()) for file in files_behind(path, parameters)
    }
    return sha256(json.dumps([notebook_cells(path), parameters, files], sort_keys=True).encode()), files


def refresh_keys(profile: str, offered: dict[str, Any]) -> None:
    """Write outputs/<profile>/keys/<notebook>.key where its content changed or a result it vouches for is gone.

    A notebook that cannot run gets a key too, so that it alone is stale and its run says what is wrong.
    """
    for name in notebook_names():
        try:
            key, _ = recipe(name, effective_parameters(name, profile, offered=offered))
        except (ValueError, SyntaxError) as error:
            key = f"cannot run: {error}"
        file = ROOT / "outputs" / profile / "keys" / f"{name}.key"
        if not file.exists() or file.read_text() != key or not _intact(name, profile, key):
            write_atomic(file, key.encode())


def _intact(name: str, profile: str, key: str) -> bool:
    """Whether the last finished run, if any, was of this key and the files it saved are still there."""
    saved = _manifest(profile, f"data/{name}/manifest.json").get("outputs", ())
    done = _manifest(profile, f"notebooks/{name}.json").get("key", key)
    return done == key and all((ROOT / file).exists() for file in saved)


def _manifest(profile: str, file: str) -> dict[str, Any]:
    path = ROOT / "outputs" / profile / file
    return json.loads(path.read_text()) if path.exists() else {}


def run(name: str, profile: str, parameters: dict[str, Any]) -> float:
    """Execute a notebook into outputs/<profile>/notebooks/<name>.ipynb, its manifest beside it.

    Args:
        name, profile: "vptt/s3_1_bench", one of `sources.PROFILES`.
        parameters: all of them, as `effective_parameters` returns them.

    Returns:
        The seconds it took.

    Raises:
        RuntimeError: a cell failed; <name>.failed.ipynb shows how far the run came, and the last good notebook
            and its time stay as they were, so that make does not take it for new.
    """
    from .execute import execute, one_writer  # here: a make with nothing to run need not wait for papermill

    path = notebook_path(name)
    final = ROOT / "outputs" / profile / "notebooks" / f"{name}.ipynb"
    final.parent.mkdir(parents=True, exist_ok=True)
    declared = declared_parameters(path)
    changed = {key: value for key, value in parameters.items() if repr(value) != repr(declared[key])}
    with one_writer(final.with_suffix(".lock")) as lock:
        key, files = recipe(name, parameters)
        start, failed = time.monotonic(), final.with_suffix(".failed.ipynb")
        execute(path, failed, changed, lock, offline=profile in ("mini", "smoke"))
        manifest = {
            "notebook": name,
            "profile": profile,
            "key": key,
            "parameters": parameters,
            "inputs": files,
            "seconds": round(time.monotonic() - start, 1),
            "peak_memory_mb": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024,
            "python": sys.version.split()[0],
            "finished": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        }
        write_atomic(final.with_suffix(".json"), json.dumps(manifest, indent=1, sort_keys=True).encode())
        os.replace(failed, final)  # last: whatever came before this line is done again
    return manifest["seconds"]


def _run_aloud(name: str, profile: str, parameters: dict[str, Any]) -> None:
    """`run` between two lines: how long this notebook took last time, and all that are stale; how long it took."""
    stale = [other for other in notebook_names() if other == name or _stale(other, profile)]
    seconds = {other: _manifest(profile, f"notebooks/{other}.json").get("seconds") for other in stale}
    about = "no time on record yet" if seconds[name] is None else f"about {seconds[name]:.0f} s (last run)"
    left = sum(value or 0 for value in seconds.values())
    print(f"{name}, {about}; {len(stale)} to run, about {left:.0f} s on record", flush=True)
    print(f"      {name} took {run(name, profile, parameters):.0f} s", flush=True)


def _stale(name: str, profile: str) -> bool:
    """Whether the notebook has not finished since its key last moved."""
    folder = ROOT / "outputs" / profile
    key, done = folder / "keys" / f"{name}.key", folder / "notebooks" / f"{name}.ipynb"
    return not done.exists() or (key.exists() and key.stat().st_mtime > done.stat().st_mtime)


def main(arguments: list[str] | None = None) -> int:
    """The command line. Returns 0, or 1 with one line on standard error."""
    parser = argparse.ArgumentParser(
        prog="python -m personalab.runner", description="Run a notebook, or say what is new."
    )
    parser.add_argument("action", choices=("keys", "run"))
    parser.add_argument("notebook", nargs="?", help="its name, say vptt/s3_1_bench")
    parser.add_argument("--profile", choices=PROFILES, default="mini")
    value = {"action": "append", "type": assignment, "default": [], "metavar": "NAME=VALUE"}
    parser.add_argument("--set", **value, help="a parameter of this notebook")
    parser.add_argument("--offer", **value, help="the same, for the notebooks that declare it")
    options = parser.parse_args(arguments)
    name, profile, offered = options.notebook, options.profile, dict(options.offer)
    try:
        if options.action == "keys":
            refresh_keys(profile, offered | dict(options.set))
        else:
            _run_aloud(name, profile, effective_parameters(name, profile, dict(options.set), offered))
    except (ValueError, SyntaxError, OSError, RuntimeError) as error:
        print(f"personalab.runner: {name or 'keys'}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Does this interpreter have what the repository pins? Exit 0 if so; otherwise one line for every difference.

Run by the Makefile before anything else, so it is quick: it reads the installed packages' metadata and imports
none of them. With --exact every line of cpu.txt counts, without it only what pyproject.toml names.
"""

import re
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def pins(exact: bool) -> dict[str, str]:
    """Package -> version, from requirements/cpu.txt or from pyproject.toml (run-time and dev)."""
    if exact:
        lines = (ROOT / "requirements" / "cpu.txt").read_text().splitlines()
    else:
        import tomllib

        project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
        lines = project["dependencies"] + project["optional-dependencies"]["dev"]
    return dict(line.split("==") for line in lines if re.match(r"[\w.-]+==", line))


def differences(exact: bool) -> Iterator[str]:
    """What is missing or different, one sentence each."""
    if not (3, 11) <= sys.version_info < (3, 13):
        yield f"Python {sys.version.split()[0]}, expected 3.11 or 3.12"
        return
    for name, wanted in pins(exact).items():
        try:
            got = version(name).partition("+")[0]  # 2.13.0+cpu is 2.13.0
        except PackageNotFoundError:
            got = "not installed"
        if got != wanted:
            yield f"{name}: {got}, expected {wanted}"
    package = find_spec("personalab")
    origin = package.origin if package else "not installed"
    if origin != str(ROOT / "lib" / "personalab" / "__init__.py"):
        yield f"personalab: {origin}, expected the one of {ROOT}; pip install -e . --no-deps"


if __name__ == "__main__":
    found = list(differences(exact="--exact" in sys.argv[1:]))
    print("\n".join(found) or f"{sys.executable}: all packages as pinned")
    sys.exit(bool(found))

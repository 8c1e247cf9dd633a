"""Imports go down only, and folders on one floor leave each other alone."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "lib" / "personalab"
FLOORS = {
    "records": 0, "runs": 0, "sources": 0, "parameters": 0,
    "runner": 1, "execute": 1, "world": 1, "stats": 1, "metrics": 1,
    "backends": 2,
    "vptt": 3, "zipp": 3,
    "baselines": 4,
    "study": 5, "figures": 5, "tables": 5, "compare": 5, "audit": 5, "cost": 5, "scale": 5,
}  # fmt: skip
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def unit(path: Path) -> str:
    """The folder or module right under the package: vptt/score.py belongs to vptt."""
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def imported_units(path: Path) -> set[str]:
    """Folders and modules of this package that a module's import statements name, wherever they stand."""
    parts = ("personalab", *path.relative_to(PACKAGE).parts[:-1])
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = parts[: len(parts) + 1 - node.level] if node.level else ()
            start = ".".join([*base, *filter(None, [node.module])])
            names |= {f"{start}.{alias.name}" for alias in node.names}
    inside = [name.split(".") for name in names if name.startswith("personalab.")]
    return {
        name[1] for name in inside if (PACKAGE / name[1]).is_dir() or (PACKAGE / f"{name[1]}.py").exists()
    }


def test_the_reader_of_imports_sees_relative_and_absolute_ones():
    assert {"sources", "parameters", "execute"} <= imported_units(PACKAGE / "runner.py")
    assert imported_units(PACKAGE / "sources.py") == set()


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_down(path):
    own = unit(path)
    assert own in FLOORS, f"{own} has no floor yet; give it one in tests/test_floors.py"
    for other in imported_units(path) - {own}:
        assert FLOORS[other] <= FLOORS[own], f"{own} (floor {FLOORS[own]}) imports {other} above it"
        both_folders = (PACKAGE / own).is_dir() and (PACKAGE / other).is_dir()
        assert not (both_folders and FLOORS[other] == FLOORS[own]), f"{own}/ imports its neighbour {other}/"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_modules_stay_readable(path):
    text = path.read_text()
    assert len(text.splitlines()) <= 250
    assert ast.get_docstring(ast.parse(text)), "a module opens by saying what it does"
    assert path.stem not in ("utils", "helpers", "misc", "common")


def test_the_runner_can_be_read_in_one_sitting():
    assert len((PACKAGE / "runner.py").read_text().splitlines()) <= 150

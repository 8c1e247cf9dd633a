"""The form of the notebooks, and that every one of them runs, at smoke size, through make."""

import ast
import json
import re
import statistics

import pytest

from conftest import REPOSITORY
from personalab.sources import declared_parameters, notebook_cells, notebook_names, notebook_path

NAMES = notebook_names()
every_notebook = pytest.mark.parametrize("name", NAMES)
EXECUTED = REPOSITORY / "outputs" / "smoke" / "notebooks"


def sources(name: str, kind: str) -> list[str]:
    return [cell.source for cell in notebook_cells(notebook_path(name)) if cell.kind == kind]


def prose(markdown: str) -> str:
    """A markdown cell without headings, code blocks, displayed formulas, tables and images."""
    text = re.sub(r"```.*?```|\$\$.*?\$\$", " ", markdown, flags=re.S)
    lines = [line for line in text.splitlines() if not re.match(r"\s*(#|\||!\[)", line)]
    return " ".join(lines)


@every_notebook
def test_no_outputs_are_stored_and_the_kernel_is_named(name):
    notebook = json.loads(notebook_path(name).read_text())
    assert notebook["nbformat"] == 4
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"
    assert "papermill" not in notebook["metadata"]
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            assert cell["outputs"] == [] and cell["execution_count"] is None


@every_notebook
def test_code_cells_are_short(name):
    lengths = [len(source.splitlines()) for source in sources(name, "code")]
    assert statistics.median(lengths) <= 8 and max(lengths) <= 35


@every_notebook
def test_prose_goes_along_with_the_code(name):
    markdown = sources(name, "markdown")
    assert len(markdown) >= len(sources(name, "code")), "at least one markdown cell per code cell"
    for source in markdown:
        words = len(prose(source).split())
        assert words == 0 or words <= 80, f"{words} words: {source[:60]!r}"
    counts = [len(prose(source).split()) for source in markdown]
    assert statistics.median(count for count in counts if count) >= 20


@every_notebook
def test_there_are_exercises_with_tagged_solutions(name):
    section = "\n".join(sources(name, "markdown")).partition("\n## Exercises")[2]
    assert len(re.findall(r"^\d+\. ", section, flags=re.M)) >= 2
    cells = notebook_cells(notebook_path(name))
    assert sum("solution" in cell.tags for cell in cells) >= 2


@every_notebook
def test_nothing_rests_on_a_solution(name):
    """Names that only solutions define are used by solutions alone: the students' copies lack them."""
    given, solved, needed = set(), set(), set()
    for cell in notebook_cells(notebook_path(name)):
        if cell.kind != "code":
            continue
        code = "\n".join("" if line.lstrip()[:1] in ("%", "!") else line for line in cell.source.splitlines())
        nodes = list(ast.walk(ast.parse(code)))
        stored = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
        stored |= {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.ClassDef)}
        stored |= {
            a.asname or a.name for n in nodes if isinstance(n, ast.Import | ast.ImportFrom) for a in n.names
        }
        if "solution" in cell.tags:
            solved |= stored
        else:
            given |= stored
            needed |= {
                node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
            }
    assert not needed & (solved - given)


@every_notebook
def test_parameters_come_first_and_are_not_overwritten(name):
    """Exactly one cell of literals (declared_parameters insists), and no later cell derives them anew."""
    declared = declared_parameters(notebook_path(name))
    code = [cell for cell in notebook_cells(notebook_path(name)) if cell.kind == "code"]
    assert "parameters" in code[0].tags
    for cell in code[1:]:
        assigned = re.findall(r"^(\w+)\s*=[^=]", cell.source, flags=re.M)
        assert not set(assigned) & set(declared)


@pytest.mark.notebooks
@every_notebook
def test_it_runs_from_top_to_bottom(name, smoke):
    manifest = EXECUTED / f"{name}.json"
    assert f"{name}:" not in smoke.stderr, smoke.stderr
    assert manifest.exists(), smoke.stderr
    found = json.loads(manifest.read_text())
    key = (REPOSITORY / "outputs" / "smoke" / "keys" / f"{name}.key").read_text()
    assert found["key"] == key and found["profile"] == "smoke"
    cells = json.loads((EXECUTED / f"{name}.ipynb").read_text())["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))


@pytest.mark.notebooks
def test_the_whole_profile_is_up_to_date_afterwards(smoke):
    assert smoke.returncode == 0, smoke.stderr

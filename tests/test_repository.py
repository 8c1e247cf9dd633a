"""What a stranger relies on: nothing is missing from git, the pins agree, the documented commands exist."""

import re
import subprocess
import tomllib

import pytest
import yaml

from conftest import REPOSITORY, environment
from personalab.sources import notebook_cells, notebook_names, notebook_path

TEN = {
    "jupyterlab", "papermill", "torch", "torch-geometric", "vllm", "diffusers", "openai", "sentence-transformers",
    "matplotlib", "seaborn",
}  # fmt: skip
NAME = re.compile(r"^([A-Za-z0-9._-]+)==([\w.]+)$")


def git(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["git", *arguments], cwd=REPOSITORY, capture_output=True, text=True)


def files() -> list[str]:
    """Tracked files and those that would be."""
    return git("ls-files", "--cached", "--others", "--exclude-standard").stdout.splitlines()


def pins(lines: list[str]) -> dict[str, str]:
    found = [NAME.match(line.strip()) for line in lines]
    return {re.sub(r"[._-]+", "-", match[1]).lower(): match[2] for match in found if match}


def project() -> dict:
    return tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]


def lock() -> dict[str, str]:
    return pins((REPOSITORY / "requirements" / "cpu.txt").read_text().splitlines())


in_git = pytest.mark.skipif(git("rev-parse").returncode != 0, reason="not a git checkout")


@in_git
@pytest.mark.parametrize(
    "path",
    [
        "lib/personalab/records.py",
        "lib/personalab/new/data.yaml",
        "outputs/mini/figures/f.svg",
        "models/m/c.md",
    ],
)
def test_git_takes_what_belongs_to_the_repository(path):
    assert git("check-ignore", "--no-index", path).returncode == 1


@in_git
@pytest.mark.parametrize(
    "path", ["outputs/mini/data/x", "outputs/smoke/tables/t.csv", "outputs/mini/keys/x", ".venv/x"]
)
def test_git_leaves_out_what_make_rebuilds(path):
    assert git("check-ignore", "--no-index", path).returncode == 0


@in_git
def test_no_file_names_a_place_outside_the_repository():
    outside = re.compile("/" + r"work/(main|shared)|\.\./" + r"shared|/home/\w+/|/" + "root/")
    for name in files():
        if name == ".ci/run" or not (REPOSITORY / name).is_file():
            continue
        text = (REPOSITORY / name).read_bytes().decode("utf-8", errors="ignore")
        found = outside.search(text)
        assert found is None, f"{name} names {found.group()}"


def test_every_dependency_is_pinned_and_the_lock_agrees():
    wanted = project()["dependencies"] + project()["optional-dependencies"]["dev"]
    named = pins(wanted)
    assert len(named) == len(wanted)
    assert {name: lock().get(name) for name in named} == named


def test_the_lock_is_for_a_cpu():
    assert lock()["torch"] and not [
        name for name in lock() if name.startswith(("nvidia", "triton", "personalab"))
    ]
    assert not {"torchvision", "torchaudio"} & set(lock())


def test_conda_has_all_ten_packages_at_the_same_pins():
    environment_file = yaml.safe_load((REPOSITORY / "environment.yml").read_text())
    conda = [item for item in environment_file["dependencies"] if isinstance(item, str)]
    (pip,) = [item["pip"] for item in environment_file["dependencies"] if isinstance(item, dict)]
    found = pins(pip)
    assert set(found) == TEN
    extras = project()["optional-dependencies"]
    named = pins([*project()["dependencies"], *extras["gpu"], *extras["dev"]])
    assert found == {name: named[name] for name in TEN}
    assert all(lock()[name] == found[name] for name in TEN - {"vllm"})
    assert "python=3.11" in conda and environment_file["channels"] == ["conda-forge"]


def rows_of_the_readme() -> list[str]:
    readme = REPOSITORY / "README.md"
    return re.findall(r"`make ([\w/]+)`", readme.read_text()) if readme.exists() else []


@pytest.mark.parametrize("target", rows_of_the_readme())
def test_the_readme_names_targets_that_exist(target):
    dry = subprocess.run(
        ["make", "-n", "PYTHON=python-is-not-run", target],
        cwd=REPOSITORY,
        env=environment(REPOSITORY),
        capture_output=True,
        text=True,
    )
    assert "No rule to make target" not in dry.stderr


def test_the_graph_of_the_makefile_is_that_of_the_notebooks():
    """`run.load("a", ...)` or `run.find` in notebook b, and an edge from a to b, or to one that b follows, go together."""
    makefile = (REPOSITORY / "Makefile").read_text()
    edges = set(re.findall(r"^\$\(RAN\)/(\S+)\.ipynb:\s+\$\(RAN\)/(\S+)\.ipynb$", makefile, flags=re.M))
    names = notebook_names()
    assert {name for edge in edges for name in edge} <= set(names)

    def upstream(name: str) -> set[str]:
        direct = {above for below, above in edges if below == name}
        return direct.union(*map(upstream, direct))

    for name in names:
        code = "\n".join(cell.source for cell in notebook_cells(notebook_path(name)) if cell.kind == "code")
        loaded = set(re.findall(r"""run\.(?:load|find)\(\s*["']([\w/]+)["']""", code)) - {name}
        direct = {above for below, above in edges if below == name}
        assert loaded <= upstream(name), f"{name} loads {loaded}; the Makefile's graph lacks it"
        assert direct <= loaded, f"the Makefile has {name} after {direct}, of which it loads {loaded}"


def test_citation_names_both_papers():
    citation = yaml.safe_load((REPOSITORY / "CITATION.cff").read_text())
    assert citation["version"] == project()["version"] and citation["license"] == project()["license"]
    authors = [[author["family-names"] for author in paper["authors"]] for paper in citation["references"]]
    assert [names[0] for names in authors] == ["Abdal", "S I"] and [len(names) for names in authors] == [4, 5]
    assert "Version 2.0, January 2004" in (REPOSITORY / "LICENSE").read_text()

"""Small copies of the repository, in which tests may break things."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]

PARAMETERS = 'profile = "mini"  # which parameters\nn = 3  # rows\nseed = 0\nrate = 0.5\nlabel = "a"'
FIRST = [
    "import numpy as np\nimport pandas as pd\nfrom personalab.runs import Run",
    'run = Run("vptt/s3_1_bench", globals())\nvalues = np.random.default_rng(seed).normal(size=n)',
    'run.save("values.parquet", pd.DataFrame({"value": values}))',
]
SECOND = [
    "from personalab.runs import Run",
    'run = Run("vptt/s3_2_vprag", globals())\nvalues = run.load("vptt/s3_1_bench", "values.parquet")',
    'run.write("tables", "sums.csv", f"sum,stamp\\n{values.value.sum():.6f},{run.stamp}\\n".encode())',
]
APART = ["total = sum(range(n))", "assert total == n * (n - 1) // 2"]


def write_notebook(path: Path, cells: list[str], parameters: str = PARAMETERS) -> Path:
    """A notebook of code cells, the first tagged `parameters`."""
    import nbformat

    code = [nbformat.v4.new_code_cell(source) for source in [parameters, *cells]]
    code[0].metadata["tags"] = ["parameters"]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = nbformat.v4.new_notebook(cells=code, metadata={"kernelspec": kernel})
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(notebook))
    return path


def environment(root: Path) -> dict[str, str]:
    """The process environment for a copy at `root`: its library, and no trace of a make around pytest."""
    inherited = {
        key: value for key, value in os.environ.items() if not key.startswith(("MAKE", "COV_", "MFLAGS"))
    }
    return inherited | {"PYTHONPATH": str(root / "lib")}


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """One thread of torch for a module: the same sums on any machine, and no waiting for each other on a busy one."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def backbone(tmp_path_factory):
    """A random Stable Diffusion for the methods that wrap one, with nothing kept."""
    from backends import tiny_models
    from personalab.backends import pipelines
    from personalab.backends.backbone import Backbone

    folder = tiny_models.save_pipeline("stable-diffusion", tmp_path_factory.mktemp("tiny"))
    card = tiny_models.pipeline_card("stable-diffusion", folder)
    return Backbone("tiny", card, pipelines.load(card))


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Makefile and lib/ of this repository with three small notebooks: two in a row and one apart."""
    shutil.copy(REPOSITORY / "Makefile", tmp_path)
    package = tmp_path / "lib" / "personalab"
    package.mkdir(parents=True)
    for file in (REPOSITORY / "lib" / "personalab").glob("*.py"):
        shutil.copy(file, package)
    write_notebook(tmp_path / "notebooks" / "00_start_here.ipynb", APART)
    write_notebook(tmp_path / "notebooks" / "vptt" / "s3_1_bench.ipynb", FIRST)
    write_notebook(tmp_path / "notebooks" / "vptt" / "s3_2_vprag.ipynb", SECOND)
    return tmp_path


@pytest.fixture
def runner(copy: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """`python -m personalab.runner` in the copy."""

    def call(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "personalab.runner", *arguments]
        return subprocess.run(command, cwd=copy, env=environment(copy), capture_output=True, text=True)

    return call


@pytest.fixture
def make(copy: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """`make` in the copy, with this interpreter."""

    def call(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = ["make", f"PYTHON={sys.executable}", *arguments]
        return subprocess.run(command, cwd=copy, env=environment(copy), capture_output=True, text=True)

    return call


@pytest.fixture(scope="session")
def smoke() -> subprocess.CompletedProcess[str]:
    """Every notebook at smoke size, once; what is up to date is not run again."""
    command = ["make", "-j2", "-k", f"PYTHON={sys.executable}", "PROFILE=smoke", "all", "models"]
    return subprocess.run(
        command, cwd=REPOSITORY, env=environment(REPOSITORY), capture_output=True, text=True, check=False
    )

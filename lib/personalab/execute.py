"""Execute one notebook with papermill, in a kernel of this interpreter, and believe nothing but its cells.

A machine may have many kernels called python3; results should come from the environment that make chose. A
runner can be killed outright: its kernel notices within a second or so, and until it is gone it is still a
writer, so it inherits the lock of its notebook. What this does not do: choose parameters, or decide where an
executed notebook belongs; `runner` does.
"""

import fcntl
import json
import os
import sys
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import papermill
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager

from .sources import ROOT


@contextmanager
def one_writer(path: Path) -> Iterator[int]:
    """Hold the lock file `path`, waiting for another run, or its dying kernel, if need be; its descriptor."""
    with open(path, "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"{path.stem}: another run is still writing; waiting for it", flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield lock.fileno()


def locked_kernel(lock: int) -> type[AsyncKernelManager]:
    """A kernel manager whose kernels inherit the file descriptor `lock`.

    An flock belongs to the open file, not to the process: it is released when its last holder is gone.
    """

    class LockedKernel(AsyncKernelManager):
        """The native kernel, holding the lock for as long as it lives."""

        def _kernel_spec_manager_default(self) -> KernelSpecManager:
            return KernelSpecManager(kernel_dirs=[])  # leaves only the native kernel: sys.executable

        def start_kernel(self, **options: Any) -> Coroutine[Any, Any, None]:
            return super().start_kernel(pass_fds=(lock,), transport_encryption="auto", **options)

    return LockedKernel


def execute(path: Path, output: Path, parameters: Mapping[str, Any], lock: int, offline: bool) -> None:
    """Run the notebook `path` from the repository's root into `output`, which is written cell by cell.

    Args:
        path, output: the notebook, and its executed copy.
        parameters: those that differ from the notebook's defaults.
        lock: a locked file's descriptor, held by the kernel too.
        offline: keep model hubs out of reach.

    Raises:
        ValueError: the notebook names no kernel.
        RuntimeError: a cell raised or did not run to its end; the message names the cell and the error.
    """
    if not json.loads(path.read_text())["metadata"].get("kernelspec"):
        raise ValueError("the notebook has no kernelspec; open it in JupyterLab, choose a kernel and save it")
    os.environ |= {"PYTHONHASHSEED": "0", "MPLBACKEND": "module://matplotlib_inline.backend_inline"}
    if offline:
        os.environ["HF_HUB_OFFLINE"] = "1"
    output.unlink(missing_ok=True)
    trouble = None
    try:
        papermill.execute_notebook(
            path,
            output,
            dict(parameters),
            kernel_name="python3",
            language="python",
            kernel_manager_class=locked_kernel(lock),
            cwd=ROOT,
            progress_bar=sys.stderr.isatty(),
        )
    except (
        Exception
    ) as error:  # whatever stopped papermill is reported; the cells below usually say it better
        trouble = f"{type(error).__name__}: {error}".strip().splitlines()[0]
    trouble = failed_cell(output, died=trouble is not None) or trouble
    if trouble:
        raise RuntimeError(f"{trouble}; see {os.path.relpath(output, ROOT)}")


def failed_cell(executed: Path, died: bool = False) -> str | None:
    """The first code cell that raised or was not run, or None.

    papermill by itself lets SystemExit pass, and the cells after it, and marks every cell as completed when a
    kernel has died; with `died`, and no error on record, it is the cell started last. Cells are counted as the
    reader sees them: code cells, without the one papermill injects.
    """
    cells = json.loads(executed.read_text())["cells"] if executed.exists() else []
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    written = [cell for cell in code if "injected-parameters" not in cell["metadata"].get("tags", ())]
    started = ""
    for number, cell in enumerate(written, 1):
        source = "".join(cell["source"]).strip()
        place = f"code cell {number} ({source.partition(chr(10))[0]!r})"
        errors = [output for output in cell["outputs"] if output["output_type"] == "error"]
        if errors:
            return f"{place} raised {errors[0]['ename']}: {errors[0]['evalue'].partition(chr(10))[0][:200]}"
        if source and not died and cell["execution_count"] is None:
            return f"{place} was not run"
        started = place if cell["metadata"]["papermill"]["start_time"] else started
    return f"{started}: the kernel died there" if died and started else None

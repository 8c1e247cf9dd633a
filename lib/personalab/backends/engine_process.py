"""The process that vLLM runs in, seen from outside: started, spoken to in lines of JSON, ended.

vLLM pins its own torch and wants a device for itself, so it gets an environment and a process of its own: the
interpreter that VLLM_PYTHON names, else that of .venv-vllm in the repository, else this one if it has vLLM. The
process ends when this one does, because its stdin ends then.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ..sources import ROOT

_LIBRARY = Path(__file__).resolve().parents[2]


class EngineFailed(RuntimeError):
    """The engine ended or went wrong; the message holds what it said last."""


class Process:
    """vLLM with one model.

    Args:
        settings: what vllm.LLM is called with.
        environment: variables beside those of this process.

    Attributes:
        window: tokens that a prompt and its answer may have together.

    Raises:
        FileNotFoundError: no interpreter with vLLM.
        EngineFailed: the model cannot be loaded.
    """

    def __init__(self, settings: dict[str, Any], environment: dict[str, str]):
        self._model = settings["model"]
        self._errors = tempfile.TemporaryFile()
        self._process = subprocess.Popen(
            [interpreter(), "-P", "-m", "personalab.backends.engine_worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=os.environ | environment | {"PYTHONPATH": str(_LIBRARY), "PYTHONSAFEPATH": "1"},
            start_new_session=True,  # one signal ends it with all that vLLM starts, and Ctrl-C is ours to handle
        )
        try:
            self.send(settings)
            self.window = self.receive()["window"]
        except BaseException:
            self.kill()
            raise

    def send(self, message: Any) -> None:
        """One line to the process. Raises EngineFailed if it is gone."""
        try:
            self._process.stdin.write(json.dumps(message).encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self._failure() from None

    def receive(self) -> Any:
        """The next line from the process. Raises EngineFailed if it ended instead."""
        line = self._process.stdout.readline()
        if not line.endswith(b"\n"):
            raise self._failure()
        return json.loads(line)

    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process.poll() is None

    def kill(self) -> None:
        """End the process and all that it started."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for file in (self._process.stdin, self._process.stdout, self._errors):
            with suppress(BrokenPipeError):
                file.close()

    def _failure(self) -> EngineFailed:
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=5)
        self._errors.seek(0)
        said = self._errors.read().decode("utf-8", "replace").splitlines()[-20:]
        return EngineFailed(
            f"vLLM with {self._model} ended (exit code {self._process.returncode}); what was answered by then is kept. "
            "It said last:\n" + "\n".join(said or ["(nothing)"])
        )


def interpreter() -> str:
    """The Python that has vLLM.

    Raises:
        FileNotFoundError: there is none; the message says how to get one.
    """
    named, own = os.environ.get("VLLM_PYTHON"), ROOT / ".venv-vllm" / "bin" / "python"
    if named and not os.access(named, os.X_OK):
        raise FileNotFoundError(
            f"VLLM_PYTHON is {named!r}; expected the path of an interpreter that has vLLM"
        )
    if named or own.exists():
        return named or str(own)
    found = find_spec("vllm")
    if found and found.origin:  # a mere folder of that name has no origin
        return sys.executable
    raise FileNotFoundError(
        "no vLLM: `make .venv-vllm` installs it for CPUs; on a machine with a GPU install the extra `gpu` "
        "(pip install -e '.[gpu]'), or let the environment variable VLLM_PYTHON name an interpreter that has it"
    )

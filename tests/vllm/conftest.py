"""A small chat model on disk, a vLLM server of it on the loopback interface, and cards for every way to ask it."""

import os
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from small_chat_model import LIMIT, WINDOW, small_model

from personalab.backends import engine, llm
from personalab.backends.chat import Chat
from personalab.backends.engine_process import interpreter
from personalab.sources import ROOT


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that CHAT_MODEL names, the repository's miniature language model, or one made for the occasion."""
    published = Path(os.environ.get("CHAT_MODEL") or ROOT / "models" / "mini-lm-s").absolute()
    if (published / "config.json").exists():
        return published
    return small_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="session")
def server(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The base_url of vLLM's OpenAI-compatible server."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = {
        "--model": model, "--served-model-name": model, "--dtype": "float32", "--max-model-len": WINDOW,
        "--generation-config": "vllm", "--host": "127.0.0.1", "--port": port, "--seed": 0,
    }  # fmt: skip
    words = [str(word) for pair in options.items() for word in pair]
    command = [interpreter(), "-P", "-m", "vllm.entrypoints.openai.api_server", *words, "--enforce-eager"]
    quiet = {"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_NO_USAGE_STATS": "1", "HF_HUB_OFFLINE": "1"}
    log = tmp_path_factory.mktemp("server") / "log.txt"
    with log.open("wb") as file:
        process = subprocess.Popen(
            command, env=os.environ | quiet, stdout=file, stderr=file, start_new_session=True
        )
    try:
        begun = time.monotonic()
        while not healthy(port):
            assert process.poll() is None and time.monotonic() < begun + 300, log.read_text()[-3000:]
            time.sleep(0.5)
        print(f"\nserver ready after {time.monotonic() - begun:.0f} s")
        yield f"http://127.0.0.1:{port}/v1"
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) in (0, -signal.SIGTERM)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def healthy(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False


@pytest.fixture
def card(model: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Callable[..., str]:
    """A function from a kind, and what differs in the card, to the path of the card."""

    def write(kind: str, call: dict[str, Any] | None = None, **changes: Any) -> str:
        ways = {
            "transformers": {"max_input_tokens": WINDOW - LIMIT, "batch_size": 5},
            "vllm": {"max_model_len": WINDOW, "enforce_eager": True},
        }
        way = ways.get(kind) or {"base_url": request.getfixturevalue("server"), "key": "none"}
        decoding = {"temperature": 0.0, "max_tokens": LIMIT, "seed": 7} | (call or {})
        whole = {"kind": kind, "model": str(model), "dtype": "float32", "cut": "keep"} | way
        path = tmp_path / f"{kind}-{len(list(tmp_path.iterdir()))}.yaml"
        path.write_text(yaml.safe_dump(whole | {"call": decoding} | changes))
        return str(path)

    return write


@pytest.fixture
def answers(card: Callable[..., str]) -> Callable[..., list]:
    """A function from a kind and chats, and what differs in the card, to answers."""

    def ask(kind: str, chats: list[Chat], **changes: Any) -> list:
        begun = time.perf_counter()
        given = llm.load(card(kind, **changes)).complete(chats)
        print(f"\n{kind}: {len(chats)} answers in {time.perf_counter() - begun:.1f} s")
        return given

    return ask


@pytest.fixture(scope="session", autouse=True)
def no_engine_left() -> Iterator[None]:
    yield
    engine.close()

"""vLLM's offline engine by card: many chats at once, a model in a process of its own.

One model is kept loaded between calls, until another one is asked for, `close` is called or this process ends,
however it ends. Answers come in blocks, so that they can be stored as they come. Decoding is the card's alone, as in
the other routes; sampled answers follow from the seed, up to the rounding that other chats in a batch bring. Texts
cannot spell a special token. Remote code is never run. Where vLLM is looked for stands in engine_process.
"""

import atexit
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from . import weights
from .chat import WORDLESS, Answer, Chat, Reply, Usage, cut, decoding, encodable, refuse_images
from .engine_process import EngineFailed, Process

#: chats a block, unless the card has a `batch_size`: what a killed run asks again at most
BLOCK = 256
#: fields of a card that go to vllm.LLM as they are
_FIELDS = (
    "revision", "dtype", "max_model_len", "enforce_eager", "gpu_memory_utilization", "tensor_parallel_size",
)  # fmt: skip
#: the engine that is loaded and has nothing to do, under what it was loaded with; one at most
_idle: dict[str, Process] = {}


def replies(card: dict[str, Any], chats: Sequence[Chat]) -> Iterator[list[Reply]]:
    """Replies to the chats, one list a block; a chat.Route once the card is given.

    Args:
        card: `model` (a folder or a hub's id), and where wanted `revision`, `dtype`, `max_model_len`, `enforce_eager`,
            `gpu_memory_utilization`, `tensor_parallel_size`, `kv_cache_gib` (on a CPU, default 1), `batch_size` (chats
            a block), `max_input_tokens`, `cut` and `call`: any fields of vllm.SamplingParams, by default temperature 0
            and `max_tokens` 256.

    Raises:
        FileNotFoundError: no interpreter with vLLM, or a folder that is not there.
        EngineFailed: the engine ended, say for want of memory or because of a setting it does not know.
    """
    if not chats:
        return
    refuse_images(chats, f"{card['model']} (kind vllm)")
    key, process = _loaded(card)
    try:
        request = _request(card, chats, process.window)
        process.send(request)
        left = len(chats)
        while left:
            block = [_reply(card, request["room"], *row) for row in process.receive()]
            left -= len(block)
            yield block
    except BaseException:  # a caller who wants no more is one too: the engine is still busy, so it goes
        process.kill()
        raise
    close()
    _idle[key] = process


def close() -> None:
    """End the engine that is kept, which frees its memory."""
    while _idle:
        _idle.popitem()[1].kill()


atexit.register(close)


def _loaded(card: dict[str, Any]) -> tuple[str, Process]:
    """The engine of the card's model, the one that is kept or a new one in its place, and the key to keep it under."""
    path = weights.folder(card)
    fields = {name: card[name] for name in _FIELDS if name in card}
    settings = fields | {"model": str(path or card["model"]), "seed": 0, "trust_remote_code": False}
    environment = _environment(card, offline=path is not None)
    key = json.dumps([settings, environment, _state(path)])
    kept = _idle.pop(key, None)
    if kept and kept.alive():
        return key, kept
    if kept:
        kept.kill()
    close()
    return key, Process(settings, environment)


def _state(path: Path | None) -> list[Any]:
    """What tells that files of a model were written anew under their names."""
    files = sorted(path.iterdir()) if path else []
    return [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files]


def _environment(card: dict[str, Any], offline: bool) -> dict[str, str]:
    """Variables for vLLM: no reports of use, no network for a local model, and no second process for one device."""
    return {
        "HF_HUB_OFFLINE": "1" if offline else os.environ.get("HF_HUB_OFFLINE", "0"),
        "VLLM_CPU_KVCACHE_SPACE": str(card.get("kv_cache_gib", 1)),
        "VLLM_ENABLE_V1_MULTIPROCESSING": "0" if card.get("tensor_parallel_size", 1) == 1 else "1",
        "VLLM_LOGGING_LEVEL": os.environ.get("VLLM_LOGGING_LEVEL", "WARNING"),
        "VLLM_NO_USAGE_STATS": "1",
    }


def _request(card: dict[str, Any], chats: Sequence[Chat], window: int) -> dict[str, Any]:
    sampling = [_sampling(card, chat) for chat in chats]
    room = window - sampling[0]["max_tokens"]
    return {
        "chats": [[[role, encodable(text)] for role, text in chat.messages] for chat in chats],
        "sampling": sampling,
        "room": min(card.get("max_input_tokens", room), room),
        "block": card.get("batch_size", BLOCK),
    }


def _sampling(card: dict[str, Any], chat: Chat) -> dict[str, Any]:
    return {"temperature": 0.0, "max_tokens": 256, "seed": chat.repeat} | decoding(card, chat)


def _reply(
    card: dict[str, Any],
    room: int,
    index: int,
    text: str | None,
    end: str,
    read: int,
    written: int,
    seconds: float,
) -> Reply:
    """A row of the engine's process as a reply."""
    usage = Usage(read, written, seconds)
    if end == "room":
        return Reply(index, Answer(None, f"prompt of {read} tokens, model takes {room}"))
    text = encodable(text or "")
    if end == "length":
        return Reply(index, cut(card, text, written), usage)
    if end != "stop":
        raise EngineFailed(f"vLLM ended answer {index} by {end!r}; expected 'stop' or 'length'")
    return Reply(index, Answer(text) if text.strip() else Answer(None, WORDLESS), usage)

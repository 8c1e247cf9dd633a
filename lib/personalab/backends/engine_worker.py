"""What runs in vLLM's process, under an interpreter that has vLLM; engine_process starts it, nothing else should.

It needs vLLM and the standard library alone. Lines of JSON go both ways: first what LLM() is called with, answered by the
engine's window; then requests, each answered block by block. Answers leave by a copy of stdout, and stdout itself
turns into stderr, because vLLM and what it loads print there. When stdin ends, so does this process with all that it
started: whoever asked is gone.
"""

import json
import os
import queue
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from typing import Any

from .chat import Chat, as_dicts, inert


def main() -> None:
    """Load one model, answer requests until stdin ends."""
    send = _sender()
    requests = _lines()
    from vllm import LLM

    llm = LLM(**next(requests))
    send({"window": llm.llm_engine.model_config.max_model_len})
    for request in requests:
        for block in _blocks(llm, request):
            send(block)


def _sender() -> Callable[[Any], None]:
    """A function that writes one line to what was stdout; from now on prints go to stderr."""
    file = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def send(message: Any) -> None:
        file.write(json.dumps(message) + "\n")
        file.flush()

    return send


def _lines() -> Iterator[Any]:
    """Lines of stdin as they come, read by a thread that ends this process group when there are no more."""
    waiting: queue.SimpleQueue[str] = queue.SimpleQueue()

    def read() -> None:
        for line in sys.stdin:
            waiting.put(line)
        os.killpg(0, signal.SIGKILL)

    threading.Thread(target=read, daemon=True).start()
    while True:
        yield json.loads(waiting.get())


def _blocks(llm: Any, request: dict[str, Any]) -> Iterator[list[list[Any]]]:
    """Lists of [index, text, why it ended, prompt's tokens, answer's tokens, seconds], whole blocks at a time.

    A prompt of more than `room` tokens is not asked: its text is None, and it ended by "room".
    """
    tokenizer = llm.get_tokenizer()
    marks = sorted(_marks(tokenizer))
    chats = [as_dicts(inert(Chat(messages), marks)) for messages in request["chats"]]
    sizes = [_size(tokenizer, chat) for chat in chats]
    long = [i for i, size in enumerate(sizes) if size > request["room"]]
    if long:
        yield [[i, None, "room", sizes[i], 0, 0.0] for i in long]
    rest = [i for i, size in enumerate(sizes) if size <= request["room"]]
    for start in range(0, len(rest), request["block"]):
        part = rest[start : start + request["block"]]
        yield _asked(llm, part, [chats[i] for i in part], [request["sampling"][i] for i in part])


def _asked(
    llm: Any, places: list[int], chats: list[list[dict[str, str]]], sampling: list[dict[str, Any]]
) -> list[list[Any]]:
    from vllm import SamplingParams

    begun = time.perf_counter()
    outputs = llm.chat(chats, [SamplingParams(**each) for each in sampling], use_tqdm=False)
    seconds = (time.perf_counter() - begun) / len(places)
    return [
        [i, said.text, said.finish_reason, len(output.prompt_token_ids), len(said.token_ids), seconds]
        for i, output, said in zip(places, outputs, (output.outputs[0] for output in outputs), strict=True)
    ]


def _marks(tokenizer: Any) -> set[str]:
    """The special tokens, which no text may spell."""
    added = {str(token) for token in tokenizer.added_tokens_decoder.values() if token.special}
    return added | set(tokenizer.all_special_tokens)


def _size(tokenizer: Any, chat: list[dict[str, str]]) -> int:
    """Tokens of the prompt that the chat becomes."""
    text = tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
    return len(tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])


if __name__ == "__main__":
    try:
        main()
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)  # threads of vLLM would hold up a plain exit

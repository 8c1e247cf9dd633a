"""Chats put to a service, several at a time.

Answers are handed over as they come. A fault that stays ends everything: those in flight get a few seconds more,
what they bring is handed over too, and then the fault is raised. A refusal, an answer of nothing, one cut by the
token limit and a prompt that is too long are missing answers with a reason, not faults.
"""

import re
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from functools import partial
from typing import Any

import openai

from .budget import Budget, CapReached
from .chat import WORDLESS, Answer, Chat, Reply, Usage, as_dicts, cut, decoding
from .service import ChatAnswer, ContentRefused, Service
from .tokens import estimate

#: seconds that chats in flight get once a fault has ended the run
GRACE = 3.0
_TOO_LONG = re.compile(r"context.length|maximum (context|model) length|longer than the maximum", re.I)


def answers(
    card: dict[str, Any],
    chats: Sequence[Chat],
    budget: Budget | None = None,
    count: Callable[[Chat], int] = estimate,
) -> Iterator[list[Reply]]:
    """Replies to the chats, one by one in the order they come.

    Args:
        card: of the service; `concurrency` chats (default 8) are in flight at a time.
        budget: what the calls may cost.
        count: tokens of a chat, for the budget.

    Raises:
        CapReached: after all in flight have been handed over.
        openai.APIError and others as Service.chat: the first fault that stays.
    """
    service, waiting, flying = Service(card), deque(enumerate(chats)), dict[Future, int]()
    room = card.get("concurrency", 8)
    pool = ThreadPoolExecutor(room)
    ask = partial(_ask, service, card, budget or Budget(card), count)
    fault, end = None, float("inf")
    try:
        while flying or (waiting and fault is None):
            while waiting and fault is None and len(flying) < room:
                index, chat = waiting.popleft()
                flying[pool.submit(ask, chat)] = index
            done, _ = wait(flying, max(0, min(end - time.monotonic(), 60)), FIRST_COMPLETED)
            for future in done:
                index, error = flying.pop(future), future.exception()
                if error is None:
                    yield [Reply(index, *future.result())]
                elif fault is None:
                    fault = error
                    if not isinstance(fault, CapReached):
                        service.stop()
                        end = time.monotonic() + GRACE
            if time.monotonic() > end:
                break
    finally:
        service.close()
        pool.shutdown(wait=False, cancel_futures=True)
    if fault is not None:
        raise fault


def _ask(
    service: Service, card: dict[str, Any], budget: Budget, count: Callable[[Chat], int], chat: Chat
) -> tuple[Answer, Usage]:
    call = decoding(card, chat)
    meter = partial(budget.attempt, count(chat) if budget.cap is not None else 0, call.get("max_tokens", 0))
    try:
        said = service.chat(as_dicts(chat), meter=meter, **call)
    except ContentRefused as refusal:
        return Answer(None, str(refusal)), Usage()
    except openai.BadRequestError as error:
        if not _TOO_LONG.search(f"{error.code} {error}"):
            raise
        return Answer(None, "the prompt is longer than the model takes"), Usage()
    return _read(said, card), said.usage


def _read(said: ChatAnswer, card: dict[str, Any]) -> Answer:
    if said.finish_reason == "refusal":
        return Answer(None, f"refused: {said.text}")
    if said.finish_reason == "content_filter":
        return Answer(None, "held back by the service's filter")
    if said.finish_reason == "length":
        return cut(card, said.text, said.usage.answer_tokens or card.get("call", {}).get("max_tokens", 0))
    return Answer(said.text) if said.text and said.text.strip() else Answer(None, WORDLESS)

"""Answers held to a word limit, the same way for whoever asks.

An answer that is too long is asked for once more with the limit repeated; if it still is too long it ends with its
last whole sentence under the limit. An answer without words, or one that ran into the model's limit of tokens, where a small
model may turn in circles, is drawn once more. Nothing else of an answer is changed.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from .chat import Answer, Chat
from .llm import LLM
from .redraw import may_change, redrawn
from .templates import render

_SENTENCE_END = re.compile(r"[.!?…。！？]['\"”’)\]]*(?=\s|$)")


class Held(NamedTuple):
    """Answers, in order, none longer than its limit; for each whether it was asked for twice, and whether it was cut."""

    answers: list[Answer]
    again: list[bool]
    cut: list[bool]


def within(llm: LLM, chats: Sequence[Chat], limits: Sequence[int]) -> Held:
    """Ask n chats and hold each answer to its limit in words.

    A missing answer stays missing with its reason, as does a long one in which no sentence ends within its limit.
    """
    first = _asked(llm, chats)
    more = [_second(llm, *one) for one in zip(chats, first, limits, strict=True)]
    second = iter(_asked(llm, [chat for chat in more if chat]))
    given = [next(second) if chat else answer for chat, answer in zip(more, first, strict=True)]
    given = [answer if one.text is None else one for one, answer in zip(given, first, strict=True)]
    long = [_words(answer) > limit for answer, limit in zip(given, limits, strict=True)]
    answers = [
        _cut(answer, limit) if cut else answer for answer, limit, cut in zip(given, limits, long, strict=True)
    ]
    return Held(answers, [chat is not None for chat in more], long)


def whole_sentences(text: str, limit: int) -> str:
    """The text up to its last sentence end within `limit` words; "" if there is none."""
    ends = [match.end() for match in _SENTENCE_END.finditer(text)]
    return text[: max((end for end in ends if len(text[:end].split()) <= limit), default=0)]


def _asked(llm: LLM, chats: Sequence[Chat]) -> list[Answer]:
    answers = llm.complete(chats)
    return [answer._replace(text=answer.text and answer.text.strip()) for answer in answers]


def _second(llm: LLM, chat: Chat, answer: Answer, limit: int) -> Chat | None:
    """What is asked after an answer that will not do: the first question, its answer and the limit once more, or, if
    the answer was cut or without words, the first question for another draw."""
    if may_change(answer):
        return redrawn(chat)
    if _words(answer) <= limit:
        return None
    variant = llm.card.get("prompts", "full")
    more = render("shorten", variant, words=_words(answer), max_words=limit)
    return chat._replace(messages=(*chat.messages, ("assistant", answer.text or ""), *more))


def _cut(answer: Answer, limit: int) -> Answer:
    text = whole_sentences(answer.text or "", limit)
    return Answer(text) if text else Answer(None, f"no whole sentence within {limit} words")


def _words(answer: Answer) -> int:
    return len((answer.text or "").split())

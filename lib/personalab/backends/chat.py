"""What goes to a language model and what comes back: questions, answers, and what an answer cost.

Plain data, so that whoever only passes them on need not import a model.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple


class Chat(NamedTuple):
    """One question: messages as (role, content), and which of several answers to it is wanted.

    Roles are "system", "user" and "assistant". `repeat` counts the answers to one question from 0; the seed that is
    sent is the card's plus `repeat`.
    """

    messages: tuple[tuple[str, str], ...]
    repeat: int = 0


class Answer(NamedTuple):
    """A text, or None with the reason why there is none."""

    text: str | None
    reason: str | None = None


class Usage(NamedTuple):
    """What one answer took: tokens read, tokens written, seconds."""

    prompt_tokens: int = 0
    answer_tokens: int = 0
    seconds: float = 0.0


class Reply(NamedTuple):
    """The answer to chat number `index` of those a route was given."""

    index: int
    answer: Answer
    usage: Usage = Usage()


#: n chats to a generator of their replies, in any order, as they come. What came together stands in one list and is
#: stored whole or not at all, so that a batch cut short by a kill is repeated whole.
Route = Callable[[Sequence[Chat]], Iterator[list[Reply]]]


def as_dicts(chat: Chat) -> list[dict[str, str]]:
    """The messages as chat templates and services take them; lone surrogates, which no encoding has, become "?"."""
    return [{"role": role, "content": encodable(content)} for role, content in chat.messages]


def encodable(text: str) -> str:
    """The text with "?" for every lone surrogate."""
    return text.encode("utf-8", "replace").decode()


def decoding(card: dict[str, Any], chat: Chat) -> dict[str, Any]:
    """The card's `call` for one chat: its seed, if it has one, moved on by the chat's `repeat`."""
    call = dict(card.get("call", {}))
    return call | {"seed": call["seed"] + chat.repeat} if "seed" in call else call


def cut(card: dict[str, Any], text: str | None, tokens: int) -> Answer:
    """The answer that ended at the limit of `tokens`: missing, unless the card says `cut: keep`."""
    keep = card.get("cut") == "keep" and text and text.strip()
    return Answer(text) if keep else Answer(None, f"cut at {tokens} tokens")


def inert(chat: Chat, marks: Iterable[str]) -> Chat:
    """The chat with `marks`, such as a tokenizer's special tokens, broken up by a space in every content.

    A text that spells "<|im_end|>" would otherwise end its own message and could open one of another role.
    """

    def plain(content: str) -> str:
        for mark in marks:
            content = content.replace(mark, f"{mark[:1]} {mark[1:]}")
        return content

    return chat._replace(messages=tuple((role, plain(content)) for role, content in chat.messages))

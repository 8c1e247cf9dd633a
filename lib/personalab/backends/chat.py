"""What goes to a language model and what comes back: questions, answers, and what an answer cost.

Plain data, so that whoever only passes them on need not import a model.
"""

import base64
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple


class Chat(NamedTuple):
    """One question: messages as (role, content), which of several answers to it is wanted, and pictures to look at.

    Roles are "system", "user" and "assistant". `repeat` counts the answers to one question from 0; the seed that is
    sent is the card's plus `repeat`. `images` are PNG or JPEG files as bytes, shown in order after the text of the last
    user message; only models behind a service can be shown any.
    """

    messages: tuple[tuple[str, str], ...]
    repeat: int = 0
    images: tuple[bytes, ...] = ()


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


def as_dicts(chat: Chat) -> list[dict[str, Any]]:
    """The messages as chat templates and services take them; lone surrogates, which no encoding has, become "?".

    A content with pictures is a list of parts, as OpenAI-compatible services take them: the text, then data URLs.
    """
    messages: list[dict[str, Any]] = [
        {"role": role, "content": encodable(content)} for role, content in chat.messages
    ]
    if chat.images:
        last = [message for message in messages if message["role"] == "user"][-1]
        urls = (
            f"data:{media_type(image)};base64,{base64.b64encode(image).decode()}" for image in chat.images
        )
        shown = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
        last["content"] = [{"type": "text", "text": last["content"]}, *shown]
    return messages


#: How a file of each kind begins.
_BEGINNINGS = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg"}


def media_type(image: bytes) -> str:
    """What a picture's data URL is to say: image/png or image/jpeg. Raises ValueError for anything else."""
    for beginning, kind in _BEGINNINGS.items():
        if isinstance(image, bytes) and image.startswith(beginning):
            return kind
    got = f"bytes that begin {image[:8]!r}" if isinstance(image, bytes) else type(image).__name__
    raise ValueError(
        f"an image is {got}; expected the bytes of a PNG or JPEG file, as pictures.png makes them"
    )


def refuse_images(chats: Iterable[Chat], reader: str) -> None:
    """Raise ValueError if any chat has images, which `reader` cannot see."""
    if any(chat.images for chat in chats):
        raise ValueError(f"{reader} reads no images; expected chats without, or a card of kind openai-chat")


def encodable(text: str) -> str:
    """The text with "?" for every lone surrogate."""
    return text.encode("utf-8", "replace").decode()


def decoding(card: dict[str, Any], chat: Chat) -> dict[str, Any]:
    """The card's `call` for one chat: its seed, if it has one, moved on by the chat's `repeat`."""
    call = dict(card.get("call", {}))
    return call | {"seed": call["seed"] + chat.repeat} if "seed" in call else call


#: The reason of an answer that is there but says nothing.
WORDLESS = "an answer without words"
#: How the reason begins of an answer that ran into the limit of tokens.
CUT = "cut at"


def cut(card: dict[str, Any], text: str | None, tokens: int) -> Answer:
    """The answer that ended at the limit of `tokens`: missing, unless the card says `cut: keep`."""
    keep = card.get("cut") == "keep" and text and text.strip()
    return Answer(text) if keep else Answer(None, f"{CUT} {tokens} tokens")


def inert(chat: Chat, marks: Iterable[str]) -> Chat:
    """The chat with `marks`, such as a tokenizer's special tokens, broken up by a space in every content.

    A text that spells "<|im_end|>" would otherwise end its own message and could open one of another role.
    """

    def plain(content: str) -> str:
        for mark in marks:
            content = content.replace(mark, f"{mark[:1]} {mark[1:]}")
        return content

    return chat._replace(messages=tuple((role, plain(content)) for role, content in chat.messages))

"""The basic prompt behind a user's own: its subject, without how it should look (ZIPP 3.2, 4.2.1).

Rewriters start from the basic prompt and are compared with the original. A language model shortens originals, or, without
one, the words of the drawn world that are spelt in the text name place and thing. Where neither finds a subject there is
no basic prompt, never a guess.
"""

import re
from collections.abc import Sequence
from typing import Protocol

from ...backends.chat import Answer, Chat
from ...backends.templates import render
from ...world import captions, words
from ...world.users import subject_of


class Model(Protocol):
    """What is needed of a language model (backends.llm.LLM has it): one answer per chat, in order."""

    card: dict

    def complete(self, chats: Sequence[Chat]) -> list[Answer]: ...


def spelt_subject(original: str) -> str | None:
    """The place and the thing that a text names in the drawn world's words, in their plainest wording; None if none."""
    subject = subject_of(words.spelt(original))
    return captions.plain(subject) if subject else None


def shorten_prompts(
    llm: Model, originals: Sequence[str], *, template: str = "zipp_basic", max_words: int = 12
) -> list[Answer]:
    """One basic prompt per original, in order, by a language model.

    An answer longer than allowed is asked for once more, with the limit. What then is empty, longer than allowed, or not
    shorter than its original, is missing with a reason.

    Args:
        llm: its card's `prompts` ("full" if it says nothing) chooses the variant of the question.
        template: a file in params/prompts.
        max_words: most words of a basic prompt.
    """
    variant = llm.card.get("prompts", "full")
    shown = [re.sub("={4,}", "===", " ".join(text.split())) for text in originals]  # no text closes its block
    chats = [Chat(render(template, variant, prompt=text, max_words=max_words)) for text in shown]
    answers = [_tidy(answer) for answer in llm.complete(chats)]
    long = {i: chat for i, chat in enumerate(chats) if _words(answers[i]) > max_words}
    asked = [_again(chat, answers[i], variant, max_words) for i, chat in long.items()]
    for i, second in zip(long, llm.complete(asked) if asked else [], strict=True):
        answers[i] = _tidy(second)
    return [_judged(answer, text, max_words) for answer, text in zip(answers, originals, strict=True)]


def _again(chat: Chat, answer: Answer, variant: str, max_words: int) -> Chat:
    """The question, its answer and the limit once more."""
    more = render("shorten", variant, words=_words(answer), max_words=max_words)
    return chat._replace(messages=(*chat.messages, ("assistant", answer.text or ""), *more))


def _tidy(answer: Answer) -> Answer:
    """One line, without quotation marks around it and a full stop behind."""
    return answer if answer.text is None else Answer(" ".join(answer.text.split()).strip("\"'“”‘’. "))


def _judged(answer: Answer, original: str, max_words: int) -> Answer:
    if answer.text is None:
        return answer
    if not answer.text:
        return Answer(None, "empty")
    if _words(answer) > max_words:
        return Answer(None, f"more than {max_words} words")
    return answer if _words(answer) < len(original.split()) else Answer(None, "no shorter than the original")


def _words(answer: Answer) -> int:
    return len((answer.text or "").split())

"""Prompt rewriting by a persona (ZIPP 3.2, B.3, appendix D): basic prompts in, somebody's own prompts out.

Four settings by what is shown: nothing (plain), a persona as the system message in the second person (zero-shot),
prompts written before (few-shot without persona), or both (few-shot). The words of the question stand in
params/prompts; the model is passed in and may be a template, which says so in its name. Retrieval baselines are not
here: the prompts shown are the latest ones.
"""

from collections.abc import Sequence
from typing import NamedTuple

from ..backends.chat import Chat
from ..backends.composer import Composer, Request, content_words
from ..backends.limits import Held, within
from ..backends.llm import LLM
from ..backends.templates import render


class Ask(NamedTuple):
    """One basic prompt, and what may be seen of the person it is rewritten for."""

    prompt: str
    #: a paragraph in the second person, or ""
    persona: str = ""
    #: prompts written before, the oldest first
    history: tuple[str, ...] = ()


def chats(
    llm: LLM, asks: Sequence[Ask], *, max_words: int = 70, template: str = "zipp_rewrite", repeat: int = 0
) -> list[Chat]:
    """The question for each of n prompts, for `llm.estimate` and for reading. Arguments as in `rewrite`."""
    variant = llm.card.get("prompts", "full")
    return [
        Chat(
            render(
                template,
                variant,
                prompt=ask.prompt,
                persona=ask.persona,
                history=list(ask.history),
                max_words=max_words,
            ),
            repeat,
        )
        for ask in asks
    ]


def rewrite(
    writer: LLM | Composer,
    asks: Sequence[Ask],
    *,
    max_words: int = 70,
    template: str = "zipp_rewrite",
    repeat: int = 0,
) -> Held:
    """Rewrite n prompts.

    Args:
        writer: a language model, or the template without one.
        max_words: the paper's limit for the plain setting, held for all of them alike.
        template: a file in params/prompts, or a path to one.
        repeat: which of several answers to the same question.

    Returns:
        n answers of at most `max_words` words, None with a reason where there is none; how many questions were asked
        twice, and how many of their answers had to be cut.
    """
    if isinstance(writer, Composer):
        shown = [(*((ask.persona,) if ask.persona else ()), *ask.history) for ask in asks]
        requests = [
            Request(ask.prompt, captions=texts, max_words=max_words)
            for ask, texts in zip(asks, shown, strict=True)
        ]
        return Held(writer.complete(requests), 0, 0)
    asked = chats(writer, asks, max_words=max_words, template=template, repeat=repeat)
    return within(writer, asked, [max_words] * len(asked))


def subject_kept(basic: str, rewritten: str | None) -> float:
    """Share of a basic prompt's content words that stand in its rewrite, 0 to 1; NaN without a rewrite or such words."""
    words = content_words(basic)
    if rewritten is None or not words:
        return float("nan")
    return len(words & content_words(rewritten)) / len(words)

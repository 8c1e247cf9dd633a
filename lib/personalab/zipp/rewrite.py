"""Prompt rewriting by a persona (ZIPP 3.2, B.3, appendix D): basic prompts in, somebody's own prompts out.

Four settings by what is shown: nothing (plain), a persona as the system message in the second person (zero-shot),
prompts written before (few-shot without persona), or both (few-shot). The words of the question stand in
params/prompts; the model is passed in and may be a template, which says so in its name. Arms of an experiment, one
way to rewrite each, are tables of questions. Retrieval baselines are not here: the prompts shown are the latest ones.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import pandas as pd

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
        n answers of at most `max_words` words, None with a reason where there is none; for each whether it was asked for
        twice, and whether it had to be cut.
    """
    if isinstance(writer, Composer):
        shown = [(*((ask.persona,) if ask.persona else ()), *ask.history) for ask in asks]
        requests = [
            Request(ask.prompt, captions=texts, max_words=max_words)
            for ask, texts in zip(asks, shown, strict=True)
        ]
        return Held(writer.complete(requests), [False] * len(asks), [False] * len(asks))
    asked = chats(writer, asks, max_words=max_words, template=template, repeat=repeat)
    return within(writer, asked, [max_words] * len(asked))


def questions(
    prompts: pd.DataFrame,
    histories: Mapping[str, Sequence[str]],
    *,
    personas: Mapping[str, str | None] | None = None,
    shots: int = 0,
    whose: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """What one arm shows for each of n prompts.

    Args:
        prompts: a row per prompt: `user`, `basic`, and what else is to be carried along.
        histories: person -> prompts written before, the oldest first.
        personas: person -> persona, None or absent where it is missing; None for an arm that shows no persona.
        shots: how many of the latest earlier prompts are shown; all of them where there are fewer.
        whose: person -> the person whose persona and earlier prompts are shown; None: everybody's own.

    Returns:
        The n prompts with `persona` ("" in an arm without, None where it is missing) and `history` (tuples).

    Raises:
        ValueError: a negative number of shots.
    """
    if shots < 0:
        raise ValueError(f"shots is {shots}; expected 0 or more")
    who = [one if whose is None else whose[one] for one in prompts["user"]]
    persona = [""] * len(who) if personas is None else [personas.get(one) or None for one in who]
    history = [tuple(histories[one])[-shots:] if shots else () for one in who]
    return prompts.assign(
        persona=pd.Series(persona, prompts.index, object), history=pd.Series(history, prompts.index, object)
    )


def rewrite_table(
    writer: LLM | Composer, table: pd.DataFrame, *, max_words: int = 70
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rewrite the prompts of several arms with one writer, in one call, which fills the batches of a local model.

    Args:
        table: rows of `questions` with a column `arm`, under an index without repetitions.
        max_words: as in `rewrite`.

    Returns:
        The table without `persona` and `history`, but with `text` and `reason` (why there is none), and for each arm
        how many answers were `asked again`, and how many had to be `cut`.

    Raises:
        ValueError: repetitions in the index.
    """
    if not table.index.is_unique:
        raise ValueError("the table's index has repetitions; expected none, say after reset_index(drop=True)")
    there = table[table["persona"].notna()]
    held = rewrite(
        writer, list(map(Ask, there["basic"], there["persona"], there["history"])), max_words=max_words
    )
    found = pd.DataFrame({"text": None, "reason": "no persona"}, table.index, dtype=object)
    found.loc[there.index, "text"] = pd.Series([one.text for one in held.answers], there.index, object)
    found.loc[there.index, "reason"] = pd.Series([one.reason for one in held.answers], there.index, object)
    counted = (
        pd.DataFrame({"asked again": held.again, "cut": held.cut}, there.index).groupby(there["arm"]).sum()
    )
    counted = counted.reindex(table["arm"].unique(), fill_value=0)
    return table.drop(columns=["persona", "history"]).join(found), counted


def subject_kept(basic: str, rewritten: str | None) -> float:
    """Share of a basic prompt's content words that stand in its rewrite, 0 to 1; NaN without a rewrite or such words."""
    words = content_words(basic)
    if rewritten is None or not words:
        return float("nan")
    return len(words & content_words(rewritten)) / len(words)

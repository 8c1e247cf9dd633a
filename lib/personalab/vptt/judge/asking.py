"""A vision-language model scores pictures from 0 to 5 by how well they suit a persona's gallery (VPTT 15.1).

One question per case shows the gallery, all methods' pictures under blind labels and, for an edit, what was edited. The
words stand in params/prompts; the model, its temperature and its limits are its card's. Answers are read whole or not at
all and never repaired: one off form is asked for again, and the case is missing with a reason if that does not help.
Scores come out as they were given; `calibration` brings them to people's scale.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from ...backends.chat import Answer, Chat
from ...backends.llm import LLM
from ...backends.pictures import png
from ...backends.redraw import in_form
from ...backends.templates import render
from ...records import Task
from . import canvas
from .reading import Reading, read

#: Cases whose canvases are held in memory at a time.
_BATCH = 100
NO_PICTURE = "no picture to judge"
COLUMNS = ("case", "user", "task", "method", "label", "score", "explanation", "reason")


class Case(NamedTuple):
    """One persona and base prompt, with the pictures that the methods made for it; pictures are uint8 (h, w, 3)."""

    #: names the case in the table; no two cases have the same
    id: str
    #: the persona's id, of which the order of the labels is made
    user: str
    task: Task
    #: the base prompt, before any rewriting
    prompt: str
    #: up to 10 of the persona's posts
    gallery: Sequence[np.ndarray]
    #: method -> its picture, None where it made none
    pictures: Mapping[str, np.ndarray | None]
    #: what was edited; for editing only
    input: np.ndarray | None = None


class Judged(NamedTuple):
    """Of n cases; rows = scored + the sum of missing."""

    #: case, user, task, method, label, score, explanation, reason; one row per case and method, in the order given.
    #: score is NaN, and reason says why, where there is none
    table: pd.DataFrame
    #: rows with a score
    scored: int
    #: reason: rows without a score
    missing: dict[str, int]
    #: questions asked once more than wanted
    reasked: int


def judge(
    llm: LLM,
    cases: Sequence[Case],
    template: str = "vptt_judge",
    *,
    seed: int = 0,
    swap: bool = False,
    repeat: int = 0,
) -> Judged:
    """Score every method of every case.

    An answer that is off form, empty or cut is asked for at most twice more, as another repeat (which moves the seed, if
    the card has one); a refusal is missing at once. A method without a picture is not shown and its row is missing.

    Args:
        llm: a model that sees; its card's `prompts` ("full" if it says nothing) chooses the variant of the prompt.
        template: a file in params/prompts, or a path to one.
        seed: of the labels' order.
        swap: show the methods in the second order, see canvas.swapped.
        repeat: which of several judgements of the same cases.

    Raises:
        ValueError: case ids that repeat, an edit without its input or an input without an edit, more posts or methods than
            a canvas holds, pictures that are none, or a card that cannot show any.
    """
    _check(cases)
    rows: list[tuple] = []
    reasked = 0
    for start in range(0, len(cases), _BATCH):
        batch = cases[start : start + _BATCH]
        orders = [_order(case, seed, swap) for case in batch]
        asked = [i for i, order in enumerate(orders) if order]
        chats = questions(llm, batch, template, seed=seed, swap=swap, repeat=repeat)
        readings, again = _readings(llm, chats, [list(orders[i]) for i in asked])
        found = dict(zip(asked, readings, strict=True))
        for i, (case, order) in enumerate(zip(batch, orders, strict=True)):
            rows += _rows(case, order, found.get(i, Reading(None, NO_PICTURE)))
        reasked += again
    return tallied(rows, reasked)


def questions(
    llm: LLM,
    cases: Sequence[Case],
    template: str = "vptt_judge",
    *,
    seed: int = 0,
    swap: bool = False,
    repeat: int = 0,
) -> list[Chat]:
    """The question of every case that has a picture, for `llm.estimate` and for reading.

    The images are, for an edit, what was edited, then the gallery and the methods' row. The prompt becomes one line, so
    that it cannot end the block it stands in. Methods' names appear nowhere.
    """
    _check(cases)
    variant, chats = llm.card.get("prompts", "full"), []
    for case in cases:
        if order := _order(case, seed, swap):
            prompt = " ".join(case.prompt.split())
            messages = render(template, variant, task=case.task, prompt=prompt, labels=list(order))
            chats.append(Chat(messages, repeat, _images(case, order)))
    return chats


def wide(table: pd.DataFrame) -> pd.DataFrame:
    """A table of judgements as scores (cases, methods), both in order of appearance, NaN for missing ones."""
    scores = table.pivot(index="case", columns="method", values="score")
    return scores.reindex(index=table["case"].unique(), columns=table["method"].unique())


def tallied(rows: Sequence[tuple], reasked: int = 0) -> Judged:
    """Rows of COLUMNS as a table, with its counts."""
    table = pd.DataFrame(rows, columns=list(COLUMNS)).astype({"score": np.float64})
    missing = Counter(reason for *_, reason in rows if reason is not None)
    return Judged(table, len(rows) - missing.total(), dict(missing), reasked)


def _check(cases: Sequence[Case]) -> None:
    twice = [case for case, n in Counter(case.id for case in cases).items() if n > 1]
    if twice:
        raise ValueError(
            f"{len(twice)} case ids stand twice, such as {twice[0]!r}; expected one case for each"
        )
    for case in cases:
        if (case.task == "editing") != (case.input is not None):
            got = "no input" if case.input is None else "an input"
            raise ValueError(
                f"case {case.id!r} is for {case.task} and has {got}; edits have one, others none"
            )


def _order(case: Case, seed: int, swap: bool) -> dict[str, str]:
    """Label -> method of those that made a picture."""
    methods = [method for method, picture in case.pictures.items() if picture is not None]
    order = canvas.shuffled(methods, case.user, case.task, seed) if methods else {}
    return canvas.swapped(order) if swap else order


def _images(case: Case, order: Mapping[str, str]) -> tuple[bytes, ...]:
    shown = [canvas.input_canvas(case.input)] if case.input is not None else []
    shown.append(canvas.profile_canvas(case.gallery))
    shown.append(canvas.methods_canvas({label: case.pictures[method] for label, method in order.items()}))
    return tuple(map(png, shown))


def _readings(llm: LLM, chats: Sequence[Chat], labels: Sequence[Sequence[str]]) -> tuple[list[Reading], int]:
    answers, reasked = in_form(llm, chats, lambda i, text: read(text, labels[i]).lines is not None)
    return [_reading(*one) for one in zip(answers, labels, strict=True)], reasked


def _reading(answer: Answer, labels: Sequence[str]) -> Reading:
    return Reading(None, answer.reason) if answer.text is None else read(answer.text, labels)


def _rows(case: Case, order: Mapping[str, str], reading: Reading) -> list[tuple]:
    labels = {method: label for label, method in order.items()}
    rows = []
    for method in case.pictures:
        label = labels.get(method)
        reason = reading.reason if label else NO_PICTURE
        score, why = (reading.lines or {}).get(label or "", (np.nan, None))
        rows.append((case.id, case.user, case.task, method, label, score, why, reason))
    return rows

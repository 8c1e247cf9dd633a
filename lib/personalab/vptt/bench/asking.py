"""Questions to a language model whose answers have a form: asked again at most twice, then missing with a reason.

All questions of a stage go out in one batch, and what could not be used comes back in a second and a third. An answer
of the wrong form is shown to the model with what is wrong about it; a refusal is simply asked again. The answers
themselves are kept by the model's ledger, not here.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from ...backends.chat import Answer, Chat
from .answers import Answered, Unusable, read

Messages = tuple[tuple[str, str], ...]
#: the house rule for answers off the schema
REASKS = 2


class Model(Protocol):
    """What the stages need of a language model (backends.llm.LLM has it): one answer per chat, in order."""

    def complete(self, chats: Sequence[Chat]) -> list[Answer]: ...


class Question(NamedTuple):
    """A question, the form its answer must have and what that form compares with."""

    messages: Messages
    form: type[Answered]
    context: Mapping[str, Any]


class Reading(NamedTuple):
    """An answer in its form, or None with the last reason why there is none; and how often it was asked again."""

    value: Any
    reason: str | None
    reasked: int


def ask(llm: Model, questions: Sequence[Question], complain: Callable[[str], str]) -> list[Reading]:
    """One reading per question, in order.

    Args:
        llm: answers chats.
        questions: of one stage.
        complain: a reason -> what is said to the model after an answer that could not be used.
    """
    readings = [Reading(None, "not asked", -1)] * len(questions)
    chats = [Chat(question.messages) for question in questions]
    for _ in range(1 + REASKS):
        open_ = [i for i, reading in enumerate(readings) if reading.reason]
        answers = llm.complete([chats[i] for i in open_]) if open_ else []
        for i, answer in zip(open_, answers, strict=True):
            readings[i] = _read(answer, questions[i], readings[i].reasked + 1)
            chats[i] = _again(questions[i], answer, readings[i], complain)
    return readings


def _read(answer: Answer, question: Question, reasked: int) -> Reading:
    if answer.text is None:
        return Reading(None, answer.reason or "no answer", reasked)
    try:
        return Reading(read(answer.text, question.form, question.context), None, reasked)
    except Unusable as error:
        return Reading(None, str(error), reasked)


def _again(question: Question, answer: Answer, reading: Reading, complain: Callable[[str], str]) -> Chat:
    """The next question after this answer. `repeat` counts on, or a deterministic model could not answer anew."""
    messages = question.messages
    if answer.text is not None and reading.reason:
        messages += (("assistant", answer.text), ("user", complain(reading.reason)))
    return Chat(messages, reading.reasked + 1)

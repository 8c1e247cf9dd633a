"""A vision-language model as the judge of pairs: which of two pictures a person would rather have (PIGReward, ZIPP 4.1).

Every pair is asked in both orders of showing it. The words of the question stand in params/prompts; the model is passed
in, whichever its card says: the published PIGReward, or a general one that is asked the same and is not PIGReward.
Answers are read strictly and never repaired: one that names no winner is asked for again, and is missing with a reason
if that does not help. Rates are made of them in metrics.reward, not here.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..backends.chat import Answer, Chat
from ..backends.llm import LLM
from ..backends.redraw import in_form
from ..backends.templates import render

#: The line that is asked for, or the one with which the published PIGReward ends; bold or quoted as models like it.
_VERDICT = re.compile(r"[\s*`\"'.]*(first|second|tie|image [12] is better)[\s*`\"'.]*", re.I)
_PREFERENCE = {"first": 1.0, "image 1 is better": 1.0, "second": 0.0, "image 2 is better": 0.0, "tie": 0.5}


class Pair(NamedTuple):
    """Two pictures for one person; pictures are PNG or JPEG files as bytes."""

    #: what is known of the person: a persona, earlier prompts, or a text of their taste; "" for nothing
    user: str
    #: what both pictures were made for, as the person wrote it
    prompt: str
    a: bytes
    b: bytes
    #: a few of the person's own pictures; the published PIGReward was made for none, but for a text of their taste
    gallery: tuple[bytes, ...] = ()


class Verdicts(NamedTuple):
    """Of n pairs; the first three are what metrics.reward.swap_averaged_win_rate takes."""

    #: (n,) preference for A when A is shown first: 1, 0, 0.5 for a tie, NaN where the answer is missing
    a_first: np.ndarray
    #: (n,) preference for A, too, when B is shown first
    b_first: np.ndarray
    #: why an answer to the pair is missing, None where both are there; two different reasons are joined by "; "
    reasons: list[str | None]
    #: distinct questions asked once more than wanted
    reasked: int


def judge_pairs(llm: LLM, pairs: Sequence[Pair], template: str = "zipp_pair", *, repeat: int = 0) -> Verdicts:
    """Ask for each pair twice, A first and B first.

    An answer that is off-form, empty or cut is asked for at most twice more, with another seed; a refusal and a prompt
    that is too long are missing at once.

    Args:
        llm: a model that sees; its card's `prompts` ("full" if it says nothing) chooses the variant of the prompt.
        template: a file in params/prompts, or a path to one.
        repeat: which of several judgements of the same pairs.

    Raises:
        ValueError: pictures that are neither PNG nor JPEG, or a card that cannot show any; nothing was asked then.
    """
    asked = questions(llm, pairs, template, repeat=repeat)
    answers, reasked = in_form(llm, asked, lambda _, text: verdict(text) is not None)
    shown_first = [_preference(answer) for answer in answers]
    reasons = [_reason(answer) for answer in answers]
    return Verdicts(
        np.array(shown_first[::2], np.float64),
        1 - np.array(shown_first[1::2], np.float64),
        [_joined(two) for two in zip(reasons[::2], reasons[1::2], strict=True)],
        reasked,
    )


def questions(llm: LLM, pairs: Sequence[Pair], template: str = "zipp_pair", *, repeat: int = 0) -> list[Chat]:
    """The two questions of every pair, A first and then B first, for `llm.estimate` and for reading.

    The pictures of a question are the gallery's, and then the two. What is known of the person becomes one line, and so
    does the prompt, so that neither can end the block it stands in.
    """
    variant = llm.card.get("prompts", "full")
    chats = []
    for pair in pairs:
        user, prompt = (" ".join(text.split()) for text in (pair.user, pair.prompt))
        messages = render(template, variant, user=user, prompt=prompt, gallery=len(pair.gallery))
        for two in ((pair.a, pair.b), (pair.b, pair.a)):
            chats.append(Chat(messages, repeat, (*pair.gallery, *two)))
    return chats


def verdict(text: str) -> float | None:
    """1 if the answer prefers the first picture, 0 if the second, 0.5 for a tie, None if it does not say so in form.

    In form is an answer whose last line with words is a verdict and nothing else, and in which no line is another one.
    """
    lines = [line for line in text.splitlines() if line.strip()]
    found = [_VERDICT.fullmatch(line) for line in lines]
    said = {_PREFERENCE[match[1].lower()] for match in found if match}
    return said.pop() if len(said) == 1 and found[-1] else None


def _preference(answer: Answer) -> float:
    said = None if answer.text is None else verdict(answer.text)
    return np.nan if said is None else said


def _reason(answer: Answer) -> str | None:
    if answer.text is None:
        return answer.reason
    return None if verdict(answer.text) is not None else "off-form: no verdict in the last line"


def _joined(reasons: Sequence[str | None]) -> str | None:
    return "; ".join(dict.fromkeys(reason for reason in reasons if reason)) or None

"""Personas: one paragraph in the second person about a user, and what it may hold (ZIPP 3.1, B.2, Table 2).

`describe` asks a language model, `compose` does without. What users wrote is data and is shown as plain lines; whoever
wrote a persona, it passes `screening`. Which posts are shown is decided by `verbalise`.
"""

import math
import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from ..backends.chat import Answer, Chat
from ..backends.llm import LLM
from ..backends.templates import render
from .screening import is_prose, line, screened
from .verbalise import Context

#: Where a phrase begins and ends, and the words that cannot be its last.
_PAUSE = re.compile(r"[,.;:!?()\"]+|\s[-–—]\s")
_PHRASE_END = re.compile(
    r"(?i)(?:(?:^|\s)(?:an?|the|of|in|on|with|to|and|or|by|at|for|is|so|here|this|my|as))+\s*$"
)
_FRAMES = (
    "You are somebody who keeps coming back to {}.",
    "You speak of {}.",
    "You care for {}.",
    "There is often {}.",
)


class Described(NamedTuple):
    """An answer per context, in order, and how often the filters did what."""

    answers: list[Answer]
    """A persona, or None with the reason."""
    counts: Counter
    """Reasons of missing answers, numbers in them as n, and sentences cut out by reason."""


def chats(
    llm: LLM,
    contexts: Sequence[Context],
    template: str = "zipp_persona",
    *,
    longest: int = 500,
    repeat: int = 0,
) -> list[Chat | None]:
    """The question about each user, or None where there is nothing to show.

    Args:
        llm: its card's `prompts` chooses the variant of the template, "full" if it says nothing.
        longest: characters of a post.
        repeat: which of several answers.
    """
    variant = llm.card.get("prompts", "full")
    shown = [list(filter(None, (line(text, longest) for _, text in one.texts))) for one in contexts]
    return [Chat(render(template, variant, posts=posts), repeat) if posts else None for posts in shown]


def describe(
    llm: LLM,
    contexts: Sequence[Context],
    template: str = "zipp_persona",
    *,
    communities: Sequence[str] = (),
    max_words: int = 150,
    longest: int = 500,
    repeat: int = 0,
) -> Described:
    """One persona per context by a language model, asked once each (Algorithm 3, lines 21 to 23).

    Args:
        communities: names that no persona may mention, see `screened`.
        max_words: of a persona.
    """
    asked = chats(llm, contexts, template, longest=longest, repeat=repeat)
    given = iter(llm.complete([chat for chat in asked if chat]))
    answers = [next(given) if chat else Answer(None, "nothing to show") for chat in asked]
    return screen(answers, communities, max_words)


def compose(
    contexts: Sequence[Context], *, communities: Sequence[str] = (), most: int = 12, max_words: int = 150
) -> Described:
    """A persona per context without a model: the `most` phrases that tell its user from the others, strung together.

    A phrase is what stands between punctuation marks, six words at most and prose, without the little words at its end. It counts with
    the share of the subreddit of each text that has it, times log((1 + n) / number of the n contexts that have it); ties in
    order. Nothing is inferred: a habit and a manner of speaking look the same.
    """
    every = [_phrases(one) for one in contexts]
    known = Counter(key for phrases in every for key in phrases)
    answers = []
    for phrases in every:
        worth = {
            first: weight * math.log((1 + len(every)) / known[key])
            for key, (weight, first) in phrases.items()
        }
        answers.append(_strung(sorted(worth, key=worth.__getitem__, reverse=True)[:most]))
    return screen(answers, communities, max_words)


def screen(answers: Sequence[Answer], communities: Sequence[str] = (), max_words: int = 150) -> Described:
    """`screened` for each; missing ones keep their reason."""
    counts, out = Counter[str](), []
    for answer in answers:
        if answer.text is not None:
            answer, cut = screened(answer.text, communities, max_words)
            counts += cut
        counts[re.sub(r"\d+", "n", answer.reason or "described")] += 1
        out.append(answer)
    return Described(out, counts)


def _phrases(one: Context) -> dict[str, tuple[float, str]]:
    """Phrase in lower case -> (the sum of its subreddits' shares, over texts, and how it was first written)."""
    found: dict[str, tuple[float, str]] = {}
    for place, text in one.texts:
        parts = [" ".join(_PHRASE_END.sub("", part).split()) for part in _PAUSE.split(line(text))]
        short = (part for part in parts if part[:1].isalpha() and is_prose(part) and len(part.split()) <= 6)
        for phrase in dict.fromkeys(short):
            weight, first = found.get(phrase.lower(), (0.0, phrase))
            found[phrase.lower()] = (weight + one.subreddits.get(place, 0.0), first)
    return found


def _strung(phrases: Sequence[str]) -> Answer:
    """Three phrases to a sentence."""
    if not phrases:
        return Answer(None, "nothing to show")
    groups = [", ".join(phrases[i : i + 3]) for i in range(0, len(phrases), 3)]
    return Answer(" ".join(_FRAMES[min(i, 3)].format(group) for i, group in enumerate(groups)))

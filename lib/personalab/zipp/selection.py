"""Which posts stand for a subreddit: the well-scored ones that are unlike each other, within a budget (ZIPP Algorithm 3).

Texts in, texts out, in an order that follows from the input alone. How tokens are counted is passed in.
"""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

#: The number of tokens of a text.
Count = Callable[[str], int]
#: Texts of accounts or moderators that took them away.
REMOVED = ("[removed]", "[deleted]", "[removed by reddit]", "[deleted by user]")
#: Trigram Jaccard from which two texts count as one.
_ALIKE = 0.8
#: Weight of being unlike what is chosen, against the rank by score.
_DIVERSITY = 0.5
#: High-engagement posts are the best scored that together hold so many times the tokens that may be chosen.
_POOL = 4
#: A text is not cut to fewer words: no shorter comment was read either (E.1).
_FEWEST_WORDS = 5
_WORD = re.compile(r"\w+")


class Chosen(NamedTuple):
    """Texts of one subreddit in the order chosen, their tokens, and the number of others by reason."""

    texts: list[str]
    tokens: int
    dropped: Counter


def select(
    texts: Sequence[str], scores: Sequence[float], tokens: int, count: Count, taken: Sequence[str] = ()
) -> Chosen:
    """Posts of one subreddit within a number of tokens (Algorithm 3, GetHighEngagementPosts and GreedySample).

    By score, ties in the order given: removed and empty ones drop out, then each that has 4/5 of its word trigrams in
    common with an earlier one (Jaccard), until the rest holds four times the tokens; what scores less is not looked at. Of
    these n the next is always the one with the largest (1 - rank / n) / 2 - similarity / 2, rank from 0, similarity the
    largest Jaccard index of its words with those of a text already there: maximal marginal relevance. The first one that
    does not fit is cut after a whole word and ends the choice, so that a small budget does not mean silence; where fewer
    than five words would be left, nothing of it is shown.

    Args:
        taken: texts of other subreddits that are already shown; the same is not shown again.
    """
    pool, dropped = _pool(texts, scores, _POOL * tokens, count, taken)
    bags = [_bag(text) for text, _ in pool]
    nearest = np.array([max((_jaccard(bag, _bag(other)) for other in taken), default=0.0) for bag in bags])
    relevance = 1 - np.arange(len(pool)) / max(len(pool), 1)
    left, chosen, used, full = np.ones(len(pool), bool), list[str](), 0, False
    while left.any() and not full:
        value = (1 - _DIVERSITY) * relevance - _DIVERSITY * nearest
        best = int(np.argmax(np.where(left, value, -np.inf)))
        text, size = pool[best]
        if full := size > tokens - used:
            text = _cut(text, tokens - used, count)
        if text:
            left[best] = False
            chosen.append(text)
            used += count(text) if full else size
        nearest = np.maximum(nearest, [_jaccard(bag, bags[best]) for bag in bags])
    return Chosen(chosen, used, +(dropped + Counter({"no room": int(left.sum())})))


def _pool(
    texts: Sequence[str], scores: Sequence[float], tokens: int, count: Count, taken: Sequence[str]
) -> tuple[list[tuple[str, int]], Counter]:
    """Distinct texts with their tokens, best score first, until they hold `tokens`; and the others, counted by reason."""
    order = np.argsort(-np.asarray(scores, np.float64), kind="stable")
    seen, pool, held, dropped = [_trigrams(text) for text in taken], [], 0, Counter[str]()
    for at, i in enumerate(order):
        if held >= tokens:
            dropped["low score"] = len(order) - at
            break
        text = texts[i].strip() if isinstance(texts[i], str) else ""
        grams = _trigrams(text)
        if reason := _unwanted(text, grams, seen):
            dropped[reason] += 1
            continue
        seen.append(grams)
        pool.append((text, count(text)))
        held += pool[-1][1]
    return pool, dropped


def _unwanted(text: str, grams: frozenset, seen: Sequence[frozenset]) -> str:
    """Why a text is not shown, or ""."""
    if text.lower() in REMOVED:
        return "removed"
    if not grams:
        return "empty"
    return "duplicate" if any(_jaccard(grams, other) >= _ALIKE for other in seen) else ""


def _trigrams(text: str) -> frozenset:
    """Of the words in lower case; all words as one where there are fewer than three."""
    words = _WORD.findall(text.lower())
    return frozenset(
        zip(words, words[1:], words[2:], strict=False) if len(words) > 2 else [tuple(words)][: len(words)]
    )


def _bag(text: str) -> frozenset[str]:
    return frozenset(_WORD.findall(text.lower()))


def _jaccard(one: frozenset, other: frozenset) -> float:
    shared = len(one & other)
    return shared / max(len(one) + len(other) - shared, 1)


def _cut(text: str, tokens: int, count: Count) -> str:
    """The longest beginning of whole words within `tokens`; "" below five words."""
    ends = [match.end() for match in re.finditer(r"\S+", text)]
    low, high = 0, len(ends)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if count(text[: ends[middle - 1]]) <= tokens else (low, middle - 1)
    return text[: ends[low - 1]] if low >= _FEWEST_WORDS else ""

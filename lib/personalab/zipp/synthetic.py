"""Invented communities and who is active in them, with a known truth (the stand-in for Reddit that can be shipped).

A community has a size, from a power law, and most have a theme: one or two attribute values of the drawn world.
A user has a taste, an amount of activity, from a power law too, and a leaning to posts or comments. Each of a user's
interactions goes to a community in proportion to its size; a stated share of them weighs the size by how much of the
theme the taste explains. With a share of 0 the graph holds no taste at all, and nothing can be learnt of it.

Users come in chunks, each from its own seed, so that a billion interactions are never in memory together.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from ..world.taste import Taste
from ..world.words import attributes, wordings
from . import graph

#: Share of communities without a theme; they are the largest.
_GENERAL = 0.15
_TALK = (
    "talk",
    "questions",
    "news",
    "advice",
    "stories",
    "jokes",
    "reviews",
    "trade",
    "help",
    "music",
    "games",
    "sports",
)
_FOR = (
    "everybody",
    "beginners",
    "the city",
    "the weekend",
    "families",
    "students",
    "the office",
    "travellers",
)
#: Exponents of the power laws: sizes by rank, and activity as a Pareto variable.
_SIZE, _ACTIVITY = 0.8, 1.4


class Communities(NamedTuple):
    """S communities."""

    names: list[str]
    descriptions: list[str]
    themes: np.ndarray
    """(S, V) 0 or 1 / number of values: which values a community is about; rows sum to 1, or to 0 without a theme."""
    sizes: np.ndarray
    """(S,) share of the activity of people without taste, sums to 1."""


class Population(NamedTuple):
    """U users, who share T tastes."""

    lifts: np.ndarray
    """(T, V) log2 of how much likelier each value is under a taste than at random."""
    which: np.ndarray
    """(U,) the taste of each user, a row of `lifts`."""
    activity: np.ndarray
    """(U,) posts and comments."""
    leaning: np.ndarray
    """(U,) probability that one of them is a comment."""


def values() -> list[tuple[str, str]]:
    """The V pairs of attribute and value that tastes and themes are made of."""
    return [(attribute, value) for attribute, names in attributes().items() for value in names]


def lifts(tastes: Sequence[Taste]) -> np.ndarray:
    """(T, V) log2 of a value's probability under each taste, over contexts in its shares, over that at random.

    Values below a sixteenth of the random share count as that.
    """
    rows = []
    for taste in tastes:
        mixed = np.concatenate(
            [taste.contexts @ taste.values[a] * len(names) for a, names in attributes().items()]
        )
        rows.append(np.log2(np.maximum(mixed, 1 / 16)))
    return np.array(rows, np.float32)


def communities(n: int, rng: np.random.Generator) -> Communities:
    """n communities in order of size; those without a theme come first, the others follow in random order."""
    pairs = values()
    general = [f"{talk} for {whom}" for whom in _FOR for talk in _TALK]
    n_general = min(max(1, round(_GENERAL * n)), len(general))
    themes = _themes(n - n_general, pairs, rng)
    weights = np.zeros((n, len(pairs)), np.float32)
    for row, theme in enumerate(themes, start=n_general):
        weights[row, list(theme)] = 1 / len(theme)
    names = [_name(title) for title in general[:n_general]] + [
        _name(*(pairs[i][1] for i in t)) for t in themes
    ]
    told = [f"General {title}." for title in general[:n_general]] + [
        _description([pairs[i] for i in t], rng) for t in themes
    ]
    sizes = np.arange(1, n + 1) ** -_SIZE
    return Communities(_unique(names), told, weights, sizes / sizes.sum())


def population(
    tastes: np.ndarray, n: int, rng: np.random.Generator, *, mean: float = 40.0, most: int = 2000
) -> Population:
    """n users: one for each of the tastes (T, V) if T = n, else each with one drawn from them.

    Args:
        mean: mean activity before the cap; at least 4.
        most: cap of a user's activity.
    """
    which = np.arange(n) if len(tastes) == n else rng.integers(len(tastes), size=n)
    least = mean * (_ACTIVITY - 1) / _ACTIVITY
    activity = np.minimum(least * (1 + rng.pareto(_ACTIVITY, n)), most).astype(np.int64)
    return Population(tastes, which, np.maximum(activity, 1), rng.beta(4, 2, n))


def interactions(
    people: Population,
    places: Communities,
    *,
    share: float,
    seed: int,
    sharpness: float = 4.0,
    chunk: int = 20_000,
) -> Iterator[tuple[np.ndarray, ...]]:
    """Chunks of (degrees (u,), subreddits (e,), posts (e,), comments (e,)) of the next users, as `graph_store.write` reads them.

    Args:
        share: of the interactions that follow the taste, 0 to 1.
        sharpness: a community weighs size times 2 ** (sharpness * mean lift of its theme's values) for these.
        chunk: users at a time; a part of the recipe, as each chunk has a seed of its own.

    Raises:
        ValueError: a share outside 0 to 1.
    """
    if not 0 <= share <= 1:
        raise ValueError(
            f"got share={share}; expected the part of the interactions that follow taste, 0 to 1"
        )
    plain = np.cumsum(places.sizes)
    for start in range(0, len(people.which), chunk):
        rng = np.random.default_rng([seed, start])
        rows = slice(start, start + chunk)
        activity = people.activity[rows]
        owner = np.repeat(np.arange(len(activity)), activity)
        chosen = np.minimum(np.searchsorted(plain, rng.random(len(owner)) * plain[-1]), len(plain) - 1)
        by_taste = np.flatnonzero(rng.random(len(owner)) < share)
        if len(by_taste):
            kinds, kind = np.unique(people.which[rows], return_inverse=True)
            weight = places.sizes * np.exp2(sharpness * people.lifts[kinds] @ places.themes.T)
            chosen[by_taste] = _draw(weight, kind[owner[by_taste]], rng)
        edge, count = np.unique(owner * len(plain) + chosen, return_counts=True)
        user, place = np.divmod(edge, len(plain))
        comments = rng.binomial(count, people.leaning[rows][user])
        yield np.bincount(user, minlength=len(activity)), place, count - comments, comments


def to_graph(people: Population, places: Communities, **options) -> graph.Graph:
    """All interactions as a graph in memory; options as in `interactions`."""
    parts = list(interactions(people, places, **options))
    degrees, *rest = (np.concatenate(one) for one in zip(*parts, strict=True))
    owner = np.repeat(np.arange(len(degrees)), degrees)
    return graph.from_edges(owner, *rest, len(degrees), len(places.names))


def _themes(n: int, pairs: Sequence[tuple[str, str]], rng: np.random.Generator) -> list[tuple[int, ...]]:
    """n themes in random order: every value once, then pairs of values of two attributes, then triples of three."""
    found: dict[tuple[int, ...], None] = dict.fromkeys((i,) for i in rng.permutation(len(pairs)))
    most = len(pairs) + sum(a != b for i, (a, _) in enumerate(pairs) for b, _ in pairs[:i])
    while len(found) < n:
        together = sorted(int(i) for i in rng.integers(len(pairs), size=2 if len(found) < most else 3))
        if len({pairs[i][0] for i in together}) == len(together):
            found[tuple(together)] = None
    first = [tuple(int(i) for i in theme) for theme in found][:n]
    return [first[i] for i in rng.permutation(n)]


def _draw(weight: np.ndarray, row: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """For each entry of `row` a column, in proportion to that row of the (k, S) weights."""
    ends = np.cumsum(weight, axis=1, dtype=np.float64)
    ends /= ends[:, -1:]
    found = np.searchsorted(
        (ends + np.arange(len(ends))[:, None]).ravel(), row + rng.random(len(row)), side="right"
    )
    return np.minimum(found - row * weight.shape[1], weight.shape[1] - 1)


def _description(theme: Sequence[tuple[str, str]], rng: np.random.Generator) -> str:
    said = [wordings()[a][v][int(rng.integers(len(wordings()[a][v])))] for a, v in theme]
    return f"Pictures and talk of {' and '.join(said)}."


def _name(*words: str) -> str:
    return "_".join(words).replace(" ", "_")


def _unique(names: list[str]) -> list[str]:
    """The same names, a number behind those that come again."""
    seen: dict[str, int] = {}
    out = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        out.append(name if seen[name] == 1 else f"{name}_{seen[name]}")
    return out

"""VPRAG's retrieval (VPTT section 3.2, Algorithm 1 lines 4 to 22), every step open to inspection.

From a query to posts (softmax attention, entropy, top K), to quotas per post and category, to elements. Two
embedders take part, one for whole captions and one for short phrases; both are given as functions or, for
many queries, as ready-made arrays in a `Memory`. Composition of the new prompt is not done here.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal, NamedTuple

import numpy as np

from .allocation import Remainder, allocate, attention, entropy, heaviest
from .allocation import effective_posts as effective_posts
from .allocation import quotas as quotas
from .allocation import select_posts as select_posts
from .arrays import Array, plain
from .memory import Embedder, Memory, Priority, cosines, memorise


class Ranking(NamedTuple):
    """Elements of one category in the selected posts, most similar first: aligned columns (a table as they are)."""

    texts: np.ndarray
    #: index of the post each counts for
    posts: np.ndarray
    similarities: np.ndarray


@dataclass(frozen=True)
class Retrieval:
    """All that one query's retrieval computed. Categories stand in priority order in every mapping.

    Arrays `similarities` and `weights` have one entry per post (n,); `posts`, and each entry of `counts` and
    `quotas`, have one per selected post (K,), highest weight first.
    """

    query: str
    similarities: np.ndarray
    weights: np.ndarray
    #: H of the weights, in nats, and exp(H)
    entropy: float
    n_eff: float
    #: Q, the number of elements asked for in all
    budget: int
    #: K, the number of selected posts
    k: int
    posts: np.ndarray
    #: category -> its similarity to the query
    priorities: dict[str, float]
    #: category -> elements each selected post offers, a repeated one counted where it stands first
    counts: dict[str, np.ndarray]
    #: category -> elements taken from each selected post
    quotas: dict[str, np.ndarray]
    #: category -> all that the selected posts offer, most similar first
    ranked: dict[str, Ranking]
    #: category -> the chosen ones, most similar first
    elements: dict[str, list[str]]


def retrieve(
    memory: Memory,
    queries: Sequence[str],
    post_embeddings: Array,
    element_embeddings: Array,
    budgets: Mapping[str, int],
    tau: float,
    remainder: Remainder = "largest",
    total: int | None = None,
) -> list[Retrieval]:
    """Retrieval for b queries of one persona, whose embeddings (b, d) and (b, e) are given.

    `total` is Q where that is not the sum of the budgets, as in a study with three elements in all.

    Raises:
        ValueError: budgets for other categories than the memory's, a negative one, tau <= 0, NaN.
    """
    if set(budgets) != set(memory.categories) or min(budgets.values(), default=0) < 0:
        raise ValueError(f"budgets are {dict(budgets)}; expected 0 or more for each of {memory.categories}")
    q_post, q_element = plain(post_embeddings), plain(element_embeddings)
    names = cosines(q_post if memory.priority == "post" else q_element, memory.names)
    posts = cosines(q_post, memory.captions)
    items = cosines(q_element, memory.items, memory.lengths)
    wanted = np.array([budgets[category] for category in memory.categories], dtype=int)
    total = int(wanted.sum()) if total is None else total
    if total < 0:
        raise ValueError(f"total is {total}; expected 0 or more elements")
    weights = attention(posts, tau)
    h = entropy(weights)
    order, k = heaviest(weights, np.exp(h), total)
    found = _allot(memory, weights, order, k, items, wanted, remainder)
    rows = zip(
        queries, posts, weights, h.tolist(), np.exp(h).tolist(), order, k.tolist(), names, found, strict=True
    )
    return [_gather(memory, total, *row) for row in rows]


def vprag(
    query: str,
    persona: Any,
    embed_post: Embedder,
    embed_element: Embedder,
    budgets: Mapping[str, int],
    tau: float = 0.1,
    priority: Priority = "element",
    remainder: Remainder = "largest",
    total: int | None = None,
) -> Retrieval:
    """One query, one persona: `memorise` and `retrieve` in one call; see there for arguments and errors."""
    memory = memorise(persona, embed_post, embed_element, tuple(budgets), priority)
    asked = [embed_post([query]), embed_element([query])]
    return retrieve(memory, [query], *asked, budgets, tau, remainder, total)[0]


def best_elements(
    retrieval: Retrieval, n: int = 3, rule: Literal["category", "overall"] = "category"
) -> dict[str, list[str]]:
    """The n elements of a study with n phrases in all (VPTT section 4.2.2), as {category: texts}.

    "category" takes the most relevant chosen element of each of the n first categories that have one: retrieve
    with budgets of 1 and total=n. "overall" takes the n most relevant of all: budgets of n, total=n. A text
    taken for one category is passed over in the next. Fewer come back where the posts offer fewer.

    Raises:
        ValueError: an unknown rule.
    """
    if rule not in ("category", "overall"):
        raise ValueError(f"rule is {rule!r}; expected 'category' or 'overall'")
    similarity = {c: dict(zip(r.texts, r.similarities, strict=True)) for c, r in retrieval.ranked.items()}
    pairs = [(c, text) for c, texts in retrieval.elements.items() for text in texts]
    if rule == "overall":
        pairs.sort(key=lambda pair: -similarity[pair[0]][pair[1]])
    best: dict[str, list[str]] = {}
    taken: set[str] = set()
    for category, text in pairs:
        if len(taken) < n and text not in taken and not (rule == "category" and category in best):
            best.setdefault(category, []).append(text)
            taken.add(text)
    return best


class _Offers(NamedTuple):
    """What the selected posts of b queries offer: aligned columns, by query and category, most similar first."""

    #: query * c + category, and place of the post among the query's posts, the heaviest first
    group: np.ndarray
    place: np.ndarray
    texts: np.ndarray
    posts: np.ndarray
    similarities: np.ndarray


def _allot(memory, weights, order, k, items, wanted, remainder) -> Iterator[tuple[list, list, list, list]]:
    """Lines 9 to 22 of Algorithm 1 for b queries at once: counts, quotas, ranking and choice, by category."""
    b, n, c = *weights.shape, len(memory.categories)
    offers = _offers(memory, order, k, items)
    cell = offers.group * n + offers.place
    counts = np.bincount(cell, minlength=b * c * n).reshape(b * c, n)
    sorted_weights = np.repeat(np.take_along_axis(weights, order, axis=1), c, axis=0)
    given = allocate(sorted_weights, counts, np.tile(wanted, b), remainder)
    taken = offers.texts[_first_of_each(cell, counts.ravel(), given.ravel())].tolist()
    ends = np.cumsum(counts.sum(1)).tolist()
    ranked = [Ranking(*(column[i:j] for column in offers[2:])) for i, j in pairwise([0, *ends])]
    chosen = [taken[i:j] for i, j in pairwise([0, *np.cumsum(given.sum(1)).tolist()])]
    for q, posts in enumerate(k.tolist()):
        mine = slice(q * c, (q + 1) * c)
        yield list(counts[mine, :posts]), list(given[mine, :posts]), ranked[mine], chosen[mine]


def _gather(memory, total, query, similarities, weights, h, n_eff, order, k, names, found) -> Retrieval:
    """One query's Retrieval, the categories in order of priority."""
    by_priority = np.argsort(-names, kind="stable").tolist()
    mappings = [{memory.categories[i]: x[i] for i in by_priority} for x in (names.tolist(), *found)]
    return Retrieval(query, similarities, weights, h, n_eff, total, k, order[:k], *mappings)


def _offers(memory: Memory, order: np.ndarray, k: np.ndarray, items: np.ndarray) -> _Offers:
    """The offers of the k (b,) first posts of each order (b, n), with the items' similarities (b, u).

    A repeated item belongs to the heaviest post it stands in; equally similar ones go by lower post index.
    """
    places = np.empty_like(order)
    places[np.arange(len(order))[:, None], order] = np.arange(order.shape[1])
    first = places[:, memory.occurrence]
    if len(memory.texts):
        first = np.minimum.reduceat(first, memory.start, axis=1)
    query, item = np.nonzero(first < k[:, None])
    place, similarity = first[query, item], items[query, item]
    post, group = order[query, place], query * len(memory.categories) + memory.category[item]
    s = np.lexsort((post, -similarity, group))
    return _Offers(group[s], place[s], memory.texts[item[s]], post[s], similarity[s])


def _first_of_each(cell: np.ndarray, counts: np.ndarray, given: np.ndarray) -> np.ndarray:
    """Mask (m,) of the first given[x] entries of each cell x, which has counts[x] of the m entries."""
    by_cell = np.argsort(cell, kind="stable")
    rank = np.empty_like(cell)
    rank[by_cell] = np.arange(len(cell)) - np.repeat(np.cumsum(counts) - counts, counts)
    return rank < given[cell]

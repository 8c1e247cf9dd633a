"""VPRAG's retrieval (VPTT section 3.2, Algorithm 1 lines 4 to 22), every step open to inspection.

From a query to posts (softmax attention, entropy, top K), to quotas per post and category, to elements. Two
embedders take part, one for whole captions and one for short phrases; both are given as functions or, for
many queries, as ready-made arrays in a `Memory`. Composition of the new prompt is not done here.
"""

from collections.abc import Mapping, Sequence
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
    posts, items = cosines(q_post, memory.captions), cosines(q_element, memory.items)
    wanted = np.array([budgets[category] for category in memory.categories], dtype=int)
    total = int(wanted.sum()) if total is None else total
    if total < 0:
        raise ValueError(f"total is {total}; expected 0 or more elements")
    weights = attention(posts, tau)
    h = entropy(weights)
    asked = zip(queries, posts, weights, h.tolist(), np.exp(h).tolist(), names, items, strict=True)
    return [_ask(memory, *row, wanted, total, remainder) for row in asked]


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


def _ask(memory, query, similarities, weights, h, n_eff, names, items, wanted, total, remainder) -> Retrieval:
    """Lines 6 to 22 of Algorithm 1 for one query; arrays as in `Memory` and `Retrieval`."""
    posts = heaviest(weights, n_eff, total)
    k, c = len(posts), len(memory.categories)
    item, owner = _offers(memory, posts, items)
    category = memory.category[item]
    counts = np.bincount(category * k + owner, minlength=c * k).reshape(c, k)
    given = allocate(weights[posts], counts, wanted, remainder)
    columns = memory.texts[item], posts[owner], items[item]
    cuts = [slice(*cut) for cut in pairwise(np.searchsorted(category, np.arange(c + 1)).tolist())]
    ranked = [Ranking(*(column[cut] for column in columns)) for cut in cuts]
    chosen = [_choose(ranked[i].texts, owner[cuts[i]].tolist(), given[i].tolist()) for i in range(c)]
    order = np.argsort(-names, kind="stable").tolist()
    by_category = [
        {memory.categories[i]: x[i] for i in order} for x in (names.tolist(), counts, given, ranked, chosen)
    ]
    return Retrieval(query, similarities, weights, h, n_eff, total, k, posts, *by_category)


def _offers(memory: Memory, posts: np.ndarray, items: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Items of the selected posts, and the place in `posts` of the one each counts for.

    Sorted by category, most similar first, equal ones by lower post index. A repeated item belongs to the
    heaviest post it stands in.
    """
    if not len(posts) or not len(memory.texts):
        return np.zeros(0, dtype=int), np.zeros(0, dtype=int)
    places = np.full(len(memory.captions), len(posts))
    places[posts] = np.arange(len(posts))
    owner = np.minimum.reduceat(places[memory.occurrence], memory.start)
    (item,) = np.nonzero(owner < len(posts))
    item = item[np.lexsort((posts[owner[item]], -items[item], memory.category[item]))]
    return item, owner[item]


def _choose(texts: np.ndarray, places: list[int], left: list[int]) -> list[str]:
    """The texts that fit: walking down the ranking, each post gives until its quota is used up."""
    chosen, wanted = [], sum(left)
    for text, place in zip(texts, places, strict=True):
        if len(chosen) == wanted:
            break
        if left[place]:
            left[place] -= 1
            chosen.append(text)
    return chosen

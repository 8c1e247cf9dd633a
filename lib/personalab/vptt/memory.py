"""A persona's visual memory laid out for retrieval: texts, embeddings and who holds what (VPTT section 3.2).

Laid out once, asked many times. Asking is done in `retrieve`; the embedders are given.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from .arrays import plain

Embedder = Callable[[list[str]], Any]
Priority = Literal["element", "post"]


@dataclass(frozen=True)
class Memory:
    """One persona laid out for retrieval: `memorise` builds it once, `retrieve` asks it many times.

    An item is a distinct (category, element text); it may occur in several posts. Embeddings need no scaling.
    The many items keep the type they came in (float32 halves the time), the rest is float64.
    """

    categories: tuple[str, ...]
    #: which embedder made `names`
    priority: Priority
    #: (c, d) or (c, e), the categories' names
    names: np.ndarray
    #: (n, d), by the post embedder
    captions: np.ndarray
    #: (u,) texts, their embeddings (u, e) by the element embedder, and the category of each (u,)
    texts: np.ndarray
    items: np.ndarray
    category: np.ndarray
    #: post of each occurrence (m,), sorted by item, and where each item's occurrences begin (u,)
    occurrence: np.ndarray
    start: np.ndarray


def memorise(
    persona: Any,
    embed_post: Embedder,
    embed_element: Embedder,
    categories: Sequence[str],
    priority: Priority = "element",
) -> Memory:
    """Lay out a persona for `retrieve`; a text is embedded once per category.

    Args:
        persona: anything with `posts`, each with a `caption` and `elements` {category: texts}.
        embed_post, embed_element: list[str] to (n, d) and to (n, e).
        categories: those to retrieve from; others are left aside.
        priority: which embedder compares category names with the query: "element", as the text has it, or
            "post", as Algorithm 1 has it.

    Raises:
        ValueError: an unknown priority.
    """
    if priority not in ("element", "post"):
        raise ValueError(f"priority is {priority!r}; expected 'element' or 'post'")
    holders: dict[tuple[int, str], list[int]] = {}
    for c, category in enumerate(categories):
        for i, post in enumerate(persona.posts):
            for text in post.elements.get(category, ()):
                holders.setdefault((c, text), []).append(i)
    texts = [text for _, text in holders]
    lengths = np.array([len(posts) for posts in holders.values()], dtype=int)
    return Memory(
        categories=tuple(categories),
        priority=priority,
        names=_embed(embed_post if priority == "post" else embed_element, list(categories)).astype(float),
        captions=_embed(embed_post, [post.caption for post in persona.posts]).astype(float),
        texts=np.array(texts, dtype=object),
        items=_embed(embed_element, texts),
        category=np.array([c for c, _ in holders], dtype=int),
        occurrence=np.array([i for posts in holders.values() for i in posts], dtype=int),
        start=np.cumsum(lengths) - lengths,
    )


def cosines(queries: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Cosines (b, n) of queries (b, d) and a memory's rows (n, d), which have length 1; 0 for zero vectors.

    The last digits, in which equal rows can come out different, are rounded off.

    Raises:
        ValueError: NaN or infinity among the values.
    """
    if not len(rows):
        return np.zeros((len(queries), 0))
    cosine = _unit(queries.astype(rows.dtype)) @ rows.T
    return cosine.astype(float).round(12 if rows.dtype == np.float64 else 6)


def _unit(x: np.ndarray) -> np.ndarray:
    """Rows (n, d) scaled to length 1; zero rows stay zero. ValueError for NaN or infinity."""
    length = np.sqrt(np.einsum("ij,ij->i", x, x))[:, None]
    if not np.isfinite(length).all():
        raise ValueError(
            "an embedder returned NaN, infinity or a length beyond its type; expected finite vectors"
        )
    return x / np.where(length > 0, length, 1)


def _embed(embed: Embedder, texts: list[str]) -> np.ndarray:
    """Rows of length 1 (n, d), in float32 where the embedder gives that, else in float64."""
    if not texts:
        return np.zeros((0, 0))
    x = plain(embed(texts))
    if x.ndim != 2 or len(x) != len(texts):
        raise ValueError(f"an embedder returned shape {x.shape} for {len(texts)} texts; expected (n, d)")
    return _unit(x)

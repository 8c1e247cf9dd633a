"""A persona's visual memory laid out for retrieval: texts, embeddings and who holds what (VPTT section 3.2).

Laid out once, asked many times. Asking is done in `retrieve`; the embedders are given.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Literal

import numpy as np

from .arrays import plain

Embedder = Callable[[list[str]], Any]
Priority = Literal["element", "post"]


@dataclass(frozen=True)
class Memory:
    """One persona laid out for retrieval: `memorise` builds it once, `retrieve` asks it many times.

    An item is a distinct (category, element text); it may occur in several posts. Names and captions are unit
    vectors in float64. The many items are kept as the embedder gave them, uncopied where that can be (float32
    halves the time), with their lengths beside them.
    """

    categories: tuple[str, ...]
    #: which embedder made `names`
    priority: Priority
    #: (c, d) or (c, e), the categories' names
    names: np.ndarray
    #: (n, d), by the post embedder
    captions: np.ndarray
    #: (u,) texts in order of category, the category of each (u,), the embeddings (u, e) by the element embedder,
    #: and their lengths (u,), 1 for zero vectors
    texts: np.ndarray
    category: np.ndarray
    items: np.ndarray
    lengths: np.ndarray
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
    """Lay out a persona for `retrieve`: one call to each embedder, with each text once per category.

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
    texts, category, occurrence, start = _items(persona.posts, categories)
    captions, names = [post.caption for post in persona.posts], list(categories)
    if priority == "post":
        rows, items = _embed(embed_post, captions + names), _embed(embed_element, texts)
        captions, names = rows[: len(captions)], rows[len(captions) :]
    else:
        captions, rows = _embed(embed_post, captions), _embed(embed_element, texts + names)
        items, names = rows[: len(texts)], rows[len(texts) :]
    return Memory(
        categories=tuple(categories),
        priority=priority,
        names=_unit(names.astype(float)),
        captions=_unit(captions.astype(float)),
        texts=np.array(texts, dtype=object),
        category=category,
        items=items,
        lengths=_lengths(items),
        occurrence=occurrence,
        start=start,
    )


def cosines(queries: np.ndarray, rows: np.ndarray, lengths: np.ndarray | float = 1.0) -> np.ndarray:
    """Cosines (b, n) of queries (b, d) and a memory's rows (n, d) of these lengths (n,); 0 for zero vectors.

    The last digits, in which equal rows can come out different, are rounded off.

    Raises:
        ValueError: NaN or infinity among the values.
    """
    if not len(rows):
        return np.zeros((len(queries), 0))
    cosine = _unit(queries.astype(rows.dtype)) @ rows.T / lengths
    return cosine.astype(float).round(12 if rows.dtype == np.float64 else 6)


def _items(
    posts: Sequence[Any], categories: Sequence[str]
) -> tuple[list[str], np.ndarray, np.ndarray, np.ndarray]:
    """`texts`, `category`, `occurrence` and `start` of a Memory."""
    texts: list[str] = []
    found: list[int] = []  # the item of each occurrence, by category and post
    sizes, held = [], []
    for name in categories:
        lists = [post.elements.get(name, ()) for post in posts]
        flat = list(chain.from_iterable(lists))
        number = {text: i for i, text in enumerate(dict.fromkeys(flat), start=len(texts))}
        texts += number
        found += map(number.__getitem__, flat)
        sizes.append(len(number))
        held += map(len, lists)
    item = np.array(found, dtype=int)
    post = np.repeat(np.tile(np.arange(len(posts)), len(categories)), np.array(held, dtype=int))
    times = np.bincount(item, minlength=len(texts))
    category = np.repeat(np.arange(len(categories)), np.array(sizes, dtype=int))
    return texts, category, post[np.argsort(item, kind="stable")], np.cumsum(times) - times


def _unit(x: np.ndarray) -> np.ndarray:
    """Rows (n, d) scaled to length 1; zero rows stay zero. ValueError for NaN or infinity."""
    return x / _lengths(x)[:, None]


def _lengths(x: np.ndarray) -> np.ndarray:
    """Lengths of rows (n, d), 1 for zero rows. ValueError for NaN or infinity."""
    length = np.sqrt(np.einsum("ij,ij->i", x, x))
    if not np.isfinite(length).all():
        raise ValueError(
            "an embedder returned NaN, infinity or a length beyond its type; expected finite vectors"
        )
    return np.where(length > 0, length, x.dtype.type(1))


def _embed(embed: Embedder, texts: list[str]) -> np.ndarray:
    """Rows (n, d), in float32 where the embedder gives that, else in float64."""
    if not texts:
        return np.zeros((0, 0))
    x = plain(embed(texts))
    if x.ndim != 2 or len(x) != len(texts):
        raise ValueError(f"an embedder returned shape {x.shape} for {len(texts)} texts; expected (n, d)")
    return x

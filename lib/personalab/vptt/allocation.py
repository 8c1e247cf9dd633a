"""Whom a query attends to, and how much each may give: the arithmetic of VPRAG's retrieval.

Post weights, effective number of posts, top K and quotas (VPTT section 3.2; Algorithm 1, lines 6 to 13), on
arrays of numbers. What a post or an element says plays no part here; `retrieve` brings that in.
"""

from typing import Any, Literal

import numpy as np
import torch
from scipy.special import entr

from .arrays import Array, floating, plain

Remainder = Literal["largest", "none"]

#: Keeps 30 equally weighted posts at 30 although exp(entropy) may come out a hair lower.
ROUNDING = 1e-9


def attention(similarities: Array, tau: float) -> Array:
    """Post weights: softmax of similarity / tau over the last axis (Algorithm 1, line 6).

    Args:
        similarities: (n,) or (b, n), cosines; a tensor gives a tensor and keeps its gradient.
        tau: temperature, 0.1 in the study; infinity weighs all posts alike, near 0 only the best count.

    Raises:
        ValueError: tau <= 0.
    """
    if not tau > 0:
        raise ValueError(f"tau is {tau}; expected a positive temperature such as 0.1")
    s = floating(similarities)
    if isinstance(s, torch.Tensor):
        top = s.amax(-1, keepdim=True) if s.shape[-1] else 0.0
        # below the smallest normal number of the type, tau or 1 / tau is no number any more
        return torch.softmax((s - top) / max(tau, torch.finfo(s.dtype).tiny), dim=-1)
    s = s.astype(float, copy=False)
    with np.errstate(over="ignore"):
        e = np.exp((s - s.max(-1, keepdims=True, initial=-np.inf)) / tau)
    return e / e.sum(-1, keepdims=True)


def entropy(weights: np.ndarray) -> np.ndarray:
    """H = -sum w log w in nats over the last axis, (n,) to () or (b, n) to (b,); weights are scaled to sum 1."""
    total = weights.sum(-1, keepdims=True)
    return entr(weights / np.where(total > 0, total, 1.0)).sum(-1)


def effective_posts(weights: Array) -> Any:
    """n_eff = exp(H), H = -sum w log w in nats (VPTT section 3.2): how many posts the weights amount to.

    Args:
        weights: (n,) or (b, n), not negative; they are scaled to sum 1 first.

    Returns:
        A number from 1 to n, or (b,) of them.
    """
    w = floating(weights)
    if isinstance(w, torch.Tensor):
        total = w.sum(-1, keepdim=True)
        return torch.special.entr(w / torch.where(total > 0, total, 1.0)).sum(-1).exp()
    n_eff = np.exp(entropy(w.astype(float)))
    return n_eff if n_eff.ndim else float(n_eff)


def select_posts(weights: Array, budget: int) -> np.ndarray:
    """Indices of the K = min(floor(n_eff), 2 budget) heaviest posts (Algorithm 1, lines 7 and 8).

    Args:
        weights: (n,).
        budget: Q, elements asked for in all categories together.

    Returns:
        (K,) ints, heaviest first, equal weights by lower index.

    Raises:
        ValueError: a negative budget, or weights of another shape.
    """
    if budget < 0:
        raise ValueError(f"budget is {budget}; expected 0 or more elements")
    w = plain(weights).astype(float)
    if w.ndim != 1:
        raise ValueError(
            f"weights have shape {w.shape}; expected (n,), the posts of one query: ask row by row"
        )
    order, k = heaviest(w, effective_posts(w), budget)
    return order[: int(k)]


def heaviest(weights: np.ndarray, n_eff: Any, budget: int) -> tuple[np.ndarray, np.ndarray]:
    """Posts (n,) or (b, n) by falling weight, and how many of them are selected, () or (b,); n_eff is known."""
    most = min(2 * budget, weights.shape[-1])
    k = np.minimum(np.floor(np.asarray(n_eff) + ROUNDING).astype(int), most)
    return np.argsort(-weights, axis=-1, kind="stable"), k


def quotas(weights: Array, counts: Array, budget: int, remainder: Remainder = "largest") -> np.ndarray:
    """How many elements of one category each post gives (VPTT section 3.2; Algorithm 1, line 12).

    Post i is due w_i n_i / sum_j w_j n_j * budget. It gets the floor of that, at most n_i. What is left goes,
    one each and in rounds, to the posts with room in order of their fractions, equal ones by lower index.
    Where no weighted post has elements, all posts weigh the same.

    Args:
        weights: (n,), not negative; only their ratios matter.
        counts: (n,) elements available.
        budget: elements wanted.
        remainder: "none" stops after the floor, as Algorithm 1 is printed.

    Returns:
        (n,) ints with sum min(budget, sum of counts), or less for "none".

    Raises:
        ValueError: shapes differ, a negative or non-finite value, an unknown remainder.
    """
    w, n = plain(weights).astype(float), plain(counts).astype(float)
    if w.shape != n.shape or w.ndim != 1:
        raise ValueError(f"weights have shape {w.shape}, counts {n.shape}; expected one (n,) for both")
    if budget < 0 or not all((np.isfinite(x) & (x >= 0)).all() for x in (w, n)):
        raise ValueError("weights, counts and budget must be finite and not negative")
    if remainder not in ("largest", "none"):
        raise ValueError(f"remainder is {remainder!r}; expected 'largest' or 'none'")
    return allocate(w, n.astype(int)[None], np.array([int(budget)]), remainder)[0]


def allocate(
    weights: np.ndarray, counts: np.ndarray, budgets: np.ndarray, remainder: Remainder = "largest"
) -> np.ndarray:
    """`quotas` of c rows at once, unchecked: weights (K,) or (c, K), counts (c, K), budgets (c,) to ints (c, K)."""
    top = weights.max(-1, keepdims=True, initial=0.0)
    share = counts * (weights / np.where(top > 0, top, 1.0))
    if not share.any(axis=1).all():
        share = np.where(share.any(axis=1, keepdims=True), share, counts)
    due = share / np.maximum(share.sum(1, keepdims=True), np.finfo(float).tiny) * budgets[:, None]
    whole = np.floor(due + ROUNDING)
    taken = np.minimum(whole.astype(int), counts)
    left = (np.minimum(budgets, counts.sum(1)) - taken.sum(1))[:, None]
    rows, order = np.arange(len(counts))[:, None], np.argsort(-(due - whole).round(9), axis=1, kind="stable")
    while remainder == "largest" and (left > 0).any():
        room = (counts - taken)[rows, order]
        open_ = room > 0
        each = left // np.maximum(open_.sum(1, keepdims=True), 1)
        gift = np.where(each > 0, np.minimum(room, each), open_ & (np.cumsum(open_, 1) <= left))
        taken[rows, order] += gift
        left = left - gift.sum(1, keepdims=True)
    return taken

"""How well user vectors predict where people post, and what they know of a planted taste (ZIPP 4.1, F.1).

The edge to be predicted is in no message that the vectors were made from. Candidates are subreddits that a user is not
known to be active in.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import rankdata
from sklearn.linear_model import RidgeCV

from .graph import Graph


class Question(NamedTuple):
    """Whose held-out edges are to be told from which others."""

    graph: Graph
    """The messages' graph, without the held-out edges."""
    users: np.ndarray
    """(u,) rows."""
    targets: np.ndarray
    """(u,) held-out subreddits."""
    negatives: np.ndarray
    """(u, n) of about the same activity."""


def question(graph: Graph, targets: np.ndarray, rng: np.random.Generator, most: int, n: int = 4) -> Question:
    """Up to `most` users with a held-out edge that has negatives on both sides, drawn at random.

    Args:
        targets: (U,) held-out subreddits, -1 for none.
        n: negatives of each.
    """
    users = rng.permutation(np.flatnonzero(targets >= 0))
    parts, found = [], 0
    for block in np.array_split(users, max(1, -(-len(users) // max(most, 1)))):
        if found < most:
            negatives, enough = matched_negatives(graph, block, targets[block], n)
            parts.append((block[enough], negatives[enough]))
            found += int(enough.sum())
    users, negatives = (np.concatenate(one)[:most] for one in zip(*parts, strict=True))
    order = np.argsort(users)
    return Question(graph, users[order], targets[users[order]], negatives[order])


def judge(users: np.ndarray, subreddits: np.ndarray, asked: Question) -> pd.DataFrame:
    """A row per user: `accuracy`, `recall_at_10`, `reciprocal_rank`.

    Args:
        users: (u, d) vectors of the question's users.
        subreddits: (S, d) vectors; products are scores.
    """
    scores = users @ subreddits.T
    rank = ranks(scores, asked.targets, asked.graph, asked.users)
    accuracy = posting_accuracy(scores, asked.targets, asked.negatives)
    found = {"accuracy": accuracy, "recall_at_10": recall(rank, 10), "reciprocal_rank": 1 / rank}
    return pd.DataFrame({"user": asked.users, **found})


def matched_negatives(
    graph: Graph, users: np.ndarray, targets: np.ndarray, n: int = 4
) -> tuple[np.ndarray, np.ndarray]:
    """For each user n subreddits about as active as the target: half next above it in rank, half next below.

    A pair of which a user is in exactly one is likelier to be a pair where that one is larger, so plainly nearest
    negatives would let popularity score above chance. Among equal numbers from both sides it scores 1/2, but for ties.

    Args:
        graph: the messages' graph, whose activity counts; ties in activity in order of rows.
        users: (u,) rows.
        targets: (u,) held-out subreddits.
        n: even.

    Returns:
        (u, n) rows of subreddits that the user is not known to be in, and (u,) bool whether there were enough on both
        sides; where not, the row is -1.

    Raises:
        ValueError: an odd n.
    """
    if n % 2 or n < 2:
        raise ValueError(
            f"got n={n} negatives; expected an even number: half of them above the target, half below"
        )
    order = np.argsort(-graph.subreddit_total.numpy(), kind="stable")
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    indptr, subreddits = graph.indptr.numpy(), graph.subreddits.numpy()
    out = np.full((len(users), n), -1)
    for i, (user, target) in enumerate(zip(users, targets, strict=True)):
        free = np.ones(len(order), bool)
        free[rank[subreddits[indptr[user] : indptr[user + 1]]]] = False
        above = np.flatnonzero(free[: rank[target]])[-(n // 2) :]
        below = rank[target] + 1 + np.flatnonzero(free[rank[target] + 1 :])[: n // 2]
        if len(above) == len(below) == n // 2:
            out[i] = order[np.concatenate([above, below])]
    return out, out[:, 0] >= 0


def posting_accuracy(scores: np.ndarray, targets: np.ndarray, negatives: np.ndarray) -> np.ndarray:
    """(u,) share of a user's negatives (u, n) that score below the target; a tie counts one half.

    Args:
        scores: (u, S) of every subreddit.
    """
    rows = np.arange(len(targets))[:, None]
    good, bad = scores[rows, targets[:, None]], scores[rows, negatives]
    return ((good > bad) + 0.5 * (good == bad)).mean(axis=1)


def ranks(scores: np.ndarray, targets: np.ndarray, graph: Graph, users: np.ndarray) -> np.ndarray:
    """(u,) rank of the target among the subreddits that a user is not known to be in, 1 the best; ties in the middle."""
    indptr, subreddits = graph.indptr.numpy(), graph.subreddits.numpy()
    out = np.empty(len(users))
    for i, user in enumerate(users):
        row = scores[i].astype(np.float64)
        row[subreddits[indptr[user] : indptr[user + 1]]] = -np.inf
        out[i] = rankdata(-row)[targets[i]]
    return out


def recall(rank: np.ndarray, k: int) -> np.ndarray:
    """(u,) 1 where the target is among the first k, else 0."""
    return (rank <= k).astype(float)


def taste_agreement(
    vectors: np.ndarray, truth: np.ndarray, rng: np.random.Generator, size: int = 20
) -> tuple[np.ndarray, np.ndarray]:
    """For each user Spearman's rho, over the others of a random group, of how alike vectors and how alike tastes are.

    Groups share nobody, so an interval over groups holds; users of one group do not count as independent.

    Args:
        vectors: (u, d); their mean is taken off, then cosines are compared.
        truth: (u, V) planted tastes, likewise.
        size: of a group; the users left over join the last.

    Returns:
        (u,) rho, NaN where either side is constant, and (u,) the group of each.
    """
    order = rng.permutation(len(vectors))
    rho, group = np.full(len(order), np.nan), np.empty(len(order), np.int64)
    x, y = (one - one.mean(axis=0) for one in (vectors, truth))
    for i, members in enumerate(np.array_split(order, max(1, len(order) // size))):
        others = ~np.eye(len(members), dtype=bool)
        alike = [_cosines(one[members])[others].reshape(len(members), -1) for one in (x, y)]
        centred = [one - one.mean(axis=1, keepdims=True) for one in (rankdata(one, axis=1) for one in alike)]
        spread = np.sqrt((centred[0] ** 2).sum(axis=1) * (centred[1] ** 2).sum(axis=1))
        products = (centred[0] * centred[1]).sum(axis=1)
        group[members] = i
        rho[members] = np.divide(products, spread, out=np.full(len(members), np.nan), where=spread > 0)
    return rho, group


def taste_explained(known: tuple[np.ndarray, np.ndarray], asked: tuple[np.ndarray, np.ndarray]) -> float:
    """R^2, pooled over values, of a ridge regression of tastes on vectors, on users it was not fitted on.

    Args:
        known: vectors (m, d) and tastes (m, V) of the users it is fitted on, its penalty by leave-one-out.
        asked: the same of others, (n, d) and (n, V).
    """
    centre = known[1].mean(axis=0)
    probe = RidgeCV(alphas=np.logspace(-3, 3, 13)).fit(known[0], known[1] - centre)
    left = ((asked[1] - centre - probe.predict(asked[0])) ** 2).sum()
    return float(1 - left / ((asked[1] - centre) ** 2).sum())


def attention_to_popular(
    attention: np.ndarray, subreddits: np.ndarray, indptr: np.ndarray, total: np.ndarray, share: float = 0.02
) -> np.ndarray:
    """(u,) share of each user's attention that goes to the most active subreddits, NaN for users without edges.

    Args:
        attention: (e,) or (heads, e), for each user summing to 1.
        subreddits: (e,) rows.
        indptr: (u + 1,).
        total: (S,) activity.
        share: of the subreddits that count as popular.
    """
    top = np.argsort(-total, kind="stable")[: max(1, round(share * len(total)))]
    popular = np.isin(subreddits, top)
    weight = np.asarray(attention).reshape(-1, len(subreddits)).mean(axis=0)
    users = np.diff(indptr) > 0
    owner = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
    per_user = np.bincount(owner, weight * popular, minlength=len(users))
    return np.where(users, per_user, np.nan)


def _cosines(x: np.ndarray) -> np.ndarray:
    """(u, u)."""
    x = x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)
    return x @ x.T

"""What of a graph a model may see: held-out edges, some of the users, the active subreddits only.

Everything here returns a graph in memory whose totals count only what is left, so that nothing tells of the rest.
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from .graph import Graph, edges_of, from_edges, masked


def select(graph: Graph, users: Tensor) -> Graph:
    """The graph of some users only; totals of subreddits are theirs alone."""
    owner, _, edge, _ = edges_of(graph, users)
    parts = (graph.subreddits[edge], graph.posts[edge], graph.comments[edge])
    return from_edges(owner, *parts, len(users), graph.n_subreddits)._replace(ids=graph.ids[users])


def hold_out(graph: Graph, rng: np.random.Generator, fewest: int = 3) -> tuple[Graph, Tensor]:
    """Take one edge of every user with at least `fewest` out of the graph, drawn uniformly.

    Returns:
        The graph without those edges, totals included, and (U,) the subreddit of each user's, -1 where none was taken.
    """
    enough = graph.degrees >= fewest
    place = torch.from_numpy((rng.random(graph.n_users) * graph.degrees.numpy()).astype(np.int64))
    taken = (graph.indptr[:-1] + place)[enough]
    targets = torch.full((graph.n_users,), -1)
    targets[enough] = graph.subreddits[taken].long()
    kept = torch.ones(graph.n_edges, dtype=torch.bool)
    kept[taken] = False
    return masked(graph, kept), targets


class Divided(NamedTuple):
    """Users trained on and users never seen, and of either the graph without held-out edges."""

    seen: np.ndarray
    """(m,) rows of the whole graph, rising."""
    unseen: np.ndarray
    """(n,) the others."""
    inside: Graph
    """Of the m users; all that training may read."""
    outside: Graph
    """Of the n users; totals of subreddits are those of `inside`."""
    seen_targets: np.ndarray
    """(m,) held-out subreddits, -1 for none."""
    unseen_targets: np.ndarray
    """(n,) the same."""


def divide(graph: Graph, share: float, seed: int, fewest: int = 3) -> Divided:
    """Draw the users that are trained on, and hold out one edge of everybody with at least `fewest`.

    Args:
        share: of the users that are trained on.

    Raises:
        ValueError: a share that leaves nobody on one side.
    """
    order = np.random.default_rng([seed, 0]).permutation(graph.n_users)
    n = round(share * len(order))
    if not 0 < n < len(order):
        raise ValueError(f"got share={share} of {len(order)} users; expected some on either side")
    left, targets = hold_out(graph, np.random.default_rng([seed, 1]), fewest)
    seen, unseen = np.sort(order[:n]), np.sort(order[n:])
    inside, outside = (select(left, torch.from_numpy(rows)) for rows in (seen, unseen))
    outside = outside._replace(
        subreddit_total=inside.subreddit_total, subreddit_degree=inside.subreddit_degree
    )
    return Divided(seen, unseen, inside, outside, targets[seen].numpy(), targets[unseen].numpy())


def prune(graph: Graph, keep: int) -> tuple[Graph, Tensor]:
    """Leave only the `keep` subreddits with the highest activity (ZIPP F.1.2); all users stay, some without edges.

    Returns:
        The graph, its subreddits in their old order, and (keep,) the old rows of those left.
    """
    if not 1 <= keep <= graph.n_subreddits:
        raise ValueError(f"got keep={keep}; expected 1 to {graph.n_subreddits}, the number of subreddits")
    rows = torch.argsort(graph.subreddit_total, descending=True, stable=True)[:keep].sort().values
    return only(graph, rows), rows


def only(graph: Graph, rows: Tensor) -> Graph:
    """Leave only the subreddits of some rows (k,), which rise; all users stay, some without edges."""
    new = torch.full((graph.n_subreddits,), -1)
    new[rows] = torch.arange(len(rows))
    smaller = masked(graph, new[graph.subreddits.long()] >= 0)
    return smaller._replace(
        subreddits=new[smaller.subreddits.long()].to(graph.subreddits.dtype),
        subreddit_total=smaller.subreddit_total[rows],
        subreddit_degree=smaller.subreddit_degree[rows],
    )

"""Random graphs of users and subreddits for the encoders' tests."""

import torch
from torch import Tensor

from personalab.zipp.graph import Messages


def random_messages(
    users: int, subreddits: int, most: int, seed: int = 0, dtype: torch.dtype = torch.float64
) -> Messages:
    """Users with 0 to `most` edges each, some to the same subreddit twice."""
    rng = torch.Generator().manual_seed(seed)
    degrees = torch.randint(0, most + 1, (users,), generator=rng)
    edges = int(degrees.sum())
    rows = torch.randint(0, subreddits, (edges,), generator=rng)
    indptr = torch.cat([torch.zeros(1, dtype=torch.long), degrees.cumsum(0)])
    return Messages(indptr, rows, torch.rand(edges, 2, generator=rng, dtype=dtype))


def of_lists(lists: list[list[int]], features: Tensor | None = None) -> Messages:
    """Messages from the subreddits of each user, written out."""
    rows = torch.tensor([s for own in lists for s in own], dtype=torch.long)
    indptr = torch.tensor([0, *(len(own) for own in lists)]).cumsum(0)
    return Messages(indptr, rows, torch.zeros(len(rows), 2) if features is None else features)


def some(messages: Messages, users: list[int]) -> Messages:
    """The messages of some users, in that order."""
    bounds = messages.indptr.tolist()
    edges = torch.tensor([e for u in users for e in range(bounds[u], bounds[u + 1])], dtype=torch.long)
    degrees = torch.tensor([0, *(bounds[u + 1] - bounds[u] for u in users)])
    return Messages(degrees.cumsum(0), messages.subreddits[edges], messages.features[edges])


def edge_index(messages: Messages) -> Tensor:
    """(2, e) in PyG's form, from subreddits to users."""
    owners = torch.arange(len(messages.indptr) - 1).repeat_interleave(messages.indptr.diff())
    return torch.stack([messages.subreddits, owners])

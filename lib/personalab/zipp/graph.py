"""The bipartite graph of users and subreddits, as compressed rows by user (ZIPP 3.1, B.1).

An edge holds a user's posts and comments in one subreddit, in six bytes; `graph_store` writes graphs that never were
in memory and maps them, so that a batch of users touches only its own rows. `messages` turns some users' edges into what
an encoder reads: subreddits and edge features. Messages run from subreddits to users only, so no neighbours of
neighbours are ever needed. Rows are numbers here; who and what they are stands in the tables beside a graph.
"""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike
from scipy.sparse import csr_array
from torch import Tensor

#: What edges say: log activity over the activity sums of both ends (ZIPP 3.1), over their degrees (Algorithm 2), over
#: nothing (B.1 warns of it), each with the comment fraction; or plain comments and posts (E.1).
EDGES = ("activity", "degree", "none", "counts")
_MOST = np.iinfo(np.uint16).max


class Messages(NamedTuple):
    """What b users hear over e edges."""

    indptr: Tensor
    """(b + 1,) int64: user i's edges are indptr[i]:indptr[i + 1]."""
    subreddits: Tensor
    """(e,) int64, row of the subreddit."""
    features: Tensor
    """(e, 2) float32: edge weight and comment fraction, see `edge_features`."""

    def to(self, device: str | torch.device) -> "Messages":
        """The same messages on another device."""
        return Messages(*(part.to(device) for part in self))


class Graph(NamedTuple):
    """U users, S subreddits, E edges; a user's edges are in order of the subreddit's row."""

    indptr: Tensor
    """(U + 1,) int64."""
    subreddits: Tensor
    """(E,) uint16 or int32."""
    posts: Tensor
    """(E,) uint16."""
    comments: Tensor
    """(E,) uint16."""
    user_total: Tensor
    """(U,) int64, c_u: the user's posts and comments."""
    subreddit_total: Tensor
    """(S,) int64, c_s: the subreddit's posts and comments."""
    subreddit_degree: Tensor
    """(S,) int64, users per subreddit."""
    ids: Tensor
    """(U,) int64, which user a row is: its row in the graph that this one was taken from."""

    @property
    def n_users(self) -> int:
        return len(self.user_total)

    @property
    def n_subreddits(self) -> int:
        return len(self.subreddit_total)

    @property
    def n_edges(self) -> int:
        return len(self.subreddits)

    @property
    def degrees(self) -> Tensor:
        """(U,) int64, subreddits per user."""
        return self.indptr.diff()

    def to(self, device: str | torch.device) -> "Graph":
        """The same graph on another device, all of it in memory there; GPUs, which do not index uint16, get int32."""
        wide = torch.device(device).type != "cpu"
        return Graph(
            *(
                part.to(device, torch.int32 if wide and part.dtype == torch.uint16 else part.dtype)
                for part in self
            )
        )

    def matrix(self) -> csr_array:
        """(U, S) activity t = posts + comments, in memory."""
        activity = self.posts.numpy().astype(np.int64) + self.comments.numpy()
        shape = (self.n_users, self.n_subreddits)
        return csr_array(
            (activity, self.subreddits.numpy().astype(np.int64), self.indptr.numpy()), shape=shape
        )


def edge_features(
    interactions: ArrayLike,
    comments: ArrayLike,
    user_total: ArrayLike,
    subreddit_total: ArrayLike,
    eps: float = 1e-8,
) -> np.ndarray | Tensor:
    """Degree-corrected weight log(1 + t) / sqrt(c_u c_s + eps), and comment fraction c / max(t, 1) (ZIPP B.1).

    Args:
        interactions: (e,) posts and comments t of each edge.
        comments: (e,) comments c of each edge.
        user_total, subreddit_total: (e,) activity sums c_u and c_s of each edge's ends.

    Returns:
        (e, 2), torch if `interactions` is a tensor.

    Raises:
        ValueError: arguments of different lengths, negative counts, or more comments than interactions.
    """
    tensors = isinstance(interactions, Tensor)
    kind = torch.float32 if tensors and interactions.dtype != torch.float64 else torch.float64
    given = interactions, comments, user_total, subreddit_total
    t, c, of_user, of_subreddit = (
        one.to(kind) if isinstance(one, Tensor) else torch.from_numpy(np.array(one, np.float64)).to(kind)
        for one in given
    )
    ends = (of_user, of_subreddit)
    if t.ndim != 1 or t.shape != c.shape or any(one.shape not in (t.shape, (), (1,)) for one in ends):
        shapes = [tuple(one.shape) for one in (t, c, of_user, of_subreddit)]
        raise ValueError(f"got shapes {shapes}; expected four arrays (edges,), one value per edge")
    low = [one.min().item() for one in (t, c, of_user, of_subreddit) if one.numel()]
    if not all(value >= 0 for value in low) or (c > t).any():
        raise ValueError(
            "got counts below 0, not numbers, or more comments than interactions; interactions are posts and comments"
        )
    weight = torch.log1p(t) / torch.sqrt(of_user * of_subreddit + eps)
    features = torch.stack([weight, (c / t.clamp(min=1)).expand_as(weight)], dim=1)
    return features if tensors else features.numpy()


def messages(graph: Graph, users: Tensor, without: Tensor | None = None, edges: str = "activity") -> Messages:
    """The edges of some users, as an encoder reads them.

    Args:
        users: (b,) rows.
        without: (b,) for each user the place among the user's own edges (0 to degree - 1) of one that is left out,
            -1 for none. Its activity is taken out of c_u as well, so that nothing tells of it.
        edges: one of EDGES.

    Raises:
        ValueError: an unknown kind of edge, a place outside a user's edges.
    """
    if edges not in EDGES:
        raise ValueError(f"edges {edges!r}; expected one of {EDGES}")
    owner, place, edge, degree = edges_of(graph, users)
    of_user = graph.user_total[users]
    if without is not None:
        if (without >= degree).any():
            raise ValueError("got a place beyond a user's last edge; places count from 0 within each user")
        gone = without >= 0
        target = (graph.indptr[users] + without)[gone]
        of_user = of_user.clone()
        of_user[gone] -= graph.posts[target].long() + graph.comments[target].long()
        kept = place != without[owner]
        edge, owner, degree = edge[kept], owner[kept], degree - gone.long()
    subreddits, comments = graph.subreddits[edge].long(), graph.comments[edge].long()
    activity = graph.posts[edge].long() + comments
    indptr = torch.cat([degree.new_zeros(1), degree.cumsum(0)])
    match edges:
        case "activity":
            ends = of_user[owner], graph.subreddit_total[subreddits]
        case "degree":
            ends = degree[owner], graph.subreddit_degree[subreddits]
        case "none":
            ends = torch.ones_like(activity), torch.ones_like(activity)
        case "counts":
            counts = torch.stack([comments, activity - comments], dim=1)
            return Messages(indptr, subreddits, counts.float())
    return Messages(indptr, subreddits, edge_features(activity, comments, *ends))


def from_edges(
    users: ArrayLike,
    subreddits: ArrayLike,
    posts: ArrayLike,
    comments: ArrayLike,
    n_users: int,
    n_subreddits: int,
) -> Graph:
    """A graph in memory from (E,) arrays in any order, each (user, subreddit) pair at most once.

    Raises:
        ValueError: a pair twice, a row out of range, or a count above 65,535.
    """
    u, s, p, c = (np.asarray(one).astype(np.int64) for one in (users, subreddits, posts, comments))
    check_edges(s, p, c, n_subreddits)
    if len(u) and not 0 <= u.min() <= u.max() < n_users:
        raise ValueError(f"got users {u.min()} to {u.max()}; expected rows 0 to {n_users - 1}")
    order = np.lexsort((s, u))
    u, s, p, c = u[order], s[order], p[order], c[order]
    if len(u) and ((np.diff(u) == 0) & (np.diff(s) == 0)).any():
        raise ValueError("got a user and subreddit twice; sum their posts and comments first")
    totals = (
        np.bincount(u, p + c, n_users).astype(np.int64),
        np.bincount(s, p + c, n_subreddits).astype(np.int64),
        np.bincount(s, minlength=n_subreddits),
    )
    indptr = np.concatenate([[0], np.bincount(u, minlength=n_users).cumsum()])
    edges = s.astype(subreddit_type(n_subreddits)), p.astype(np.uint16), c.astype(np.uint16)
    return Graph(*(torch.from_numpy(one) for one in (indptr, *edges, *totals, np.arange(n_users))))


def edges_of(graph: Graph, users: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Of some users' edges: the user's place in `users`, the edge's among the user's and in the graph; degrees (b,)."""
    degree = graph.indptr[users + 1] - graph.indptr[users]
    owner = torch.repeat_interleave(torch.arange(len(users), device=users.device), degree)
    place = torch.arange(len(owner), device=users.device) - (degree.cumsum(0) - degree)[owner]
    return owner, place, graph.indptr[users][owner] + place, degree


def masked(graph: Graph, kept: Tensor) -> Graph:
    """The graph with those edges only, (E,) bool; totals follow."""
    owner = torch.repeat_interleave(torch.arange(graph.n_users), graph.degrees)[kept]
    parts = (graph.subreddits[kept], graph.posts[kept], graph.comments[kept])
    return from_edges(owner, *parts, graph.n_users, graph.n_subreddits)._replace(ids=graph.ids)


def check_edges(subreddits: np.ndarray, posts: np.ndarray, comments: np.ndarray, n_subreddits: int) -> None:
    if not len(subreddits) == len(posts) == len(comments):
        raise ValueError(
            f"got {len(subreddits)} subreddits, {len(posts)} posts, {len(comments)} comments; expected one each"
        )
    if len(subreddits) and not 0 <= subreddits.min() <= subreddits.max() < n_subreddits:
        raise ValueError(
            f"got subreddits {subreddits.min()} to {subreddits.max()}; expected rows 0 to {n_subreddits - 1}"
        )
    most = max(posts.max(initial=0), comments.max(initial=0))
    if most > _MOST or min(posts.min(initial=0), comments.min(initial=0)) < 0:
        raise ValueError(
            f"got counts up to {most}; an edge holds 0 to {_MOST} posts and comments: cap them first"
        )


def subreddit_type(n_subreddits: int) -> type[np.generic]:
    """The smallest type that numbers so many subreddits and that torch can index."""
    return np.uint16 if n_subreddits <= _MOST + 1 else np.int32

"""LightGCN (He et al. 2020): free embeddings of all nodes, smoothed over the graph (ZIPP F.1, Table 10).

It has no inductive form: an embedding belongs to a row of the training graph. Unseen users get one step of
propagation from their subreddits, which the original does not define; `unseen` says how. Edges count 1, as in
the original, unless weights are given; edge features play no part.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from ..graph import Messages
from .segments import rows_of, transposed, weighted_sum


class LightGCN(nn.Module):
    """Embedding tables of a training graph.

    Args:
        n_users, n_subreddits: rows of the tables.
        hidden: width.
        layers: steps of propagation; an embedding is the mean over 0 to `layers` steps.
    """

    def __init__(self, n_users: int, n_subreddits: int, hidden: int, layers: int = 2) -> None:
        super().__init__()
        self.users, self.subreddits = nn.Embedding(n_users, hidden), nn.Embedding(n_subreddits, hidden)
        for table in (self.users, self.subreddits):
            nn.init.xavier_uniform_(table.weight)
        self.layers = layers
        self._last: tuple | None = (
            None  # the last graph, which keeps its ids taken, their key, and its reverse
        )
        self.register_buffer("kept_subreddits", torch.full((n_subreddits, hidden), torch.nan))
        self.register_buffer("kept_degrees", torch.zeros(n_subreddits))

    def forward(self, messages: Messages, weights: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Smoothed embeddings of the whole training graph.

        Each step is X_u = sum over its edges of w_us / sqrt(d_u d_s) X_s, and the same from users to
        subreddits, with degrees d the sums of w.

        Args:
            messages: edges of all users, in the order of the table.
            weights: (e,), constants, 1 if None; 0 takes an edge out, and out of the degrees.

        Returns:
            (n_users, hidden) and (n_subreddits, hidden).

        Raises:
            ValueError: messages of another number of users.
        """
        if len(messages.indptr) != self.users.num_embeddings + 1:
            raise ValueError(
                f"got messages of {len(messages.indptr) - 1} users; expected all {self.users.num_embeddings} of "
                "the table"
            )
        x_users, x_subreddits = self.users.weight, self.subreddits.weight
        w = x_users.new_ones(len(messages.subreddits)) if weights is None else weights.detach().to(x_users)
        forth, back = _both_ways(messages, self._reversed(messages), w)
        sums = [x_users, x_subreddits]
        for _ in range(self.layers):
            heard = _Spread.apply(x_subreddits, forth, back)
            x_users, x_subreddits = heard, _Spread.apply(x_users, back, forth)
            sums = [sums[0] + x_users, sums[1] + x_subreddits]
        return sums[0] / (self.layers + 1), sums[1] / (self.layers + 1)

    def _reversed(self, messages: Messages) -> tuple[Tensor, Tensor, Tensor]:
        """The edges from subreddits to users. The last graph is remembered: sorting takes long."""
        given = messages.indptr, messages.subreddits
        key = [(id(tensor), tensor._version) for tensor in given]
        if self._last is None or self._last[1] != key:
            self._last = given, key, transposed(*given, self.subreddits.num_embeddings)
        return self._last[2]

    @torch.no_grad()
    def keep(self, messages: Messages) -> None:
        """Store the subreddits' final embeddings and degrees in the training graph, for `unseen`."""
        self.kept_subreddits.copy_(self(messages)[1])
        self.kept_degrees.copy_(torch.bincount(messages.subreddits, minlength=len(self.kept_degrees)))

    def unseen(self, messages: Messages) -> Tensor:
        """Embeddings of users without a row: one step of propagation from the subreddits' final embeddings.

        With the user's own degree d_u and the subreddit's in training d_s, e_u = sum e_s / sqrt(d_u d_s); a
        subreddit without training edges, whose embedding never moved, is left out.

        Returns:
            (b, hidden), zeros for a user without edges; without gradient.

        Raises:
            RuntimeError: before `keep`.
        """
        if self.kept_subreddits.isnan().any():
            raise RuntimeError(
                "no final embeddings are stored; call keep(messages of the training graph) first"
            )
        rows = rows_of(messages.indptr, len(messages.subreddits))
        kept = self.kept_degrees[messages.subreddits]
        own = messages.indptr.diff().to(kept)[rows]
        weights = torch.where(kept > 0, (own * kept).rsqrt(), 0.0)
        return weighted_sum(self.kept_subreddits, messages.indptr, messages.subreddits, weights)


class _Way(NamedTuple):
    """Edges grouped by where they lead, as `weighted_sum` reads them."""

    offsets: Tensor
    index: Tensor
    weights: Tensor


class _Spread(Function):
    """One step along the edges; its derivative is the step back."""

    @staticmethod
    def forward(ctx: Any, table: Tensor, forth: _Way, back: _Way) -> Tensor:
        ctx.back = back
        return weighted_sum(table, *forth)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        return weighted_sum(gradient.contiguous(), *ctx.back), None, None


def _both_ways(
    messages: Messages, reversed_edges: tuple[Tensor, Tensor, Tensor], weights: Tensor
) -> tuple[_Way, _Way]:
    """Edges to users and edges to subreddits, with symmetrically normalised weights."""
    offsets, order, users = reversed_edges
    own = rows_of(messages.indptr, len(messages.subreddits))
    by_user = weights.new_zeros(len(messages.indptr) - 1).index_add_(0, own, weights)[own]
    by_subreddit = weights.new_zeros(len(offsets) - 1).index_add_(0, messages.subreddits, weights)[
        messages.subreddits
    ]
    normalised = torch.where(weights > 0, weights * (by_user * by_subreddit).rsqrt(), 0.0)
    return _Way(messages.indptr, messages.subreddits, normalised), _Way(offsets, users, normalised[order])

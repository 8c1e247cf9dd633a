"""What the inductive encoders share: inputs, layer norms, residuals, unit length (ZIPP 3.1, B.1).

A user is what its subreddits say: its own input is noise without memory, so an encoder serves users it never
trained on. Messages run from subreddits to users only, hence a batch needs its own users' edges and nothing
else, and every layer reads the same projected subreddits. The layers themselves are given; losses, batches
and graphs live elsewhere.
"""

from collections.abc import Iterable
from typing import Literal, overload

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..graph import Messages
from .noise import noise


class InductiveEncoder(nn.Module):
    """Users and subreddits as unit vectors in one space.

    Args:
        layers: called as layer(subreddits (s, hidden), users (b, hidden), messages), each gives the users'
        new
            states (b, hidden) and its weights of the edges (e, heads).
        n_features: width of the subreddits' description embeddings.
        hidden: width of the states and of the result.
        residual: whether a layer's output is added to its input or takes its place (ZIPP F.1.3).
        user_sd: standard deviation of the users' input noise.
        noise_seed: of that noise.
    """

    def __init__(
        self,
        layers: Iterable[nn.Module],
        n_features: int,
        hidden: int,
        residual: bool = True,
        user_sd: float = 0.1,
        noise_seed: int = 0,
    ) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.from_noise, self.from_features = nn.Linear(hidden, hidden), nn.Linear(n_features, hidden)
        self.user_norms = nn.ModuleList(nn.LayerNorm(hidden) for _ in self.layers)
        self.subreddit_norms = nn.ModuleList(nn.LayerNorm(hidden) for _ in self.layers)
        self.head = nn.Linear(hidden, hidden)
        self.hidden, self.residual = hidden, residual
        self.user_sd, self.noise_seed = user_sd, noise_seed

    @overload
    def forward(
        self, features: Tensor, messages: Messages, users: Tensor, return_attention: Literal[False] = False
    ) -> Tensor: ...

    @overload
    def forward(
        self, features: Tensor, messages: Messages, users: Tensor, return_attention: Literal[True]
    ) -> tuple[Tensor, Tensor]: ...

    def forward(
        self, features: Tensor, messages: Messages, users: Tensor, return_attention: bool = False
    ) -> Tensor | tuple[Tensor, Tensor]:
        """z_u of some users.

        Args:
            features: (s, n_features), description embeddings of all subreddits.
            messages: the users' edges.
            users: (b,) int64, their rows, which choose the noise.
            return_attention: give the weights of the edges as well.

        Returns:
            (b, hidden), unit length; a user without edges gets the direction of its noise. With
            `return_attention` also (layers, e, heads), without gradient: each sums to 1 over a user's edges.

        Raises:
            ValueError: messages that do not fit the users or the subreddits.
        """
        _check(features, messages, users)
        heard, messages = _heard(features, messages)
        subreddits = self.from_features(heard.to(self.from_features.weight.dtype))
        states = self.from_noise(self.user_noise(users))
        attention = []
        for layer, norm, other in zip(self.layers, self.user_norms, self.subreddit_norms, strict=True):
            found, weights = layer(other(subreddits), norm(states), messages)
            states = states + found if self.residual else found
            attention.append(weights)
        units = F.normalize(states, dim=-1)
        return (units, torch.stack(attention)) if return_attention else units

    def subreddits(self, features: Tensor) -> Tensor:
        """z_s (s, hidden), unit length, of description embeddings (s, n_features): a linear head on h_s."""
        return F.normalize(self.head(self.from_features(features.to(self.head.weight.dtype))), dim=-1)

    def user_noise(self, users: Tensor) -> Tensor:
        """(b, hidden), the users' input."""
        return noise(users, self.hidden, self.noise_seed, self.user_sd).to(self.from_noise.weight.dtype)


def _heard(features: Tensor, messages: Messages) -> tuple[Tensor, Messages]:
    """Features of the subreddits that occur, and the messages with rows among those: less to project."""
    occurs = torch.zeros(len(features), dtype=torch.bool, device=features.device)
    occurs[messages.subreddits] = True
    rows = occurs.nonzero().squeeze(1)
    if len(rows) == len(features):
        return features, messages
    place = occurs.cumsum(0) - 1
    return features[rows], messages._replace(subreddits=place[messages.subreddits])


def _check(features: Tensor, messages: Messages, users: Tensor) -> None:
    """Messages fit users and subreddits, before a kernel reads beyond a table."""
    offsets, e = messages.indptr, len(messages.subreddits)
    if len(offsets) != len(users) + 1 or int(offsets[-1]) != e or len(messages.features) != e:
        raise ValueError(
            f"got {len(users)} users, {len(offsets)} offsets up to {int(offsets[-1])}, {e} edges and "
            f"{len(messages.features)} rows of edge features; expected users + 1 offsets up to the number of "
            "edges, and one row of features per edge"
        )
    if e:
        low, high = (int(end) for end in messages.subreddits.aminmax())
        if low < 0 or high >= len(features):
            raise ValueError(f"got subreddits {low} to {high}; expected rows of the {len(features)} given")

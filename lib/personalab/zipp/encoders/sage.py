"""GraphSAGE with mean aggregation (Hamilton et al. 2017), the encoder without attention of ZIPP Table 10.

It differs from the GATv2 encoder only in its layers, so that the comparison is one of attention. Inputs,
norms and residuals are `InductiveEncoder`'s. There is no sampling of neighbours: a user's edges are few
enough to read them all.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..graph import Messages
from .inductive import InductiveEncoder
from .segments import rows_of


class SAGEConv(nn.Module):
    """W_l mean of the neighbours + W_r x_u + b: PyG's SAGEConv with the aggregation "mean", and its weights.

    Args:
        in_channels: widths of subreddit and user vectors.
        out_channels: width of the result.
        weighted: take the mean by edge weight, the first edge feature, instead of the plain one; a user all
        of
            whose weights are 0 gets the plain one.
        activate: end in a ReLU.
    """

    def __init__(
        self, in_channels: tuple[int, int], out_channels: int, weighted: bool = False, activate: bool = False
    ) -> None:
        super().__init__()
        self.lin_l = nn.Linear(in_channels[0], out_channels)
        self.lin_r = nn.Linear(in_channels[1], out_channels, bias=False)
        self.weighted, self.activate = weighted, activate

    def forward(self, subreddits: Tensor, users: Tensor, messages: Messages) -> tuple[Tensor, Tensor]:
        """The users' new states (b, out_channels) and the edges' weights (e, 1), which sum to 1 per user."""
        weights = self._shares(messages).to(subreddits.dtype)
        mean = F.embedding_bag(
            messages.subreddits, subreddits, messages.indptr,
            mode="sum", per_sample_weights=weights, include_last_offset=True,
        )  # fmt: skip
        out = self.lin_l(mean) + self.lin_r(users)
        return (F.relu(out) if self.activate else out), weights.unsqueeze(1)

    def _shares(self, messages: Messages) -> Tensor:
        """(e,) an edge's share in its user's mean."""
        degree = messages.indptr.diff()
        rows = rows_of(messages.indptr, len(messages.subreddits))
        uniform = degree.double().reciprocal()[rows]
        if not self.weighted:
            return uniform
        weight = messages.features[:, 0].double()
        total = weight.new_zeros(len(degree)).index_add_(0, rows, weight)[rows]
        return torch.where(total > 0, weight / total, uniform)


class SAGEEncoder(InductiveEncoder):
    """Users from the mean of their subreddits; see `InductiveEncoder` for forward and the other arguments.

    A ReLU stands between layers, as in GraphSAGE, and none after the last. With `return_attention` the
    weights of the mean stand in for attention, one head: 1 / degree unless `weighted`.

    Args:
        n_features: width of the subreddits' description embeddings.
        hidden: width of states and results.
        layers: number of layers.
        residual: whether a layer's output is added to its input.
        user_sd: standard deviation of the users' input noise.
        noise_seed: of that noise.
        weighted: mean by edge weight.
    """

    def __init__(
        self,
        n_features: int,
        hidden: int = 256,
        layers: int = 2,
        residual: bool = True,
        user_sd: float = 0.1,
        noise_seed: int = 0,
        weighted: bool = False,
    ) -> None:
        means = [SAGEConv((hidden, hidden), hidden, weighted, activate=i < layers - 1) for i in range(layers)]
        super().__init__(means, n_features, hidden, residual, user_sd, noise_seed)

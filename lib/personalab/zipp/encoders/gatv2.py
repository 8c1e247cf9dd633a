"""ZIPP's graph encoder: two layers of GATv2 attention from subreddits to users (ZIPP 3.1, Equation 1, B.1).

The attention of a user's edges is what personas are written from. Training and its losses live elsewhere.
"""

from .attention import GATv2Conv
from .inductive import InductiveEncoder


class GATv2Encoder(InductiveEncoder):
    """Users from the subreddits they attend to; see `InductiveEncoder` for forward and the other arguments.

    Args:
        n_features: width of the subreddits' description embeddings.
        hidden: width of states and results, shared by the heads; the paper leaves it open.
        heads: attention heads per layer, 4 in the paper.
        layers: attention layers, 2 in the paper.
        n_edge_features: numbers per edge.
        residual: whether a layer's output is added to its input.
        user_sd: standard deviation of the users' input noise, 0.1 in the paper.
        noise_seed: of that noise.
        negative_slope: of LeakyReLU, 0.2 in the paper.

    Raises:
        ValueError: a width that the heads cannot share.
    """

    def __init__(
        self,
        n_features: int,
        hidden: int = 256,
        heads: int = 4,
        layers: int = 2,
        n_edge_features: int = 2,
        residual: bool = True,
        user_sd: float = 0.1,
        noise_seed: int = 0,
        negative_slope: float = 0.2,
    ) -> None:
        if hidden % heads:
            raise ValueError(f"got width {hidden} for {heads} heads; expected a multiple of the heads")
        attention = [
            GATv2Conv((hidden, hidden), hidden // heads, heads, n_edge_features, negative_slope)
            for _ in range(layers)
        ]
        super().__init__(attention, n_features, hidden, residual, user_sd, noise_seed)

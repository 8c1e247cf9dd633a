"""What training and evaluation ask of an encoder: users' and subreddits' vectors, from a graph.

Inductive encoders (GATv2, GraphSAGE) read a user's own edges, so anybody's, seen or not. LightGCN has a vector of its
own for every user it was trained on; others get one step of propagation from their neighbours.
"""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from .encoders import GATv2Encoder, LightGCN, SAGEEncoder, TfIdf, TfIdfNmi
from .graph import Graph, Messages, edges_of, messages


class Inductive(nn.Module):
    """An encoder of messages, with the subreddits' text features and heads for subreddits and pictures.

    Args:
        encoder: whose forward takes (features, messages, users).
        features: (S, d) text embeddings of the subreddits' descriptions.
        scale: (2, 2) mean and deviation of edge features, see `edge_scale`.
        picture_width: width of the pictures' embeddings, 0 for no head.
        edges: what edges say, one of `graph.EDGES`.
    """

    def __init__(
        self,
        encoder: GATv2Encoder | SAGEEncoder,
        features: Tensor,
        scale: Tensor,
        picture_width: int = 0,
        edges: str = "activity",
    ):
        super().__init__()
        self.encoder, self.edges = encoder, edges
        self.register_buffer("features", features, persistent=False)
        self.register_buffer("scale", scale)
        self.pictures = nn.Linear(picture_width, encoder.hidden) if picture_width else None

    def users(
        self, graph: Graph, rows: Tensor, without: Tensor | None = None, return_attention: bool = False
    ):
        """(b, hidden) unit vectors of some users of a graph, and on request (layers, e, heads) attention.

        The graph may lie elsewhere than the model, with `rows` and `without`: only messages are sent over.
        """
        device = self.scale.device
        heard = messages(graph, rows, without, self.edges).to(device)
        heard = heard._replace(features=(heard.features - self.scale[0]) / self.scale[1])
        ids = graph.ids[rows].to(device)
        return self.encoder(self.features, heard, ids, return_attention=return_attention)

    def subreddits(self) -> Tensor:
        """(S, hidden) unit vectors."""
        return self.encoder.subreddits(self.features)

    def forward(
        self, graph: Graph, rows: Tensor, without: Tensor | None, pictures: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """Users (b, hidden), all subreddits (S, hidden), and the pictures (b, w) given as (b, hidden)."""
        seen = None if pictures is None else normalize(self.pictures(pictures), dim=-1)
        return self.users(graph, rows, without), self.subreddits(), seen


class Transductive(nn.Module):
    """LightGCN on the graph it is trained on; the vectors of other graphs' users come from one step of propagation."""

    def __init__(self, graph: Graph, hidden: int, layers: int = 2, picture_width: int = 0):
        super().__init__()
        self.graph = graph
        self.encoder = LightGCN(graph.n_users, graph.n_subreddits, hidden, layers)
        heard = messages(graph, torch.arange(graph.n_users, device=graph.indptr.device))
        for name, part in heard._asdict().items():  # buffers follow the model to its device
            self.register_buffer(f"_heard_{name}", part, persistent=False)
        self.pictures = nn.Linear(picture_width, hidden) if picture_width else None

    @property
    def heard(self) -> Messages:
        """The training graph, as the encoder reads it."""
        return Messages(self._heard_indptr, self._heard_subreddits, self._heard_features)

    def users(self, graph: Graph, rows: Tensor, without: Tensor | None = None) -> Tensor:
        """(b, hidden) unit vectors of some users of a graph."""
        if graph is self.graph:
            return self.forward(graph, rows, without, None)[0]
        self.encoder.keep(self.heard)
        heard = messages(graph, rows, without).to(self._heard_indptr.device)
        return normalize(self.encoder.unseen(heard), dim=-1)

    def subreddits(self) -> Tensor:
        """(S, hidden) unit vectors."""
        return normalize(self.encoder(self.heard)[1], dim=-1)

    def forward(
        self, graph: Graph, rows: Tensor, without: Tensor | None, pictures: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """As `Inductive`; the edges left out for some users are gone for all."""
        kept = None
        if without is not None:
            kept = torch.ones(graph.n_edges, device=graph.indptr.device)
            kept[(graph.indptr[rows] + without)[without >= 0]] = 0.0
        users, subreddits = self.encoder(self.heard, kept)
        seen = None if pictures is None else normalize(self.pictures(pictures), dim=-1)
        return (
            normalize(users.index_select(0, rows.to(users.device)), dim=-1),
            normalize(subreddits, dim=-1),
            seen,
        )


class Statistical:
    """TF-IDF or TF-IDF + NMI behind the same two calls; nothing is trained.

    Args:
        statistics: fitted on the training graph.
        features: (S, d) text embeddings, which TF-IDF compares; NMI needs none.
    """

    def __init__(self, statistics: TfIdf | TfIdfNmi, features: Tensor):
        self.statistics, self.features = statistics, normalize(features, dim=-1)

    def users(self, graph: Graph, rows: Tensor) -> Tensor:
        """(b, d) weighted means of descriptions, or (b, S) how far each subreddit goes with a user's own."""
        matrix = graph.matrix()[rows.numpy()]
        if isinstance(self.statistics, TfIdf):
            return torch.from_numpy(self.statistics.embed(matrix, self.features.numpy())).float()
        everything = np.broadcast_to(np.arange(matrix.shape[1]), matrix.shape)
        return torch.from_numpy(self.statistics.scores(matrix, everything)).float()

    def subreddits(self) -> Tensor:
        """(S, d) unit vectors, or the (S, S) identity, so that products with users' vectors are scores."""
        return self.features if isinstance(self.statistics, TfIdf) else torch.eye(len(self.features))


class Popularity:
    """Every user would post where most is posted: what a measure gives for nothing."""

    def __init__(self, graph: Graph):
        self.activity = graph.subreddit_total.float()[:, None]

    def users(self, graph: Graph, rows: Tensor) -> Tensor:
        """(b, 1), the same for all."""
        return torch.ones(len(rows), 1)

    def subreddits(self) -> Tensor:
        """(S, 1), activity in the training graph."""
        return self.activity


def edge_scores(
    model: Inductive | Transductive | Statistical, graph: Graph, temperature: float = 0.07
) -> np.ndarray:
    """How much each edge tells of its user, in the order of the graph's edges: (e,), none negative.

    ZIPP 3.1, Algorithm 3, lines 5 and 6: attention, averaged over layers and heads, or TF-IDF weights. For encoders that
    have neither the paper names nothing; there it is exp((cosine - 1) / temperature) of a user's and a subreddit's
    vectors, so that shares within a user are a softmax of cosines.
    """
    if isinstance(model, Statistical):
        return model.statistics.weights(graph.matrix()).data
    with torch.no_grad():
        rows = torch.arange(graph.n_users).split(4096)
        return torch.cat([_edge_scores(model, graph, some, temperature) for some in rows]).cpu().numpy()


def _edge_scores(model: Inductive | Transductive, graph: Graph, rows: Tensor, temperature: float) -> Tensor:
    if isinstance(getattr(model, "encoder", None), GATv2Encoder):
        return model.users(graph, rows, return_attention=True)[1].mean(dim=(0, 2))
    owner, _, edge, _ = edges_of(graph, rows)
    users, subreddits = model.users(graph, rows), model.subreddits()
    cosine = (users[owner.to(users.device)] * subreddits[graph.subreddits[edge].long().to(users.device)]).sum(
        -1
    )
    return torch.exp((cosine - 1) / temperature)


def edge_scale(heard: Messages) -> Tensor:
    """(2, 2) mean and standard deviation of edge features, so that an encoder sees them with mean 0 and deviation 1.

    The degree-corrected weights are of the order of 1e-2 and would be lost beside the other inputs.
    """
    mean, spread = heard.features.mean(0), heard.features.std(0, unbiased=False)
    return torch.stack([mean, torch.where(spread > 1e-6 * mean.abs(), spread, 1.0)])  # rounding is no spread

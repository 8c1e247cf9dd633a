"""The feedback network of VPTT 3.3 and 16: a score in [0, 1] for a prompt and a profile, by cross-attention.

As printed, the profile is one vector and attends to one prompt vector. A softmax over a single key is 1, whatever
query and key are: the attention is then a linear map of the prompt, its query and key weights never learn, and the
profile takes part through the residual alone. The network is kept as printed; turned round (`asks="prompt"`) the
same layers let the prompt attend to several vectors of a profile, where weights do mean something.
"""

from itertools import pairwise
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn


class FeedbackNet(nn.Module):
    """Profile (b, t, d) and prompt (b, d), rows of length 1, to scores (b,).

    Inputs are multiplied by sqrt(d), so that their components have size 1 as layers expect.

    Args:
        width: d, the embedder's width.
        asks: "profile" attends to the prompt, as printed; "prompt" attends to the profile's t vectors.
        hidden, heads, dropout: 128, 4 and 0.2 in the paper; dropout stands in the feed-forward part and the head.
    """

    def __init__(
        self,
        width: int,
        asks: Literal["profile", "prompt"] = "profile",
        hidden: int = 128,
        heads: int = 4,
        dropout: float = 0.2,
    ):
        super().__init__()
        if asks not in ("profile", "prompt"):
            raise ValueError(f"asks is {asks!r}; expected 'profile' or 'prompt'")
        self.asks = asks
        self.profile, self.prompt = nn.Linear(width, hidden), nn.Linear(width, hidden)
        self.attention = nn.MultiheadAttention(hidden, heads, batch_first=True)
        self.norms = nn.ModuleList([nn.LayerNorm(hidden), nn.LayerNorm(hidden)])
        self.feed = nn.Sequential(
            nn.Linear(hidden, 2 * hidden), nn.ReLU(), nn.Dropout(dropout), nn.Linear(2 * hidden, hidden)
        )
        sizes = (2 * hidden, hidden, hidden // 2)
        layers = [nn.Sequential(nn.Linear(a, b), nn.ReLU(), nn.Dropout(dropout)) for a, b in pairwise(sizes)]
        self.head = nn.Sequential(*layers, nn.Linear(hidden // 2, 1))

    def forward(self, profile: Tensor, prompt: Tensor, persona: Tensor | None = None) -> Tensor:
        """(b, t, d) and (b, d) to (b,), each in (0, 1); with `persona` (b,), profiles (m, t, d) of m personas."""
        return self.attend(profile, prompt, persona)[0]

    def attend(self, profile: Tensor, prompt: Tensor, persona: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """The scores (b,) and the attention weights (b, heads, queries, keys); arguments as `forward`."""
        scale = prompt.shape[1] ** 0.5
        profile, prompt = self.profile(scale * profile), self.prompt(scale * prompt)[:, None]
        profile = profile if persona is None else profile[persona]
        query, keys = (profile, prompt) if self.asks == "profile" else (prompt, profile)
        mixed, weights = self.attention(query, keys, keys, average_attn_weights=False)
        x = self.norms[0](query + mixed)
        x = self.norms[1](x + self.feed(x)).mean(1)
        return torch.sigmoid(self.head(torch.cat([x, prompt[:, 0]], 1)))[:, 0], weights


class Pairs(NamedTuple):
    """n examples: profiles (m, t, d) of m personas, the persona (n,) of each, prompts (n, d), labels (n,)."""

    profiles: np.ndarray
    persona: np.ndarray
    prompts: np.ndarray
    labels: np.ndarray

    def pick(self, rows: np.ndarray) -> "Pairs":
        """Some of the examples, by index or mask."""
        return Pairs(self.profiles, self.persona[rows], self.prompts[rows], self.labels[rows])

    def tensors(self, device: str = "cpu") -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Profiles of the personas that occur, prompts (n, d), persona (n,) among those, labels (n,); float32."""
        who, persona = np.unique(self.persona, return_inverse=True)
        arrays = (self.profiles[who], self.prompts, persona, self.labels)
        kinds = (torch.float32, torch.float32, torch.int64, torch.float32)
        return tuple(torch.as_tensor(a, dtype=k, device=device) for a, k in zip(arrays, kinds, strict=True))


def centred(vectors: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Vectors (..., d) less the mean of those at `seen` (rows of the first axis), scaled to length 1.

    What all texts of a kind share (their frames, their length) dominates their cosines and says nothing about
    anybody. Only training rows may be `seen`.
    """
    apart = vectors - vectors[seen].reshape(-1, vectors.shape[-1]).mean(0)
    return apart / np.maximum(np.linalg.norm(apart, axis=-1, keepdims=True), 1e-12)


class Trained(NamedTuple):
    """The network with the weights of its best epoch, the losses of every epoch (epochs, 2), and the best one."""

    net: FeedbackNet
    losses: np.ndarray
    best: int


def train(
    pairs: Pairs,
    validation: Pairs,
    seed: int,
    asks: Literal["profile", "prompt"] = "profile",
    *,
    rate: float = 1e-3,
    decay: float = 0.05,
    patience: int = 10,
    epochs: int = 100,
    batch: int = 256,
    device: str = "cpu",
) -> Trained:
    """AdamW on the mean squared error, stopped when validation has not improved for `patience` epochs (VPTT 16).

    Args:
        seed: of the first weights, the batches and the dropout; the caller's random state is left alone.
        epochs, batch: not given in the paper.

    Raises:
        ValueError: no examples to train on, or none to stop by.
    """
    if not len(pairs.labels) or not len(validation.labels):
        raise ValueError(
            f"got {len(pairs.labels)} training, {len(validation.labels)} validation examples; expected some"
        )
    data, held = pairs.tensors(device), validation.tensors(device)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        net = FeedbackNet(pairs.prompts.shape[1], asks).to(device)
        optimiser = torch.optim.AdamW(net.parameters(), lr=rate, weight_decay=decay)
        losses, best, kept = [], 0, {}
        while len(losses) < epochs and len(losses) - best <= patience:
            losses.append((_epoch(net, optimiser, data, batch), _loss(net, held)))
            if losses[-1][1] < losses[best][1] or not kept:
                best, kept = len(losses) - 1, {k: v.clone() for k, v in net.state_dict().items()}
    net.load_state_dict(kept)
    return Trained(net.eval(), np.array(losses), best)


def scores(net: FeedbackNet, pairs: Pairs, device: str = "cpu") -> np.ndarray:
    """(n,) scores of n examples, without dropout."""
    profiles, prompts, persona, _ = pairs.tensors(device)
    with torch.no_grad():
        return net.eval()(profiles, prompts, persona).cpu().numpy().astype(float)


def _epoch(net: FeedbackNet, optimiser: torch.optim.Optimizer, data: tuple[Tensor, ...], batch: int) -> float:
    """One pass in random order; the mean loss with dropout on."""
    net.train()
    profiles, *examples = data
    total = 0.0
    for rows in torch.randperm(len(examples[0])).split(batch):
        prompts, persona, labels = (x[rows.to(x.device)] for x in examples)
        loss = nn.functional.mse_loss(net(profiles, prompts, persona), labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        total += loss.item() * len(rows)
    return total / len(examples[0])


def _loss(net: FeedbackNet, data: tuple[Tensor, ...]) -> float:
    net.eval()
    with torch.no_grad():
        return nn.functional.mse_loss(net(*data[:3]), data[3]).item()

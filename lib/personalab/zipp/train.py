"""Training of user representations (ZIPP 3.1, Algorithm 2).

A step draws users, one positive edge each, takes that edge out of the user's messages, and pulls the user towards the
subreddit and towards a picture the user has posted, away from the rest of the batch. Every step draws from its own
number, so runs can be taken up again, and processes under torchrun share one batch between them.
"""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.functional import embedding
from torch.nn.parallel import DistributedDataParallel

from ..world.train.fit import fit
from .graph import Graph
from .objectives import TEMPERATURE, info_nce, negative_sampling

#: How positives are drawn: a user, then one of its edges (Algorithm 2); or an edge (3.1).
POSITIVES = ("user", "edge")
#: What a positive is told from: the batch; that and subreddits with similar descriptions (3.1); random ones by B.1's loss.
NEGATIVES = ("batch", "close", "sampled")
_CLOSE, _SAMPLED = 8, 5


class Pictures(NamedTuple):
    """Embeddings of pictures that users have posted."""

    users: np.ndarray
    """(n,) row of the user, in rising order."""
    vectors: Tensor
    """(n, w) unit vectors."""


class Batch(NamedTuple):
    """b users with a positive edge each."""

    users: Tensor
    """(b,) rows."""
    places: Tensor
    """(b,) place of the edge among the user's."""
    subreddits: Tensor
    """(b,) where it leads."""


def draw(graph: Graph, users: np.ndarray, n: int, rng: np.random.Generator, positives: str = "user") -> Batch:
    """n positive edges of some users, all of whom have two or more.

    Args:
        graph: on the CPU, where the drawing is done.
        users: (m,) rows.
        n: how many.
        rng: of the draw.
        positives: one of POSITIVES.

    Raises:
        ValueError: an unknown way of drawing.
    """
    indptr = graph.indptr.numpy()
    if positives == "user":
        rows = users[rng.integers(len(users), size=n)]
        places = (rng.random(n) * (indptr[rows + 1] - indptr[rows])).astype(np.int64)
    elif positives == "edge":
        ends = np.cumsum(indptr[users + 1] - indptr[users])
        edge = rng.integers(ends[-1], size=n)
        which = np.searchsorted(ends, edge, side="right")
        rows, places = users[which], edge - np.concatenate([[0], ends])[which]
    else:
        raise ValueError(f"positives {positives!r}; expected one of {POSITIVES}")
    found = graph.subreddits[torch.from_numpy(indptr[rows] + places)].long()
    return Batch(torch.from_numpy(rows), torch.from_numpy(places), found)


def train(
    model: nn.Module,
    graph: Graph,
    folder: Path,
    *,
    steps: int,
    users: np.ndarray | None = None,
    pictures: Pictures | None = None,
    batch: int = 512,
    rate: float = 3e-3,
    picture_weight: float = 1.0,
    temperature: float = TEMPERATURE,
    positives: str = "user",
    negatives: str = "batch",
    keep_target: bool = False,
    seed: int = 0,
    every: int | None = None,
    on_step: Callable[[int, dict[str, float]], None] | None = None,
) -> nn.Module:
    """Train a model of `models` in place.

    Args:
        graph: the messages' graph, without any edge used for evaluation, on any device.
        folder: checkpoint and log, see `world.train.fit`; a finished or stopped run is taken up. Shared by all processes.
        users: (n,) rows trained on, all if None; those with fewer than two edges are left out.
        pictures: with them the loss has its second term (ImageAlign); the model needs a head for pictures.
        batch: users a step, over all processes.
        rate: highest learning rate.
        picture_weight: lambda.
        positives, negatives: one of POSITIVES, NEGATIVES.
        keep_target: leave the positive edge in the user's messages, as printed.
        every: steps between checkpoints; None saves at the end only.
        on_step: called with a step's number and its losses.

    Raises:
        ValueError: an unknown choice, a model without the part that a choice needs, a batch that the processes cannot
            share evenly, or nobody to train on.
    """
    _check(model, pictures, negatives)
    rank, processes = (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)
    if batch % processes:
        raise ValueError(f"got a batch of {batch} for {processes} processes; expected a multiple")
    everybody = np.arange(graph.n_users) if users is None else np.asarray(users)
    near = graph.to("cpu")  # draws are made there; the same graph if it is there
    everybody = everybody[near.degrees.numpy()[everybody] >= 2]
    if not len(everybody):
        raise ValueError("got no user with two edges or more; one is the target, the rest are the messages")
    device = next(model.parameters()).device
    mine = slice(rank * batch // processes, (rank + 1) * batch // processes)
    forward = DistributedDataParallel(model, broadcast_buffers=False) if processes > 1 else model
    close = closest(model.features, _CLOSE) if negatives == "close" else None

    def step(i: int) -> tuple[Tensor, dict[str, float]]:
        rng = np.random.default_rng([seed, i])
        whole = draw(near, everybody, batch, rng, positives)
        shown = None if pictures is None else pick(pictures, whole.users.numpy(), rng)
        some = rng.integers(graph.n_subreddits, size=(batch, _SAMPLED))
        part = Batch(*(one[mine].to(graph.indptr.device) for one in whole))
        vectors, has = (None, None) if shown is None else (one[mine].to(device) for one in shown)
        named = part.subreddits.to(device)
        u, s, p = forward(graph, part.users, None if keep_target else part.places, vectors)
        others = torch.from_numpy(some[mine]).to(device) if negatives == "sampled" else None
        link = _link(u, s, named, others, close, temperature)
        figures = {"link": link.item()}
        if p is None:
            loss = link
        else:
            picture = info_nce(u, p, valid=has, temperature=temperature)
            loss, figures["picture"] = link + picture_weight * picture, picture.item()
        if on_step:
            on_step(i, figures | {"loss": loss.item()})
        return loss, figures

    model.train()
    own = _own_folder(folder, rank, processes)
    fit(model, step, own, steps=steps, rate=rate, every=every if every and rank == 0 else steps)
    return model.eval()


def _check(model: nn.Module, pictures: Pictures | None, negatives: str) -> None:
    """Raise ValueError for a model without the part that a choice needs."""
    if negatives not in NEGATIVES:
        raise ValueError(f"negatives {negatives!r}; expected one of {NEGATIVES}")
    if negatives == "close" and not hasattr(model, "features"):
        raise ValueError(
            "got negatives 'close' for a model without descriptions; expected an `Inductive` one"
        )
    if pictures is not None and not len(pictures.users):
        raise ValueError("got no pictures; expected some, or None to train without them")
    if pictures is not None and model.pictures is None:
        raise ValueError("got pictures for a model without a head for them; make it with their picture_width")


def _link(
    u: Tensor, s: Tensor, named: Tensor, others: Tensor | None, close: Tensor | None, temperature: float
) -> Tensor:
    """The loss between users (b, d) and their subreddits, rows `named` (b,) of s (S, d).

    Rows are gathered by functions whose gradients add up in one order; those of s[named] differ from run to run on a CPU.

    Args:
        others: (b, k) sampled negatives, which choose B.1's loss; None for InfoNCE.
        close: (S, k) hard negatives of each subreddit, or None.
    """
    keys = s.index_select(0, named)
    if others is not None:
        return negative_sampling(u, keys, embedding(others, s), temperature)
    hard = None if close is None else embedding(close[named], s)
    return info_nce(u, keys, named, hard=hard, temperature=temperature)


def _own_folder(folder: Path, rank: int, processes: int) -> Path:
    """Where a process saves; all of them take up rank 0's checkpoint, or none does."""
    if rank == 0:
        own = folder
    else:
        own = folder / f"rank{rank}"
        shutil.rmtree(own, ignore_errors=True)
        own.mkdir(parents=True)
        if (folder / "checkpoint.pt").exists():
            shutil.copy(folder / "checkpoint.pt", own)
    if processes > 1:
        dist.barrier()  # before rank 0 can save again
    return own


def pick(pictures: Pictures, users: np.ndarray, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """One picture of each user: (b, w), zeros where there is none, and (b,) whether there is one."""
    first = np.searchsorted(pictures.users, users, side="left")
    n = np.searchsorted(pictures.users, users, side="right") - first
    row = np.minimum(first + (rng.random(len(users)) * n).astype(np.int64), len(pictures.users) - 1)
    has = torch.from_numpy(n > 0).to(pictures.vectors.device)
    return pictures.vectors[torch.from_numpy(row).to(has.device)] * has[:, None], has


def pictures_of(users: np.ndarray, vectors: np.ndarray, rows: np.ndarray) -> Pictures:
    """The pictures of some users, by their place among them.

    Args:
        users: (n,) row of each picture's user in the whole graph.
        vectors: (n, w).
        rows: (m,) rows of the users, rising; the pictures of others are left out.
    """
    mine = np.flatnonzero(np.isin(users, rows))
    place = np.searchsorted(rows, users[mine])
    order = np.argsort(place, kind="stable")
    return Pictures(place[order], torch.from_numpy(vectors[mine][order]).float())


def closest(features: Tensor, k: int) -> Tensor:
    """(S, k) for each subreddit those with the most similar descriptions, itself left out."""
    unit = nn.functional.normalize(features, dim=-1)
    return (unit @ unit.T).fill_diagonal_(-2).topk(min(k, len(unit) - 1)).indices

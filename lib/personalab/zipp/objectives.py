"""Contrastive losses between users, their subreddits and their pictures (ZIPP 3.1, B.1, Algorithm 2).

Rows are unit vectors; row i of the queries belongs to row i of the keys. In a distributed run every process holds its
rows of the batch and is compared with the keys of all, so that two processes see the loss that one would see.
"""

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.nn.functional import all_gather
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

#: The paper names a temperature and gives no value; this is CLIP's first one.
TEMPERATURE = 0.07


def info_nce(
    queries: Tensor,
    keys: Tensor,
    names: Tensor | None = None,
    *,
    valid: Tensor | None = None,
    hard: Tensor | None = None,
    temperature: float = TEMPERATURE,
) -> Tensor:
    """Mean cross-entropy of telling a query's key from the other keys of the batch.

    Args:
        queries, keys: (b, d).
        names: (b,) what the keys stand for; another key of the same name is no negative.
        valid: (b,) bool, rows that take part; the others are neither queries nor keys. 0 if there are none.
        hard: (b, k, d) further negatives, each row's own.
        temperature: what cosines are divided by.

    Returns:
        A scalar; over all processes, if there are several.
    """
    own = torch.arange(len(queries), device=queries.device) + _first_row(len(queries))
    names = own if names is None else names  # else keys of two processes would share a name
    valid = torch.ones_like(names, dtype=torch.bool) if valid is None else valid
    all_keys, all_names, all_valid = _gathered(keys), _gathered(names), _gathered(valid)
    logits = queries @ all_keys.T / temperature
    others = torch.arange(len(all_names), device=names.device) != own[:, None]
    same = (names[:, None] == all_names) & others
    logits = logits.masked_fill(same | ~all_valid, -torch.inf)
    if hard is not None:
        logits = torch.cat([logits, torch.einsum("bd,bkd->bk", queries, hard) / temperature], dim=1)
    if not valid.any():  # a zero from all keys, for every process has to take part in gathering gradients
        local = 0.0 * (queries.sum() + all_keys.sum())
    else:
        local = cross_entropy(logits[valid], own[valid], reduction="sum")
    return _mean_over_all(local, all_valid.sum().clamp(min=1))


def negative_sampling(
    queries: Tensor, keys: Tensor, negatives: Tensor, temperature: float = TEMPERATURE
) -> Tensor:
    """Binary cross-entropy of cosines over the temperature: keys (b, d) against negatives (b, k, d) (ZIPP B.1).

    Positives and negatives weigh the same, however many negatives there are.
    """
    good = (queries * keys).sum(-1) / temperature
    bad = torch.einsum("bd,bkd->bk", queries, negatives) / temperature
    parts = (good, torch.ones_like(good)), (bad, torch.zeros_like(bad))
    local = sum(binary_cross_entropy_with_logits(*part) for part in parts) / 2 * len(queries)
    return _mean_over_all(local, len(queries) * _processes())


def _processes() -> int:
    return dist.get_world_size() if dist.is_initialized() else 1


def _first_row(n: int) -> int:
    return dist.get_rank() * n if dist.is_initialized() else 0


def _gathered(rows: Tensor) -> Tensor:
    """The rows of all processes, in order of their ranks; gradients flow back to where rows came from."""
    return torch.cat(all_gather(rows)) if _processes() > 1 else rows


def _mean_over_all(local: Tensor, n: Tensor | int) -> Tensor:
    """A process's sum as its part of the mean over all: the value is everybody's, the gradient this process's.

    Averaging gradients over processes, as DistributedDataParallel does, then gives the gradient of the mean.
    """
    part = local / n * _processes()
    if _processes() == 1:
        return part
    everybody = part.detach().clone()
    dist.all_reduce(everybody, op=dist.ReduceOp.AVG if dist.get_backend() == "nccl" else dist.ReduceOp.SUM)
    if dist.get_backend() != "nccl":
        everybody /= _processes()
    return part + (everybody - part.detach())

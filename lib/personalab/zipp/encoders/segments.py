"""Weighted sums over the edges of each row, the one operation that every encoder here rests on.

Rows are given as offsets: row i owns edges offsets[i]:offsets[i + 1]. The kernels know nothing of gradients;
whoever needs them writes the derivative, which is again such a sum.
"""

import torch
import torch.nn.functional as F
from torch import Tensor


def rows_of(offsets: Tensor, edges: int) -> Tensor:
    """(edges,) int64: the row that owns each edge; offsets are (rows + 1,)."""
    every = torch.arange(len(offsets) - 1, device=offsets.device)
    return torch.repeat_interleave(every, offsets.diff(), output_size=edges)


def weighted_sum(table: Tensor, offsets: Tensor, index: Tensor, weights: Tensor | None = None) -> Tensor:
    """sum over the edges e of each row of weights_e * table[index_e].

    Args:
        table: (n, d) of any floating dtype.
        offsets: (rows + 1,) int64.
        index: (e,) int64 rows of the table; repeats count each time.
        weights: (e,), None for 1.

    Returns:
        (rows, d), zeros for a row without edges; without gradient.
    """
    if not len(index):
        return table.new_zeros(len(offsets) - 1, table.shape[1])
    return F.embedding_bag(
        index, table, offsets, mode="sum", per_sample_weights=weights, include_last_offset=True
    )


def row_softmax_(scores: Tensor, offsets: Tensor, rows: Tensor) -> Tensor:
    """Softmax over the edges of each row, in place.

    Args:
        scores: (e, heads), overwritten.
        offsets: (r + 1,) int64.
        rows: (e,), `rows_of(offsets, e)`.
    """
    if not len(scores):
        return scores
    largest = torch.segment_reduce(scores, "max", offsets=offsets, axis=0, unsafe=True)
    scores.sub_(largest.index_select(0, rows)).exp_()
    total = torch.zeros_like(largest).index_add_(0, rows, scores)
    return scores.div_(total.index_select(0, rows))


def transposed(offsets: Tensor, index: Tensor, n: int) -> tuple[Tensor, Tensor, Tensor]:
    """The same edges, grouped by the n rows of the table that they name.

    Returns:
        offsets (n + 1,), where each edge stood before (e,), and its owner (e,).
    """
    order = torch.argsort(index, stable=True)
    counts = torch.bincount(index, minlength=n)
    return F.pad(counts.cumsum(0), (1, 0)), order, rows_of(offsets, len(index))[order]

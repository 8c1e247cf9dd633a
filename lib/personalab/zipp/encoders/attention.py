"""GATv2 attention from subreddits to users (Brody et al. 2022; ZIPP 3.1, Equation 1), lean in memory.

Equal to PyG's GATv2Conv on a bipartite graph, whose parameters it shares by name and shape, but a training
step keeps one number per edge and head. PyG keeps several vectors per edge, which is most of its time: at a
million edges the memory is fetched page by page. Here edges pass through in chunks that fit a core's cache,
forward and, by the analytic derivative, backward; hidden vectors of edges are computed twice and never
stored. No dropout, no self loops, no averaging of heads, no derivative of the derivative.

With P = W_l x_s + b_l, Q = W_r x_u + b_r and, per edge, z = P_s + Q_u + W_e f_e in each head:

    score = a . LeakyReLU(z),   alpha = softmax of the scores of a user's edges,   out_u = sum alpha P_s + b

and with G = dL/dout, per edge, the derivatives rest on

    dscore = alpha (G_u . P_s - G_u . out_u),   r = dscore LeakyReLU'(z)
    dQ_u = a sum r,   dP_s = sum (a r + alpha G_u),   dW_e = a sum r f_e^T,   da = sum r z
"""

from itertools import pairwise
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from ..graph import Messages
from .segments import row_softmax_, rows_of, weighted_sum

#: Numbers per buffer: a megabyte of float32 stays in a core's cache, while a GPU wants few, large launches.
_CHUNK_NUMBERS = {"cpu": 2**18, "cuda": 2**25}


class GATv2Conv(nn.Module):
    """One attention layer; `load_state_dict` takes the weights of PyG's layer of the same name, and the
    reverse.

    Args:
        in_channels: widths of subreddit and user vectors.
        out_channels: width of one head.
        heads: their outputs stand side by side.
        edge_dim: width of the edge features.
        negative_slope: of LeakyReLU.
        chunk: edges per chunk; None chooses by device and width.
    """

    def __init__(
        self,
        in_channels: tuple[int, int],
        out_channels: int,
        heads: int = 1,
        edge_dim: int = 2,
        negative_slope: float = 0.2,
        chunk: int | None = None,
    ) -> None:
        super().__init__()
        width = heads * out_channels
        self.lin_l = nn.Linear(in_channels[0], width)
        self.lin_r = nn.Linear(in_channels[1], width)
        self.lin_edge = nn.Linear(edge_dim, width, bias=False)
        self.att = nn.Parameter(torch.empty(1, heads, out_channels))
        self.bias = nn.Parameter(torch.zeros(width))
        for weight in (self.lin_l.weight, self.lin_r.weight, self.lin_edge.weight, self.att):
            nn.init.xavier_uniform_(weight)
        self.negative_slope, self.chunk = negative_slope, chunk

    def forward(self, subreddits: Tensor, users: Tensor, messages: Messages) -> tuple[Tensor, Tensor]:
        """Attend from each user to its subreddits.

        Args:
            subreddits: (s, in_channels[0]).
            users: (b, in_channels[1]).
            messages: their edges; `messages.subreddits` are rows of `subreddits`.

        Returns:
            (b, heads * out_channels), the bias alone for users without edges; and the attention (e, heads),
            which sums to 1 over a user's edges and carries no gradient.

        Raises:
            ValueError: messages that do not fit the users.
        """
        e, offsets = len(messages.subreddits), messages.indptr
        if len(offsets) != len(users) + 1 or len(messages.features) != e:
            raise ValueError(
                f"got {len(offsets)} offsets, {e} edges and {len(messages.features)} rows of edge features "
                f"for {len(users)} users; expected users + 1 offsets, and as many rows of features as edges"
            )
        values, queries = self.lin_l(subreddits), self.lin_r(users)
        chunk = self.chunk or max(1, _CHUNK_NUMBERS.get(users.device.type, 2**25) // self.bias.numel())
        with torch.autocast(users.device.type, enabled=False):  # the kernel wants one dtype, its weights'
            kept = self.att.dtype
            return _Attention.apply(
                values.to(kept), queries.to(kept), self.lin_edge.weight, self.att[0], self.bias,
                messages.features.to(kept), offsets, messages.subreddits, self.negative_slope, chunk,
            )  # fmt: skip


class _Edges(NamedTuple):
    """All that the kernel reads, with H heads of C numbers each, D = H * C."""

    values: Tensor
    """(s, D), P."""
    queries: Tensor
    """(b, D), Q."""
    weight: Tensor
    """(D, k), W_e."""
    att: Tensor
    """(H, C), a."""
    features: Tensor
    """(e, k), f."""
    offsets: Tensor
    """(b + 1,)."""
    columns: Tensor
    """(e,), the subreddit of each edge."""
    rows: Tensor
    """(e,), the user of each edge."""


class _Attention(Function):
    """The kernel: outputs and attention, and the analytic derivative."""

    @staticmethod
    def forward(
        ctx: Any, values: Tensor, queries: Tensor, weight: Tensor, att: Tensor, bias: Tensor, features: Tensor,
        offsets: Tensor, columns: Tensor, slope: float, chunk: int,
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        given = (values.contiguous(), queries.contiguous(), weight, att.contiguous(), features.contiguous())
        edges = _Edges(*given, offsets, columns, rows_of(offsets, len(columns)))
        attention = row_softmax_(_scores(edges, slope, chunk), offsets, edges.rows)
        out = torch.empty_like(edges.queries)
        for h, (table, sums) in enumerate(zip(_heads(edges.values, att), _heads(out, att), strict=True)):
            sums.copy_(weighted_sum(table.contiguous(), offsets, columns, attention[:, h].contiguous()))
        out += bias
        ctx.save_for_backward(*edges[:-1], attention, out, bias)
        ctx.mark_non_differentiable(attention)
        ctx.set_materialize_grads(False)  # no zeros for the attention, which has no gradient
        ctx.slope, ctx.chunk = slope, chunk
        return out, attention

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor | None, _: None) -> tuple[Tensor | None, ...]:
        if gradient is None:
            return (None,) * 10
        *given, attention, out, bias = ctx.saved_tensors
        edges = _Edges(*given, rows_of(given[-2], len(given[-1])))
        gradient = gradient.contiguous()
        along_out = (out - bias).mul_(gradient).view(-1, *edges.att.shape).sum(-1)
        *found, by_features = _derivatives(
            edges, attention, along_out, gradient, ctx.slope, ctx.chunk, ctx.needs_input_grad[5]
        )
        return *found, gradient.sum(0), by_features, None, None, None, None


def _heads(flat: Tensor, att: Tensor) -> tuple[Tensor, ...]:
    """(n, D) as one (n, C) view per head."""
    return flat.view(len(flat), *att.shape).unbind(1)


def _chunks(edges: int, size: int) -> list[tuple[int, int]]:
    """Bounds of consecutive chunks; a user's edges may be cut anywhere."""
    return list(pairwise([*range(0, edges, size), edges]))


def _hidden(edges: _Edges, part: slice, z: Tensor, values: Tensor) -> None:
    """z = P_s + Q_u + W_e f_e of a chunk, and its P_s, written into buffers (n, D)."""
    torch.index_select(edges.values, 0, edges.columns[part], out=values)
    torch.index_select(edges.queries, 0, edges.rows[part], out=z)
    z.add_(values).addmm_(edges.features[part], edges.weight.t())


def _scores(edges: _Edges, slope: float, chunk: int) -> Tensor:
    """(e, H), a . LeakyReLU(z)."""
    n, d = len(edges.columns), edges.values.shape[1]
    scores = edges.values.new_empty(n, len(edges.att))
    one_head_per_column = torch.block_diag(*edges.att.unsqueeze(1)).t()
    buffers = edges.values.new_empty(2, min(chunk, n), d)
    for start, end in _chunks(n, chunk):
        z, values = buffers[:, : end - start]
        _hidden(edges, slice(start, end), z, values)
        torch.mm(nn.functional.leaky_relu_(z, slope), one_head_per_column, out=scores[start:end])
    return scores


def _derivatives(
    edges: _Edges, attention: Tensor, along_out: Tensor, gradient: Tensor, slope: float, chunk: int,
    of_features: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor | None]:  # fmt: skip
    """Derivatives by P, Q, W_e, a and, if wanted, f, by the formulas of the module's docstring."""
    (h, c), n, d = edges.att.shape, len(edges.columns), edges.values.shape[1]
    a, ones = edges.att.flatten(), edges.att.new_ones(c)
    by_values, by_queries = torch.zeros_like(edges.values), torch.zeros_like(edges.queries)
    by_weight = edges.weight.new_zeros(edges.features.shape[1], d)
    by_features = torch.empty_like(edges.features) if of_features else None
    buffers = edges.values.new_empty(4, min(chunk, n), d)
    slopes, by_att = edges.values.new_empty(min(chunk, n), h), edges.values.new_zeros(min(chunk, n), d)
    for start, end in _chunks(n, chunk):
        part, k = slice(start, end), end - start
        z, values, g, r = buffers[:, :k]
        rows, alpha, by_score = edges.rows[part], attention[part], slopes[:k]
        _hidden(edges, part, z, values)
        torch.index_select(gradient, 0, rows, out=g)
        torch.mv(values.mul_(g).view(k * h, c), ones, out=by_score.view(-1))
        by_score.sub_(along_out.index_select(0, rows)).mul_(alpha)
        _through_leaky_relu(by_score, z, slope, r)
        by_att[:k].addcmul_(r, z)
        by_weight.addmm_(edges.features[part].t(), r)  # (k, D): eight times as fast as (D, k)
        _add_rows(by_queries, r, edges.offsets, rows, start)
        r.mul_(a)
        if by_features is not None:
            torch.mm(r, edges.weight, out=by_features[part])
        r.view(k, h, c).addcmul_(g.view(k, h, c), alpha.unsqueeze(-1))
        by_values.index_add_(0, edges.columns[part], r)
    return by_values, by_queries.mul_(a), by_weight.mul_(a).t(), by_att.sum(0).view(h, c), by_features


def _through_leaky_relu(by_score: Tensor, z: Tensor, slope: float, out: Tensor) -> None:
    """r = dscore LeakyReLU'(z) in one pass over (n, D), where dscore is (n, H)."""
    shape = (*by_score.shape, -1)
    z, out = z.view(shape), out.view(shape)
    by_output = by_score.unsqueeze(-1).expand_as(z)
    torch.ops.aten.leaky_relu_backward.grad_input(by_output, z, slope, False, grad_input=out)


def _add_rows(sums: Tensor, chunk: Tensor, offsets: Tensor, rows: Tensor, start: int) -> None:
    """Add a chunk (n, D), whose edges belong to `rows` and begin at edge `start`, up by row."""
    first, last = int(rows[0]), int(rows[-1]) + 1
    within = (offsets[first : last + 1] - start).clamp_(0, len(chunk))
    sums[first:last] += weighted_sum(chunk, within, torch.arange(len(chunk), device=chunk.device))

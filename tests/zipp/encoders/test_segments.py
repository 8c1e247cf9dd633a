"""Sums and softmax over the edges of each row against SciPy, torch and each other."""

from itertools import pairwise

import pytest
import torch
from bipartite import edge_index, random_messages
from scipy.sparse import csr_array

from personalab.zipp.encoders.segments import row_softmax_, rows_of, transposed, weighted_sum

MESSAGES = random_messages(20, 7, 5, seed=4)
OFFSETS, INDEX, WEIGHTS = MESSAGES.indptr, MESSAGES.subreddits, MESSAGES.features[:, 0]
TABLE = torch.randn(7, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_weighted_sums_are_scipys_sparse_product(dtype):
    matrix = csr_array((WEIGHTS.numpy(), INDEX.numpy(), OFFSETS.numpy()), shape=(20, 7))
    found = weighted_sum(TABLE.to(dtype), OFFSETS, INDEX, WEIGHTS.to(dtype))
    assert found.dtype == dtype
    torch.testing.assert_close(found.double(), torch.from_numpy(matrix @ TABLE.numpy()), rtol=1e-6, atol=1e-6)
    ones = torch.ones_like(WEIGHTS)
    torch.testing.assert_close(weighted_sum(TABLE, OFFSETS, INDEX), weighted_sum(TABLE, OFFSETS, INDEX, ones))


def test_rows_own_their_edges():
    assert rows_of(OFFSETS, len(INDEX)).tolist() == edge_index(MESSAGES)[1].tolist()
    assert rows_of(torch.tensor([0, 0, 2, 2, 3]), 3).tolist() == [1, 1, 3]


def test_softmax_is_torchs_row_by_row():
    scores = 100 * torch.randn(len(INDEX), 2, dtype=torch.float64)
    found = row_softmax_(scores.clone(), OFFSETS, rows_of(OFFSETS, len(INDEX)))
    bounds = OFFSETS.tolist()
    expected = [scores[a:b].softmax(0) for a, b in pairwise(bounds)]
    torch.testing.assert_close(found, torch.cat(expected))


def test_transposed_twice_is_the_same_graph():
    offsets, order, owners = transposed(OFFSETS, INDEX, 7)
    assert INDEX[order].tolist() == rows_of(offsets, len(INDEX)).tolist()
    assert owners.tolist() == edge_index(MESSAGES)[1][order].tolist()
    again, back, index = transposed(offsets, owners, 20)
    assert again.tolist() == OFFSETS.tolist()
    assert order[back].sort().values.tolist() == list(range(len(INDEX)))
    edges = sorted(zip(edge_index(MESSAGES)[1].tolist(), INDEX.tolist(), strict=True))
    assert sorted(zip(rows_of(again, len(INDEX)).tolist(), index.tolist(), strict=True)) == edges

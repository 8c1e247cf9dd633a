"""What comes in as a list, an array or a tensor, against NumPy's and torch's own conversions."""

import numpy as np
import pytest
import torch

from personalab.vptt.arrays import alike, floating, plain, rows, tensors


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64, torch.int8, torch.bool])
def test_plain_is_double_and_keeps_only_single_precision(dtype):
    x = torch.tensor([[0, 1], [1, 0]], dtype=dtype)
    assert plain(x).dtype == plain([[0, 1]]).dtype == np.float64 and plain(x).tolist() == x.tolist()
    assert plain(x.float().requires_grad_()).dtype == plain(np.float32([1])).dtype == np.float32


def test_nested_lists_of_tensors_are_stacked_with_their_gradient():
    a, b = torch.tensor(1.5, requires_grad=True), torch.tensor([2, 3])
    stacked = floating([[a, 0.5], list(b), (4, 5)])
    assert stacked.tolist() == [[1.5, 0.5], [2, 3], [4, 5]]
    stacked.sum().backward()
    assert a.grad.item() == 1


def test_type_of_the_first_floating_tensor():
    pair, back = tensors(torch.tensor([[1, 2]]), torch.tensor([[1.0, 2]], dtype=torch.float64))
    assert [x.dtype for x in pair] == [torch.float64] * 2 and back(pair[0]) is pair[0]
    pair, back = tensors([[1, 2]], np.float32([[1, 2]]))
    assert [x.dtype for x in pair] == [torch.float64] * 2
    assert isinstance(back(pair[0]), np.ndarray) and isinstance(back(pair[0].sum()), float)


def test_numbers_stay_numbers_unless_a_tensor_is_among_them():
    assert alike(1, 0.5) == [1, 0.5]
    assert all(isinstance(x, torch.Tensor) for x in alike(1, [0.5], np.ones(2), torch.tensor([1])))


def test_widths_and_axes_are_named():
    with pytest.raises(ValueError, match=r"widths \[2, 3\]"):
        tensors([[1, 2]], [1, 2, 3])
    with pytest.raises(ValueError, match=r"captions have shape \(1, 2, 3\)"):
        rows(torch.zeros(1, 2, 3), "captions")

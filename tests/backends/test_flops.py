"""Counted operations against closed forms."""

import pytest
import torch
from torch.nn.functional import scaled_dot_product_attention as attention

from personalab.backends.flops import gigaflops


def test_a_matrix_product_forward_and_backward():
    """(n, k) times (k, m) takes 2 n k m; its two gradients take as much each."""
    a, b = torch.randn(3, 5, requires_grad=True), torch.randn(5, 7, requires_grad=True)
    assert gigaflops(lambda: a @ b) == pytest.approx(2 * 3 * 5 * 7 / 1e9)
    assert gigaflops(lambda: (a @ b).sum().backward()) == pytest.approx(3 * 2 * 3 * 5 * 7 / 1e9)


@pytest.mark.parametrize("groups", [1, 2])
def test_a_convolution(groups):
    """Each of the output's values is a dot product over a kernel of its group."""
    layer = torch.nn.Conv2d(4, 6, 3, groups=groups)
    expected = 2 * 6 * 8 * 8 * (4 // groups) * 9
    assert gigaflops(lambda: layer(torch.randn(1, 4, 10, 10))) == pytest.approx(expected / 1e9)


def test_attention_forward_and_backward():
    """Two products, of queries with keys and of weights with values, for each head; going back, the weights are made anew
    and each product has two gradients."""
    q, k, v = (torch.randn(2, 3, n, 8, requires_grad=True) for n in (4, 6, 6))
    product = 2 * 2 * 3 * 4 * 6 * 8
    assert gigaflops(lambda: attention(q, k, v)) == pytest.approx(2 * product / 1e9)
    assert gigaflops(lambda: attention(q, k, v).sum().backward()) == pytest.approx((2 + 5) * product / 1e9)


@pytest.mark.parametrize("way", [torch.no_grad, torch.inference_mode])
def test_work_without_gradients_is_the_same_work(way):
    """Under inference mode torch hands operators over whole; they are taken apart."""
    layer, x = torch.nn.Linear(4, 3), torch.randn(5, 4)

    def work():
        with way():
            layer(x)
            attention(*(torch.ones(1, 1, 2, 4),) * 3)

    assert gigaflops(work) == pytest.approx((2 * 5 * 4 * 3 + 2 * 2 * 2 * 2 * 4) / 1e9)


def test_every_call_is_counted_by_itself():
    """The second count does not hold the first; no work is 0."""
    a = torch.randn(2, 2)
    assert gigaflops(lambda: a @ a) == gigaflops(lambda: a @ a) == pytest.approx(16 / 1e9)
    assert gigaflops(lambda: None) == 0

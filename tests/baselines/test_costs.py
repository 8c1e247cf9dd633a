"""What drawing costs in operations: the same every time, and training in proportion to its steps."""

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from personalab.backends.flops import gigaflops
from personalab.backends.image import ImageBackend
from personalab.backends.pictures import Request
from personalab.baselines import lora, makers
from personalab.baselines.makers import Material

pytestmark = pytest.mark.usefixtures("one_thread")


def counted(backend: ImageBackend) -> tuple[float, float]:
    """GFLOP of the first picture and of the second."""
    first, again = (gigaflops(lambda: backend([Request("a boat", 1)])) for _ in range(2))
    return first, again


def test_a_picture_counts_the_same_every_time_and_the_plain_one_needs_no_preparation(backbone):
    first, again = counted(makers.plain(backbone))
    assert 0 < first == again and counted(makers.plain(backbone)) == (first, again)


def test_a_picture_counts_the_same_whichever_kernel_attends(backbone):
    with sdpa_kernel(SDPBackend.MATH):
        by_products = counted(makers.plain(backbone))
    assert by_products == counted(makers.plain(backbone))


def test_training_is_preparation_and_every_step_costs_the_same(backbone):
    pictures = list(torch.zeros(3, 16, 16, 3, dtype=torch.uint8).numpy())

    def prepared(steps: int) -> float:
        recipe = lora.Recipe("q", steps=steps, rank=2, optimiser="adamw", rate=0.01, batch_size=2)
        first, again = counted(makers.lora(backbone, Material("ann", pictures, (), ["a"] * 3), recipe))
        return first - again

    one, two, five = map(prepared, (1, 2, 5))
    assert 0 < one < two and five == pytest.approx(one + 4 * (two - one), rel=1e-9)


def test_what_is_kept_costs_nothing(backbone, tmp_path):
    first, again = counted(makers.plain(backbone._replace(store=tmp_path)))
    assert first > 0 and again == 0

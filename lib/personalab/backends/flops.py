"""Floating-point operations of a piece of work: a cost that is the same on every machine, unlike seconds.

Counted are matrix products, convolutions and attention, forward and backward, of what torch runs in this process and
thread; neither element-wise work, nor a model behind a server or an engine of its own (it counts 0 there: what those
cost is tokens and dollars).
"""

from collections.abc import Callable
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry, sdpa_backward_flop_count, sdpa_flop_count


def gigaflops(work: Callable[[], object]) -> float:
    """10^9 floating-point operations of one call, a multiply-add being two.

    Args:
        work: called once; what it returns is dropped.
    """
    with _Counter() as counter:
        work()
    return counter.operations / 1e9


def _attention(query: Any, key: Any, value: Any, *_: Any, **__: Any) -> int:
    return sdpa_flop_count(query.shape, key.shape, value.shape)


def _attention_backward(out: Any, query: Any, key: Any, value: Any, *_: Any, **__: Any) -> int:
    return sdpa_backward_flop_count(out.shape, query.shape, key.shape, value.shape)


#: torch's formulas, and those of the CPU's attention kernel, which it lacks
_FORMULAS = {
    **flop_registry,
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: _attention,
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward: _attention_backward,
}


class _Counter(TorchDispatchMode):
    """Operators one by one, without the hooks by which torch's FlopCounterMode sorts them by module: those raise errors in
    the training of a LoRA."""

    operations = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        kwargs = kwargs or {}
        formula = _FORMULAS.get(func._overloadpacket)
        if formula is None:  # some are made of operators that have one
            with self:
                out = func.decompose(*args, **kwargs)
            return func(*args, **kwargs) if out is NotImplemented else out
        out = func(*args, **kwargs)
        self.operations += formula(*args, **kwargs, out_val=out)
        return out

"""Gaussian features for users that no table stores (ZIPP 3.1, Algorithm 2, line 4).

A number depends on the seed, the user's row and the column only: a batch draws its own users' noise, a user's
noise is the same in every batch and epoch, and 22 million users of the paper cost no memory. The generator is
SplitMix64 (Steele, Lea and Flood 2014) with the counter in place of its state, then Box and Muller's
transform (1958). The integers are the same on every device; the normals follow from them to the rounding of
float32.
"""

import math

import torch
from torch import Tensor

_GOLDEN = 0x9E3779B97F4A7C15
_MIX = ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB))
_WORD = 2**32


def noise(users: Tensor, columns: int, seed: int = 0, sd: float = 0.1) -> Tensor:
    """Independent normal numbers for some users.

    Args:
        users: (b,) int64 rows, from 0.
        columns: numbers per user; a wider table begins with the same numbers.
        seed: any integer.
        sd: standard deviation; the paper's N(0, 0.01 I) has 0.1.

    Returns:
        (b, columns) float32 on the users' device.
    """
    pairs = torch.arange((columns + 1) // 2, device=users.device)
    of_user = _mix(users + _mix(torch.tensor(_signed(seed), device=users.device)))
    bits = _mix(of_user[:, None] + pairs)
    high, low = (half.float().add_(0.5).div_(_WORD) for half in (_shifted(bits, 32), bits & (_WORD - 1)))
    radius, angle = high.log_().mul_(-2).sqrt_().mul_(sd), low.mul_(2 * math.pi)
    both = torch.stack([radius * torch.cos(angle), radius * torch.sin(angle)], dim=-1)
    return both.flatten(1)[:, :columns]


def _mix(counter: Tensor) -> Tensor:
    """SplitMix64's output for a counter: 64 bits that look independent for neighbouring counters."""
    bits = (counter + 1) * _signed(_GOLDEN)  # int64 wraps around, as the algorithm wants
    for shift, factor in _MIX:
        bits = (bits ^ _shifted(bits, shift)).mul_(_signed(factor))
    return bits ^ _shifted(bits, 31)


def _shifted(bits: Tensor, by: int) -> Tensor:
    """A logical shift to the right; torch's own fills up with the sign."""
    return (bits >> by).bitwise_and_(2 ** (64 - by) - 1)


def _signed(word: int) -> int:
    """The int64 with the same 64 bits."""
    return (word + 2**63) % 2**64 - 2**63

"""What each post of a gallery is to be, before anything is written: kind, time, season, company (VPTT 9.4).

The paper asks its model for a mix; here the mix is dealt out beforehand, so that it holds for every persona whatever
the model does, and the model writes to it.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from ...records import PostKind
from .personas import kinds

TIMES = ("early morning", "midday", "late afternoon", "dusk", "night")
SEASONS = ("spring", "summer", "autumn", "winter")
COMPANY = ("alone", "in a small group", "among strangers")
#: VPTT 9.4: scenarios asked for at once
BATCH = (6, 8)


class Slot(NamedTuple):
    """One post to be written."""

    kind: PostKind
    time: str
    season: str
    company: str


def draw_slots(n: int, rng: np.random.Generator) -> list[Slot]:
    """n slots: kinds in the paper's shares, every time and season about equally often, company where people show."""
    dealt = [_dealt(options, n, rng) for options in (TIMES, SEASONS, COMPANY)]
    rows = zip(kinds(n, rng), *dealt, strict=True)
    return [
        Slot(kind, time, season, "nobody in view" if kind == "appreciation" else company)
        for kind, time, season, company in rows
    ]


def batches(n: int) -> list[range]:
    """The numbers 0 to n - 1 in as few runs of at most 8 as there can be, of nearly equal length.

    From 18 posts on every run has 6 to 8.
    """
    parts = -(-n // BATCH[1])
    edges = [n * part // parts for part in range(parts + 1)] if n else []
    return [range(start, end) for start, end in pairwise(edges)]


def _dealt(options: Sequence[str], n: int, rng: np.random.Generator) -> list[str]:
    """n options in random order, each as often as any other, give or take one."""
    first = rng.permutation(len(options))
    return [options[first[i % len(options)]] for i in rng.permutation(n)]

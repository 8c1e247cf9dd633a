"""Whether it matters under which label a method stands: a sample of cases judged again in a second order (VPTT 15.1).

The paper's judge sees one order only; this says how much of its choice of a best method hangs on that.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ...backends.llm import LLM
from .asking import Case, Judged, judge, wide


class Flips(NamedTuple):
    """What moving the methods to other labels changed."""

    #: share of the compared cases of which no best method (there may be several) is best in both orders; NaN for none
    rate: float
    #: mean absolute change of a score
    mean_change: float
    #: cases with two or more methods scored in both orders, and cases of the sample that lack that
    compared: int
    missing: int
    #: the judgements in the second order
    judged: Judged


def swap_check(
    llm: LLM,
    cases: Sequence[Case],
    first: Judged,
    n: int,
    rng: np.random.Generator,
    template: str = "vptt_judge",
    *,
    seed: int = 0,
    repeat: int = 0,
) -> Flips:
    """Judge a sample of the cases again with every method under another label.

    Args:
        cases, template, seed, repeat: as `first` was made with.
        first: what `judge` gave for them.
        n: size of the sample; all cases if there are fewer.
        rng: draws the sample.
    """
    drawn = np.sort(rng.permutation(len(cases))[:n])
    again = judge(llm, [cases[i] for i in drawn], template, seed=seed, swap=True, repeat=repeat)
    second = wide(again.table)
    before = wide(first.table).reindex(index=second.index, columns=second.columns)
    both = before.notna() & second.notna()
    usable = both.sum(axis=1) >= 2
    x, y = before.where(both)[usable], second.where(both)[usable]
    kept = (x.eq(x.max(axis=1), axis=0) & y.eq(y.max(axis=1), axis=0)).any(axis=1)
    change = np.abs((x - y).to_numpy(np.float64))
    rate, mean = (
        (float("nan"), float("nan")) if x.empty else (float((~kept).mean()), float(np.nanmean(change)))
    )
    return Flips(rate, mean, int(usable.sum()), int((~usable).sum()), again)

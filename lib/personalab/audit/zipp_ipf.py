"""Can any weights give the reweighted scores of ZIPP's Table 13? Linear programmes, one per axis.

An aggregate of subgroup scores is a weighted mean, whatever the target population. Fixing one method's
aggregate therefore bounds every other's. The programmes work on printed subgroup scores, as section 4.2.4
describes the reweighting; weights on single users (Algorithm 1) could also move the scores inside a subgroup,
which no table shows. Rounding enters as intervals. Raking itself is not here.
"""

import numpy as np
import pandas as pd
from scipy.optimize import linprog

from .findings import Finding, Tables, settle
from .zipp_agreements import HALF, METHODS, aggregates, subgroups


def target_range(
    scores: np.ndarray, fixed: int, value: float, target: int, error: float = 2 * HALF
) -> tuple[float, float] | None:
    """Lowest and highest aggregate of one method when another's is fixed.

    Minimises and maximises sum_c w_c s_target,c over w >= 0, sum w = 1, |sum_c w_c s_fixed,c - value| <= error.
    Rounded subgroup scores shift either sum by at most half a unit for any w, so they are covered by an `error`
    of two half units and by widening the result by one; `error=HALF` treats subgroup scores as exact.

    Args:
        scores: subgroup scores, shape (methods, subgroups).
        fixed, target: rows of `scores`.
        value: the printed aggregate of `fixed`.
        error: how far that aggregate may be off.

    Returns:
        (low, high), or None if no weights reach `value`.
    """
    constraint = np.vstack([scores[fixed], -scores[fixed]])
    bounds = np.array([value + error, error - value])
    ones = np.ones((1, scores.shape[1]))
    ends = [
        linprog(sign * scores[target], A_ub=constraint, b_ub=bounds, A_eq=ones, b_eq=[1.0])
        for sign in (1, -1)
    ]
    if not all(end.success for end in ends):
        return None
    return ends[0].fun - (error - HALF), -ends[1].fun + (error - HALF)


def smallest_misfit(
    scores: np.ndarray, printed: np.ndarray, limits: list[tuple[float, float]] | None = None
) -> tuple[float, np.ndarray]:
    """The weights that come closest to all printed aggregates at once, and their largest miss.

    Minimises t subject to |scores @ w - printed| <= t, w >= 0, sum w = 1.

    Args:
        scores: (methods, subgroups).
        printed: (methods,).
        limits: bounds of each weight; default (0, 1).

    Returns:
        t in score points, and the weights, shape (subgroups,).
    """
    methods, groups = scores.shape
    slack = -np.ones((methods, 1))
    result = linprog(
        np.r_[np.zeros(groups), 1.0],
        A_ub=np.vstack([np.hstack([scores, slack]), np.hstack([-scores, slack])]),
        b_ub=np.r_[printed, -printed],
        A_eq=np.r_[np.ones(groups), 0.0][None],
        b_eq=[1.0],
        bounds=[*(limits or [(0.0, 1.0)] * groups), (0.0, None)],
    )
    if not result.success:
        raise ValueError(f"no weights satisfy the limits: {result.message}")
    return float(result.fun), result.x[:-1]


def axis_table(tables: Tables) -> pd.DataFrame:
    """What each axis of Table 13 allows for the reweighted row.

    Returns:
        One row per axis: tv_low and tv_high, the bounds of TV's aggregate given LLM's (subgroup scores rounded);
        tv_low_exact and tv_high_exact, the same with subgroup scores taken as exact; tv_printed; misfit, the
        least possible largest miss over all six methods, in points.
    """
    target = aggregates(tables).loc["IPF-reweighted"]
    llm, tv = METHODS.index("llm_0"), METHODS.index("tv_3")
    rows = []
    for axis, group in subgroups(tables).groupby("axis", sort=False):
        scores = group[METHODS].to_numpy().T
        low, high = target_range(scores, llm, target["llm_0"], tv) or (np.nan, np.nan)
        exact = target_range(scores, llm, target["llm_0"], tv, error=HALF) or (np.nan, np.nan)
        misfit, _ = smallest_misfit(scores, target.to_numpy())
        rows.append((axis, low, high, *exact, target["tv_3"], misfit))
    columns = ["axis", "tv_low", "tv_high", "tv_low_exact", "tv_high_exact", "tv_printed", "misfit"]
    return pd.DataFrame(rows, columns=columns)


def tv_given_llm(tables: Tables) -> Finding:
    """TV's reweighted CLIPScore against what LLM's leaves possible (Table 13)."""
    rows = axis_table(tables)
    inside = (rows["tv_low"] - HALF <= rows["tv_printed"]) & (rows["tv_printed"] <= rows["tv_high"] + HALF)
    shown = ", ".join(f"{r.axis} {r.tv_low_exact:.1f} to {r.tv_high_exact:.1f}" for r in rows.itertuples())
    return Finding(
        "zipp-ipf-tv",
        "ZIPP",
        "Tables 1, 13 and 14, section 4.2.4",
        "One set of population weights turns LLM's subgroup scores into 66.9 and TV's into 73.8.",
        f"weights that give LLM its aggregate put TV at: {shown}; printed {rows['tv_printed'].iloc[0]:g}",
        settle(bool(inside.all()), "cannot be both"),
        note="weights on subgroups; weights on single users could move scores within a subgroup too",
    )


def joint_misfit(tables: Tables) -> Finding:
    """All six reweighted CLIPScores at once: how close can one set of weights come (Table 13)?"""
    rows = axis_table(tables)
    shown = ", ".join(f"{r.axis} {r.misfit:.2f}" for r in rows.itertuples())
    return Finding(
        "zipp-ipf-joint",
        "ZIPP",
        "Tables 1, 13 and 14, section 4.2.4",
        "One set of population weights gives all six reweighted scores.",
        f"best weights still miss a score by (points): {shown}; rounding explains {2 * HALF:g}",
        settle(bool((rows["misfit"] <= 2 * HALF + 1e-9).all()), "cannot be both"),
        note="weights on subgroups, as for zipp-ipf-tv",
    )


def raw_table(tables: Tables) -> pd.DataFrame:
    """How well each axis of Table 13 gives the raw row.

    Returns:
        One row per axis, misses in points: `shares`, the largest miss of the means under the printed shares;
        `rounded`, the least possible with every share moved by up to half a percent; `free`, with any weights.
    """
    printed = aggregates(tables).loc["Raw"].to_numpy()
    rows = []
    for axis, group in subgroups(tables).groupby("axis", sort=False):
        scores, share = group[METHODS].to_numpy().T, group["sample_pct"].to_numpy() / 100
        limits = [(max(0.0, s - 0.005), s + 0.005) for s in share]
        misfits = [smallest_misfit(scores, printed, bounds)[0] for bounds in (limits, None)]
        rows.append((axis, np.abs(scores @ share - printed).max(), *misfits))
    return pd.DataFrame(rows, columns=["axis", "shares", "rounded", "free"])


def raw_aggregates(tables: Tables) -> Finding:
    """The raw row of Table 13 from its subgroup scores and sample shares."""
    rows = raw_table(tables)
    shown = ", ".join(f"{r.axis} {r.shares:.2f} / {r.rounded:.2f} / {r.free:.2f}" for r in rows.itertuples())
    return Finding(
        "zipp-raw-aggregates",
        "ZIPP",
        "Table 13",
        "Raw aggregates are the sample's means of the subgroup scores.",
        f"largest miss in points with the shares printed / rounded / free: {shown}; rounding explains {2 * HALF:g}",
        settle(bool((rows["rounded"] <= 2 * HALF + 1e-9).all()), "disagrees"),
        note="shares count users; a mean over comparisons may weigh subgroups otherwise, hence the free weights",
    )


def findings(tables: Tables) -> list[Finding]:
    """All checks of this module."""
    return [check(tables) for check in (tv_given_llm, joint_misfit, raw_aggregates)]

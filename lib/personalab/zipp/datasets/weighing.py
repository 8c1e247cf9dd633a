"""From answers to weighted means: labels and targets that fit each other, several columns raked at once (ZIPP 4.2.4).

One raking serves every column of values of the same people, and every draw of a bootstrap is raked anew, so that the
weights' own noise is in the intervals. Raking itself is `stats.rake`, population figures are in `population`.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ...stats import cluster_bootstrap, rake, raked_mean
from . import population, rapidata

Targets = Mapping[str, Mapping[str, float]]


def labelled(
    table: pd.DataFrame, regions: Mapping[str, str], own: Mapping[str, Any], least: int
) -> pd.DataFrame:
    """A table with Rapidata's axes, with `region` and `profession` besides and languages merged.

    Args:
        regions: iso2 -> region.
        own: params/population/user_targets.yaml: for language and profession `merge` (label -> label) and `shares`.
        least: a language or profession without a share, or that fewer people have, becomes "other"; unknown stays missing.
    """
    language, profession = (
        _merged(table[source], own[axis], least)
        for source, axis in (("language", "language"), ("occupation", "profession"))
    )
    return table.assign(region=table["country"].map(dict(regions)), language=language, profession=profession)


def extended(census: Targets, own: Mapping[str, Any], table: pd.DataFrame) -> dict[str, dict[str, float]]:
    """The census' targets with a share for a third gender, and the user's for language and profession.

    What nobody in the table speaks or does counts as "other".
    """
    out = {axis: dict(target) for axis, target in census.items()}
    for category, share in own["gender"].items():
        out["gender"] = population.with_share(out["gender"], category, share)
    for axis in ("language", "profession"):
        share = pd.Series(own[axis]["shares"])
        out[axis] = (
            share.groupby(share.index.where(share.index.isin(set(table[axis])), "other")).sum().to_dict()
        )
    return out


def known(table: pd.DataFrame, targets: Targets) -> tuple[pd.DataFrame, Counter[str]]:
    """The rows with a target on every axis, and the others counted by the first axis without: unknown, or no target."""
    rows, dropped = rapidata.answered(table, list(targets))
    for axis, target in targets.items():
        inside = rows[axis].isin(list(target))
        counts = rows.loc[~inside, axis].value_counts()
        dropped.update({f"{axis} {label} without target": int(n) for label, n in counts.items()})
        rows = rows[inside]
    return rows, dropped


def present(targets: Targets, labels: pd.DataFrame) -> dict[str, dict[str, float]]:
    """Targets without the categories that nobody has, the others' shares scaled up to sum 1."""
    kept = {
        axis: {c: s for c, s in target.items() if c in set(labels[axis])} for axis, target in targets.items()
    }
    return {axis: {c: s / sum(target.values()) for c, s in target.items()} for axis, target in kept.items()}


def raked_means(
    values: np.ndarray, labels: pd.DataFrame, targets: Targets, max_iter: int = 300
) -> np.ndarray:
    """(2, k) raw and raked means of columns, NaN if the rows lack a category or cannot meet the targets.

    Args:
        values: (n, k), NaN where missing: then the others' weights count.
        labels: n rows, a column for each axis of the targets.
    """
    try:
        weights = rake({axis: labels[axis] for axis in targets}, targets, max_iter=max_iter).weights
    except ValueError:
        return np.full((2, values.shape[1]), np.nan)
    return np.array([[raked_mean(column, w) for column in values.T] for w in (np.ones(len(labels)), weights)])


def resampled(
    values: np.ndarray,
    labels: pd.DataFrame,
    targets: Targets,
    clusters: Sequence[Any],
    rng: np.random.Generator,
    n: int = 300,
    max_iter: int = 300,
) -> np.ndarray:
    """(m, 2, k) `raked_means` of the m of n draws that could be raked; whole clusters are drawn with replacement."""
    rows = list(pd.Series(np.arange(len(values))).groupby(np.asarray(clusters)).indices.values())
    draws = np.full((n, 2, values.shape[1]), np.nan)
    for i in range(n if rows else 0):
        pick = np.concatenate([rows[j] for j in rng.integers(len(rows), size=len(rows))])
        draws[i] = raked_means(values[pick], labels.iloc[pick], targets, max_iter)
    return draws[~np.isnan(draws).all(axis=(1, 2))]


def bounds(draws: np.ndarray, tried: int, level: float = 0.95) -> np.ndarray:
    """(2, k) percentile interval of draws (m, k); NaN where m is less than half of those tried.

    Draws that could not be raked lack whom the weights rest on: what is left is no fair picture, and too narrow.
    """
    if len(draws) < max(1, tried / 2):
        return np.full((2, draws.shape[1]), np.nan)
    return np.nanquantile(draws, [(1 - level) / 2, (1 + level) / 2], axis=0)


def subgroup_means(
    values: pd.DataFrame, labels: pd.DataFrame, axes: Sequence[str], rng: np.random.Generator, n: int = 1000
) -> pd.DataFrame:
    """The mean of each column in each category, with a bootstrap interval over people.

    Args:
        values: a row per person, a column per method; missing values leave the person out of that method.
        labels: of the same persons; who says nothing on an axis is in no category of it.

    Returns:
        axis, subgroup, method, n, estimate, low, high (NaN with fewer than two people).
    """
    rows = []
    for axis in axes:
        for label, members in labels.groupby(axis):
            for method in values:
                x = values.loc[members.index, method].dropna().to_numpy()
                found = cluster_bootstrap(x, np.arange(len(x)), _mean, rng, n)
                rows.append(
                    {"axis": axis, "subgroup": label, "method": method, "n": len(x), **found._asdict()}
                )
    return pd.DataFrame(rows)


def _mean(x: np.ndarray) -> float:
    return float(x.mean()) if len(x) else float("nan")


def _merged(values: pd.Series, rules: Mapping[str, Any], least: int) -> pd.Series:
    merged = values.map(rules["merge"]).fillna(values)
    often = merged.map(merged.value_counts()).ge(least) & merged.isin(list(rules["shares"]))
    return merged.where(often | merged.isna(), "other")

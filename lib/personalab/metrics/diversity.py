"""How varied a set of pictures is, by the cosines of their features. CMMD on unit rows hardly sees it.

Three views: the mean distance of two different pictures, the Vendi score, the effective number of kinds, and how many
kinds of a person's own pictures a set reaches.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy.special import entr
from scipy.stats import entropy
from sklearn.base import clone
from sklearn.cluster import KMeans

from .rows import directions, labels


def diversity(features: Any) -> float:
    """Mean of 1 - cosine over pairs of different rows, in [0, 2].

    Args:
        features: (n, d), NumPy or torch, of any length.

    Returns:
        NaN for fewer than two rows.

    Raises:
        ValueError: rows with NaN or infinity, or of zeros.
    """
    return _mean_distance(directions(features, "features"))


def vendi_score(features: Any) -> float:
    """Effective number of different rows: exp of the entropy of the eigenvalues of K / n (Friedman and Dieng 2023).

    K holds the rows' cosines. n rows at right angles score n, n copies of one row score 1.

    Args, Raises: as `diversity`.

    Returns:
        In [1, n]; NaN for no rows.
    """
    return _vendi(directions(features, "features"))


def diversity_per_group(features: Any, groups: Any) -> pd.DataFrame:
    """Both measures for the rows of each group, such as a user's pictures.

    Args:
        features: (n, d).
        groups: (n,) labels.

    Returns:
        A row per label, sorted, as the index: `n`, `diversity`, `vendi`.

    Raises:
        ValueError: as `diversity`, or labels that are missing or not one per row.
    """
    rows = directions(features, "features")
    names, codes = labels(groups, len(rows), "groups")
    sets = [rows[codes == code] for code in range(len(names))]
    found = {"n": [len(s) for s in sets], "diversity": map(_mean_distance, sets), "vendi": map(_vendi, sets)}
    return pd.DataFrame({k: list(v) for k, v in found.items()}, index=pd.Index(names, name="group"))


def own_kinds(gallery: Any, owners: Any, k: int, seed: int = 0) -> dict[Any, KMeans]:
    """Each person's own pictures in k groups of like ones, for `kinds_reached`.

    Args:
        gallery: (n, d) features; each counts by its direction.
        owners: (n,) whose each is.
        seed: of k-means' starts, five for each person.

    Returns:
        Person -> fitted groups; `labels_` in the order of the person's rows. Whoever has fewer than k different
        pictures is left out.

    Raises:
        ValueError: as `diversity_per_group`.
    """
    rows = directions(gallery, "gallery").cpu().numpy()
    names, codes = labels(owners, len(rows), "owners")
    sets = {name: rows[codes == code] for code, name in enumerate(names)}
    model = KMeans(k, n_init=5, random_state=seed)
    return {name: clone(model).fit(own) for name, own in sets.items() if len(np.unique(own, axis=0)) >= k}


def kinds_reached(features: Any, people: Any, kinds: Mapping[Any, KMeans]) -> pd.Series:
    """Effective number of a person's own groups that pictures fall in: exp of the entropy of their shares.

    All in one group count 1, evenly over k groups k. Few pictures reach few groups whatever they show, so only sets of
    as many pictures a person compare.

    Args:
        features: (n, d) of the pictures, each of which falls in the nearest group.
        people: (n,) for whom each is.
        kinds: of `own_kinds`; a picture of somebody who is not in it counts nowhere.

    Returns:
        A number in [1, k] for each person with pictures and groups, sorted by person.

    Raises:
        ValueError: as `diversity_per_group`, or features of another width than the groups'.
    """
    rows = directions(features, "features").cpu().numpy()
    names, codes = labels(people, len(rows), "people")
    fallen = {
        name: np.bincount(kinds[name].predict(rows[codes == code]))
        for code, name in enumerate(names)
        if name in kinds
    }
    return pd.Series({name: float(np.exp(entropy(counts))) for name, counts in fallen.items()}, dtype=float)


def _mean_distance(rows: torch.Tensor) -> float:
    """By |sum of rows|^2 = n + the sum of all cosines of different rows."""
    n = len(rows)
    if n < 2:
        return float("nan")
    return max(0.0, 1 - (rows.sum(0).square().sum().item() - n) / (n * (n - 1)))


def _vendi(rows: torch.Tensor) -> float:
    """The smaller of the two products has the same eigenvalues but zeros."""
    if not len(rows):
        return float("nan")
    product = rows @ rows.T if len(rows) < rows.shape[1] else rows.T @ rows
    shares = torch.linalg.eigvalsh(product / len(rows)).clamp(min=0).cpu().numpy()
    return float(np.exp(entr(shares).sum()))

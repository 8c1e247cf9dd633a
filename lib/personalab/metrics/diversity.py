"""How varied a set of pictures is, by the cosines of their features. CMMD on unit rows hardly sees it.

Two views: the mean distance of two different pictures, and the Vendi score, the effective number of kinds.
"""

from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy.special import entr

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

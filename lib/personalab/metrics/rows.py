"""Feature rows at the door of the metrics: lists, NumPy arrays and torch tensors become tensors and go back.

Nothing is measured here.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import torch


def tensor(features: Any) -> torch.Tensor:
    """Numbers of any kind as a floating tensor that shares no memory with NumPy; whole numbers become float64."""
    if isinstance(features, torch.Tensor):
        return features if features.is_floating_point() else features.double()
    try:
        array = np.array(features, order="C")
    except ValueError as error:
        raise ValueError(
            f"features are no array ({error}); expected numbers, all rows of one width"
        ) from None
    if array.dtype.kind not in "fiub":
        raise ValueError(f"features are of type {array.dtype}; expected numbers, all rows of one width")
    return torch.from_numpy(array if array.dtype.kind == "f" else array.astype(float))


def giver_back(*given: Any) -> Callable[[torch.Tensor], Any]:
    """What takes a result back to the callers' kind and precision: torch where any of them is, else NumPy.

    Halves go back as float32, in which a score can still be told from its neighbours.
    """
    tensors = [tensor(x) for x in given]
    dtype = tensors[0].dtype
    for one in tensors[1:]:
        dtype = torch.promote_types(dtype, one.dtype)
    dtype = torch.promote_types(dtype, torch.float32)
    if any(isinstance(x, torch.Tensor) for x in given):
        return lambda result: result.to(dtype)
    return lambda result: result.to(dtype).numpy()


def unit(features: torch.Tensor) -> torch.Tensor:
    """Rows over their length, in float64; NaN for a row of zeros or one that holds NaN or infinity."""
    features = features.double()
    features = features / features.abs().amax(dim=-1, keepdim=True)  # lengths neither overflow nor vanish
    return features / features.norm(dim=-1, keepdim=True)


def finite(features: Any, name: str) -> torch.Tensor:
    """A set (n, d) as a tensor without gradient.

    Raises:
        ValueError: another number of axes, or rows with NaN or infinity, which are counted.
    """
    rows = tensor(features).detach()
    if rows.ndim != 2 or not rows.shape[1]:
        raise ValueError(f"{name} has shape {tuple(rows.shape)}; expected (n, d), one row of features each")
    bad = (~rows.isfinite()).any(dim=1)
    if bad.any():
        raise ValueError(
            f"{name} has {int(bad.sum())} of {len(rows)} rows with NaN or infinity, the first is row "
            f"{int(bad.int().argmax())}; leave those rows out, and say how many"
        )
    return rows


def directions(features: Any, name: str) -> torch.Tensor:
    """A set (n, d) as unit rows. Raises ValueError as `finite` does, and for rows of zeros."""
    rows = unit(finite(features, name))
    bad = int(rows.isnan().any(dim=1).sum())
    if bad:
        raise ValueError(
            f"{name} has {bad} of {len(rows)} rows of zeros, which have no direction; leave them out"
        )
    return rows


def labels(given: Any, n: int, name: str) -> tuple[np.ndarray, np.ndarray]:
    """The distinct labels of n rows, sorted, and (n,) which of them each row has.

    Raises:
        ValueError: not one label per row, or rows without a label (None, NaN).
    """
    series = pd.Series(given if isinstance(given, np.ndarray | pd.Series) else list(given)).reset_index(
        drop=True
    )
    if len(series) != n:
        raise ValueError(f"{name} has {len(series)} labels for {n} rows; expected one each")
    if series.isna().any():
        raise ValueError(f"{name} lacks {int(series.isna().sum())} of {n} labels; leave those rows out first")
    codes, distinct = pd.factorize(series, sort=True)
    return np.asarray(distinct), codes

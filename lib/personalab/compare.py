"""The paper's numbers beside ours.

At another size, with other models, equal numbers are not to be expected; what can be compared is the order of
methods, and only as far as it does not hang on a free parameter. Both columns are always shown, named for whose
they are.
"""

from collections.abc import Sequence

import pandas as pd
from scipy.stats import kendalltau


def side_by_side(paper: pd.DataFrame, ours: pd.DataFrame, on: Sequence[str], value: str) -> pd.DataFrame:
    """One row per key: `paper`, `ours`, `difference` (ours - paper).

    Args:
        paper, ours: tables with the columns `on` and `value`; keys are unique in each.
        on: the key columns.
        value: the column compared.

    Raises:
        ValueError: a key stands twice in one of the tables.
    """
    keys = list(on)
    merged = paper[[*keys, value]].merge(
        ours[[*keys, value]],
        on=keys,
        how="outer",
        suffixes=(" paper", " ours"),
        validate="one_to_one",
        sort=False,
    )
    merged = merged.rename(columns={f"{value} paper": "paper", f"{value} ours": "ours"})
    return merged.assign(difference=merged["ours"] - merged["paper"])


def order_agreement(compared: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Kendall's tau-b between the paper's and our order of methods, within each group of `by`.

    Args:
        compared: a result of `side_by_side`; rows without both values are left out.

    Returns:
        The columns of `by`, `tau` (nan where either side is constant) and `n` (methods compared).
    """
    rows = []
    for key, group in compared.dropna(subset=["paper", "ours"]).groupby(list(by), sort=False):
        tau = kendalltau(group["paper"], group["ours"]).statistic
        rows.append([*key, tau, len(group)])
    return pd.DataFrame(rows, columns=[*by, "tau", "n"])

"""The population file, the printed shares, and the folder of real samples."""

import os
from functools import cache
from pathlib import Path

import pandas as pd
import pytest

from personalab.sources import ROOT
from personalab.zipp.datasets import population


@cache
def read_world() -> pd.DataFrame:
    return population.people(pd.read_csv(ROOT / "params" / "population" / "un_wpp2024.csv"))


@cache
def read_table13() -> pd.DataFrame:
    return pd.read_csv(ROOT / "params" / "printed" / "zipp_table13_subgroups.csv")


def real_samples() -> Path:
    """Skips where the variable is not set."""
    folder = os.environ.get("PERSONALAB_DATA")
    if not folder:
        pytest.skip("PERSONALAB_DATA is not set; it names the folder of real samples")
    return Path(folder)

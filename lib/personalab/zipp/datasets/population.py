"""Shares of the world's population by age, sex, country and region: the targets of raking (ZIPP 4.1, B.5).

Figures are the United Nations' for mid-2023 (params/population/README.md) in five-year groups, so a band that cuts a
group takes its part of it as if ages within were even. They know two sexes, no languages and no professions:
`with_share` adds a category from elsewhere, which is then no longer a census figure. Raking itself is in `stats`.
"""

import re
from collections import Counter
from collections.abc import Collection, Hashable, Mapping, Sequence

import numpy as np
import pandas as pd

#: Bands of Rapidata's published votes.
BANDS = ("0-17", "18-29", "30-39", "40-49", "50-64", "65+")
AXES = ("age", "gender", "country", "region", "subregion")
REST = "rest"
_GROUP = 5
_LAST = 100


def people(wide: pd.DataFrame) -> pd.DataFrame:
    """Rows of country, sex and age group out of the compact file.

    Args:
        wide: params/population/un_wpp2024.csv: iso2, country, subregion, region, sex, and a column for each group's
            first age, in persons. Readers of CSV take Namibia's code NA for a missing one; it is put back.

    Returns:
        iso2, country, subregion, region, gender, age (first of the group, years), population (persons).

    Raises:
        ValueError: columns that are missing, or a negative figure.
    """
    named = ["iso2", "country", "subregion", "region", "sex"]
    missing = [name for name in named if name not in wide]
    if missing:
        raise ValueError(f"got no column {missing[0]!r}; expected {named} and first ages of groups")
    long = wide.assign(iso2=wide["iso2"].fillna("NA")).melt(named, var_name="age", value_name="population")
    long["age"] = long["age"].astype(int)
    if not (long["population"] >= 0).all():
        raise ValueError("a population is negative or missing; expected persons, 0 or more")
    return long.rename(columns={"sex": "gender"})


def shares(
    people: pd.DataFrame,
    axes: Sequence[str],
    ages: Sequence[str] = BANDS,
    regions: Mapping[str, str] | None = None,
    countries: Collection[str] | None = None,
) -> pd.Series:
    """Joint shares over some axes, of everybody within the age bands; they sum to 1.

    Args:
        people: from `people`.
        axes: of AXES.
        ages: bands such as "18-29" (both ends included) or "65+", none overlapping. What lies outside counts nowhere.
        regions: iso2 -> region, to be used instead of the file's.
        countries: iso2 codes that stand alone on the axis country, the others being "rest"; None for all.

    Raises:
        ValueError: an unknown axis or country, bands that overlap, or a country without a region.
    """
    odd = [axis for axis in axes if axis not in AXES]
    if odd or not axes:
        raise ValueError(f"got axes {list(axes)}; expected some of {AXES}")
    table = people.merge(_parts(ages), on="age")
    table["population"] *= table["part"]
    table["country"] = _alone(table["iso2"], countries)
    if regions is not None:
        table["region"] = _mapped(table["iso2"], regions)
    table = table.drop(columns="age").rename(columns={"band": "age"})
    counts = table.groupby(list(axes), sort=True)["population"].sum()
    return counts / counts.sum()


def targets(
    people: pd.DataFrame,
    axes: Sequence[str] = ("age", "gender", "region"),
    ages: Sequence[str] = BANDS,
    regions: Mapping[str, str] | None = None,
    countries: Collection[str] | None = None,
) -> dict[str, dict[str, float]]:
    """{axis: {category: share}} for raking, each axis summing to 1; arguments as for `shares`.

    Raises:
        ValueError: as `shares`.
    """
    joint = shares(people, axes, ages, regions, countries)
    return {axis: joint.groupby(level=axis).sum().to_dict() for axis in axes}


def region_of(people: pd.DataFrame) -> dict[str, str]:
    """iso2 -> region as the file has it: the seven of ZIPP Table 13, and Other."""
    return people.drop_duplicates("iso2").set_index("iso2")["region"].to_dict()


def with_share(target: Mapping[str, float], category: str, share: float) -> dict[str, float]:
    """A target with one more category, the others scaled down to make room.

    Raises:
        ValueError: the category is there already, or a share outside (0, 1).
    """
    if category in target or not 0 < share < 1:
        raise ValueError(f"got {category!r} with share {share}; expected a new category, a share in (0, 1)")
    return {name: value * (1 - share) for name, value in target.items()} | {category: share}


def collapse(labels: Sequence[Hashable], least: int) -> list[Hashable]:
    """Labels with those that fewer than `least` people have put together as "rest"; None (unknown) stays None."""
    often = Counter(labels)
    return [label if label is None or often[label] >= least else REST for label in labels]


def _parts(ages: Sequence[str]) -> pd.DataFrame:
    """How much of each five-year group (`age`) lies in each band: columns age, band, part."""
    rows = []
    for band in ages:
        low, high = _bounds(band)
        for age in range(0, _LAST, _GROUP):
            part = (min(high, age + _GROUP) - max(low, age)) / _GROUP
            rows.append((age, band, max(part, 0.0)))
        rows.append((_LAST, band, float(np.isinf(high))))
    parts = pd.DataFrame(rows, columns=["age", "band", "part"])
    if (parts.groupby("age")["part"].sum() > 1 + 1e-9).any() or parts.empty:
        raise ValueError(f"got age bands {list(ages)}; expected some that do not overlap")
    return parts[parts["part"] > 0]


def _bounds(band: str) -> tuple[float, float]:
    """First age of a band and the first after it."""
    found = re.fullmatch(r"(\d+)(?:-(\d+)|\+)", band)
    low, high = (float(found[1]), float(found[2]) + 1 if found[2] else np.inf) if found else (1.0, 0.0)
    if not low < high or low > _LAST or _LAST < high < np.inf:
        raise ValueError(
            f"got age band {band!r}; expected one like '18-29' (up to 99) or '65+' (from 0 to 100)"
        )
    return low, high


def _alone(iso2: pd.Series, countries: Collection[str] | None) -> pd.Series:
    if countries is None:
        return iso2
    unknown = sorted(set(countries) - set(iso2) - {REST})
    if unknown:
        raise ValueError(f"got countries {unknown}; expected ISO 3166 alpha-2 codes, or XK for Kosovo")
    return iso2.where(iso2.isin(set(countries)), REST)


def _mapped(iso2: pd.Series, regions: Mapping[str, str]) -> pd.Series:
    without = sorted(set(iso2) - set(regions))
    if without:
        raise ValueError(f"{len(without)} countries have no region, the first is {without[0]}; give each one")
    return iso2.map(dict(regions))

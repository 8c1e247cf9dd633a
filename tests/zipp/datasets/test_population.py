"""Shares of the world's population against the UN's own totals, worked cases and invariants."""

import csv
import itertools

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from samples import read_table13, read_world, real_samples

from personalab.sources import ROOT
from personalab.stats import rake
from personalab.zipp.datasets import population


@pytest.fixture(scope="module")
def world():
    return read_world()


@pytest.fixture(scope="module")
def table13():
    return read_table13()


@pytest.fixture(scope="module")
def real():
    return real_samples()


def test_the_file_adds_up_to_the_world_of_mid_2023(world):
    """WPP 2024: 8,091,734.4 thousand in 236 countries; the United States have 343,477 thousand."""
    assert world["population"].sum() / 1000 == pytest.approx(8_091_734.4, abs=0.05)
    assert world["iso2"].nunique() == 236
    america = world.loc[world["iso2"] == "US", "population"].sum()
    assert america / 1000 == pytest.approx(343_477, abs=1)


def test_namibia_survives_readers_that_take_its_code_for_a_missing_value(world):
    assert world.loc[world["iso2"] == "NA", "country"].unique().tolist() == ["Namibia"]
    assert world["iso2"].notna().all()


def test_every_country_has_one_region_and_the_seven_of_table_13_are_there(world, table13):
    regions = population.region_of(world)
    printed = set(table13.loc[table13["axis"] == "region", "subgroup"])
    assert set(regions.values()) == printed | {"Other"}
    assert (world.groupby("iso2")["region"].nunique() == 1).all()
    at = {
        "EG": "Africa",
        "RU": "ME / CIS",
        "MX": "Lat. America",
        "RS": "Other",
        "ID": "Other",
        "IR": "ME / CIS",
    }
    assert {code: regions[code] for code in at} == at


def test_shares_sum_to_one_and_follow_marginals(world):
    joint = population.shares(world, ("region", "age", "gender"))
    assert joint.sum() == pytest.approx(1) and len(joint) == 8 * 6 * 2
    targets = population.targets(world, ("region", "age", "gender"))
    for axis, target in targets.items():
        assert sum(target.values()) == pytest.approx(1)
        assert joint.groupby(level=axis).sum().to_dict() == pytest.approx(target)


def test_a_band_that_cuts_a_group_takes_its_part_by_hand():
    """15-19 holds 500: of its five years, 18 and 19 belong to 18-29."""
    wide = pd.DataFrame(
        {"iso2": ["XX"], "country": ["X"], "subregion": ["X"], "region": ["X"], "sex": ["Male"]}
    )
    for age in range(0, 101, 5):
        wide[str(age)] = {15: 500.0, 20: 100.0, 25: 100.0, 100: 40.0}.get(age, 0.0)
    people = population.people(wide)
    young = population.shares(people, ["age"], ["0-17", "18-29", "30+"])
    assert young.to_dict() == pytest.approx({"0-17": 300 / 740, "18-29": 400 / 740, "30+": 40 / 740})
    assert population.shares(people, ["age"], ["18-29"]).to_dict() == {"18-29": 1.0}


@settings(deadline=None, max_examples=25)
@given(st.sets(st.integers(1, 99), min_size=1, max_size=6))
def test_any_cut_of_all_ages_keeps_everybody(world, cuts):
    first = [0, *sorted(cuts)]
    bands = [f"{a}-{b - 1}" for a, b in itertools.pairwise(first)] + [f"{first[-1]}+"]
    parts = population._parts(bands).merge(world.groupby("age")["population"].sum(), on="age")
    assert (parts["part"] * parts["population"]).sum() == pytest.approx(world["population"].sum())


def test_countries_that_do_not_stand_alone_are_the_rest(world):
    target = population.targets(world, ["country"], countries={"IN", "EG"})["country"]
    total = world.groupby("iso2")["population"].sum()
    assert target["IN"] == pytest.approx(total["IN"] / total.sum())
    assert set(target) == {"IN", "EG", "rest"} and sum(target.values()) == pytest.approx(1)


def test_regions_can_be_drawn_otherwise(world):
    northern = set(world.loc[world["subregion"] == "Northern Africa", "iso2"])
    moved = population.region_of(world) | dict.fromkeys(northern, "ME / CIS")
    before, after = (population.targets(world, ["region"], regions=one)["region"] for one in (None, moved))
    people = world["population"].sum()
    share = world.loc[world["iso2"].isin(northern), "population"].sum() / people
    assert after["ME / CIS"] - before["ME / CIS"] == pytest.approx(share)


def test_a_further_category_takes_its_share_from_the_others_in_proportion():
    found = population.with_share({"Female": 0.4, "Male": 0.6}, "Other", 0.1)
    assert found == pytest.approx({"Female": 0.36, "Male": 0.54, "Other": 0.1})
    with pytest.raises(ValueError, match="new category"):
        population.with_share(found, "Other", 0.1)


def test_rare_labels_collapse_and_unknown_ones_do_not():
    assert population.collapse(["a", "a", "b", None], least=2) == ["a", "a", "rest", None]


@pytest.mark.parametrize(
    ("bands", "said"),
    [
        (["18-29", "25-40"], "overlap"),
        (["young"], "age band"),
        (["30-20"], "age band"),
        (["90-120"], "age band"),
        ([], "overlap"),
    ],
)
def test_impossible_bands_are_named(world, bands, said):
    with pytest.raises(ValueError, match=said):
        population.shares(world, ["age"], bands)


def test_unknown_axes_countries_and_columns_are_named(world):
    with pytest.raises(ValueError, match="religion"):
        population.shares(world, ["religion"])
    with pytest.raises(ValueError, match="ZZ"):
        population.shares(world, ["country"], countries={"ZZ"})
    with pytest.raises(ValueError, match="no region"):
        population.shares(world, ["region"], regions={"IN": "S. Asia"})
    with pytest.raises(ValueError, match="iso2"):
        population.people(pd.DataFrame({"country": ["X"]}))


def test_targets_are_what_raking_takes(world):
    """A sample drawn evenly over age, sex and region is raked to the census, margin by margin."""
    targets = population.targets(world, ("age", "gender", "region"))
    rng = np.random.default_rng(0)
    labels = {axis: rng.choice(list(target), 3000).tolist() for axis, target in targets.items()}
    weights = rake(labels, targets).weights
    for axis, target in targets.items():
        got = pd.Series(weights).groupby(labels[axis]).sum().to_dict()
        assert got == pytest.approx(target, abs=1e-4)


def test_user_targets_sum_to_one_and_say_that_they_are_illustrative():
    own = yaml.safe_load((ROOT / "params" / "population" / "user_targets.yaml").read_text())
    assert "illustrative" in own["source"]
    for axis in ("language", "profession"):
        assert sum(own[axis]["shares"].values()) == pytest.approx(1)
        assert set(own[axis]["merge"].values()) <= set(own[axis]["shares"])


def test_the_file_is_that_of_the_source(world, real):
    """Age by age, the figures of all countries against the export of WPP 2024 for both sexes."""
    with open(real / "un_wpp2024" / "UNlocations.txt", encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    codes = {row["country_code"] for row in rows if row["location_type"] == "4"}
    with open(real / "un_wpp2024" / "wpp2024_age_sex_5yr_2023.csv", encoding="utf-8") as file:
        rows = [
            row for row in csv.DictReader(file) if row["locationId"] in codes and row["sexId"] == "Both sexes"
        ]
    both = pd.DataFrame(
        [(int(row["ageStart"]), float(row["population"])) for row in rows], columns=["age", "people"]
    )
    ours = world.groupby(["iso2", "age"])["population"].sum().reset_index()
    assert len(both) == len(ours) == 236 * 21
    for age, theirs in both.groupby("age")["people"]:
        np.testing.assert_allclose(
            np.sort(ours.loc[ours["age"] == age, "population"]), np.sort(theirs), atol=1
        )

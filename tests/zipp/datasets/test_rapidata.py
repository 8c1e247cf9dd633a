"""Votes: the planted ones found exactly, both published forms, what is odd counted."""

import json

import numpy as np
import pandas as pd
import pytest
from samples import read_table13, read_world, real_samples
from sklearn.linear_model import LogisticRegression

from personalab.zipp.datasets import invented, rapidata


@pytest.fixture(scope="module")
def world():
    return read_world()


@pytest.fixture(scope="module")
def table13():
    return read_table13()


@pytest.fixture(scope="module")
def real():
    return real_samples()


def vote(image, **details):
    return {"votedFor": image, "userDetails": {"country": "IN", "language": "en", "userScore": 0.5} | details}


def comparison(*votes, images=("a_1.png", "b_1.png")):
    return {"context": "a cat", "aggregatedResults": dict.fromkeys(images, 0), "detailedResults": list(votes)}


def written(folder, *results):
    (folder / "results.json").write_text(json.dumps({"info": {"version": "4.0.0"}, "results": results}))
    return folder


@pytest.fixture(scope="module")
def planted(tmp_path_factory, world, table13):
    folder = tmp_path_factory.mktemp("votes")
    places = world.groupby(["region", "iso2"])["population"].sum()
    people = invented.draw_people(table13, places, 250, np.random.default_rng(3))
    models = ("alder", "birch", "cedar")
    return folder, invented.write_votes(folder, people, models, comparisons=40, voters=9, seed=3)


def test_what_is_planted_is_read_exactly(planted):
    folder, (people, votes) = planted
    found = rapidata.read(folder)
    assert found.read == len(found.table) == len(votes) and not found.dropped
    table, shown = found.table, people.set_index("person").loc[votes["person"]]
    assert table["comparison"].tolist() == votes["comparison"].tolist()
    taken = np.where(table["voted"] == "a", table["image_a"], table["image_b"])
    assert taken.tolist() == votes["image"].tolist()
    for axis in rapidata.AXES:
        ours, theirs = table[axis], shown[axis].reset_index(drop=True)
        assert ours.isna().tolist() == theirs.isna().tolist()
        assert ours.dropna().tolist() == theirs.dropna().tolist()


def test_who_says_nothing_is_written_as_published(planted):
    """Strict JSON; an unknown answer is the text "Unknown", for as many votes as voters without an answer cast."""
    folder, (people, votes) = planted
    found = json.loads((folder / "results.json").read_text(), parse_constant=lambda name: pytest.fail(name))
    ages = [one["userDetails"]["age"] for result in found["results"] for one in result["detailedResults"]]
    silent = set(people.loc[people["age"].isna(), "person"])
    assert ages.count("Unknown") == votes["person"].isin(silent).sum() > 0
    assert set(ages) <= {"Unknown", "0-17", "18-29", "30-39", "40-49", "50-64", "65+"}
    assert found["info"]["version"] == "4.0.0"
    for result in found["results"]:
        assert result["winner"] == max(result["summedUserScores"], key=result["summedUserScores"].get)
        assert sum(result["aggregatedResults"].values()) == len(result["detailedResults"])


def test_invented_votes_follow_tastes_as_said(world, table13, tmp_path):
    """A logistic regression on the bits, without penalty, finds the slope 2 and no preference for a side."""
    places = world.groupby(["region", "iso2"])["population"].sum()
    people = invented.draw_people(table13, places, 60, np.random.default_rng(1))
    votes = invented.write_votes(tmp_path, people, ("alder", "birch", "cedar"), 60, 40, seed=1).votes
    table = rapidata.read(tmp_path).table
    fit = LogisticRegression(C=np.inf).fit(votes[["bits"]].to_numpy(), table["voted"] == "a")
    assert fit.coef_.item() == pytest.approx(2, abs=0.3) and abs(fit.intercept_.item()) < 0.15


def test_demographics_are_drawn_in_table_13s_shares(world, table13):
    places = world.groupby(["region", "iso2"])["population"].sum()
    people = invented.draw_people(table13, places, 20_000, np.random.default_rng(0))
    assert people["gender"].isna().mean() == pytest.approx(0.36, abs=0.01)
    said = people["gender"].value_counts(normalize=True).to_dict()
    assert said == pytest.approx({"Male": 0.62, "Female": 0.32, "Other": 0.06}, abs=0.015)
    assert (people["country"] == "US").mean() == pytest.approx(0.38 * 0.89, abs=0.02)


def test_nobodys_taste_follows_from_demographics(planted, tmp_path):
    """The same people with each other's answers vote as before."""
    _, (people, votes) = planted
    swapped = people.copy()
    swapped[list(rapidata.AXES)] = people[list(rapidata.AXES)].to_numpy()[::-1]
    after = invented.write_votes(
        tmp_path, swapped, ("alder", "birch", "cedar"), comparisons=40, voters=9, seed=3
    )
    pd.testing.assert_frame_equal(after.votes, votes)
    assert (
        rapidata.read(tmp_path).table["country"].tolist()
        != rapidata.read(planted[0]).table["country"].tolist()
    )


def test_the_same_seed_writes_the_same_bytes(planted, tmp_path):
    folder, (people, _) = planted
    invented.write_votes(tmp_path, people, ("alder", "birch", "cedar"), comparisons=40, voters=9, seed=3)
    assert (tmp_path / "results.json").read_bytes() == (folder / "results.json").read_bytes()


def test_unknown_is_missing_and_never_a_category(tmp_path):
    votes = [
        vote("a_1.png", age="Unknown", gender="unknown"),
        vote("b_1.png", age="18-29", gender=None, country="NA"),
    ]
    table = rapidata.read(written(tmp_path, comparison(*votes))).table
    assert dict(rapidata.unknown(table)) == {
        "country": 0,
        "language": 0,
        "age": 1,
        "gender": 2,
        "occupation": 2,
    }
    assert table["country"].tolist() == ["IN", "NA"]
    kept, dropped = rapidata.answered(table, ["age", "gender"])
    assert len(kept) == 0 and dict(dropped) == {"age unknown": 1, "gender unknown": 1}


def test_what_is_odd_is_counted_by_reason_and_loses_nothing(tmp_path):
    good = comparison(vote("a_1.png"), vote("c_1.png"), {"votedFor": "a_1.png"}, 7)
    bad = [comparison(vote("a_1.png"), images=("a_1.png",)), {"context": "x"}, "text", None]
    found = rapidata.read(written(tmp_path, good, *bad))
    assert found.read == len(found.table) + found.dropped.total() == 8
    assert dict(found.dropped) == {
        "vote for neither image": 1,
        "vote without a choice or a voter": 2,
        "comparison without two images": 1,
        "comparison without a list of votes": 3,
    }


def test_version_3_keeps_the_score_elsewhere(tmp_path):
    older = {
        "votedFor": "b_1.png",
        "userDetails": {"country": "BY", "language": "ru", "userScores": {"global": 0.4469}},
    }
    table = rapidata.read(written(tmp_path, comparison(older))).table
    assert table["user_score"].tolist() == [0.4469] and table["voted"].tolist() == ["b"]


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
@pytest.mark.parametrize("column", ["detailed_results", "detailed_results_preference"])
def test_published_tables_read_like_results(tmp_path, suffix, column):
    """Votes name image files, models have columns of their own, details are JSON in a text."""
    details = [
        json.dumps([vote("flux_7.jpg"), vote("other/mj-6_7.jpg")]),
        json.dumps([vote("flux_8.png")]),
        "{}",
    ]
    table = pd.DataFrame(
        {
            "prompt": ["a cat", "a dog", "a cow"],
            "image1_path": ["x/flux_7.jpg", "y/mj-6_8.png", "z"],
            "image2_path": ["x/mj-6_7.jpg", "y/flux_8.png", "z"],
            "model1": ["flux", "mj-6", "flux"],
            "model2": ["mj-6", "flux", "mj-6"],
            column: details,
        }
    )
    path = tmp_path / f"votes.{suffix}"
    table.to_parquet(path) if suffix == "parquet" else table.to_csv(path, index=False)
    found = rapidata.read(path)
    assert found.table["voted"].tolist() == ["a", "b", "b"]
    assert rapidata.won(found.table, "flux").tolist() == [1, 0, 1]
    assert dict(found.dropped) == {"comparison without a list of votes": 1}


def test_embedded_images_without_names_are_told_apart_by_the_model(tmp_path):
    row = {
        "prompt": "a cat",
        "image1": {"bytes": b"1", "path": None},
        "image2": {"bytes": b"2", "path": None},
    }
    details = json.dumps([vote("flux_3.jpg"), vote("recraft_3.jpg"), vote("sd_3.jpg")])
    row |= {"model1": "recraft", "model2": "flux", "detailed_results": details}
    pd.DataFrame([row]).to_parquet(tmp_path / "t.parquet")
    found = rapidata.read(tmp_path)
    assert found.table["voted"].tolist() == ["b", "a"] and dict(found.dropped) == {
        "vote for neither image": 1
    }


def test_what_is_no_file_of_votes_is_refused_by_name(tmp_path):
    with pytest.raises(FileNotFoundError, match="holds no votes"):
        rapidata.read(tmp_path)
    (tmp_path / "a.json").write_text('{"other": 1}')
    with pytest.raises(ValueError, match="results"):
        rapidata.read(tmp_path / "a.json")
    pd.DataFrame({"prompt": ["x"]}).to_csv(tmp_path / "a.csv")
    with pytest.raises(ValueError, match="detailed_results"):
        rapidata.read(tmp_path / "a.csv")


def test_a_models_share_counts_only_its_own_comparisons():
    table = pd.DataFrame(
        {"model_a": ["x", "y", "x", "x"], "model_b": ["y", "x", "x", "z"], "voted": ["a", "a", "a", "b"]}
    )
    np.testing.assert_array_equal(rapidata.won(table, "x"), [1, 0, np.nan, 0])
    assert rapidata.won(table, "z").tolist()[-1] == 1


def test_the_real_sample_has_646_votes_as_its_own_table_counts_them(real):
    """Against the flat table that the votes' collector made of the same file."""
    folder = real / "rapidata_votes"
    found = rapidata.read(folder)
    assert found.read == len(found.table) == 646 and not found.dropped
    theirs = pd.read_csv(folder / "df_modelling_original.csv", keep_default_na=False)
    for ours, name in (
        ("age", "age"),
        ("gender", "gender"),
        ("occupation", "occupation"),
        ("language", "language"),
    ):
        assert found.table[ours].fillna("Unknown").tolist() == theirs[f"userDetails.{name}"].tolist()
    chosen = np.where(found.table["voted"] == "a", found.table["model_a"], found.table["model_b"])
    assert chosen.tolist() == theirs["voted_for_model"].tolist()
    assert dict(rapidata.unknown(found.table)) == {
        "country": 3,
        "language": 0,
        "age": 233,
        "gender": 236,
        "occupation": 286,
    }

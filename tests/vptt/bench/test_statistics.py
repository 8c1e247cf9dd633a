"""Figures of the bench against hand-worked personas, closed forms and scikit-learn."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics.pairwise import cosine_similarity
from sklearn.neighbors import KNeighborsClassifier

from personalab.vptt import bench
from personalab.vptt.bench import statistics
from personalab.vptt.bench.seeds import parse_lines


@pytest.fixture(scope="module")
def personas():
    return list(bench.generate(parse_lines(bench.own_seeds(60)).kept, 6, posts=10))


def test_rows_and_table_against_counting_by_hand(personas, tmp_path):
    pd.DataFrame(map(statistics.row, personas)).to_parquet(tmp_path / "people.parquet")
    people = pd.read_parquet(tmp_path / "people.parquet")
    ours = statistics.table5(people)
    words = [len(caption.split()) for persona in personas for caption in persona.captions]
    every = [e for persona in personas for entries in persona.elements.values() for e in entries]
    assert ours["personas"] == 6 and ours["posts"] == len(words) == 60 and ours["posts_per_persona"] == 10
    assert ours["mean_caption_words"] == pytest.approx(np.mean(words))
    assert ours["visual_elements_total"] == len(every) and ours["unique_elements"] == len(set(every))
    assert ours["mean_visual_elements_per_persona"] == pytest.approx(len(every) / 6)
    assert ours["unique_interests"] == len({i for p in personas for i in p.demographics.interests})
    assert ours["countries"] == len({p.demographics.country for p in personas})
    spans = statistics.ranges(people).set_index("quantity")
    assert spans.loc["words in a caption", ["lowest", "highest"]].tolist() == [min(words), max(words)]
    facets = spans.loc[["foreground entries", "background entries", "atmospheric entries"], "mean"]
    assert facets.sum() * 6 == pytest.approx(len(every)), "every category belongs to one facet"


def test_cities_of_one_name_in_two_countries_are_two():
    columns = {"elements": [["a b"], ["c d"]], "interests": [["x"], ["x"]], "traits": [["y"], ["y", "z"]]}
    numbers = {"posts": [1, 3], "caption words": [10, 90]}
    people = pd.DataFrame(
        {
            "country": ["Spain", "Chile"],
            "city": ["Valencia"] * 2,
            "ethnicity": ["g"] * 2,
            "occupation": ["o"] * 2,
        }
        | columns
        | numbers
    )
    ours = statistics.table5(people)
    assert ours["cities"] == 2 and ours["mean_caption_words"] == 25 and ours["mean_traits"] == 1.5


@given(st.lists(st.integers(1, 6), min_size=1, max_size=8), st.integers(0, 99))
def test_mean_vectors_are_the_normalised_means(counts, seed):
    vectors = np.random.default_rng(seed).normal(size=(sum(counts), 5)) + 1
    means = statistics.mean_vectors(vectors, counts)
    for mean, part in zip(means, np.split(vectors, np.cumsum(counts)[:-1]), strict=True):
        np.testing.assert_allclose(mean, part.mean(0) / np.linalg.norm(part.mean(0)))


@pytest.mark.parametrize("counts", [[2, 2], [5], [3, 0], []])
def test_counts_that_do_not_fit_are_refused(counts):
    with pytest.raises(ValueError, match="one per caption"):
        statistics.mean_vectors(np.ones((3, 2)), counts)


def test_captions_that_cancel_out_are_refused():
    with pytest.raises(ValueError, match="cancel out"):
        statistics.mean_vectors(np.array([[1.0, 0], [-1, 0]]), [2])


def test_mean_pairwise_cosine_is_scikit_learns():
    unit = np.random.default_rng(0).normal(size=(40, 7))
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    every = cosine_similarity(unit)[~np.eye(40, dtype=bool)]
    assert statistics.mean_pairwise_cosine(unit) == pytest.approx(every.mean())
    assert statistics.mean_pairwise_cosine(np.ones((3, 1))) == 1
    assert np.isnan(statistics.mean_pairwise_cosine(unit[:1]))


def test_neighbours_alike_is_one_nearest_neighbour_classification():
    rng = np.random.default_rng(1)
    unit = rng.normal(size=(60, 4))
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    labels = rng.choice(["a", "b", "c"], 60)
    hits = [
        KNeighborsClassifier(1).fit(np.delete(unit, i, 0), np.delete(labels, i)).predict(unit[i : i + 1])
        == labels[i]
        for i in range(60)
    ]
    found = statistics.neighbours_alike(unit, labels, np.random.default_rng(0))
    assert found["nearest alike"] == pytest.approx(np.mean(hits))
    shares = pd.Series(labels).value_counts().to_numpy()
    expected = (shares * (shares - 1)).sum() / (60 * 59)
    assert (
        found["by chance"] == pytest.approx(expected, abs=0.02)
        and found["by chance"] < found["by chance at most"]
    )
    assert found == statistics.neighbours_alike(unit, labels, np.random.default_rng(0))


def test_labels_that_follow_the_rows_stand_above_chance():
    rng = np.random.default_rng(2)
    labels = np.repeat(["x", "y"], 30)
    unit = np.c_[labels == "x", labels == "y"] + 0.1 * rng.normal(size=(60, 2))
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    found = statistics.neighbours_alike(unit, labels, rng)
    assert found["nearest alike"] > 0.95 > found["by chance at most"]

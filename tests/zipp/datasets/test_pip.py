"""PIP's folder of users, and personas assigned by cosine."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.neighbors import NearestNeighbors

from personalab.zipp.datasets import COLUMNS, invented_histories, pip


def sample(text, **more):
    return json.dumps({"prompt": text, "id": text[:3], "NSFW": "Unlikely"} | more)


def test_what_is_planted_is_found_exactly(tmp_path):
    counts = invented_histories.write_pip(tmp_path, n_users=12, per_user=9, seed=6, unsafe=0.2)
    found = pip.histories(tmp_path)
    assert counts["unsafe"] > 5 and found.dropped.total() == counts["unsafe"]
    assert found.read == counts["samples"] == len(found.table) + found.dropped.total()
    everything = pip.histories(tmp_path, safe=False).table
    assert len(everything) == counts["samples"] and list(everything.columns) == list(COLUMNS)
    for _, one in everything.groupby("user"):
        assert one["part"].tolist() == ["history"] * 7 + ["test"] * 2
        assert one["basic"].notna().tolist() == [False] * 7 + [True] * 2


def test_the_published_form_by_hand(tmp_path):
    """Marks stand in quotes or bare; a test sample brings its short form."""
    lines = [
        '"train_samples:"',
        sample("a cat, oil"),
        sample("a dog"),
        "test_samples:",
        sample("a red cow at dusk", query="a cow"),
    ]
    (tmp_path / "u1.jsonl").write_text("\n".join(lines))
    table = pip.histories(tmp_path).table
    assert table[["user", "order", "original", "part"]].to_numpy().tolist() == [
        ["u1", 0, "a cat, oil", "history"],
        ["u1", 1, "a dog", "history"],
        ["u1", 2, "a red cow at dusk", "test"],
    ]
    assert table["basic"].tolist() == [None, None, "a cow"]


def test_odd_lines_are_counted_and_lose_nothing(tmp_path):
    odd = [
        "{broken",
        "7",
        json.dumps({"prompt": " ", "NSFW": "Unlikely"}),
        json.dumps({"prompt": "x"}),
        sample("y", NSFW="NSFW"),
    ]
    (tmp_path / "u.jsonl").write_text("\n".join([*odd, "", sample("kept")]))
    found = pip.histories(tmp_path)
    assert found.read == 6 and found.table["original"].tolist() == ["kept"]
    assert dict(found.dropped) == {"not a sample": 2, "no prompt": 1, "NSFW: not said": 1, "NSFW: nsfw": 1}
    with pytest.raises(FileNotFoundError, match="PIP"):
        pip.histories(tmp_path / "nowhere")


def test_personas_are_those_of_a_cosine_search():
    """Against scikit-learn's brute-force neighbours."""
    rng = np.random.default_rng(0)
    users, personas = rng.normal(size=(50, 4)), 3 * rng.normal(size=(20, 4))
    found = pip.nearest_personas(users, personas)
    distance, index = NearestNeighbors(n_neighbors=1, metric="cosine").fit(personas).kneighbors(users)
    np.testing.assert_allclose(found.similarity, 1 - distance[:, 0])
    near = 1 - distance[:, 0] >= 0.7
    np.testing.assert_array_equal(found.index, np.where(near, index[:, 0], -1))
    assert 0 < found.coverage == near.mean() < 1


@settings(deadline=None, max_examples=30)
@given(arrays(float, (6, 3), elements=st.floats(-5, 5)), st.floats(-1, 1))
def test_a_higher_threshold_never_covers_more(users, threshold):
    personas = np.eye(3)
    low, high = (pip.nearest_personas(users, personas, t).coverage for t in (threshold, threshold + 0.1))
    assert high <= low


def test_a_history_is_the_unit_mean_of_its_prompts():
    """Two prompts at right angles, one of them much longer: both count alike."""
    features = np.array([[1.0, 0], [0, 100], [5, 0]])
    np.testing.assert_allclose(
        pip.mean_features(features, np.array(["a", "a", "b"])), [[0.5**0.5] * 2, [1, 0]]
    )


def test_widths_that_differ_and_no_personas_are_named():
    for personas in (np.ones((2, 3)), np.ones((0, 4))):
        with pytest.raises(ValueError, match="expected"):
            pip.nearest_personas(np.ones((1, 4)), personas)

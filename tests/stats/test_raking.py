"""Raking against ipfn where that converges, hand-worked tables, and samples that no weights can mend."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ipfn.ipfn import ipfn

from personalab.stats import NotConverged, rake, raked_interval, raked_mean

AGES, PLACES, WORK = ("18-34", "35-54", "55+"), ("north", "south"), ("manual", "office", "none", "study")
AXES = {"age": AGES, "place": PLACES, "work": WORK}


def people(n: int, rng: np.random.Generator, full: bool = False) -> dict[str, list[str]]:
    """Random labels with skewed shares; `full` puts one person in every cell first."""
    cells = np.array([(a, p, w) for a in AGES for p in PLACES for w in WORK])[: None if full else 0].reshape(
        -1, 3
    )
    rest = [rng.choice(names, n, p=rng.dirichlet(np.full(len(names), 3.0))) for names in AXES.values()]
    return {axis: [*cells[:, k], *rest[k].tolist()] for k, axis in enumerate(AXES)}


def population(rng: np.random.Generator) -> dict[str, dict[str, float]]:
    return {
        axis: dict(zip(names, rng.dirichlet(np.full(len(names), 4.0)).tolist(), strict=True))
        for axis, names in AXES.items()
    }


def shares(labels: list, weights: np.ndarray) -> dict:
    return pd.Series(weights).groupby(list(labels)).sum().to_dict()


def table(labels: dict[str, list[str]], weights: np.ndarray) -> np.ndarray:
    codes = [pd.Categorical(labels[axis], categories=names).codes for axis, names in AXES.items()]
    out = np.zeros([len(names) for names in AXES.values()])
    np.add.at(out, tuple(codes), weights)
    return out


@pytest.mark.parametrize("seed", range(5))
def test_weights_of_cells_are_ipfns(seed):
    rng = np.random.default_rng(seed)
    labels, targets = people(400, rng, full=True), population(rng)
    ours = rake(labels, targets, eps=1e-12)
    goals = [np.array([targets[axis][c] for c in names]) for axis, names in AXES.items()]
    counts = table(labels, np.ones(len(ours.weights)))
    theirs = ipfn(counts, goals, [[0], [1], [2]], convergence_rate=1e-13, rate_tolerance=0).iteration()
    assert table(labels, ours.weights) == pytest.approx(theirs, abs=1e-10)


def test_contradicting_targets_are_an_error_where_ipfn_returns_weights():
    # nobody is both old and southern or young and northern: south must equal young
    labels = {"age": ["old", "old", "young"], "place": ["north", "north", "south"]}
    targets = {"age": {"old": 0.5, "young": 0.5}, "place": {"north": 0.9, "south": 0.1}}
    counts = np.array([[2.0, 0.0], [0.0, 1.0]])
    silent = ipfn(counts, [np.array([0.5, 0.5]), np.array([0.9, 0.1])], [[0], [1]]).iteration()
    assert abs(silent.sum(1) - 0.5).max() > 0.3
    with pytest.raises(
        NotConverged, match=r"axis 'age'.*'(old|young)'.*off its target 0.5 by 0.4 after 50 passes"
    ):
        rake(labels, targets, max_iter=50)
    assert issubclass(NotConverged, ValueError)


def test_one_axis_by_hand():
    found = rake({"age": ["a", "a", "a", "b"]}, {"age": {"a": 0.5, "b": 0.5}})
    assert found.weights == pytest.approx([1 / 6] * 3 + [1 / 2]) and found.iterations == 1
    # sum of squares 3/36 + 1/4 = 1/3
    assert found.effective_n == pytest.approx(3) and found.design_effect == pytest.approx(4 / 3)
    assert found.discrepancy == pytest.approx(0) and found.dropped == {}


@settings(deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 120))
def test_shares_meet_the_targets_or_it_says_why_not(seed, n):
    rng = np.random.default_rng(seed)
    labels, targets = people(n, rng), population(rng)
    lacking = {axis: [c for c in names if c not in labels[axis]] for axis, names in AXES.items()}
    try:
        found = rake(labels, targets)
    except NotConverged:
        assert (table(labels, np.ones(n)) == 0).any(), "only empty cells can make targets contradict"
        return
    except ValueError as error:
        axis = next(axis for axis, lost in lacking.items() if lost)
        assert repr(axis) in str(error) and repr(lacking[axis][0]) in str(error)
        return
    assert found.weights.sum() == pytest.approx(1) and (found.weights >= 0).all()
    assert 1 <= found.effective_n <= n + 1e-9 and found.design_effect == pytest.approx(n / found.effective_n)
    for axis, target in targets.items():
        got = shares(labels[axis], found.weights)
        assert max(abs(got[c] - target[c]) for c in target) <= found.discrepancy + 1e-12 < 1e-4 + 1e-12
    assert len({*zip(*labels.values(), found.weights.round(14), strict=True)}) == len(
        {*zip(*labels.values(), strict=True)}
    )


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10_000))
def test_the_order_of_people_and_their_number_do_not_count(seed):
    rng = np.random.default_rng(seed)
    labels, targets = people(60, rng, full=True), population(rng)
    found = rake(labels, targets, eps=1e-10).weights
    order = rng.permutation(len(found))
    turned = {axis: pd.Series(column).iloc[order] for axis, column in labels.items()}
    assert rake(turned, targets, eps=1e-10).weights == pytest.approx(found[order])
    twice = {axis: np.array(column * 2) for axis, column in labels.items()}
    assert rake(twice, targets, eps=1e-10).weights == pytest.approx(np.tile(found, 2) / 2)
    assert rake(dict(reversed(labels.items())), targets, eps=1e-10).weights == pytest.approx(found, abs=1e-8)
    already = {axis: shares(column, np.full(len(found), 1 / len(found))) for axis, column in labels.items()}
    assert rake(labels, already).weights == pytest.approx(1 / len(found))


def test_a_target_of_zero_gives_weight_zero():
    labels = {"age": [1, 1, 2, 2, 3], "place": ["n", "s", "n", "s", "s"]}
    found = rake(labels, {"age": {1: 0.5, 2: 0.5, 3: 0}, "place": {"n": 0.25, "s": 0.75, "west": 0.0}})
    assert found.weights == pytest.approx([1 / 8, 3 / 8, 1 / 8, 3 / 8, 0], abs=1e-4) and found.weights[4] == 0
    with pytest.raises(NotConverged, match=r"axis 'place': 'w' has a target of 0.5, but no weight is left"):
        rake({"age": [1, 2], "place": ["n", "w"]}, {"age": {1: 1, 2: 0}, "place": {"n": 0.5, "w": 0.5}})


def test_a_category_that_the_sample_lacks_is_named_or_dropped_on_request():
    labels = {"age": ["a", "a", "b"], "place": ["n", "s", "n"]}
    targets = {"age": {"a": 0.5, "b": 0.3, "c": 0.2}, "place": {"n": 0.6, "s": 0.4}}
    with pytest.raises(ValueError, match="axis 'age': the sample lacks 'c'"):
        rake(labels, targets)
    found = rake(labels, targets, missing="drop")
    assert found.dropped == {"age": {"c": 0.2}}
    assert shares(labels["age"], found.weights) == pytest.approx({"a": 0.625, "b": 0.375}, abs=1e-4)


TWO = {"age": ["a", "b"]}


@pytest.mark.parametrize(
    ("labels", "targets", "more", "message"),
    [
        (TWO, {"age": {"a": 1.0}}, {}, r"axis 'age': 1 people have labels without a target: \['b'\]"),
        (TWO, {"age": {"a": 0.5, "b": 0.4}}, {}, "axis 'age' have shares that sum to 0.9"),
        (TWO, {"age": {"a": 1.5, "b": -0.5}}, {}, "'b': -0.5"),
        (TWO, {"age": {"a": math.nan, "b": 0.5}}, {}, "'a': nan"),
        (
            TWO | {"place": ["n"]},
            {"age": {"a": 0.5, "b": 0.5}, "place": {"n": 1}},
            {},
            "axis 'place' has 1 labels",
        ),
        (
            {"age": ["a", None, math.nan]},
            {"age": {"a": 1}},
            {},
            "axis 'age': 2 of 3 labels are unknown.*drop those",
        ),
        (TWO, {"place": {"n": 1}}, {}, "the axes.*expected the same"),
        ({}, {}, {}, "one or more"),
        ({"age": []}, {"age": {"a": 1}}, {}, "0 labels"),
        ({"age": "ab"}, {"age": {"a": 0.5, "b": 0.5}}, {}, "one text"),
        (TWO, {"age": {"a": 0.5, "b": 0.5}}, {"missing": "skip"}, "'error' or 'drop'"),
        (TWO, {"age": {"a": 0.5, "b": 0.5}}, {"eps": 0}, "eps is 0"),
        ([["a", "b"]], {"age": {"a": 0.5, "b": 0.5}}, {}, "got a list"),
        (TWO, {"age": [0.5, 0.5]}, {}, "got a list"),
        (TWO, [0.5, 0.5], {}, "got a list"),
        (TWO, {"age": {"a": 0, "b": 0, "c": 1}}, {"missing": "drop"}, "none of the categories"),
    ],
)
def test_bad_input_is_told(labels, targets, more, message):
    with pytest.raises(ValueError, match=message):
        rake(labels, targets, **more)


def test_raked_mean_by_hand():
    assert raked_mean([60, 80], [0.25, 0.75]) == pytest.approx(75)
    assert raked_mean([60, 80, math.nan], [0.2, 0.2, 0.6]) == pytest.approx(70)
    assert math.isnan(raked_mean([math.nan], [1.0]))
    with pytest.raises(ValueError, match="negative"):
        raked_mean([1, 2], [1.5, -0.5])
    with pytest.raises(ValueError, match="both"):
        raked_mean([1, 2], [1.0])


def test_the_interval_covers_the_populations_mean_about_as_often_as_it_says():
    targets, effect = {"age": {"a": 0.5, "b": 0.3, "c": 0.2}}, {"a": 0.0, "b": 1.0, "c": 3.0}
    truth, hits = 0.3 + 0.6, 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        ages = rng.choice(list("abc"), 120, p=[0.2, 0.5, 0.3]).tolist()
        values = np.array([effect[age] for age in ages]) + rng.normal(size=120)
        found = raked_interval(values, {"age": ages}, targets, rng, n=150)
        hits += found.low <= truth <= found.high
    assert 0.88 <= hits / 100


def test_the_interval_counts_who_is_missing_and_which_draws_fail():
    labels = {"age": ["a"] * 9 + ["b"] * 2}
    targets = {"age": {"a": 0.5, "b": 0.5}}
    values = [1.0] * 8 + [math.nan] + [3.0, 3.0]
    found = raked_interval(values, labels, targets, np.random.default_rng(0), n=200)
    assert found.estimate == pytest.approx(2) and found.missing == 1
    lacking = found.failed["lacks a category"]
    assert 200 * 0.8**10 * 0.3 < lacking < 200 * 0.8**10 * 3
    assert found == raked_interval(values, labels, targets, np.random.default_rng(0), n=200)
    one = raked_interval(values, labels, targets, np.random.default_rng(0), n=20, clusters=["u"] * 11)
    assert one.estimate == pytest.approx(2) and math.isnan(one.low)
    with pytest.raises(ValueError, match="none of the 11 people has a value"):
        raked_interval([math.nan] * 11, labels, targets, np.random.default_rng(0))
    with pytest.raises(ValueError, match="level"):
        raked_interval(values, labels, targets, np.random.default_rng(0), level=95)
    with pytest.raises(ValueError, match="lacks 'b'"):
        raked_interval(values[:9] + [math.nan] * 2, labels, targets, np.random.default_rng(0))


def test_draws_of_contradicting_tables_are_counted():
    labels = {"age": ["old"] * 4 + ["young"] * 4, "place": ["n", "n", "n", "s", "s", "s", "s", "n"]}
    targets = {"age": {"old": 0.5, "young": 0.5}, "place": {"n": 0.8, "s": 0.2}}
    found = raked_interval(np.arange(8.0), labels, targets, np.random.default_rng(0), n=60, max_iter=200)
    assert found.failed["not converged"] > 0 and found.low <= found.high


def test_whole_clusters_are_drawn():
    # two rows per person, alike: drawn alone they would seem to be twice the evidence
    rng = np.random.default_rng(0)
    person = np.repeat(np.arange(100), 2)
    values, ages = rng.normal(size=100)[person], np.array(list("ab"))[np.arange(100) % 2][person]
    settings = {"age": ages}, {"age": {"a": 0.5, "b": 0.5}}
    whole = raked_interval(values, *settings, np.random.default_rng(1), clusters=person)
    alone = raked_interval(values, *settings, np.random.default_rng(1))
    assert (whole.high - whole.low) / (alone.high - alone.low) == pytest.approx(math.sqrt(2), rel=0.1)

"""The second order finds a judge that leans to a place, and finds nothing in one that does not."""

from collections.abc import Iterator

import numpy as np
import pytest
from seeing_server import Judge, cases, load, picture, worth

from personalab.vptt.judge import canvas, judge, swap_check


@pytest.fixture
def server(monkeypatch) -> Iterator[Judge]:
    monkeypatch.setattr(canvas, "POST", 16)
    monkeypatch.setattr(canvas, "PICTURE", 24)
    with Judge() as running:
        yield running


def leaning(values: list[float]) -> list[float]:
    """Up to two points more, the further to the left."""
    return [min(5.0, max(0.0, value + 2 - i)) for i, value in enumerate(values)]


def checked(server: Judge, tmp_path, n: int = 40, sample: int = 40, **kinds):
    model, asked = load(server, tmp_path), cases(n, **kinds)
    return asked, swap_check(model, asked, judge(model, asked), sample, np.random.default_rng(0))


@pytest.mark.parametrize("ties", [True, False])
def test_an_unbiased_judge_never_flips(ties, server, tmp_path):
    asked, flips = checked(server, tmp_path, ties=ties)
    assert (flips.rate, flips.mean_change, flips.compared, flips.missing) == (0, 0, 40, 0)
    assert len(server.seen) == 80
    for row in flips.judged.table.itertuples():
        (case,) = (case for case in asked if case.id == row.case)
        assert row.score == worth(case, row.method)


def test_a_judge_that_always_likes_one_place_best_always_flips(server, tmp_path):
    for place in range(4):
        (tmp_path / str(place)).mkdir()
        server.rule = lambda values, place=place: [5.0 if i == place else 1.0 for i in range(len(values))]
        assert checked(server, tmp_path / str(place), 8)[1].rate == 1


def test_the_flip_rate_of_a_judge_that_leans_to_the_left_is_the_one_worked_out(server, tmp_path):
    server.rule = leaning
    asked, flips = checked(server, tmp_path, 60, ties=False)
    orders = [judge(load(server, tmp_path), asked, swap=swap).table for swap in (False, True)]
    drawn, flipped = set(flips.judged.table["case"]), 0
    for case in drawn:
        best = []
        for table in orders:
            rows = table[table["case"] == case]
            best.append(
                {m for m, s in zip(rows["method"], rows["score"], strict=True) if s == rows["score"].max()}
            )
        flipped += not best[0] & best[1]
    assert len(drawn) == 40 and 0 < flipped < 40 and flips.rate == pytest.approx(flipped / 40)
    assert flips.mean_change > 0


def test_cases_that_lack_scores_are_counted_and_not_compared(server, tmp_path):
    server.share = 0.5
    asked, flips = checked(server, tmp_path, 30, sample=30)
    first, second = (judge(load(server, tmp_path), asked, swap=swap).table for swap in (False, True))
    lost = set(first.loc[first["score"].isna(), "case"]) | set(second.loc[second["score"].isna(), "case"])
    assert 0 < len(lost) == flips.missing and flips.compared == 30 - len(lost) and flips.rate == 0


def test_the_sample_follows_from_the_generator_and_is_never_larger_than_the_cases(server, tmp_path):
    model, asked = load(server, tmp_path), cases(12)
    first = judge(model, asked)
    drawn = [
        list(swap_check(model, asked, first, n, np.random.default_rng(seed)).judged.table["case"].unique())
        for n, seed in ((5, 0), (5, 0), (5, 1), (99, 0))
    ]
    assert drawn[0] == drawn[1] != drawn[2] and list(map(len, drawn)) == [5, 5, 5, 12]


def test_one_method_alone_cannot_flip_and_no_cases_have_no_rate(server, tmp_path):
    model = load(server, tmp_path)
    alone = [case._replace(pictures={"VPRAG": picture(3)}) for case in cases(3)]
    for asked in (alone, []):
        flips = swap_check(model, asked, judge(model, asked), 5, np.random.default_rng(0))
        assert np.isnan(flips.rate) and np.isnan(flips.mean_change)
        assert (flips.compared, flips.missing) == (0, len(asked))

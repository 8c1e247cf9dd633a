"""Drills in copying: what they ask, and that a small model learns the first."""

import numpy as np
import pytest
import torch

from personalab.world.train import copying, language


@pytest.fixture(scope="module")
def tokenizer():
    return language.train_tokenizer(["a red boat at dawn"] * 20, 300)


def cut(tokens):
    """Phrases, by the end mark behind each."""
    (ends,) = np.nonzero(tokens == 1)
    assert ends[-1] == len(tokens) - 1
    return np.split(tokens, ends + 1)[:-1]


def test_a_repeat_is_its_row_again():
    rng = np.random.default_rng(0)
    for _ in range(50):
        tokens, start = copying.repeat(rng, 300, (4, 24), 12)
        n = len(tokens) - start + 1  # the first token of the second row is given
        assert np.array_equal(tokens[-n:], tokens[-2 * n : -n]) and 4 <= n <= 24 and (tokens >= 5).all()


def test_answered_phrases_are_among_those_asked():
    rng = np.random.default_rng(0)
    for _ in range(50):
        tokens, start = copying.phrases(rng, 300)
        asked, told = ([tuple(p) for p in cut(part)] for part in (tokens[:start], tokens[start:]))
        assert set(told) <= set(asked) and len(told) == (len(asked) + 1) // 2


def test_a_drilled_model_copies_rows_it_has_never_seen_and_is_kept(tokenizer, tmp_path):
    fresh = language.new_model(tokenizer, width=64, layers=2)
    unseen = [copying.repeat(np.random.default_rng([9, i]), len(tokenizer), (6, 6)) for i in range(32)]
    before = language.perplexity(fresh, unseen)
    stage = copying.Drill(lambda rng, vocabulary: copying.repeat(rng, vocabulary, (6, 6)), 2.0)
    drilled = copying.drill(fresh, tmp_path / "d.pt", rate=1e-2, stages=[stage], batch=48)
    assert language.perplexity(drilled, unseen) < 15 < before
    again = copying.drill(
        language.new_model(tokenizer, width=64, layers=2, seed=3), tmp_path / "d.pt", rate=1e-2
    )
    assert all(torch.equal(a, b) for a, b in zip(drilled.parameters(), again.parameters(), strict=True))


def test_a_drill_that_is_not_learnt_says_so(tokenizer, tmp_path):
    fresh = language.new_model(tokenizer, width=32, layers=1)
    with pytest.raises(RuntimeError, match=r"drill 1: loss .* after 2 batches"):
        copying.drill(fresh, tmp_path / "d.pt", rate=1e-3, most=2, batch=2)
    assert not (tmp_path / "d.pt").exists()

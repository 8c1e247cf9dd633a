"""Contrastive losses against torch's cross-entropy, closed forms and small cases by hand."""

import math

import pytest
import torch
from torch.nn.functional import cross_entropy, normalize

from personalab.zipp.objectives import info_nce, negative_sampling


def unit(*shape, seed=0):
    return normalize(
        torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64), dim=-1
    )


def test_without_repeats_it_is_clips_cross_entropy():
    u, s = unit(9, 5), unit(9, 5, seed=1)
    expected = cross_entropy(u @ s.T / 0.07, torch.arange(9))
    assert info_nce(u, s).item() == pytest.approx(expected.item(), rel=1e-12)


def test_two_rows_by_hand():
    # cosines 1 and 0, temperature 1: -log(e / (e + 1)) for either row
    u = torch.eye(2, dtype=torch.float64)
    assert info_nce(u, u, temperature=1.0).item() == pytest.approx(math.log(1 + math.exp(-1)), rel=1e-12)


def test_all_keys_alike_gives_the_log_of_their_number():
    same = unit(1, 4).expand(6, 4)
    assert info_nce(unit(6, 4), same).item() == pytest.approx(math.log(6), rel=1e-12)


def test_another_key_of_the_same_name_is_no_negative():
    u, s = unit(3, 4), unit(2, 4, seed=1)
    found = info_nce(u, s[[0, 0, 1]], torch.tensor([7, 7, 9]))
    logits = u @ s.T / 0.07
    rows = cross_entropy(logits[:2], torch.tensor([0, 0]), reduction="sum")
    often = cross_entropy(
        logits[2:, [0, 0, 1]], torch.tensor([2])
    )  # for others it counts as often as it was drawn
    assert found.item() == pytest.approx((rows + often).item() / 3, rel=1e-12)


def test_rows_that_do_not_take_part_change_nothing():
    u, s = unit(6, 4), unit(6, 4, seed=1)
    valid = torch.tensor([True, False, True, True, False, True])
    assert info_nce(u, s, valid=valid).item() == pytest.approx(info_nce(u[valid], s[valid]).item(), rel=1e-12)
    gone = u.clone().requires_grad_()
    nothing = info_nce(gone, s, valid=torch.zeros(6, dtype=torch.bool))
    nothing.backward()
    assert nothing.item() == 0 and gone.grad.abs().max() == 0


def test_hard_negatives_join_their_own_row():
    u, s, hard = unit(4, 5), unit(4, 5, seed=1), unit(4, 2, 5, seed=2)
    found = info_nce(u, s, hard=hard).item()
    rows = [
        cross_entropy(torch.cat([u[i] @ s.T, hard[i] @ u[i]])[None] / 0.07, torch.tensor([i]))
        for i in range(4)
    ]
    assert found == pytest.approx(sum(rows).item() / 4, rel=1e-12)


def test_negative_sampling_by_hand():
    # orthogonal negatives, aligned positives, temperature 1: softplus(-1) for the good, log 2 for the bad
    u = torch.eye(3, dtype=torch.float64)
    bad = u.roll(1, 0)[:, None]
    expected = (math.log(1 + math.exp(-1)) + math.log(2)) / 2
    assert negative_sampling(u, u, bad, temperature=1.0).item() == pytest.approx(expected, rel=1e-12)

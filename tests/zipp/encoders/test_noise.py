"""The users' noise: moments, tests of independence, and that nothing but seed, row and column matters."""

import pytest
import torch
from scipy import stats

from personalab.zipp.encoders.noise import _mix, noise

ROWS = noise(torch.arange(4000), 64)


def test_it_is_normal_with_the_papers_variance():
    values = ROWS.double().flatten().numpy() / 0.1
    assert abs(values.mean()) < 4 / len(values) ** 0.5
    assert abs(values.var() - 1) < 4 * (2 / len(values)) ** 0.5
    assert stats.kstest(values[:50_000], "norm").pvalue > 0.001
    assert abs(stats.kurtosis(values)) < 0.05


def test_the_generator_is_splitmix64():
    """First outputs for seed 0, as printed with the reference implementation's tests."""
    expected = [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]
    assert [int(word) % 2**64 for word in _mix(torch.arange(3))] == expected


@pytest.mark.parametrize("lag", [1, 2, 3, 32])
def test_neighbouring_users_and_columns_are_uncorrelated(lag):
    bound = 4.5 / ROWS.numel() ** 0.5
    unit = ROWS / 0.1
    for change in (lambda x: x, torch.square):
        x = change(unit) - change(unit).mean()
        scale = x.square().mean()
        assert abs((x[lag:] * x[:-lag]).mean() / scale) < bound
        assert abs((x[:, lag:] * x[:, :-lag]).mean() / scale) < bound


def test_columns_and_seeds_are_uncorrelated():
    seeds = torch.stack([noise(torch.arange(2000), 16, seed).flatten() for seed in range(6)])
    correlation = torch.corrcoef(torch.cat([seeds, noise(torch.arange(32_000), 6, -1).T]))
    assert (correlation - torch.eye(12)).abs().max() < 4.5 / 32_000**0.5


def test_a_users_numbers_do_not_depend_on_the_batch():
    users = torch.tensor([17, 3, 3999, 17, 0])
    assert torch.equal(noise(users, 64), ROWS[users])
    assert torch.equal(noise(torch.tensor([3]), 64), ROWS[3:4])
    assert torch.equal(noise(users, 33), ROWS[users, :33])
    assert noise(users[:0], 8).shape == (0, 8)


def test_another_seed_other_numbers_and_sd_scales():
    users = torch.arange(10)
    assert not torch.equal(noise(users, 8, seed=1), noise(users, 8, seed=2))
    torch.testing.assert_close(noise(users, 8, sd=0.3), 3 * noise(users, 8))


def test_far_rows_differ():
    """The paper has 22 million users; rows beyond 32 bits work as well."""
    far = noise(torch.tensor([22_000_000, 22_000_001, 2**40]), 8)
    assert len(far.unique()) == far.numel()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_gives_the_same_numbers():
    torch.testing.assert_close(noise(torch.arange(4000).cuda(), 64).cpu(), ROWS, rtol=1e-5, atol=1e-6)

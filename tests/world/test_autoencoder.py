"""The autoencoder: principal components against scikit-learn's, and the calls that pipelines make."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL
from sklearn.decomposition import PCA

from personalab.world.autoencoder import PatchAutoencoder
from personalab.world.draw import draw
from personalab.world.scenes import sample
from personalab.world.train.decoder import patches, psnr, train_autoencoder
from personalab.world.train.pictures import Pictures

SMALL = (16, 16, 8, 8)


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def x() -> torch.Tensor:
    pixels = np.stack([draw(sample(np.random.default_rng([3, i])), i) for i in range(60)])
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 127.5 - 1


def fitted(x: torch.Tensor, channels: int, widths=SMALL) -> PatchAutoencoder:
    torch.manual_seed(0)
    model = PatchAutoencoder(latent_channels=channels, block_out_channels=widths)
    model.set_principal_components(patches(x))
    return model.eval()


@torch.no_grad()
def through(model: PatchAutoencoder, x: torch.Tensor) -> torch.Tensor:
    return model.decode(model.encode(x).latent_dist.mean).sample


def test_patches_by_hand():
    """Pixel (c, 8 i + u, 8 j + v) of picture n stands in row 64 n + 8 i + j, column 64 c + 8 u + v."""
    cut = patches(torch.arange(2 * 3 * 64 * 64).float().reshape(2, 3, 64, 64))
    assert cut.shape == (128, 192)
    n, c, i, j, u, v = 1, 2, 3, 4, 5, 6
    assert cut[64 * n + 8 * i + j, 64 * c + 8 * u + v] == (n * 3 + c) * 4096 + (8 * i + u) * 64 + 8 * j + v


def test_all_192_components_are_the_identity(x):
    assert psnr(fitted(x, 192), x) > 60


def test_peak_signal_to_noise_by_hand(x):
    """An error of a tenth of the range everywhere is 20 dB."""

    class Off(PatchAutoencoder):
        def decode(self, z, return_dict=True, generator=None):
            found = super().decode(z)
            found.sample = found.sample + 0.2
            return found

    torch.manual_seed(0)
    model = Off(latent_channels=192, block_out_channels=SMALL)
    model.set_principal_components(patches(x))
    assert psnr(model, (x * 0.7).clamp(-0.7, 0.7)) == pytest.approx(20, abs=1e-3)


def test_sixteen_components_reconstruct_as_scikit_learns_do(x):
    """With every picture's negative beside it the mean patch is grey throughout, and both centre alike."""
    both = torch.cat([x, -x])
    rows = patches(both).numpy().astype(float)
    pca = PCA(16).fit(rows)
    expected = pca.inverse_transform(pca.transform(rows))
    assert np.abs(patches(through(fitted(both, 16), both)).numpy() - expected).max() < 1e-4


def test_one_colour_as_centre_costs_next_to_nothing(x):
    rows = patches(x).numpy().astype(float)
    pca = PCA(16).fit(rows)
    best = np.square(pca.inverse_transform(pca.transform(rows)) - rows).mean()
    assert best <= float((through(fitted(x, 16), x) - x).square().mean()) < 1.02 * best


def test_more_components_are_never_worse(x):
    found = [psnr(fitted(x, channels), x) for channels in (4, 16, 48, 192)]
    assert all(a < b for a, b in pairwise(found))


def test_scaled_latents_have_unit_spread_and_half_the_decay(x):
    model = fitted(x, 16)
    with torch.no_grad():
        z = model.encode(x).latent_dist.mean
    assert z.shape == (60, 16, 8, 8)
    assert float((z * model.config.scaling_factor).std()) == pytest.approx(1, abs=1e-3)
    own = z.square().mean(dim=(0, 2, 3)).sqrt()
    deviations = PCA(16).fit(patches(torch.cat([x, -x])).numpy().astype(float)).explained_variance_ ** 0.5
    assert own[0] / own[15] < deviations[0] / deviations[15] and (own.diff() < 1e-4).all()


def test_it_answers_to_the_stock_calls(x):
    model = fitted(x, 16)
    assert isinstance(model, AutoencoderKL)
    with torch.no_grad():
        posterior = model.encode(x[:2]).latent_dist
        z = posterior.sample(torch.Generator().manual_seed(0))
        assert torch.allclose(z, posterior.mean, atol=1e-3) and torch.equal(posterior.mode(), posterior.mean)
        one = model.decode(z, return_dict=False, generator=torch.Generator().manual_seed(0))[0]
        assert torch.equal(one, model.decode(z).sample) and one.shape == (2, 3, 64, 64)
        assert torch.equal(model.encode(x[:2], return_dict=False)[0].mean, posterior.mean)
        alone = torch.cat([model.decode(row[None]).sample for row in z])
    assert torch.allclose(alone, one, atol=1e-5)
    assert 2 ** (len(model.config.block_out_channels) - 1) == 64 // z.shape[-1]


def test_a_saved_autoencoder_is_the_same(x, tmp_path):
    model = fitted(x, 16)
    torch.nn.init.normal_(model.leave.weight, std=0.1)
    model.save_pretrained(tmp_path)
    again = PatchAutoencoder.from_pretrained(tmp_path)
    for name in ("latent_channels", "scaling_factor", "sample_size", "force_upcast"):
        assert again.config[name] == model.config[name]
    assert tuple(again.config.block_out_channels) == SMALL
    assert torch.equal(through(again, x[:4]), through(model, x[:4]))


def test_training_changes_the_decoder_only_and_is_saved(x, tmp_path):
    pixels = ((x + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy()
    data = Pictures(pixels, np.zeros((60, 9), np.int8))
    model = train_autoencoder(data, tmp_path / "one", steps=2, seed=0, channels=8, batch_size=4)
    start = fitted(data.tensor(np.arange(60)), 8, (192, 96, 48, 24))
    assert torch.equal(model.project.weight, start.project.weight)
    assert not torch.equal(model.leave.weight, start.leave.weight) and not model.training
    saved = PatchAutoencoder.from_pretrained(tmp_path / "one")
    assert torch.equal(through(saved, x[:2]), through(model, x[:2]))
    torch.rand(5)  # what happened before does not matter
    again = train_autoencoder(data, tmp_path / "two", steps=2, seed=0, channels=8, batch_size=4)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), again.parameters(), strict=True))

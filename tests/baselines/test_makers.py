"""One person's pictures by every method: rendered once, told apart by what was seen, refused where there is nothing."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from backends import tiny_models
from personalab.backends import embed, pipelines
from personalab.backends.image import ImageBackend
from personalab.backends.pictures import Request
from personalab.baselines import drum, fabric, grid, grid_training, lora, makers, viper
from personalab.baselines.makers import Material

TWO = [Request("a boat", 1), Request("a lamp", 2)]
RECIPE = lora.Recipe("q", steps=1, rank=2, optimiser="adamw", rate=0.01, batch_size=2)
TASTE = viper.Preferences(["red"], ["blue"])
METHODS = ["FABRIC", "DrUM", "ViPer", "DB-LoRA", "Grid"]
Make = Callable[..., ImageBackend]


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def make(backbone) -> Make:
    """A method's backend for some material; further arguments are the backbone's."""
    torch.manual_seed(0)
    sizes = drum.encode(backbone.pipeline, ["a"])
    mixing = drum.Adapter(*sizes.tokens.shape[1:], sizes.pooled.shape[1], layers=1, heads=2).eval()
    encoder = grid.GridEncoder(backbone.pipeline.vae.config.latent_channels, 8)
    looking = grid.GridAdapter(encoder, grid_training.untrained(backbone.pipeline.unet, 8), 2, 16)

    def of(
        method: str, material: Material, taste=TASTE, folder=None, degree=0.3, **more: Any
    ) -> ImageBackend:
        there = backbone._replace(**more)
        match method:
            case "FABRIC":
                return makers.fabric(there, material, steps=2, guidance=3.0)
            case "DrUM":
                return makers.drum(there, material, mixing)
            case "ViPer":
                return makers.viper(there, material, taste, degree=degree)
            case "DB-LoRA":
                return makers.lora(there, material, RECIPE, folder=folder)
            case "Grid":
                return makers.grid(there, material, looking)
        raise KeyError(method)

    return of


def material(user: str = "ann", seed: int = 0, n: int = 5) -> Material:
    size = (n, tiny_models.SIZE, tiny_models.SIZE, 3)
    pictures = list(np.random.default_rng(seed).integers(0, 256, size, np.uint8))
    texts = [f"{user} {i}" for i in range(n)]
    return Material(user, pictures[: n - 1], texts, texts[: n - 1], pictures[n - 1 :])


def same(a: list[np.ndarray], b: list[np.ndarray]) -> bool:
    return all((x == y).all() for x, y in zip(a, b, strict=True))


@pytest.mark.parametrize("method", METHODS)
def test_a_second_run_renders_nothing_and_gives_the_same_bytes(method, make, tmp_path, monkeypatch):
    first = make(method, material(), store=tmp_path, folder=tmp_path / "adapters")
    pictures = first(TWO)
    assert first.rendered == 2 and not first.refused
    monkeypatch.setattr(pipelines, "run", None)
    monkeypatch.setattr(lora, "train", None)
    again = make(method, material(), store=tmp_path, folder=tmp_path / "adapters")
    assert same(again(TWO), pictures) and (again.rendered, again.found) == (0, 2)


@pytest.mark.parametrize("method", METHODS)
def test_another_persons_material_is_never_taken_for_ones_own(method, make, tmp_path):
    """Another person, and another gallery of the same person: all of it is rendered, into files of its own."""
    taste = viper.Preferences(["green"], [])
    kept = [(material(), TASTE), (material("bob", 1), TASTE), (material(seed=1, n=4), taste)]
    made = []
    for n, (one, preferences) in enumerate(kept, 1):
        backend = make(method, one, taste=preferences, store=tmp_path)
        made.append(backend(TWO))
        assert backend.rendered == 2 and len(list(tmp_path.rglob("*.png"))) == 2 * n


def test_settings_are_told_apart_and_what_a_method_does_not_see_is_not(make, tmp_path):
    assert make("ViPer", material(), store=tmp_path)(TWO)
    stronger = make("ViPer", material(), degree=0.8, store=tmp_path)
    other_pictures = make("ViPer", material(seed=1), store=tmp_path)
    assert stronger(TWO) and other_pictures(TWO)
    assert (stronger.rendered, other_pictures.rendered) == (2, 0)


@pytest.mark.parametrize("method", METHODS)
def test_a_method_that_has_nothing_to_learn_from_is_counted_and_draws_nothing(method, make, monkeypatch):
    monkeypatch.setattr(pipelines, "run", None)
    backend = make(method, Material("ann", []), taste=viper.Preferences([], []))
    assert backend(TWO) == [None, None]
    ((reason, n),) = backend.refused.items()
    assert n == 2 and reason.startswith(f"{method} has nothing to learn from: no ")


def test_pictures_are_those_of_the_methods_own_renderers(make, backbone):
    one = material()
    own = fabric.renderer(backbone.pipeline, backbone.card, one.liked, one.disliked, steps=2, guidance=3.0)
    assert same(make("FABRIC", one)(TWO), own(TWO))
    guided = viper.renderer(backbone.pipeline, backbone.card, TASTE, 0.3)
    assert same(make("ViPer", one)(TWO), guided(TWO))
    fitted = lora.train(backbone.pipeline, one.liked, one.subjects, RECIPE)
    assert same(make("DB-LoRA", one)(TWO), lora.renderer(backbone.pipeline, backbone.card, fitted)(TWO))


def test_the_pipeline_draws_as_before_when_all_methods_have_drawn(make, backbone):
    plain = pipelines.run(backbone.pipeline, backbone.card, TWO)
    for method in METHODS:
        make(method, material())(TWO)
    assert same(pipelines.run(backbone.pipeline, backbone.card, TWO), plain)


def test_an_adapter_is_trained_once_and_anew_for_another_gallery(make, tmp_path, monkeypatch):
    trained, real = [], lora.train
    monkeypatch.setattr(lora, "train", lambda *args: trained.append(1) or real(*args))
    for seed in (0, 0, 1):
        make("DB-LoRA", material(seed=seed), folder=tmp_path)(TWO)
    assert len(trained) == 2 == len(list(tmp_path.iterdir()))


@pytest.mark.parametrize(("n", "side"), [(1, 1), (3, 1), (4, 2), (9, 2)])
def test_a_grid_is_as_large_as_the_gallery_fills_and_at_most_as_in_training(n, side, make, monkeypatch):
    shown = []
    monkeypatch.setattr(
        grid, "renderer", lambda p, c, gallery, a, **more: shown.append((len(gallery), more["columns"]))
    )
    backend = make("Grid", material(n=n + 1))
    with pytest.raises(TypeError):
        backend(TWO)
    assert shown == [(side**2, side)]


def test_prompts_of_a_material_are_read_as_requests_are():
    """The drawn world's pipeline reads canonical captions, whatever words a person has."""
    backbone = makers.load("mini-sd", embed=lambda texts: np.tile([1.0, 0.0], (len(texts), 1)))
    assert backbone.shown(["sepia, a lamp in the kitchen"]) == backbone.shown(
        ["a kitchen with a lamp, in sepia"]
    )
    raw = makers.load("mini-sd-raw")
    assert raw.shown(["a lamp"]) == ["a lamp"]
    assert raw.identity == backbone.identity, "the same weights"


def test_a_card_without_a_pipeline_is_refused():
    assert embed.card("drawn")["kind"] == "drawn"
    with pytest.raises(ValueError, match="kind 'drawn'; expected 'diffusers'"):
        makers.load("drawn")

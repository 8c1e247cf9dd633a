"""DrUM: its coreset and its mixture against loops, its adapter's limits, its effect in the drawn world."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from backends import tiny_models
from personalab.backends import embed, pipelines
from personalab.backends.pictures import Request
from personalab.baselines import drum
from personalab.baselines.drum.conditions import arguments
from personalab.baselines.drum.training import agreement
from personalab.world import captions, scenes

TWO = [Request("a boat on the quay", 1), Request("a lamp", 2)]
HISTORY = ["a red boat", "a lamp in the rain", "two lamps"]
BACKBONES = ["stable-diffusion", "sdxl", "sd3", "flux"]


pytestmark = pytest.mark.usefixtures("one_thread")


# ---- the coreset


def coreset_by_loops(features, n, weights, shown):
    def similarity(i, j):
        a, b = features[i], features[j]
        cosine = sum(x * y for x, y in zip(a, b, strict=True)) / (math.hypot(*a) * math.hypot(*b))
        return weights[i] * 100 * cosine

    items = range(len(features))
    running = {i: sum(similarity(i, j) for j in shown) / len(shown) for i in items}
    picked = []
    while len(picked) < n:
        best = max((i for i in items if i not in picked), key=lambda i: (round(running[i], 7), -i))
        picked.append(best)
        running = {i: min(running[i], similarity(i, best)) for i in items}
    return picked


def test_a_case_by_hand_with_ties():
    """Directions at 0, 0, 10 and 90 degrees: the mean favours 10; of two equal items the lower index comes first."""
    ten = math.radians(10)
    features = np.array([[1, 0], [2, 0], [math.cos(ten), math.sin(ten)], [0, 3]])
    assert drum.coreset(features, 4).tolist() == [2, 0, 1, 3]
    assert drum.coreset(features, 2, weights=[1, 1, 0.5, 1]).tolist() == [0, 1]
    assert drum.coreset(np.ones((5, 3)), 5).tolist() == [0, 1, 2, 3, 4]


@given(st.integers(0, 999), st.integers(1, 9), st.data())
@settings(deadline=None, max_examples=60)
def test_the_coreset_is_its_definition(seed, m, data):
    rng = np.random.default_rng(seed)
    features = rng.integers(-2, 3, (m, 3)) + np.array(
        [0.0, 0.0, 2.5]
    )  # many ties and opposites, none of length 0
    weights = rng.choice([0.5, 1.0, 2.0], m)
    n = data.draw(st.integers(1, m))
    found = drum.coreset(features, n, weights)
    assert found.tolist() == coreset_by_loops(features, n, weights, range(m))
    assert len(set(found.tolist())) == n
    sample = data.draw(st.integers(1, m + 2))
    shown = np.random.default_rng(seed).permutation(m)[:sample]
    drawn = drum.coreset(features, n, weights, sample, np.random.default_rng(seed))
    assert drawn.tolist() == coreset_by_loops(features, n, weights, shown)


def test_the_coreset_stays_with_the_many():
    """Of forty prompts around one direction and three around another, five picks are of the forty."""
    rng = np.random.default_rng(0)
    many = np.array([1, 0, 0]) + 0.1 * rng.normal(size=(40, 3))
    few = np.array([0, 1, 0]) + 0.1 * rng.normal(size=(3, 3))
    assert (drum.coreset(np.concatenate([few, many]), 5) >= 3).all()


@pytest.mark.parametrize(
    ("features", "arguments", "message"),
    [
        (np.eye(3), {"n": 4}, "n = 4 for 3 items"),
        (np.eye(3), {"n": 0}, "n = 0"),
        (np.ones(3), {"n": 1}, r"expected \(m, d\)"),
        (np.zeros((3, 2)), {"n": 1}, "length 0"),
        (np.eye(3), {"n": 1, "weights": [1, 2]}, "expected 3"),
        (np.eye(3), {"n": 1, "weights": [1, 2, -1]}, "none negative"),
        (np.eye(3), {"n": 1, "sample": 2}, "numpy Generator"),
    ],
)
def test_a_coreset_that_cannot_be_is_named(features, arguments, message):
    with pytest.raises(ValueError, match=message):
        drum.coreset(features, **arguments)


# ---- the mixture


def mixture_by_loops(scores, weights, alpha):
    n = len(weights)
    parts = np.split(np.asarray(scores, float), 1 + n)
    parts = [np.exp(part - part.max()) / np.exp(part - part.max()).sum() for part in parts]
    scaled = [(1 - alpha) * parts[0]]
    scaled += [alpha * w / sum(weights) * part for w, part in zip(weights, parts[1:], strict=True)]
    return np.concatenate(scaled) / np.concatenate(scaled).sum()


@given(st.integers(0, 999), st.integers(0, 4), st.floats(0, 0.99))
@settings(deadline=None, max_examples=60)
def test_the_mixture_is_its_definition_and_rows_sum_to_one(seed, n, alpha):
    rng = np.random.default_rng(seed)
    b, h, q, t = 2, 2, 3, 4
    scores, weights = 3 * rng.normal(size=(b, h, q, (1 + n) * t)), rng.random((b, n)) + 0.1
    found = drum.mixture(torch.from_numpy(scores).float(), torch.from_numpy(weights).float(), alpha).double()
    np.testing.assert_allclose(found.sum(-1), 1, atol=1e-6)
    for i, j, k in np.ndindex(b, h, q):
        expected = mixture_by_loops(scores[i, j, k], weights[i], alpha)
        np.testing.assert_allclose(found[i, j, k], expected, atol=1e-6)
    shares = found.unflatten(-1, (1 + n, t)).sum(-1)
    if n:
        expected = alpha * weights / weights.sum(1, keepdims=True)
        np.testing.assert_allclose(
            shares[..., 1:], np.broadcast_to(expected[:, None, None], (b, h, q, n)), atol=1e-6
        )


def test_alpha_zero_is_plain_attention_and_alpha_one_the_references_alone():
    scores = torch.randn(1, 1, 2, 9, generator=torch.Generator().manual_seed(0))
    weights = torch.tensor([[2.0, 1.0]])
    zero = drum.mixture(scores, weights, 0.0)
    torch.testing.assert_close(zero[..., :3], scores[..., :3].softmax(-1), atol=1e-6, rtol=0)
    assert (zero[..., 3:] == 0).all()
    assert (drum.mixture(scores, weights, 1.0)[..., :3] == 0).all()


@pytest.mark.parametrize(
    ("weights", "alpha", "message"),
    [([[1.0, 1.0]], 1.5, "alpha is 1.5"), ([[1.0, 1.0]], -0.1, "alpha is -0.1"), ([[0.0, 0.0]], 0.3, "a sum above"),
     ([[2.0, -1.0]], 0.3, "not negative"), ([[]], 1.0, "below 1 without")],
)  # fmt: skip
def test_a_mixture_of_nothing_is_an_error(weights, alpha, message):
    weights = torch.tensor(weights)
    with pytest.raises(ValueError, match=message):
        drum.mixture(torch.zeros(1, 1, 2, 3 * (1 + weights.shape[1])), weights, alpha)


# ---- the adapter


def random_adapter(tokens: int = 5, width: int = 8, pooled: int = 6) -> drum.Adapter:
    torch.manual_seed(0)
    adapter = drum.Adapter(tokens, width, pooled, layers=2, heads=2)
    adapter.empty_tokens.normal_()
    adapter.empty_pooled.normal_()
    return adapter.eval().requires_grad_(False)


def conditions(*sizes: int, seed: int = 1) -> drum.Condition:
    generator = torch.Generator().manual_seed(seed)
    return drum.Condition(*(torch.randn(*sizes, *end, generator=generator) for end in ((5, 8), (6,))))


def close(a: drum.Condition, b: drum.Condition, atol: float = 1e-6) -> bool:
    return all(torch.allclose(x, y, atol=atol, rtol=0) for x, y in zip(a, b, strict=True))


def test_references_without_strength_are_no_references():
    adapter, target, references = random_adapter(), conditions(2), conditions(2, 3, seed=2)
    alone = adapter(target)
    assert close(adapter(target, references, alpha=0.0), alone)
    assert not close(adapter(target, references, alpha=0.3), alone, atol=1e-3)


def test_a_reference_counts_by_its_share_of_the_weights():
    adapter, target, references = random_adapter(), conditions(2), conditions(2, 3, seed=2)
    weights = torch.tensor([[1.0, 2.0, 0.0]]).expand(2, -1)
    found = adapter(target, references, weights, 0.4)
    assert close(found, adapter(target, references, 7 * weights, 0.4))
    assert close(found, adapter(target, references.pick((slice(None), slice(2))), weights[:, :2], 0.4))
    order = (slice(None), [1, 0, 2])
    assert close(found, adapter(target, references.pick(order), weights[order], 0.4))


def test_each_vector_is_as_long_as_the_targets():
    target = conditions(2)
    found = random_adapter()(target, conditions(2, 3, seed=2))
    for a, b in zip(found, target, strict=True):
        torch.testing.assert_close(a.norm(dim=-1), b.norm(dim=-1))


def test_an_adapter_survives_its_file(tmp_path):
    adapter, target = random_adapter(), conditions(2)
    drum.save(adapter, tmp_path / "new" / "adapter.safetensors")
    again = drum.load(tmp_path / "new" / "adapter.safetensors")
    assert close(again(target), adapter(target), atol=0) and again.config == adapter.config
    save_file({"x": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(ValueError, match="no adapter of DrUM"):
        drum.load(tmp_path / "other.safetensors")


# ---- pipelines


@pytest.fixture(scope="module")
def tiny():
    """Random pipelines by shape, each with its card."""
    made = {}

    def get(shape: str):
        if shape not in made:
            torch.manual_seed(0)
            pipeline = tiny_models.PIPELINES[shape][0]()
            pipeline.set_progress_bar_config(disable=True)
            made[shape] = pipeline, tiny_models.pipeline_card(shape, Path("tiny"))
        return made[shape]

    return get


def fitting(pipeline) -> drum.Adapter:
    """An untrained adapter of the pipeline's sizes."""
    empty = drum.encode(pipeline, [""])
    torch.manual_seed(0)
    return drum.Adapter(*empty.tokens.shape[1:], empty.pooled.shape[1], layers=1, heads=2).requires_grad_(
        False
    )


@pytest.mark.parametrize("shape", BACKBONES)
def test_a_condition_handed_over_draws_what_its_prompt_draws(tiny, shape):
    pipeline, card = tiny(shape)
    given = pipelines.run(
        pipeline, card, TWO, **arguments(pipeline, drum.encode(pipeline, [r.prompt for r in TWO], batch=1))
    )
    plain = pipelines.run(pipeline, card, TWO)
    assert max(np.abs(a.astype(int) - b).max() for a, b in zip(given, plain, strict=True)) <= 1


@pytest.mark.parametrize("shape", BACKBONES)
def test_every_backbone_draws_mixed_conditions_and_nothing_without_strength(tiny, shape):
    pipeline, card = tiny(shape)
    adapter = fitting(pipeline)

    def pictures(references, **more):
        return np.stack(drum.renderer(pipeline, card, adapter, references, **more)(TWO)).astype(int)

    zero = pictures(HISTORY, alpha=0.0)
    assert zero.shape == (2, 16, 16, 3)
    assert np.abs(zero - pictures(["something else"], alpha=0.0)).max() <= 1
    found, _ = adapter(drum.encode(pipeline, ["a lamp"]))
    mixed = drum.encode(pipeline, ["a lamp"]), drum.encode(pipeline, HISTORY)
    other, _ = adapter(mixed[0], drum.Condition(*(part[None] for part in mixed[1])), alpha=0.9)
    assert not torch.allclose(found, other, atol=1e-4)


def test_with_top_each_request_has_its_own_nearest_references(tiny):
    pipeline, card = tiny("stable-diffusion")
    adapter = fitting(pipeline)
    one = drum.renderer(pipeline, card, adapter, [*HISTORY, "a boat on the quay", "a lamp"], top=1, alpha=0.5)
    alone = [drum.renderer(pipeline, card, adapter, [r.prompt], alpha=0.5)([r])[0].astype(int) for r in TWO]
    assert max(np.abs(a - b).max() for a, b in zip(alone, one(TWO), strict=True)) <= 1
    rows = drum.nearest(torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1], [1, 1], [2, 2], [3, 0]]), 3)
    assert rows.tolist() == [[3, 1, 2]]


def test_other_conditions_and_other_backbones_are_refused(tiny):
    with pytest.raises(ValueError, match="QwenImagePipeline are not a fixed number"):
        drum.encode(tiny("qwen-image")[0], ["a lamp"])
    pipeline, card = tiny("stable-diffusion")
    with pytest.raises(ValueError, match="train one on this pipeline"):
        drum.renderer(pipeline, card, random_adapter(), HISTORY)(TWO)


@pytest.mark.parametrize(
    ("references", "more", "message"),
    [
        ([], {}, "a list of one prompt"),
        ("a lamp", {}, "a list of one prompt"),
        (HISTORY, {"weights": [1, 2]}, "expected 3"),
        (HISTORY, {"weights": [0, 0, 0]}, "not all 0"),
        (HISTORY, {"alpha": 2}, "alpha is 2"),
        (HISTORY, {"top": 4}, "top is 4"),
    ],
)
def test_references_that_cannot_be_used_are_named(tiny, references, more, message):
    with pytest.raises(ValueError, match=message):
        drum.renderer(*tiny("stable-diffusion"), random_adapter(), references, **more)


# ---- training


def trained(pipeline, folder, texts=HISTORY, seed: int = 0, **more) -> drum.Adapter:
    settings = {"layers": 1, "heads": 2, "epochs": 30, "batch": 2, "rate": 3e-3} | more
    return drum.train(pipeline, texts, folder, np.random.default_rng(seed), **settings)


def test_training_lowers_the_loss_repeats_itself_and_leaves_the_pipeline_alone(tiny, tmp_path):
    pipeline, _ = tiny("sdxl")
    before = {name: x.clone() for name, x in pipeline.text_encoder_2.state_dict().items()}
    adapter = trained(pipeline, tmp_path / "a")
    wanted = drum.encode(pipeline, HISTORY)
    start = agreement(fitting(pipeline)(wanted), wanted)
    end = agreement(adapter(wanted), wanted)
    assert all(end[name] > start[name] + 0.2 for name in ("tokens", "pooled"))
    assert all(torch.equal(x, before[name]) for name, x in pipeline.text_encoder_2.state_dict().items())
    again = trained(pipeline, tmp_path / "b")
    assert all(torch.equal(x, y) for x, y in zip(adapter.parameters(), again.parameters(), strict=True))
    kept = trained(pipeline, tmp_path / "c", keep=True)
    assert close(kept(wanted), adapter(wanted), atol=1e-2)
    with pytest.raises(ValueError, match="no captions"):
        trained(pipeline, tmp_path / "d", [])


def test_references_of_one_palette_pull_colours_there(tmp_path):
    """An adapter of some seconds' training gives conditions back; prompts in black and white then take colour away."""
    card = embed.card("mini-sd")
    pipeline, rng = pipelines.load(card), np.random.default_rng(0)
    texts = [captions.plain(scenes.sample(rng)) for _ in range(512)]
    more = {"heads": 4, "epochs": 8, "batch": 32, "keep": True}
    adapter = trained(pipeline, tmp_path, texts[32:], **more)
    unseen = drum.encode(pipeline, texts[:32])
    assert agreement(adapter(unseen), unseen)["tokens"] > 0.8

    def caption(palette: str) -> str:
        return captions.plain(scenes.consistent(scenes.sample(rng) | {"palette": palette, "style": "photo"}))

    requests = [Request(caption("vibrant"), seed) for seed in range(4)]
    history = [caption("monochrome") for _ in range(5)]

    def colour(alpha: float) -> float:
        """How far a pixel's channels lie apart, 0 to 255."""
        pictures = np.stack(drum.renderer(pipeline, card, adapter, history, alpha=alpha)(requests)).astype(
            int
        )
        return float((pictures.max(-1) - pictures.min(-1)).mean())

    plain = colour(0.0)
    assert colour(0.3) < 0.95 * plain
    assert colour(0.7) < 0.6 * plain

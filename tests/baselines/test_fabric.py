"""FABRIC: its attention against loops, its limits against plain pipelines, its effect in the drawn world."""

import copy
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from backends import tiny_models
from personalab.backends import embed, pipelines
from personalab.backends.pictures import Request
from personalab.baselines import denoising, fabric
from personalab.world import captions, scenes
from personalab.world.draw import draw

TWO = [Request("a boat on the quay", 1), Request("a lamp", 2)]
NEVER = fabric.Schedule(strong=0.0, weak=0.0)
ALWAYS = fabric.Schedule(weak=1.0)


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module", params=["stable-diffusion", "sdxl"])
def tiny(request):
    """A random pipeline with a U-Net, and its card."""
    torch.manual_seed(0)
    pipeline = tiny_models.PIPELINES[request.param][0]()
    pipeline.set_progress_bar_config(disable=True)
    return pipeline, tiny_models.pipeline_card(request.param, "tiny")


def noise_pictures(n: int, size: int = tiny_models.SIZE) -> list[np.ndarray]:
    return list(np.random.default_rng(0).integers(0, 256, (n, size, size, 3), np.uint8))


def sample(pipeline, prompts=("a lamp", "a boat"), **more) -> np.ndarray:
    """The latents of a plain call, unrounded."""
    generators = [torch.Generator().manual_seed(i) for i in range(len(prompts))]
    settings = {"num_inference_steps": 3, "guidance_scale": 5.0, "height": 16, "width": 16} | more
    return pipeline(list(prompts), generator=generators, output_type="latent", **settings).images.numpy()


# ---- the references


def test_an_encoder_that_overflows_in_half_precision_works_in_single_and_is_put_back(tiny):
    pipeline = copy.deepcopy(tiny[0])
    plain = denoising.latents_of(pipeline, noise_pictures(2))
    pipeline.vae.half().register_to_config(force_upcast=True)
    found = denoising.latents_of(pipeline, noise_pictures(2))
    assert found.dtype == torch.float32 and pipeline.vae.dtype == torch.float16
    assert torch.allclose(found, plain, rtol=1e-2, atol=1e-2), "weights rounded to half, sums in single"


def test_pictures_of_the_size_rendered_are_encoded_as_adapters_encode_theirs(tiny):
    pipeline, card = tiny
    mine = fabric.latents(pipeline, card, noise_pictures(3))
    assert torch.allclose(mine, denoising.latents_of(pipeline, noise_pictures(3)), atol=1e-6)


# ---- the attention


def by_loops(query, key, value, n_reference, weight):
    """The definition in float64: a softmax, a multiplication, a division by the sum."""
    out = np.zeros(query.shape[:3] + value.shape[3:])
    for b, h, i in np.ndindex(*query.shape[:3]):
        scores = [float(query[b, h, i] @ k) / math.sqrt(query.shape[3]) for k in key[b, h]]
        probabilities = [math.exp(s - max(scores)) for s in scores]
        for j in range(len(scores) - n_reference, len(scores)):
            probabilities[j] *= weight
        for p, v in zip(probabilities, value[b, h], strict=True):
            out[b, h, i] += p / sum(probabilities) * v
    return out


def heads(seed: int, b: int = 2, h: int = 2, q: int = 3, k: int = 7, c: int = 4):
    rng = np.random.default_rng(seed)
    shapes = ((b, h, q, c), (b, h, k, c), (b, h, k, c))
    return [torch.from_numpy(rng.normal(size=shape)) for shape in shapes]


@given(
    st.integers(0, 99), st.integers(0, 6), st.floats(0, 50), st.sampled_from([torch.float64, torch.float32])
)
@settings(deadline=None, max_examples=40)
def test_attention_is_its_definition(seed, n_reference, weight, dtype):
    arrays = heads(seed)
    found = fabric.weighted_attention(*(x.to(dtype) for x in arrays), n_reference, weight)
    assert found.dtype == dtype
    expected = by_loops(*(x.numpy() for x in arrays), n_reference, weight)
    np.testing.assert_allclose(found.double(), expected, atol=1e-6, rtol=0)


def test_weight_one_is_plain_attention_and_weight_zero_leaves_the_references_out():
    query, key, value = (x.float() for x in heads(1))
    plain = torch.nn.functional.scaled_dot_product_attention
    together = fabric.weighted_attention(query, key, value, 3, 1)
    torch.testing.assert_close(together, plain(query, key, value), atol=1e-6, rtol=0)
    without = fabric.weighted_attention(query, key, value, 3, 0)
    torch.testing.assert_close(without, plain(query, key[:, :, :4], value[:, :, :4]), atol=1e-6, rtol=0)
    only = fabric.weighted_attention(query, key, value, 3, 1e12)
    torch.testing.assert_close(only, plain(query, key[:, :, 4:], value[:, :, 4:]), atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("n", "weight", "message"),
    [(8, 1, "8 references among 7"), (-1, 1, "-1 references"), (3, -0.1, "-0.1"), (3, math.inf, "inf"),
     (3, math.nan, "nan"), (7, 0, "every key is a reference")],
)  # fmt: skip
def test_attention_to_nothing_is_an_error(n, weight, message):
    with pytest.raises(ValueError, match=message):
        fabric.weighted_attention(*heads(0), n, weight)


def test_the_middle_third_of_twenty_steps_is_strong_and_dislikes_count_half():
    weights = [fabric.Schedule().weights(step, 20) for step in range(20)]
    assert [step for step, (_, liked) in enumerate(weights) if liked == 1] == list(range(7, 14))
    assert {liked for _, liked in weights} == {1, 0.1}
    assert all(disliked == liked / 2 for disliked, liked in weights)


# ---- in a pipeline


def attended(pipeline, card, liked, disliked, schedule, **more) -> np.ndarray:
    latents = fabric.latents(pipeline, card, [*disliked, *liked])
    with fabric.attending(pipeline, latents, len(disliked), schedule, seed=0):
        return sample(pipeline, **more)


def test_weight_zero_is_the_plain_pipeline_with_every_hook_in_place(tiny):
    pipeline, card = tiny
    pictures, plain = noise_pictures(3), sample(pipeline)
    zero = attended(pipeline, card, pictures[:2], pictures[2:], NEVER)
    np.testing.assert_allclose(zero, plain, atol=1e-6, rtol=0)
    full = attended(pipeline, card, pictures[:2], pictures[2:], ALWAYS)
    assert np.abs(full - plain).max() > 1e-3


def test_likes_act_where_the_prompt_is_and_dislikes_where_it_is_not(tiny):
    pipeline, card = tiny
    seen: list[torch.Tensor] = []
    keep = pipeline.unet.register_forward_hook(lambda unet, args, out: seen.append(out[0].clone()))
    try:
        pictures = noise_pictures(2)
        for liked, disliked in (([], pictures), (pictures, [])):
            attended(pipeline, card, liked or pictures, disliked or pictures, NEVER, num_inference_steps=1)
            attended(pipeline, card, liked, disliked, ALWAYS, num_inference_steps=1)
    finally:
        keep.remove()
    plain, dislikes, _, likes = ([half.numpy() for half in out.chunk(2)] for out in seen)
    for found, same, other in ((dislikes, 1, 0), (likes, 0, 1)):
        np.testing.assert_allclose(found[same], plain[same], atol=1e-6, rtol=0)
        assert np.abs(found[other] - plain[other]).max() > 1e-4


def test_references_are_read_under_the_empty_prompt_at_the_noise_of_each_step(tiny, monkeypatch):
    pipeline, card = tiny
    reads, times = [], []
    forward, add_noise = pipeline.unet.forward, pipeline.scheduler.add_noise

    def read(x, time, tokens=None, **kwargs):
        if tokens is not None:  # the pipeline itself names the argument
            reads.append((len(x), float(time), tokens))
        return forward(x, time, **({"encoder_hidden_states": tokens} if tokens is not None else {}) | kwargs)

    monkeypatch.setattr(pipeline.unet, "forward", read)
    monkeypatch.setattr(
        pipeline.scheduler, "add_noise", lambda x, noise, t: times.append(t) or add_noise(x, noise, t)
    )
    attended(pipeline, card, noise_pictures(2), noise_pictures(1), ALWAYS)
    steps = [float(t) for t in pipeline.scheduler.timesteps]
    assert [(n, time) for n, time, _ in reads] == [(3, time) for time in steps]
    assert [t.tolist() for t in times] == [[time] * 3 for time in steps]
    settings = {"device": "cpu", "num_images_per_prompt": 1, "do_classifier_free_guidance": True}
    empty = pipeline.encode_prompt("", **settings)[1]
    assert all(torch.equal(tokens, empty.expand_as(tokens)) for *_, tokens in reads)


def test_the_pipeline_is_left_as_it_was_also_after_an_error(tiny):
    pipeline, card = tiny
    before, plain = pipeline.unet.attn_processors, sample(pipeline)
    render = fabric.renderer(pipeline, card, noise_pictures(2), noise_pictures(1), steps=2)
    first = render(TWO)

    def fail(*_):
        raise RuntimeError("stop")

    broken = fabric.renderer(pipeline, card | {"call": {"callback_on_step_end": fail}}, noise_pictures(1))
    with pytest.raises(RuntimeError, match="stop"):
        broken(TWO)
    after = pipeline.unet.attn_processors
    assert after.keys() == before.keys() and all(after[name] is before[name] for name in before)
    assert not pipeline.unet._forward_pre_hooks
    np.testing.assert_array_equal(sample(pipeline), plain)
    assert all((a == b).all() for a, b in zip(render(TWO), first, strict=True)), "the same bytes again"


def test_a_batch_changes_nothing(tiny):
    pipeline, card = tiny
    render = fabric.renderer(pipeline, card, noise_pictures(2), noise_pictures(1), steps=2)
    together, alone = render(TWO)[1], render(TWO[1:])[0]
    assert np.abs(together.astype(int) - alone).max() <= 1


@pytest.mark.parametrize(("shape", "name"), [("sd3", "StableDiffusion3Pipeline"), ("flux", "FluxPipeline")])
def test_a_pipeline_without_a_unet_is_refused_with_the_reason(shape, name):
    with pytest.raises(ValueError, match=f"{name} has no U-Net"):
        fabric.renderer(tiny_models.PIPELINES[shape][0](), {}, noise_pictures(1))


@pytest.mark.parametrize(
    ("liked", "guidance", "message"),
    [([], 8, "no picture"), ([np.zeros((4, 4))], 8, "uint8"), (noise_pictures(1), 1.0, "guidance is 1.0")],
)
def test_what_cannot_be_attended_to_is_named(tiny, liked, guidance, message):
    with pytest.raises(ValueError, match=message):
        fabric.renderer(*tiny, liked, guidance=guidance)


# ---- in the drawn world


def test_liked_pictures_of_one_palette_pull_colours_there():
    """Teal holds the red channel under the others; dislikes push away from it; without a weight nothing changes."""
    card = embed.card("mini-sd")
    pipeline = pipelines.load(card)
    rng = np.random.default_rng(0)
    wanted = [scenes.sample(rng) | {"palette": "natural", "style": "photo"} for _ in range(4)]
    requests = [Request(captions.plain(scene), seed) for seed, scene in enumerate(wanted)]
    teal = [draw(scenes.sample(rng) | {"palette": "teal", "style": "photo"}, i) for i in range(4)]

    def redness(pictures) -> float:
        return float(np.mean([picture[..., 0].mean() - picture[..., 2].mean() for picture in pictures]))

    def render(*references, schedule=fabric.DEFAULT):
        return fabric.renderer(pipeline, card, *references, steps=8, guidance=3.0, schedule=schedule)(
            requests
        )

    plain = pipelines.run(pipeline, card, requests)
    assert all((a == b).all() for a, b in zip(render(teal, schedule=NEVER), plain, strict=True))
    assert redness(teal) < -50
    assert redness(render(teal)) < redness(plain) - 40
    assert redness(render([], teal)) > redness(plain)

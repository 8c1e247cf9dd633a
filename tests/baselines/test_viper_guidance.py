"""ViPer's guidance: its formula in double precision, a pipeline that is left as it was, and what it does to pictures."""

import diffusers
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from backends import tiny_models
from personalab.backends import clip, embed, pipelines
from personalab.backends.image import ImageBackend, Request
from personalab.baselines.viper import Preferences, guide, guided, renderer
from personalab.world import captions, reading
from personalab.world.words import attributes

TASTE = Preferences(["soft light", "pastel colours"], ["harsh lines"])
TWO = [Request("a boat on the quay", 1), Request("a lamp", 2, negative="")]


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """(pipeline, card) of a random pipeline of each shape, made once."""
    root, made = tmp_path_factory.mktemp("pipelines"), {}

    def of(shape: str):
        if shape not in made:
            card = tiny_models.pipeline_card(shape, tiny_models.save_pipeline(shape, root / shape))
            made[shape] = pipelines.load(card), card
        return made[shape]

    return of


def floats(pipeline, card, **more) -> np.ndarray:
    """Two pictures in [0, 1], before they are rounded to bytes."""
    generator = [torch.Generator().manual_seed(seed) for seed in (1, 2)]
    call = card["call"] | {"prompt": ["a boat", "a lamp"], "output_type": "np"} | more
    return pipeline(**call, generator=generator).images


# ---- the formula


@given(
    parts=st.lists(st.floats(-100, 100), min_size=8, max_size=8),
    scale=st.floats(0, 20),
    degree=st.floats(0, 2),
)
@settings(deadline=None)
def test_guide_is_the_formula_in_double_precision(parts, scale, degree):
    u, t, v, w = torch.tensor(parts, dtype=torch.float64).view(4, 2)
    wanted = [
        float(u[i]) + scale * (float(t[i]) + degree * float(v[i]) - float(u[i]) - degree * float(w[i]))
        for i in range(2)
    ]
    assert guide(u, t, v, w, scale, degree).tolist() == wanted
    plain = u + scale * (t - u)
    assert torch.equal(guide(u, t, v, w, scale, 0.0), plain), "degree 0 is classifier-free guidance"
    assert torch.equal(guide(u, t, v, w, scale), guide(u, t, v, w, scale, 0.85))


def test_guide_by_hand_with_vipers_degree():
    """1 + 2 (3 + 0.85 * 4 - 1 - 0.85 * 2) = 8.4."""
    u, t, liked, disliked = (torch.tensor([value], dtype=torch.float64) for value in (1.0, 3.0, 4.0, 2.0))
    assert guide(u, t, liked, disliked, 2.0).item() == pytest.approx(8.4, abs=1e-12)


# ---- hooks


@pytest.mark.parametrize("shape", ["stable-diffusion", "sdxl", "sd3"])
def test_degree_0_is_the_plain_pipeline_with_all_hooks_at_work(shape, tiny):
    pipeline, card = tiny(shape)
    plain = floats(pipeline, card)
    passes = count_passes(pipeline)
    with guided(pipeline, TASTE, degree=0.0):
        nothing = floats(pipeline, card)
    assert passes() == 2 * 2, "two steps of two passes"
    assert np.abs(plain - nothing).max() <= 1e-6
    with guided(pipeline, TASTE):
        steered = floats(pipeline, card)
    assert np.abs(plain - steered).max() > 1e-2


def count_passes(pipeline):
    """How often the denoiser's first layer ran from now on; the counter goes when it is read."""
    denoiser = pipeline.unet if hasattr(pipeline, "unet") else pipeline.transformer
    runs = []
    layer = denoiser.conv_in if hasattr(denoiser, "conv_in") else denoiser.pos_embed
    hook = layer.register_forward_hook(lambda *_: runs.append(1))

    def read() -> int:
        hook.remove()
        return len(runs)

    return read


@pytest.mark.parametrize("shape", ["stable-diffusion", "sdxl"])
def test_a_guided_picture_is_a_loop_written_out(shape, tiny):
    """Two DDIM steps by hand: embeddings moved, two passes, the formula in float64."""
    pipeline, card = tiny(shape)
    if shape == "sdxl":
        pipeline = diffusers.StableDiffusionXLPipeline(
            **pipeline.components | {"scheduler": diffusers.DDIMScheduler(clip_sample=False)},
            add_watermarker=False,
        )
        pipeline.set_progress_bar_config(disable=True)
    start = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    with guided(pipeline, TASTE):
        got = pipeline(
            "a boat", negative_prompt="rain", latents=start, **card["call"], output_type="latent"
        ).images
    with torch.no_grad():
        wanted = by_hand(pipeline, start, card["call"]["guidance_scale"])
    assert (got - wanted).abs().max() <= 1e-4 * wanted.abs().max()


def by_hand(pipeline, latents: torch.Tensor, scale: float) -> torch.Tensor:
    def encoded(text: str, negative: str):
        return pipeline.encode_prompt(
            text,
            device="cpu",
            num_images_per_prompt=1,
            do_classifier_free_guidance=True,
            negative_prompt=negative,
        )

    prompt, negative, *pooled = encoded("a boat", "rain")
    liked, disliked, *_ = encoded("soft light, pastel colours", "harsh lines")
    prompt, negative = prompt + 0.85 * liked, negative + 0.85 * disliked
    size = torch.tensor([[16.0, 16, 0, 0, 16, 16]])

    def eps(tokens: torch.Tensor, vector: int, step: torch.Tensor) -> torch.Tensor:
        added = {"text_embeds": pooled[vector], "time_ids": size} if pooled else None
        return pipeline.unet(latents, step, tokens, added_cond_kwargs=added).sample.double()

    pipeline.scheduler.set_timesteps(2)
    for step in pipeline.scheduler.timesteps:
        u, t, v, w = eps(negative, 1, step), eps(prompt, 0, step), eps(liked, 0, step), eps(disliked, 1, step)
        mixed = (u + scale * (t + 0.85 * v - u - 0.85 * w)).float()
        latents = pipeline.scheduler.step(mixed, step, latents).prev_sample
    return latents


def test_pooled_vectors_are_the_prompts_own_and_tokens_are_moved(tiny):
    pipeline, _ = tiny("sdxl")
    pipeline._guidance_scale = 7.0
    words = {"prompt": "a lamp", "prompt_2": "a boat", "negative_prompt": "rain"}
    plain = pipeline.encode_prompt(**words)
    lists = pipeline.encode_prompt(", ".join(TASTE.liked), negative_prompt=", ".join(TASTE.disliked))
    with guided(pipeline, TASTE):
        moved = pipeline.encode_prompt(**words)
    assert all(torch.equal(moved[i], plain[i]) for i in (2, 3))
    for i in (0, 1):
        assert torch.allclose(moved[i], plain[i] + 0.85 * lists[i], atol=1e-6)
        assert not torch.allclose(moved[i], plain[i])


@pytest.mark.parametrize("fails", [False, True])
def test_the_pipeline_is_left_as_it_was_also_after_an_error(fails, tiny):
    pipeline, card = tiny("stable-diffusion")
    plain, before = floats(pipeline, card), (dict(vars(pipeline)), dict(vars(pipeline.unet)))
    try:
        with guided(pipeline, TASTE):
            floats(pipeline, card, **({"height": 17} if fails else {}))
    except ValueError as error:
        assert fails and "divisible by" in str(error)
    assert "encode_prompt" not in vars(pipeline) and not pipeline.unet._forward_hooks
    assert vars(pipeline).keys() == before[0].keys() and vars(pipeline.unet).keys() == before[1].keys()
    assert (floats(pipeline, card) == plain).all()


def test_the_same_list_on_both_sides_cancels_in_the_second_pass_and_moves_the_embeddings_only(tiny):
    """Against the plain pipeline, given the moved embeddings."""
    pipeline, card = tiny("stable-diffusion")
    with guided(pipeline, Preferences(["soft light"], ["soft light"])):
        steered = floats(pipeline, card)
    prompt, negative = pipeline.encode_prompt(["a boat", "a lamp"], "cpu", 1, True)
    moved = 0.85 * pipeline.encode_prompt(["soft light"] * 2, "cpu", 1, False)[0]
    embeds = {"prompt_embeds": prompt + moved, "negative_prompt_embeds": negative + moved, "prompt": None}
    assert np.abs(floats(pipeline, card, **embeds) - steered).max() <= 1e-4


def test_a_batch_and_a_negative_prompt_change_nothing_for_the_others(tiny):
    pipeline, card = tiny("stable-diffusion")
    backend = ImageBackend("tiny", card, renderer(pipeline, card, TASTE))
    both = backend([TWO[0], TWO[1]])
    alone = ImageBackend("tiny", card, renderer(pipeline, card, TASTE))([TWO[1]])[0]
    assert np.abs(both[1].astype(int) - alone).max() <= 1
    (rain,) = backend([Request("a lamp", 2, negative="rain")])
    assert np.abs(rain.astype(int) - alone).max() > 1


def test_a_picture_to_start_from_goes_through_the_sibling(tiny):
    pipeline, card = tiny("stable-diffusion")
    sibling = diffusers.StableDiffusionImg2ImgPipeline(**pipeline.components, requires_safety_checker=False)
    sibling.set_progress_bar_config(disable=True)
    edit = Request("a lamp", 2, image=np.full((16, 16, 3), 90, np.uint8), strength=1.0)
    plain, (steered,) = pipelines.run(sibling, card, [edit])[0], renderer(sibling, card, TASTE)([edit])
    assert np.abs(plain.astype(int) - steered).max() > 1
    with pytest.raises(ValueError, match="image-to-image sibling"):
        renderer(pipeline, card, TASTE)([edit])


def test_the_refiner_takes_over_where_a_fifth_is_left(tiny):
    """Against diffusers' own two calls, the first of them guided."""
    base, card = tiny("sdxl")
    refiner = diffusers.StableDiffusionXLImg2ImgPipeline(**base.components, add_watermarker=False)
    refiner.set_progress_bar_config(disable=True)
    card = card | {"call": card["call"] | {"num_inference_steps": 10}}
    passes = count_passes(base)
    (got,) = renderer(base, card, TASTE, refiner=refiner)([Request("a lamp", 3)])
    assert passes() == 8 * 2 + 2, "what is left is refined without the lists"
    noise = torch.Generator().manual_seed(3)
    with guided(base, TASTE):
        latents = base(
            "a lamp", **card["call"], generator=noise, denoising_end=0.8, output_type="latent"
        ).images
    wanted = refiner(
        "a lamp", image=latents, generator=noise, num_inference_steps=10, guidance_scale=7.0,
        denoising_start=0.8, output_type="np",
    ).images[0]  # fmt: skip
    assert np.abs(got / 255 - wanted).max() <= 1 / 255
    with pytest.raises(ValueError, match="expected requests without a picture"):
        renderer(base, card, TASTE, refiner=refiner)([Request("a", 1, image=np.zeros((16, 16, 3), np.uint8))])


# ---- what cannot be guided


@pytest.mark.parametrize("shape", ["flux", "qwen-image"])
def test_a_pipeline_without_an_unconditional_half_is_refused_by_name(shape, tiny):
    pipeline, card = tiny(shape)
    with pytest.raises(
        ValueError, match=r"(Flux|QwenImage)Pipeline cannot be guided.*StableDiffusionXLPipeline"
    ):
        renderer(pipeline, card, TASTE)


def test_two_empty_lists_and_guidance_that_is_off_are_errors(tiny):
    pipeline, card = tiny("stable-diffusion")
    with pytest.raises(ValueError, match="two empty lists"):
        renderer(pipeline, card, Preferences([], []))
    for more in ({"guidance_scale": 1.0}, {"guidance_rescale": 0.7}):
        with pytest.raises(ValueError, match="guidance_scale above 1 and without guidance_rescale"):
            with guided(pipeline, TASTE):
                floats(pipeline, card, **more)


# ---- what it does


def test_a_liked_style_is_seen_more_often_by_another_model():
    """Watercolour's share as the miniature CLIP that took no part in rendering reads it, 16 pictures each."""
    card, eye = embed.card("mini-sd"), clip.load("mini-clip-b")
    pipeline, values = pipelines.load(card), reading.value_embeddings(eye.texts)
    words = [captions.spoken("style", style)[0] for style in ("watercolor", "photo")]
    prompts = [captions.plain({"setting": place}) for place in attributes()["setting"][:8]]
    requests = [Request(prompt, seed) for prompt in prompts for seed in (0, 1)]

    def share(render) -> float:
        pictures = ImageBackend("mini-sd", card, render)(requests)
        read = reading.read(eye.images(pictures), values, eye.scale)["style"]
        return read[:, attributes()["style"].index("watercolor")].mean()

    plain, steered = (
        share(renderer(pipeline, card, Preferences(words[:1], words[1:]), d)) for d in (0.0, 0.85)
    )
    assert steered > plain + 0.2, (plain, steered)

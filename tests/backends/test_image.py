"""Image backends: what is kept, what is asked again, and every shape of pipeline in miniature."""

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_models
import torch
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from personalab.backends import image, pictures, pipelines
from personalab.backends.image import ImageBackend, Refused, Request
from personalab.world import captions, words
from personalab.world.draw import draw

CARD = {"kind": "none", "model": "fake", "batch_size": 4, "call": {"guidance_scale": 3.0}}


pytestmark = pytest.mark.usefixtures("one_thread")


def picture(request: Request) -> np.ndarray:
    """4 x 4 pixels that follow from all that a request holds."""
    start = b"" if request.image is None else request.image.tobytes()
    text = repr((request.prompt, request.seed, request.negative, request.strength)).encode() + start
    seed = int.from_bytes(hashlib.sha256(text).digest()[:8], "big")
    return np.random.default_rng(seed).integers(0, 256, (4, 4, 3), np.uint8)


class Fake:
    """A renderer of known answers that remembers its batches."""

    def __init__(
        self, change: Callable[[list[Any], Sequence[Request]], Any] = lambda images, requests: images
    ):
        self.change = change
        self.batches: list[list[Request]] = []

    def __call__(self, requests: Sequence[Request]) -> Any:
        self.batches.append(list(requests))
        return self.change([picture(request) for request in requests], requests)

    @property
    def sizes(self) -> list[int]:
        return [len(batch) for batch in self.batches]


def wanted(n: int) -> list[Request]:
    return [Request(f"prompt {i}", i) for i in range(n)]


def files(store: Path) -> dict[str, bytes]:
    return {str(path.relative_to(store)): path.read_bytes() for path in store.rglob("*") if path.is_file()}


# ---- the store


def test_a_second_call_renders_nothing_and_gives_the_same_pictures(tmp_path):
    requests = wanted(10)
    first = ImageBackend("fake", CARD, Fake(), store=tmp_path)
    images = first(requests)
    assert [(a == picture(r)).all() for a, r in zip(images, requests, strict=True)] == [True] * 10
    assert (first.rendered, first.found, first.seconds > 0) == (10, 0, True)
    render = Fake()
    second = ImageBackend("fake", CARD, render, store=tmp_path)
    assert all((a == b).all() for a, b in zip(second(requests[::-1]), images[::-1], strict=True))
    assert (render.batches, second.rendered, second.found) == ([], 0, 10)


def test_a_picture_says_what_it_was_made_from(tmp_path):
    ImageBackend("fake", CARD, Fake(), store=tmp_path)([Request("ein Boot, 東京 🙂", 7)])
    (path,) = tmp_path.rglob("*.png")
    assert (
        path.parts[len(tmp_path.parts)] == "fake"
        and path.parent.name == path.stem[:2]
        and len(path.stem) == 64
    )
    with Image.open(path) as kept:
        assert kept.text["prompt"] == "ein Boot, 東京 🙂" and kept.text["seed"] == "7"
        assert json.loads(kept.text["card"]) == {key: CARD[key] for key in ("kind", "model", "call")}


def test_without_a_store_nothing_is_kept():
    render = Fake()
    backend = ImageBackend("fake", CARD, render)
    backend(wanted(2))
    backend(wanted(2))
    assert render.sizes == [2, 2] and backend.found == 0


def test_no_requests_give_no_pictures(tmp_path):
    render = Fake()
    assert ImageBackend("fake", CARD, render, store=tmp_path)([]) == [] and render.batches == []


def test_duplicates_are_rendered_once():
    render = Fake()
    a, b, c = wanted(3)
    images = ImageBackend("fake", CARD, render)([a, b, a, c, b, a])
    assert render.batches == [[a, b, c]]
    assert [(x == picture(r)).all() for x, r in zip(images, [a, b, a, c, b, a], strict=True)] == [True] * 6


def test_batches_follow_from_the_list_alone(tmp_path):
    """The second of three batches lacks one picture: it is rendered whole, the others not at all."""
    requests = wanted(10)
    ImageBackend("fake", CARD, Fake(), store=tmp_path)(requests)
    kept = files(tmp_path)
    gone = next(p for p in tmp_path.rglob("*.png") if Image.open(p).text["seed"] == "5")
    gone.unlink()
    render = Fake()
    backend = ImageBackend("fake", CARD, render, store=tmp_path)
    backend(requests)
    assert render.batches == [requests[4:8]] and (backend.rendered, backend.found) == (4, 6)
    assert files(tmp_path) == kept


@pytest.mark.parametrize("before", [0, 1, 2])
def test_a_run_that_was_killed_repeats_the_batch_in_flight_only(before, tmp_path):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    requests = wanted(11)
    ImageBackend("fake", CARD, Fake(), store=whole)(requests)

    def die(images: list[Any], _: Any) -> list[Any]:
        if len(dying.batches) > before:
            raise KeyboardInterrupt
        return images

    dying = Fake(die)
    with pytest.raises(KeyboardInterrupt):
        ImageBackend("fake", CARD, dying, store=broken)(requests)
    assert len(files(broken)) == 4 * before
    render = Fake()
    ImageBackend("fake", CARD, render, store=broken)(requests)
    assert render.sizes == [4, 4, 3][before:]
    assert files(broken) == files(whole), "the same bytes as without the interruption"


@given(plan=st.lists(st.lists(st.integers(0, 6), max_size=9), max_size=4))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_calls_in_any_order_give_each_request_its_picture(plan, tmp_path):
    backend = ImageBackend("fake", CARD, Fake(), store=tmp_path)
    for seeds in plan:
        requests = [Request("a boat", seed) for seed in seeds]
        images = backend(requests)
        assert all((a == picture(r)).all() for a, r in zip(images, requests, strict=True))


# ---- keys

START = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
BASE = Request("a boat", 1, image=START, strength=0.5)


@pytest.mark.parametrize(
    "other",
    [
        BASE._replace(prompt="a boat."),
        BASE._replace(seed=2),
        BASE._replace(negative="rain"),
        BASE._replace(image=START[::-1].copy()),
        BASE._replace(image=START.reshape(2, 8, 3)),
        BASE._replace(image=None),
        BASE._replace(strength=0.6),
    ],
)
def test_whatever_changes_a_picture_changes_its_key(other, tmp_path):
    render = Fake()
    backend = ImageBackend("fake", CARD, render, store=tmp_path)
    backend([BASE])
    backend([other])
    backend([BASE, other])
    assert render.sizes == [1, 1] and len(files(tmp_path)) == 2


def test_the_strength_left_open_is_the_cards(tmp_path):
    render = Fake()
    backend = ImageBackend("fake", CARD | {"strength": 0.5}, render, store=tmp_path)
    backend([BASE, BASE._replace(strength=None)])
    assert render.sizes == [1] and render.batches[0][0].strength == 0.5


@pytest.mark.parametrize(
    "change",
    [
        {"model": "other"},
        {"revision": "abc"},
        {"dtype": "bfloat16"},
        {"scheduler": "DDIMScheduler"},
        {"attention": "eager"},
        {"grounding": "words"},
        {"strength": 0.6},
        {"without": ["text_encoder_3"]},
        {"call": {"guidance_scale": 3.5}},
        {"call": {"guidance_scale": 3.0, "num_inference_steps": 9}},
    ],
    ids=str,
)
def test_another_card_never_meets_an_old_picture(change, tmp_path):
    ImageBackend("fake", CARD, Fake(), store=tmp_path)([BASE])
    render = Fake()
    ImageBackend("fake", CARD | change, render, store=tmp_path)([BASE])
    assert render.sizes == [1]


def test_other_weights_under_the_same_card_never_meet_an_old_picture(tmp_path):
    ImageBackend("fake", CARD, Fake(), store=tmp_path, identity={"weights": "1"})([BASE])
    render = Fake()
    ImageBackend("fake", CARD, render, store=tmp_path, identity={"weights": "2"})([BASE])
    assert render.sizes == [1]


def test_settings_of_speed_keep_the_store(tmp_path):
    ImageBackend("fake", CARD, Fake(), store=tmp_path)([BASE])
    render = Fake()
    ImageBackend("fake", CARD | {"batch_size": 1, "offload": "model"}, render, store=tmp_path)([BASE])
    assert render.batches == []


def test_a_batch_holds_requests_of_one_kind():
    render = Fake()
    plain, edit, wide = (
        Request("a", 1),
        Request("a", 1, image=START),
        Request("a", 1, image=START.reshape(2, 8, 3)),
    )
    mixed = [plain, edit, wide, plain._replace(seed=2), edit._replace(seed=2), plain._replace(negative="b")]
    ImageBackend("fake", CARD, render)([*mixed, edit._replace(strength=0.2)])
    assert [[(r.seed, r.negative) for r in batch] for batch in render.batches] == [
        [(1, ""), (2, "")],
        [(1, ""), (2, "")],
        [(1, "")],
        [(1, "b")],
        [(1, "")],
    ]


# ---- memory


@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError("CUDA out of memory."), RuntimeError("HIP out of memory")]
)
def test_what_does_not_fit_is_halved_and_stays_halved(error, tmp_path):
    def small(images: list[Any], requests: Sequence[Request]) -> list[Any]:
        if len(requests) > 2:
            raise error
        return images

    render, requests = Fake(small), wanted(19)
    images = ImageBackend("fake", CARD | {"batch_size": 8}, render, store=tmp_path)(requests)
    assert render.sizes == [8, 4] + [2] * 9 + [1]
    assert all((a == picture(r)).all() for a, r in zip(images, requests, strict=True))


def test_one_picture_that_does_not_fit_names_the_settings():
    def never(images: list[Any], requests: Sequence[Request]) -> list[Any]:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    render = Fake(never)
    with pytest.raises(MemoryError, match=r"fake.*`batch_size`.*`offload.*`dtype`"):
        ImageBackend("fake", CARD, render)(wanted(4))
    assert render.sizes == [4, 2, 1]


def test_other_errors_are_not_taken_for_memory():
    def wrong(images: list[Any], requests: Sequence[Request]) -> list[Any]:
        raise RuntimeError("expected scalar type Half")

    render = Fake(wrong)
    with pytest.raises(RuntimeError, match="scalar type"):
        ImageBackend("fake", CARD, render)(wanted(4))
    assert render.sizes == [4]


# ---- refusals


def test_a_refused_picture_is_missing_with_its_reason_and_not_asked_again(tmp_path):
    def refuse(images: list[Any], requests: Sequence[Request]) -> list[Any]:
        return [Refused("held back") if r.seed == 2 else x for r, x in zip(requests, images, strict=True)]

    requests = wanted(6)
    backend = ImageBackend("fake", CARD, Fake(refuse), store=tmp_path)
    for _ in range(2):
        images = backend(requests)
        assert [i for i, x in enumerate(images) if x is None] == [2]
        assert backend.refused == {"held back": 1}
    assert backend.reason(requests[2]) == "held back" and backend.reason(requests[1]) is None
    assert backend.rendered == 6 and len(list(tmp_path.rglob("*.png"))) == 5
    later = ImageBackend("fake", CARD, Fake(), store=tmp_path)
    assert later(requests)[2] is None and later.refused == {"held back": 1} and later.rendered == 0


@pytest.mark.parametrize(
    ("change", "lost", "reason"),
    [
        (lambda images, _: images[:-1], 4, "3 images came back for 4 requests"),
        (lambda images, _: [], 4, "0 images came back for 4 requests"),
        (lambda images, _: [*images[:3], images[3] / 255], 1, "not a uint8 array"),
        (lambda images, _: [*images[:3], images[3][..., 0]], 1, "not a uint8 array"),
        (lambda images, _: [*images[:3], np.zeros((4, 4, 4), np.uint8)], 1, "not a uint8 array"),
        (lambda images, _: [*images[:3], np.zeros((0, 4, 3), np.uint8)], 1, "not a uint8 array"),
        (lambda images, _: [*images[:3], None], 1, "not a uint8 array"),
    ],
)
def test_what_is_no_picture_is_missing_and_may_be_asked_again(change, lost, reason, tmp_path):
    backend = ImageBackend("fake", CARD, Fake(change), store=tmp_path)
    assert sum(x is None for x in backend(wanted(4))) == lost
    ((told, count),) = backend.refused.items()
    assert reason in told and count == lost and len(files(tmp_path)) == 4 - lost
    backend._render = Fake()
    assert all(x is not None for x in backend(wanted(4))) and not backend.refused
    for path in tmp_path.rglob("*.png"):
        path.unlink()
    assert all(x is not None for x in ImageBackend("fake", CARD, Fake(), store=tmp_path)(wanted(4)))


# ---- requests that cannot be served


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"prompt": None}, "expected texts"),
        ({"seed": -1}, "seed"),
        ({"seed": 0.5}, "whole number"),
        ({"image": START / 255}, "uint8"),
        ({"image": START[..., 0]}, "uint8"),
        ({"strength": 0.0}, "strength is 0"),
        ({"strength": 1.5}, "strength is 1.5"),
    ],
)
def test_a_malformed_request_is_named(change, message):
    with pytest.raises(ValueError, match=message):
        ImageBackend("fake", CARD, Fake())([BASE._replace(**change)])


def test_one_request_is_not_taken_for_a_list():
    with pytest.raises(TypeError, match="expected a list"):
        ImageBackend("fake", CARD, Fake())(Request("a", 1))


# ---- diffusers pipelines


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> Callable[[str], Path]:
    """A random pipeline of each shape, saved once."""
    root, made = tmp_path_factory.mktemp("pipelines"), {}

    def folder(kind: str) -> Path:
        if kind not in made:
            made[kind] = tiny_models.save_pipeline(kind, root / kind)
        return made[kind]

    return folder


@pytest.fixture
def load(folders, tmp_path) -> Callable[..., ImageBackend]:
    """A backend by the path of its card, as a notebook loads it."""

    def call(shape: str, store: Path | None = None, embed: Any = None, **changes: Any) -> ImageBackend:
        card = tiny_models.pipeline_card(shape, folders(shape), **changes)
        path = tmp_path / f"tiny-{shape}.yaml"
        path.write_text(yaml.safe_dump(card))
        return image.load(str(path), store=store, embed=embed, threads=1)

    return call


TWO = [Request("a boat on the quay", 1), Request("a lamp", 2)]


def nearly_equal(a: np.ndarray, b: np.ndarray) -> bool:
    """At most one level apart, on at most one value in a thousand."""
    gap = np.abs(a.astype(int) - b)
    return gap.max() <= 1 and (gap > 0).mean() <= 1e-3


@pytest.mark.parametrize("kind", tiny_models.PIPELINES)
def test_every_shape_of_pipeline_renders_and_a_batch_changes_nothing(kind, load, tmp_path):
    backend = load(kind, tmp_path / "store")
    images = backend(TWO)
    assert [x.shape for x in images] == [(16, 16, 3)] * 2 and all(x.std() > 1 for x in images)
    assert not (images[0] == images[1]).all()
    rest = [Request("a lamp", seed) for seed in range(3, 9)]
    together = load(kind)([*TWO, *rest])
    alone = load(kind)([TWO[0]])[0]
    assert nearly_equal(together[0], alone) and nearly_equal(together[1], images[1])
    assert not nearly_equal(together[1], together[2]), "another seed, another picture"
    again = load(kind, tmp_path / "store")
    assert all((a == b).all() for a, b in zip(again(TWO), images, strict=True)) and again.rendered == 0


def test_the_picture_is_diffusers_own(folders, load):
    import diffusers

    pipeline = diffusers.StableDiffusionPipeline.from_pretrained(
        folders("stable-diffusion"), safety_checker=None
    )
    pipeline.set_progress_bar_config(disable=True)
    output = pipeline(
        "a lamp",
        negative_prompt="rain",
        num_inference_steps=2,
        guidance_scale=7.0,
        height=16,
        width=16,
        generator=torch.Generator().manual_seed(2),
    )
    (ours,) = load("stable-diffusion")([Request("a lamp", 2, negative="rain")])
    assert nearly_equal(ours, np.array(output.images[0]))


def test_a_negative_prompt_counts(load):
    backend = load("stable-diffusion")
    without, with_one = backend([Request("a lamp", 2), Request("a lamp", 2, negative="rain")])
    assert not (without == with_one).all()


@pytest.mark.parametrize("strength", [0.3, None, 1.0])
def test_starting_from_a_picture_is_diffusers_own_image_to_image(strength, folders, load):
    """Strength None is the card's; the picture is brought to the card's size first."""
    import diffusers

    start = np.random.default_rng(0).integers(0, 256, (40, 20, 3), np.uint8)
    pipeline = diffusers.StableDiffusionImg2ImgPipeline.from_pretrained(
        folders("stable-diffusion"), safety_checker=None
    )
    pipeline.set_progress_bar_config(disable=True)
    output = pipeline(
        "a lamp",
        image=Image.fromarray(start).resize((16, 16), Image.LANCZOS),
        strength=strength or 0.6,
        num_inference_steps=10,
        guidance_scale=7.0,
        generator=torch.Generator().manual_seed(2),
    )
    call = {"num_inference_steps": 10, "guidance_scale": 7.0, "height": 16, "width": 16}
    backend = load("stable-diffusion", strength=0.6, call=call)
    (ours,) = backend([Request("a lamp", 2, image=start, strength=strength)])
    assert ours.shape == (16, 16, 3) and nearly_equal(ours, np.array(output.images[0]))


@pytest.mark.parametrize("kind", ["sdxl", "sd3", "flux", "qwen-image"])
def test_every_shape_of_pipeline_can_start_from_a_picture(kind, load):
    dark, light = (np.full((16, 16, 3), level, np.uint8) for level in (20, 230))
    images = load(kind)([Request("a lamp", 2, image=start, strength=0.5) for start in (dark, light)])
    assert [x.shape for x in images] == [(16, 16, 3)] * 2 and not (images[0] == images[1]).all()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"call": {"guidance": 7.0}}, r"\['guidance'\].*StableDiffusionPipeline.*'guidance_scale'"),
        ({"call": {"generator": 1}}, r"\['generator'\]"),
        ({"dtype": "half"}, "dtype 'half'; expected"),
        ({"dtype": "float16"}, "device='cuda'"),
        ({"attention": "flash"}, "attention 'flash'; expected"),
        ({"offload": "disk"}, "offload 'disk'; expected"),
        ({"grounding": "llm"}, "grounding 'llm'; expected"),
        ({"grounding": "words"}, "hand over a text encoder"),
        ({"kind": "gan"}, "kind 'gan'; expected"),
    ],
)
def test_a_setting_that_there_is_not_is_an_error_before_anything_is_rendered(changes, message, load):
    with pytest.raises(ValueError, match=message):
        load("stable-diffusion", **changes)


def test_loading_and_rendering_say_nothing(load, capfd):
    backend = load("stable-diffusion", batch_size=1)
    capfd.readouterr()  # what building the pipeline said
    backend([TWO[0], TWO[0]._replace(image=np.zeros((16, 16, 3), np.uint8))])
    said = capfd.readouterr().err.splitlines()
    assert [line for line in said if line and not line.startswith("tiny-stable-diffusion")] == [], (
        "but progress"
    )


def test_a_scheduler_by_name(load):
    (usual,), (other,) = (
        load("stable-diffusion", **more)([TWO[0]])
        for more in ({}, {"scheduler": "EulerAncestralDiscreteScheduler"})
    )
    assert not (usual == other).all()
    with pytest.raises(ValueError, match="'AutoencoderKL' is unknown; expected a class"):
        load("stable-diffusion", scheduler="AutoencoderKL")([TWO[0]])


@pytest.mark.parametrize("attention", ["eager", "sliced"])
def test_attention_is_a_matter_of_speed(attention, load):
    (usual,), (other,) = (load("stable-diffusion", attention=kind)([TWO[0]]) for kind in ("sdpa", attention))
    assert np.abs(usual.astype(int) - other).max() <= 1
    with pytest.raises(
        ValueError, match=f"attention: {attention}.*QwenImagePipeline.*choose sdpa|needs a U-Net"
    ):
        load("qwen-image", attention=attention)([TWO[0]])


def test_a_flagged_or_overflown_picture_is_refused_not_black():
    black = np.zeros((4, 4, 3), np.float32)
    assert "safety checker" in pictures.made(black, True).reason
    assert "overflowed" in pictures.made(black + np.nan).reason
    assert pictures.made(np.full((1, 1, 3), 0.5)).tolist() == [[[128, 128, 128]]]


def test_pickles_and_foreign_classes_are_refused(folders, tmp_path):
    import shutil

    folder = shutil.copytree(folders("stable-diffusion"), tmp_path / "copy")
    card = tiny_models.pipeline_card("stable-diffusion", folder)
    weights = folder / "unet" / "diffusion_pytorch_model.safetensors"
    weights.rename(weights.with_suffix(".bin"))
    with pytest.raises(ValueError, match=r"diffusion_pytorch_model.bin is a pickle.*expected safetensors"):
        pipelines.renderer(card)
    weights.with_suffix(".bin").rename(weights)
    index = json.loads((folder / "model_index.json").read_text())
    (folder / "model_index.json").write_text(json.dumps(index | {"_class_name": ["pipeline", "Own"]}))
    with pytest.raises(ValueError, match="remote code is not run"):
        pipelines.renderer(card)
    with pytest.raises(FileNotFoundError, match="models/none"):
        pipelines.renderer(card | {"model": "models/none"})


def test_retrained_weights_are_rendered_anew(folders, load, tmp_path):
    store = tmp_path / "store"
    load("sdxl", store)([TWO[0]])
    file = folders("sdxl") / "unet" / "config.json"
    before = file.read_text()
    try:
        file.write_text(before + "\n")
        backend = load("sdxl", store)
        backend([TWO[0]])
        assert backend.rendered == 1
    finally:
        file.write_text(before)


# ---- grounding and the drawn world


def strangers(texts: Sequence[str]) -> np.ndarray:
    """A stand-in encoder to which no two texts are alike, so that only words as spelt are read."""
    seeds = [int.from_bytes(hashlib.md5(text.encode()).digest()[:8], "big") for text in texts]
    rows = np.array([np.random.default_rng(seed).normal(size=256) for seed in seeds], np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_prompts_are_grounded_to_the_canonical_caption(load):
    backend = load("stable-diffusion", embed=strangers, grounding="words")
    prompts = ["My grandmother rowed out: a red boat, at the harbour", "qwertyuiop"]
    values, look = backend.grounded(prompts), {"palette": "natural", "style": "photo"}
    assert values[0] == words.Grounder(strangers)(prompts[:1])[0]
    assert values[0].items() >= {"object": "boat", "colour": "red", "setting": "harbour"}.items()
    ungrounded = load("stable-diffusion")
    (ours, other), (plain, same) = (
        backend([Request(p, 1) for p in prompts]),
        ungrounded([Request(captions.plain(look | v), 1) for v in values]),
    )
    assert values[1] == {} and (ours == plain).all() and (other == same).all()
    with pytest.raises(ValueError, match="grounding: words"):
        ungrounded.grounded(prompts)


@pytest.fixture
def drawn(tmp_path) -> Callable[..., ImageBackend]:
    def call(**more: Any) -> ImageBackend:
        path = tmp_path / "drawn.yaml"
        clip = tmp_path / "clip.yaml"
        if not clip.exists():
            model = str(tiny_models.save_clip(tmp_path / "clip"))
            clip.write_text(
                yaml.safe_dump(
                    {"kind": "clip", "model": model, "width": 8, "max_tokens": 24, "batch_size": 64}
                )
            )
        path.write_text(yaml.safe_dump(image.read_card("drawn") | {"clip": str(clip)}))
        return image.load(str(path), **more)

    return call


def test_the_drawn_world_draws_what_it_reads(drawn, tmp_path):
    backend = drawn(store=tmp_path / "store", embed=strangers)
    requests = [
        Request("a red boat, at the harbour", 3),
        Request("at the harbour, a red boat", 3),
        Request("zzz", 1),
    ]
    images = backend(requests)
    scene = {"setting": "harbour", "object": "boat", "colour": "red"}
    assert (images[0] == draw(scene, 3)).all() and (images[2] == draw({}, 1)).all()
    assert backend.rendered == 2 and (images[1] == images[0]).all(), "one scene, one picture"
    assert drawn(store=tmp_path / "store", embed=strangers)(requests[:1])[0].tobytes() == images[0].tobytes()


def test_the_drawn_world_reads_with_its_clip_and_cannot_edit(drawn):
    backend = drawn()
    (values,) = backend.grounded(["a red boat"])
    assert values.items() >= {"object": "boat", "colour": "red"}.items()
    with pytest.raises(ValueError, match="drawn cannot start from a picture"):
        backend([Request("a boat", 1, image=START)])
    with pytest.raises(ValueError, match="drawn takes no negative prompt"):
        backend([Request("a boat", 1, negative="rain")])


# ---- the cards


@pytest.mark.parametrize(
    ("name", "pipeline"),
    [
        ("mini-sd", "StableDiffusionPipeline"),
        ("sd15", "StableDiffusionPipeline"),
        ("sdxl", "StableDiffusionXLPipeline"),
        ("sd3", "StableDiffusion3Pipeline"),
        ("sd35", "StableDiffusion3Pipeline"),
        ("flux", "FluxPipeline"),
        ("qwen-image", "QwenImagePipeline"),
        ("qwen-image-edit", "QwenImageEditPlusPipeline"),
    ],
)
def test_the_cards_fit_the_classes_they_are_for(name, pipeline):
    import diffusers

    card = image.read_card(name)
    pipelines.check_call(getattr(diffusers, pipeline), card["call"])
    assert card["batch_size"] >= 1 and (name == "mini-sd" or len(card["revision"]) == 40)

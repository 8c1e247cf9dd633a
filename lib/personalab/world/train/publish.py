"""Finished miniature models to models/: half-precision safetensors in the stock folder layout, with a model card.

A card's figures are handed in by the notebook that trained and tested the model; nothing is measured here.
"""

import json
import platform
from collections.abc import Mapping, Sequence
from copy import deepcopy
from numbers import Integral, Real
from pathlib import Path
from typing import TypedDict, Unpack

import torch
from diffusers import StableDiffusionPipeline
from transformers import CLIPModel, CLIPTokenizer, PreTrainedTokenizerFast, Qwen2ForCausalLM

from .clip import new_processor

_LICENCE = "Apache-2.0; see LICENSE-weights.md."
_DATA = "Scenes drawn by `personalab.world` and captions from its grammar; no photograph, no person's data."
_LIMITS = (
    "It knows one drawn world of 64-pixel scenes and the words of its captions. It says nothing about photographs, "
    "people or places, and its scores do not compare with those of published models."
)


class Training(TypedDict):
    """What a card says of a training: its log, the scores on what it was not trained on, the device it ran on."""

    log: Sequence[Mapping[str, float]]
    scores: Mapping[str, object]
    device: str


def clip(folder: Path, model: CLIPModel, tokenizer: CLIPTokenizer, **training: Unpack[Training]) -> None:
    """Save a miniature CLIP with its tokenizer, its preprocessing and its card."""
    deepcopy(model).half().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    new_processor().save_pretrained(folder)
    recipe = "Batches of 128 drawn scenes with fresh captions; AdamW, cosine schedule, bfloat16 autocast."
    finish(folder, "A miniature CLIP", f"CLIPModel, {size(model)}", recipe, **training)


def stable_diffusion(folder: Path, pipeline: StableDiffusionPipeline, **training: Unpack[Training]) -> None:
    """Save a miniature StableDiffusionPipeline and its card."""
    halves = {k: deepcopy(v).half() for k, v in pipeline.components.items() if isinstance(v, torch.nn.Module)}
    StableDiffusionPipeline(
        **{**pipeline.components, **halves}, requires_safety_checker=False
    ).save_pretrained(folder)
    recipe = (
        "Velocity prediction on latents of 64-pixel scenes, min-SNR weights, batches of 64, text encoder of mini-clip-a "
        "(frozen), a tenth of the captions empty, averaged weights. The autoencoder is the one class that is not stock: "
        "`import personalab.world.autoencoder` before `DiffusionPipeline.from_pretrained`."
    )
    what = f"StableDiffusionPipeline, UNet of {size(pipeline.unet)}"
    finish(folder, "A miniature Stable Diffusion", what, recipe, **training)


def language(
    folder: Path,
    model: Qwen2ForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    **training: Unpack[Training],
) -> None:
    """Save a miniature language model with its tokenizer, its chat template and its card."""
    deepcopy(model).half().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    recipe = (
        "Drills in copying random tokens, then lessons of the world's users and of generated personas, the loss on the "
        "answers alone; batches of about 4,096 tokens, AdamW, cosine schedule, bfloat16 autocast."
    )
    data = (
        "Prompts, captions and paragraphs written by the grammars of `personalab.world.lessons` and "
        "`personalab.vptt.lessons` for invented people; no text by or about anybody."
    )
    limits = (
        "It rewrites prompts and describes invented users in the sentence frames it was taught, from the `brief` prompts "
        "of params/prompts. It follows no other instruction and knows nothing of the world outside its lessons."
    )
    what = f"Qwen2ForCausalLM, {size(model)}"
    finish(folder, "A miniature language model", what, recipe, data, limits, **training)


def _tidy(folder: Path) -> None:
    """Loads as float32 unless asked otherwise, whatever is on disk; nothing of where or how it was opened before."""
    for file in folder.rglob("config.json"):
        settings = json.loads(file.read_text())
        settings.pop("_name_or_path", None)
        if "dtype" in settings:
            settings["dtype"] = "float32"
        file.write_text(json.dumps(settings, indent=2) + "\n")
    for file in folder.rglob("tokenizer_config.json"):
        settings = json.loads(file.read_text())
        kept = {k: v for k, v in settings.items() if k not in ("is_local", "local_files_only")}
        file.write_text(json.dumps(kept, indent=2) + "\n")


def megabytes(folder: Path) -> float:
    """Size of all files under a folder."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6


def size(model: torch.nn.Module) -> str:
    """Parameters of a model, in millions and words."""
    return f"{sum(p.numel() for p in model.parameters()) / 1e6:.2f} M parameters"


def finish(
    folder: Path,
    title: str,
    what: str,
    recipe: str,
    data: str = _DATA,
    limits: str = _LIMITS,
    **training: Unpack[Training],
) -> None:
    """Tidy what was saved and write the card: data, recipe, hardware, scores, limits, in whole sentences."""
    _tidy(folder)
    last = training["log"][-1]
    hours = f", {last['seconds'] / 3600:.1f} h of training" if "seconds" in last else ""
    rows = "\n".join(
        f"| {name} | {value if isinstance(value, Integral) else f'{value:.3f}'} |"
        for name, value in training["scores"].items()
        if isinstance(value, Real)
    )
    (folder / "README.md").write_text(
        f"# {title}: {folder.name}\n\n{what}. {_LICENCE}\n\n"
        f"**Data.** {data}\n\n"
        f"**Recipe.** {recipe} {last['step']} steps. Made by the notebooks under notebooks/world, `make models`.\n\n"
        f"**Hardware.** {training['device']} ({platform.machine()}){hours}.\n\n"
        f"**Scores on what it was not trained on.**\n\n| measure | value |\n|---|---|\n{rows}\n\n"
        f"**Limits.** {limits}\n"
    )

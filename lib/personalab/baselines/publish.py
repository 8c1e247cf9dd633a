"""Finished adapters to a folder with a model card: what they were trained on and how, and what they can do.

A card's figures are handed in by the notebook that trained and tested the adapter; nothing is measured here.
"""

from pathlib import Path
from typing import Unpack

from ..world.train.publish import Training, finish, size
from . import drum, grid, grid_training
from .viper import miniature

_OF_THE_WORLD = "It knows one drawn world of 64-pixel scenes and works with {} alone."


def drum_adapter(
    folder: Path, adapter: drum.Adapter, card: str, data: str, recipe: str, **training: Unpack[Training]
) -> None:
    """Save DrUM's adapter as adapter.safetensors.

    Args:
        card: of the pipeline it was trained for.
        data, recipe: sentences on the captions and on the settings.
    """
    drum.save(adapter, folder / "adapter.safetensors")
    what = f"`personalab.baselines.drum` for the text encoders of {card}, {size(adapter)}, its sizes in the file's header"
    said = f"Each caption is given back from its own condition, 1 - cosine of every token and of the pooled vector. {recipe}"
    limits = f"It works with {card} alone and has seen captions like those above."
    finish(folder, "DrUM's adapter", what, said, data, limits, **training)


def grid_adapter(
    folder: Path,
    adapter: grid.GridAdapter,
    card: str,
    recipe: str,
    limits: str,
    **training: Unpack[Training],
) -> None:
    """Save a grid adapter as adapter.safetensors and config.json.

    Args:
        limits: a sentence on what its test found wanting; the others as in `drum_adapter`.
    """
    grid_training.save(adapter, folder)
    what = (
        f"An IP-Adapter for the U-Net of {card}, read by `personalab.baselines.grid`: a convolutional encoder reads the "
        "latents of a grid of somebody's pictures, and every cross-attention sees four tokens of it beside the text"
    )
    said = (
        "The U-Net is frozen. The loss is that of one picture of a person, others of theirs being the grid, a tenth of the "
        f"grids and of the prompts empty; AdamW, averaged weights. {recipe}"
    )
    limits = f"{_OF_THE_WORLD.format(card)} {limits}"
    finish(folder, "A miniature grid adapter", what, said, _people(), limits, **training)


def proxy(
    folder: Path, model: miniature.MiniProxy, clip: str, recipe: str, **training: Unpack[Training]
) -> None:
    """Save the stand-in for ViPer's proxy. Arguments as in `drum_adapter`; `clip` made the features."""
    miniature.save(model, folder)
    what = (
        f"`personalab.baselines.viper.miniature` on features by {clip}, {size(model)}. It is **not** the proxy that ViPer's "
        "authors published (`params/backends/viper-proxy.yaml`), and its scores do not compare with those of VPTT's Table 4"
    )
    said = (
        "Eight liked and eight disliked pictures as context, a query of either kind; cross-entropy of two logits; batches of "
        f"64 people, AdamW, cosine schedule. {recipe}"
    )
    limits = _OF_THE_WORLD.format(f"features by {clip}") + (
        " Dislikes are the tastes of strangers, not stated ones. Rendered pictures, which it never saw, may be read less "
        "well than drawn ones."
    )
    finish(folder, "A miniature stand-in for ViPer's proxy", what, said, _people(), limits, **training)


def _people() -> str:
    return "What invented people of `personalab.world` would post; no photograph, no person's data."

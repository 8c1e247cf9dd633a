"""A pipeline that methods of others draw with: loaded by its card, and how it reads prompts.

`image.load` gives pictures for requests and hides the pipeline; methods that reach into it (attention, conditions,
adapters) get this instead. Nothing is drawn here.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from ..world import words
from . import drawn, pipelines, weights
from . import embed as texts
from .image import Read, Rewrite


class Backbone(NamedTuple):
    """A pipeline that methods draw with, and how it reads prompts."""

    name: str
    card: dict[str, Any]
    pipeline: Any
    #: folder for all cards' pictures; None keeps nothing
    store: Path | None = None
    read: Read | None = None
    rewrite: Rewrite | None = None
    #: what tells these weights from others under the same card
    identity: Mapping[str, str] = MappingProxyType({})

    def shown(self, prompts: Sequence[str]) -> list[str]:
        """Prompts as the pipeline gets them: grounded, where the card asks for it."""
        if self.read is None or self.rewrite is None:
            return list(prompts)
        return list(map(self.rewrite, prompts, self.read(list(prompts))))


def load(
    name: str, *, device: str = "cpu", store: Path | None = None, embed: words.Embed | None = None
) -> Backbone:
    """The pipeline of card `name`, as backends.image.load has it.

    Args:
        device: "cpu" or "cuda".
        store: folder for the pictures, or None to keep nothing.
        embed: text encoder that grounding reads prompts with, n texts to (n, d) unit rows.

    Raises:
        ValueError: a card of another kind than diffusers, or one with grounding and no encoder.
    """
    card, name = texts.card(name), Path(name).stem
    if card.get("kind") != "diffusers":
        raise ValueError(f"card {name}: kind {card.get('kind')!r}; expected 'diffusers'")
    backbone = Backbone(name, card, pipelines.load(card, device), store, identity=weights.identity(card))
    if "grounding" not in card:
        return backbone
    return backbone._replace(read=drawn.grounder(name, card, embed), rewrite=drawn.plain)

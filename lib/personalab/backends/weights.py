"""Where a card's weights lie, and which ones they are.

A card's `model` is a folder (relative to the repository, or absolute) or a hub's "owner/name". What is in a folder
can change under its name, so caches also hold a hash of its files; a hub's weights are told apart by the card's
`revision`. Only safetensors are loaded: unpickling runs whatever code the file holds.
"""

import hashlib
import importlib
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..sources import ROOT

_PICKLED = (".bin", ".pt", ".pth", ".ckpt", ".pkl")


def folder(card: dict[str, Any]) -> Path | None:
    """The folder of the card's model, None if it comes from a hub.

    Raises:
        FileNotFoundError: a path without a folder behind it.
        ValueError: the folder holds pickled weights and no safetensors beside them.
    """
    model = str(card["model"])
    path = ROOT / model
    if path.is_dir():
        _refuse_pickles(path)
        return path
    if model.startswith("models/") or not re.fullmatch(r"[\w.-]+/[\w.-]+", model):
        raise FileNotFoundError(
            f"no folder {path}; expected the weights that the card's `model` names, or a hub's 'owner/name'"
        )
    return None


def fingerprint(files: Iterable[Path]) -> str:
    """Hexadecimal SHA-256 over names and contents, whatever the order."""
    whole = hashlib.sha256()
    for path in sorted(files, key=str):
        with path.open("rb") as file:
            whole.update(f"{path.name} {hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
    return whole.hexdigest()


def identity(card: dict[str, Any]) -> dict[str, str]:
    """What a key must hold beside the card: {"weights": hash} for a folder, nothing for a hub."""
    path = folder(card)
    if path is None:
        return {}
    files = [file for file in path.rglob("*") if file.is_file() and file.suffix in (".safetensors", ".json")]
    return {"weights": fingerprint(files)}


def _refuse_pickles(path: Path) -> None:
    """Raise ValueError for a part of the model that is there as a pickle only."""
    parts = (
        {path} if (path / "config.json").exists() else {file.parent for file in path.glob("*/config.json")}
    )
    for part in sorted(parts):
        pickled = [file for file in sorted(part.iterdir()) if file.suffix in _PICKLED]
        if pickled and not any(part.glob("*.safetensors")):
            raise ValueError(
                f"{pickled[0]} is a pickle, which runs code when it is opened; expected safetensors. Convert it where "
                "that does no harm: load it there and save_pretrained(..., safe_serialization=True)"
            )


@contextmanager
def quiet() -> Iterator[None]:
    """No progress bars and no advice from transformers and diffusers, as far as they are imported."""
    names = [f"{name}.utils.logging" for name in ("transformers", "diffusers") if name in sys.modules]
    loggers = [importlib.import_module(name) for name in names]
    before = [(logger, logger.get_verbosity(), logger.is_progress_bar_enabled()) for logger in loggers]
    for logger in loggers:
        logger.set_verbosity_error()
        logger.disable_progress_bar()
    try:
        yield
    finally:
        for logger, level, bars in before:
            logger.set_verbosity(level)
            if bars:
                logger.enable_progress_bar()

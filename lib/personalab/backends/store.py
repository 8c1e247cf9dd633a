"""Pictures on disk, one PNG per key, so that none is rendered twice.

A picture appears whole or not at all; its text chunks say what it was made from. A renderer's refusal (a safety
filter, a content policy) is kept too, as a line of JSON, and never as a black picture.
"""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from ..sources import write_atomic
from .pictures import Refused, png


class Store:
    """Results by key under `folder`: <2 hex>/<key>.png, or .json for refusals. None keeps nothing."""

    def __init__(self, folder: Path | None):
        self._folder = folder

    def get(self, key: str) -> np.ndarray | Refused | None:
        """The picture (h, w, 3) uint8, the refusal, or None if there is neither."""
        if self._folder is None:
            return None
        path = self._path(key)
        if path.exists():
            with Image.open(path) as image:
                return np.array(image.convert("RGB"))
        note = path.with_suffix(".json")
        return Refused(json.loads(note.read_text())["reason"]) if note.exists() else None

    def put(self, key: str, result: np.ndarray | Refused, facts: Mapping[str, str]) -> None:
        """Keep a result with what it was made from; refusals that may pass are not kept."""
        if self._folder is None:
            return
        path = self._path(key)
        if not isinstance(result, Refused):
            write_atomic(path, png(result, facts))
        elif result.lasting:
            note = json.dumps({"reason": result.reason, **facts}, sort_keys=True)
            write_atomic(path.with_suffix(".json"), note.encode())

    def _path(self, key: str) -> Path:
        return self._folder / key[:2] / f"{key}.png"

"""PIP: people's histories of prompts (Chen et al. 2024; ZIPP 4.2.2), and the mined persona nearest to each.

The published folder holds a file of JSON lines for each user, named by the user's id: the mark "train_samples:", samples,
the mark "test_samples:", and two samples that have a short form (`query`) besides. The release drew its test prompts at
random among the user's rarest, so they are the last of the file, not the last in time. Pictures are URLs and stay unread.
"""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from . import COLUMNS, Histories

_MARKS = {"train_samples:": "history", "test_samples:": "test"}


class Nearest(NamedTuple):
    """The persona assigned to each user."""

    index: np.ndarray
    """(u,) row of the persona, -1 where none is near enough."""
    similarity: np.ndarray
    """(u,) cosine to the nearest, near enough or not."""
    coverage: float
    """Share of users with a persona."""


def histories(folder: str | Path, safe: bool = True) -> Histories:
    """Every user's samples in the order of the file; the unit is the line, marks not counted.

    Args:
        folder: the unpacked release, a .jsonl for each user.
        safe: keep only what the release calls unlikely to be NSFW, not what it is unsure of. Test prompts are no exception.

    Returns:
        Histories; `basic` is the release's own short form, None where it has none. `item` is the sample's id.

    Raises:
        FileNotFoundError: no .jsonl in the folder.
    """
    files = sorted(Path(folder).glob("*.jsonl"))
    if not files:
        raise FileNotFoundError(
            f"{folder} holds no .jsonl; expected PIP's folder of users, one file for each"
        )
    rows: list[tuple[Any, ...]] = []
    dropped: Counter[str] = Counter()
    for file in files:
        order = 0
        for part, line in _samples(file):
            row = _row(line, safe)
            if isinstance(row, str):
                dropped[row] += 1
                continue
            rows.append((file.stem, row[0], order, *row[1:], part))
            order += 1
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    table["basic"] = pd.Series([row[COLUMNS.index("basic")] for row in rows], dtype=object)
    return Histories(table, len(rows) + dropped.total(), dropped)


def mean_features(features: np.ndarray, users: np.ndarray) -> np.ndarray:
    """(u, d) unit mean of each user's prompts' unit features, in order of `np.unique(users)`.

    ZIPP embeds a history without saying how its prompts are put together: here as their mean.

    Args:
        features: (n, d), say of a CLIP text encoder.
        users: (n,) whose each is.
    """
    _, label = np.unique(users, return_inverse=True)
    sums = np.zeros((label.max(initial=-1) + 1, features.shape[1]))
    np.add.at(sums, label, _unit(features))
    return _unit(sums)


def nearest_personas(
    history_features: np.ndarray, persona_features: np.ndarray, threshold: float = 0.7
) -> Nearest:
    """The persona whose text is nearest to each user's history (ZIPP 4.2.2).

    Args:
        history_features: (u, d), one per user, of any length.
        persona_features: (p, d) of the same encoder.
        threshold: cosine from which a persona is assigned. Cosines of different encoders do not compare: 0.7 is the paper's.

    Raises:
        ValueError: no personas, or widths that differ.
    """
    if len(persona_features) == 0 or history_features.shape[1:] != persona_features.shape[1:]:
        raise ValueError(
            f"got features of shapes {history_features.shape} and {persona_features.shape}; expected (u, d) and (p, d), p > 0"
        )
    cosines = _unit(history_features) @ _unit(persona_features).T
    index, similarity = cosines.argmax(axis=1), cosines.max(axis=1)
    near = similarity >= threshold
    return Nearest(np.where(near, index, -1), similarity, float(near.mean()) if len(near) else float("nan"))


def _samples(file: Path) -> Iterator[tuple[str, Any]]:
    """(part, sample) of each line; a line that is not JSON comes as None."""
    part = "history"
    with open(file, encoding="utf-8", errors="replace") as lines:
        for line in filter(None, map(str.strip, lines)):
            mark = line.strip('"')
            if mark in _MARKS:
                part = _MARKS[mark]
                continue
            try:
                yield part, json.loads(line)
            except ValueError:
                yield part, None


def _row(sample: Any, safe: bool) -> tuple[str, str, str | None] | str:
    """Id, prompt and short form of a sample, or why it is dropped."""
    if not isinstance(sample, dict):
        return "not a sample"
    text = sample.get("prompt")
    if not isinstance(text, str) or not text.strip():
        return "no prompt"
    if safe and sample.get("NSFW") != "Unlikely":
        return f"NSFW: {str(sample.get('NSFW', 'not said'))[:20].lower()}"
    short = sample.get("query")
    return str(sample.get("id", "")), text.strip(), short.strip() if isinstance(short, str) else None


def _unit(rows: np.ndarray) -> np.ndarray:
    rows = np.asarray(rows, float)
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)

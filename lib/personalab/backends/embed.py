"""Text embeddings: one call, `embedder(texts)`, whatever stands behind it.

A card in params/backends chooses the model: any sentence-transformers id (the real MiniLM ships with the
package and needs no hub) or OpenAI's embedding endpoint. Rows are L2-normalised float32. Every text is
embedded once: answers are kept in an SQLite file under a key of card and text, so that changing the model, its
revision or its precision never meets an old vector. A call is kept whole or not at all, so that a run that was
killed repeats the same batches and ends with the same bytes. Texts longer than the model reads are cut by it;
`truncated` says how many, because scores of cut texts are scores of their beginnings.
"""

import hashlib
import importlib
import json
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml

from ..sources import ROOT
from . import onnx
from .service import Service

Encode = Callable[[Sequence[str]], np.ndarray]
CountTokens = Callable[[Sequence[str]], np.ndarray]


def card(name: str) -> dict[str, Any]:
    """The card params/backends/<name>.yaml; a name that ends in .yaml is a path, relative to the repository.

    Raises FileNotFoundError listing the cards there are.
    """
    path = ROOT / name if name.endswith(".yaml") else ROOT / "params" / "backends" / f"{name}.yaml"
    if not path.exists():
        known = sorted(file.stem for file in (ROOT / "params" / "backends").glob("*.yaml"))
        raise FileNotFoundError(f"no card {name!r}; expected one of {known}, or a new file {path}")
    return yaml.safe_load(path.read_text())


class Embedder:
    """Texts to unit vectors, cached by content.

    Args:
        card: the model's card; `width` is checked against what the model returns.
        encode: the model itself, list of n texts to (n, width).
        count_tokens: list of n texts to n token counts before truncation.
        cache: an SQLite file, or None to keep nothing.
    """

    def __init__(self, card: dict[str, Any], encode: Encode, count_tokens: CountTokens, cache: Path | None):
        self.card = card
        self._encode = encode
        self._count_tokens = count_tokens
        self._identity = json.dumps({key: card.get(key) for key in _IDENTITY}, sort_keys=True)
        self._vectors = Vectors(cache)

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        """n texts to (n, width) float32 rows of length 1.

        Raises:
            TypeError: `texts` is one string instead of a list.
            ValueError: the model returned another width than its card says, a zero row or something not finite.
        """
        refuse_one_string(texts)
        keys = [hashlib.sha256(f"{self._identity}\n{text}".encode()).digest() for text in texts]
        rows = self._vectors(keys, texts, self._embed)
        return np.stack(rows) if rows else np.empty((0, self.card["width"]), np.float32)

    def truncated(self, texts: Sequence[str]) -> float:
        """Share of the texts that the model cuts (more than `max_tokens` tokens); nan for no texts."""
        counts = self.tokens(texts)
        return float((counts > self.card["max_tokens"]).mean()) if len(counts) else float("nan")

    def tokens(self, texts: Sequence[str]) -> np.ndarray:
        """(n,) tokens of n texts before any cut, by the model's own tokenizer, its marks of begin and end among them."""
        refuse_one_string(texts)
        return np.asarray(self._count_tokens(list(texts)) if len(texts) else [], int)

    def _embed(self, texts: Sequence[str]) -> np.ndarray:
        return unit_rows(self._encode(texts), len(texts), self.card)


#: what of a card changes its vectors
_IDENTITY = ("kind", "model", "revision", "width", "max_tokens", "precision", "base_url")


def load(name: str, *, device: str = "cpu", cache: Path | None = None) -> Embedder:
    """The embedder of card `name`.

    Args:
        name: a file in params/backends without its suffix, or a path that ends in .yaml.
        device: "cpu" or "cuda"; ignored by services.
        cache: folder for the SQLite file of this card, or None.
    """
    description = card(name)
    file = cache / f"{Path(name).stem}.sqlite" if cache else None
    match description["kind"]:
        case "sentence-transformers":
            return Embedder(description, *_sentence_transformer(description, device), file)
        case "openai":
            return Embedder(description, *_openai(description), file)
        case kind:
            raise ValueError(f"card {name}: kind {kind!r}; expected 'sentence-transformers' or 'openai'")


def _sentence_transformer(card: dict[str, Any], device: str) -> tuple[Encode, CountTokens]:
    """A local model. runtime "onnx" gives torch's float32 to 1e-6 on a CPU; precision "bfloat16" to some 1e-3."""
    from sentence_transformers import SentenceTransformer

    path = card["model"]
    if "package" in card:
        path = str(importlib.import_module(card["package"].replace("-", "_")).get_model_path())
    model = SentenceTransformer(path, device=device, revision=card.get("revision"))
    model.max_seq_length = card["max_tokens"]
    reduced = card.get("precision", "float32") == "bfloat16"
    fast = None
    if card.get("runtime") == "onnx" and device == "cpu" and not reduced:
        fast = onnx.encoder(
            model, ROOT / "outputs" / "cache" / f"{Path(card['model']).name}.onnx", card["batch_size"]
        )

    def slow(texts: Sequence[str]) -> np.ndarray:
        with torch.autocast(device, dtype=torch.bfloat16, enabled=reduced):
            return model.encode(
                list(texts), batch_size=card["batch_size"], show_progress_bar=len(texts) > 2000
            )

    def count(texts: Sequence[str]) -> np.ndarray:
        tokens = model.tokenizer(list(texts), truncation=False, return_attention_mask=False, verbose=False)
        return np.array([len(ids) for ids in tokens["input_ids"]])

    return fast or slow, count


def _openai(card: dict[str, Any]) -> tuple[Encode, CountTokens]:
    """OpenAI's endpoint, or one that speaks its protocol (`base_url`). It refuses texts that are too long."""
    service = Service(card)

    def encode(texts: Sequence[str]) -> np.ndarray:
        batches = [texts[i : i + card["batch_size"]] for i in range(0, len(texts), card["batch_size"])]
        return np.concatenate([service.embed(batch) for batch in batches])

    return encode, lambda texts: np.zeros(len(texts), int)


def unit_rows(rows: np.ndarray, n: int, card: dict[str, Any]) -> np.ndarray:
    """A model's answer (n, width) at length 1, float32. Raises ValueError for another shape or no direction."""
    rows = np.asarray(rows, np.float32)
    if rows.shape != (n, card["width"]):
        raise ValueError(
            f"{card['model']} returned shape {rows.shape}, expected {(n, card['width'])}; "
            "check `width` in its card"
        )
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    if not (np.isfinite(lengths) & (lengths > 0)).all():
        raise ValueError(
            f"{card['model']} returned rows that are zero or not finite, expected directions; "
            "look at the model, or at the texts it was given"
        )
    return rows / lengths


class Vectors:
    """Vectors kept by key in an SQLite file (None: nothing is kept): each item is computed once.

    What a call computes is kept whole or not at all.
    """

    def __init__(self, file: Path | None):
        self._file = _open(file) if file else None

    def __call__(
        self, keys: Sequence[bytes], items: Sequence[Any], compute: Callable[[list[Any]], np.ndarray]
    ) -> list[np.ndarray]:
        """One float32 vector per key; `compute` takes the items that are new, each once, in order."""
        known = self._look_up(keys)
        missing = {key: item for key, item in zip(keys, items, strict=True) if key not in known}
        if missing:
            rows = compute(list(missing.values()))
            self._keep(list(missing), rows)
            known.update(zip(missing, rows, strict=True))
        return [known[key] for key in keys]

    def _look_up(self, keys: Sequence[bytes]) -> dict[bytes, np.ndarray]:
        if self._file is None:
            return {}
        found = {}
        for start in range(0, len(keys), 500):
            part = keys[start : start + 500]
            marks = ",".join("?" * len(part))
            rows = self._file.execute(f"SELECT key, vector FROM embeddings WHERE key IN ({marks})", part)
            found.update({key: np.frombuffer(vector, np.float32) for key, vector in rows})
        return found

    def _keep(self, keys: list[bytes], rows: np.ndarray) -> None:
        if self._file is not None:
            with self._file:
                self._file.executemany(
                    "INSERT OR IGNORE INTO embeddings VALUES (?, ?)",
                    [(key, row.tobytes()) for key, row in zip(keys, rows, strict=True)],
                )


def refuse_one_string(texts: Sequence[str]) -> None:
    if isinstance(texts, str):
        raise TypeError("got one string, expected a list of strings; write [text]")


def _open(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path, timeout=60)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute(
        "CREATE TABLE IF NOT EXISTS embeddings (key BLOB PRIMARY KEY, vector BLOB) WITHOUT ROWID"
    )
    return connection

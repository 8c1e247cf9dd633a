"""A sentence encoder run by ONNX Runtime on a CPU: float32 as before, about twice as fast as eager torch.

The graph is exported once per model (BERT, mean over tokens, normalisation) into outputs/cache. It holds for
encoders of that shape only, which the export checks by comparing both on a few texts.
"""

import contextlib
import io
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..sources import write_atomic

#: largest difference to torch that a freshly exported graph may show; measured 2e-7
TOLERANCE = 1e-5
_PROBES = ("a lamp", "a red boat on the quay in the rain", "one of three cats asleep on warm stone " * 12)


class _Pooled(torch.nn.Module):
    """Token ids and mask (b, t) to unit sentence vectors (b, d): the mean over the tokens, as MiniLM pools."""

    def __init__(self, model: torch.nn.Module):
        super().__init__()
        self.model = model

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        states = self.model(input_ids=ids, attention_mask=mask).last_hidden_state
        mean = (states * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
        return torch.nn.functional.normalize(mean, dim=-1)


def encoder(model: Any, file: Path, batch_size: int) -> Any:
    """A function from n texts to (n, d), backed by the graph in `file`, exported there if it is missing.

    Args:
        model: a SentenceTransformer of a BERT-like module and mean pooling.
        file: where the graph is kept; another model needs another file.
        batch_size: texts per step, sorted by length so that little is padded.

    Raises:
        ValueError: the graph disagrees with the model, so it pools in another way.
    """
    import onnxruntime

    if not file.exists():
        write_atomic(file, _export(model))
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])

    def encode(texts: Sequence[str]) -> np.ndarray:
        order = sorted(range(len(texts)), key=lambda i: -len(texts[i]))
        rows = np.empty((len(texts), model.get_embedding_dimension()), np.float32)
        for start in range(0, len(order), batch_size):
            part = order[start : start + batch_size]
            tokens = model.tokenizer(
                [texts[i] for i in part],
                padding=True,
                truncation=True,
                max_length=model.max_seq_length,
                return_tensors="np",
            )
            feed = {"ids": tokens["input_ids"], "mask": tokens["attention_mask"]}
            rows[part] = session.run(None, {key: value.astype(np.int64) for key, value in feed.items()})[0]
        return rows

    gap = float(np.abs(encode(_PROBES) - model.encode(list(_PROBES), show_progress_bar=False)).max())
    if gap > TOLERANCE:
        raise ValueError(
            f"{file} differs from its model by {gap:.1e}, allowed {TOLERANCE:.0e}; delete it, or set runtime: torch"
        )
    return encode


def _export(model: Any) -> bytes:
    """The ONNX graph as bytes; attention is exported in its plain form, which traces for any length."""
    bert = model[0].model
    used = bert.config._attn_implementation
    bert.set_attn_implementation("eager")
    example = model.tokenizer(["a lamp", "a lamp on a desk"], padding=True, return_tensors="pt")
    axes = {"ids": {0: "batch", 1: "tokens"}, "mask": {0: "batch", 1: "tokens"}, "vectors": {0: "batch"}}
    buffer = io.BytesIO()
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        torch.onnx.export(
            _Pooled(bert).eval(),
            (example["input_ids"], example["attention_mask"]),
            buffer,
            input_names=["ids", "mask"],
            output_names=["vectors"],
            dynamic_axes=axes,
            opset_version=17,
            dynamo=False,
        )
    bert.set_attn_implementation(used)
    return buffer.getvalue()

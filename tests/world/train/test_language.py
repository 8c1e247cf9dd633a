"""The miniature language model: its tokens, its loss, and that it learns."""

import math
from contextlib import nullcontext

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy
from transformers import AutoModelForCausalLM, AutoTokenizer

from personalab.backends import weights
from personalab.world.train import language, publish

TEXTS = ["a red boat at dawn", "a blue cat in the garden", "somewhere near the harbour, fog"] * 40
CHAT = (("system", "Rewrite."), ("user", "basic: a boat"))


@pytest.fixture(scope="module")
def tokenizer():
    return language.train_tokenizer(TEXTS, 400)


@pytest.fixture
def model(tokenizer):
    return language.new_model(tokenizer, width=32, layers=1)


@pytest.mark.parametrize("text", ["a red boat", "Qaanaaq ümlaut 猫 🚲", "<|end|", "a\n\tb  c"])
def test_every_text_survives_the_tokenizer(tokenizer, text):
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


def test_training_a_tokenizer_twice_gives_the_same(tokenizer):
    assert language.train_tokenizer(TEXTS, 400).get_vocab() == tokenizer.get_vocab()


def test_a_vocabulary_without_room_for_bytes_is_an_error():
    with pytest.raises(ValueError, match="at least 261"):
        language.train_tokenizer(TEXTS, 260)


def test_an_example_is_the_chat_then_the_answer_then_its_end(tokenizer):
    example = language.encode(tokenizer, CHAT, "a red boat")
    assert (
        tokenizer.decode(example.tokens[: example.answer])
        == "<|system|>Rewrite.<|end|><|user|>basic: a boat<|end|><|assistant|>"
    )
    assert tokenizer.decode(example.tokens[example.answer :]) == "a red boat<|end|>"


def test_the_loss_is_the_peer_librarys_on_the_answer_alone(tokenizer, model):
    examples = [
        language.encode(tokenizer, CHAT, text) for text in ("a red boat", "fog, somewhere near a blue cat")
    ]
    losses = []
    for tokens, start in examples:
        ids = torch.from_numpy(tokens.astype(np.int64))[None]
        labels = ids.clone()
        labels[:, :start] = -100
        losses.append((model(input_ids=ids, labels=labels).loss.item(), len(tokens) - start))
    mean = sum(loss * n for loss, n in losses) / sum(n for _, n in losses)
    assert math.isclose(language.perplexity(model, examples), math.exp(mean), rel_tol=1e-4)


def test_the_loss_is_computed_where_the_model_is(tokenizer, model, monkeypatch):
    asked = []
    monkeypatch.setattr(torch, "autocast", lambda kind, dtype: asked.append((kind, dtype)) or nullcontext())
    example = language.encode(tokenizer, CHAT, "a red boat")
    model.to("meta")  # a device without numbers: one tensor left on the CPU would be an error
    assert language.loss(model, model.model, [example]).device.type == "meta"
    assert asked == [("meta", torch.bfloat16)]


def test_padding_changes_no_answer(tokenizer, model):
    short, long = (language.encode(tokenizer, CHAT, text) for text in ("a cat", "a red boat at dawn " * 5))
    alone, both = language.collate([short]), language.collate([short, long])
    with torch.no_grad():
        a, b = (model.model(input_ids=x).last_hidden_state.flatten(0, 1)[p] for x, p, _ in (alone, both))
    assert torch.allclose(a, b[: len(a)], atol=1e-5) and torch.equal(alone[2], both[2][: len(alone[2])])


@pytest.mark.parametrize("tokens", [64, 200, 1000])
def test_batches_hold_every_example_once_and_stay_near_the_limit(tokens):
    lengths = np.random.default_rng(0).integers(5, 60, 300).tolist()
    cut = language.batches(lengths, tokens, np.random.default_rng(1))
    assert sorted(np.concatenate(cut)) == list(range(300))
    assert all(len(batch) * max(lengths[i] for i in batch) <= tokens for batch in cut)
    full = [sum(lengths[i] for i in batch) for batch in cut]
    assert np.median(full) > 0.6 * tokens


def test_training_learns_and_goes_on_where_it_stopped(tokenizer, tmp_path):
    examples = [language.encode(tokenizer, (("user", f"say {c}"),), c * 3) for c in "abcdefgh"]
    settings = {"tokens": 200, "rate": 1e-2, "every": 5}
    whole = language.new_model(tokenizer, width=32, layers=1)
    before = language.perplexity(whole, examples)
    language.train(whole, examples, tmp_path / "whole", steps=60, **settings)
    assert language.perplexity(whole, examples) < before / 4
    for steps in (60, 60):
        again = language.new_model(tokenizer, width=32, layers=1, seed=5)
        language.train(again, examples, tmp_path / "whole", steps=steps, **settings)
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), again.parameters(), strict=True))


def test_examples_survive_their_file(tokenizer, tmp_path):
    examples = [language.encode(tokenizer, CHAT, text) for text in TEXTS[:3]]
    language.save(examples, tmp_path / "e.npz")
    for a, b in zip(examples, language.load(tmp_path / "e.npz"), strict=True):
        assert np.array_equal(a.tokens, b.tokens) and a.answer == b.answer


def test_what_is_published_loads_as_any_model_and_says_the_same(tokenizer, model, tmp_path):
    log = [{"step": 3, "loss": 1.0, "seconds": 1.0}]
    publish.language(tmp_path / "m", model, tokenizer, log=log, scores={"perplexity": 2.5}, device="cpu")
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path / "m", dtype=torch.float32)
    words = AutoTokenizer.from_pretrained(tmp_path / "m")
    chat = [{"role": role, "content": content} for role, content in CHAT]
    ids = words.apply_chat_template(chat, add_generation_prompt=True, return_tensors="pt", return_dict=True)[
        "input_ids"
    ]
    with torch.no_grad():
        a, b = model(input_ids=ids).logits, loaded(input_ids=ids).logits
    assert torch.allclose(a, b, atol=0.02)
    card = (tmp_path / "m" / "README.md").read_text()
    assert "2.500" in card and "brief" in card and "/" + str(tmp_path).split("/")[1] not in card


def test_publishing_what_was_opened_keeps_its_identity(tokenizer, model, tmp_path):
    log = [{"step": 3, "loss": 1.0}]
    publish.language(tmp_path / "one", model, tokenizer, log=log, scores={}, device="cpu")
    again = language.open_model(tmp_path / "one")
    publish.language(tmp_path / "two", *again, log=log, scores={"loss": 2.0}, device="cuda")
    one, two = (weights.identity({"model": str(tmp_path / name)}) for name in ("one", "two"))
    assert one == two and len(one["weights"]) == 64


def test_widths_that_heads_do_not_fill_are_an_error(tokenizer):
    with pytest.raises(ValueError, match="multiple of 32"):
        language.new_model(tokenizer, width=48, layers=1)


def test_the_peer_loss_is_the_same_in_training(tokenizer, model):
    example = language.encode(tokenizer, CHAT, "a red boat")
    x, places, targets = language.collate([example])
    logits = model(input_ids=x).logits.flatten(0, 1)[places]
    assert math.isclose(
        language.perplexity(model, [example]), math.exp(cross_entropy(logits, targets).item()), rel_tol=1e-5
    )

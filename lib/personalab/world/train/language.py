"""The miniature language models: a byte-level BPE tokenizer with a chat template, and a small Qwen2 taught by lessons.

Both are stock classes of transformers, so that AutoModelForCausalLM and vLLM load what is saved. A lesson is a
chat (role and content pairs) and its answer; the loss is on the answer alone.
Batches hold lessons of about the same length, a fixed number of tokens each, and follow from the step's number.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from tokenizers import Tokenizer, decoders, pre_tokenizers, trainers
from tokenizers.models import BPE
from torch.nn.functional import cross_entropy
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

from ...sources import ROOT
from .fit import fit

Messages = Sequence[tuple[str, str]]
_ROLES = ("system", "user", "assistant")
_END, _PAD = "<|end|>", "<|pad|>"
_TEMPLATE = (
    "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
_HEAD = 32
#: tokens by which texts of one batch may differ in length for the sake of variety
_ALIKE = 8


class Example(NamedTuple):
    """A lesson in tokens: all of them, and the place of the answer's first."""

    tokens: np.ndarray
    answer: int


def train_tokenizer(texts: Iterable[str], size: int, length: int = 1024) -> PreTrainedTokenizerFast:
    """A byte-level BPE of `size` entries with role marks and chat template; no text is unknown to it.

    Raises:
        ValueError: `size` leaves no room for the bytes and the marks.
    """
    marks = [_PAD, _END, *(f"<|{role}|>" for role in _ROLES)]
    if size < 256 + len(marks):
        raise ValueError(f"got a vocabulary of {size}; bytes and marks need at least {256 + len(marks)}")
    core = Tokenizer(BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    core.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=size, special_tokens=marks, initial_alphabet=alphabet, show_progress=False
        ),
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=core, eos_token=_END, pad_token=_PAD, model_max_length=length, padding_side="left"
    )
    tokenizer.chat_template = _TEMPLATE
    return tokenizer


def encode(tokenizer: PreTrainedTokenizerFast, messages: Messages, answer: str) -> Example:
    """A chat and its answer as tokens, the end mark included."""
    chat = [{"role": role, "content": content} for role, content in messages]
    before = tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
    start = tokenizer(before)["input_ids"]
    tokens = start + tokenizer(answer)["input_ids"] + [tokenizer.eos_token_id]
    return Example(np.array(tokens, np.int32), len(start))


def save(examples: Sequence[Example], file: Path) -> None:
    """All examples in one .npz, see `load`."""
    tokens = np.concatenate([example.tokens for example in examples])
    lengths = np.array([len(example.tokens) for example in examples])
    part = file.with_name(f"part.{file.name}")
    np.savez(part, tokens=tokens, lengths=lengths, answers=np.array([example.answer for example in examples]))
    part.replace(file)


def load(file: Path) -> list[Example]:
    """What `save` wrote."""
    with np.load(file) as saved:
        rows = np.split(saved["tokens"], np.cumsum(saved["lengths"])[:-1])
        return [Example(row, int(answer)) for row, answer in zip(rows, saved["answers"], strict=True)]


def new_model(
    tokenizer: PreTrainedTokenizerFast, *, width: int, layers: int, seed: int = 0
) -> Qwen2ForCausalLM:
    """An untrained Qwen2 with heads of 32, tied embeddings and a feed-forward part of 8/3 the width."""
    if width % _HEAD:
        raise ValueError(f"width {width}; expected a multiple of {_HEAD}")
    torch.manual_seed(seed)
    return Qwen2ForCausalLM(
        Qwen2Config(
            vocab_size=len(tokenizer),
            hidden_size=width,
            intermediate_size=64 * math.ceil(8 * width / 3 / 64),
            num_hidden_layers=layers,
            num_attention_heads=width // _HEAD,
            num_key_value_heads=width // _HEAD,
            max_position_embeddings=tokenizer.model_max_length,
            tie_word_embeddings=True,
            bos_token_id=None,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )


def layers_of(model: Qwen2ForCausalLM, compiled: bool) -> Callable[..., Any]:
    """All of the model but its last projection, compiled if wanted."""
    return torch.compile(model.model, dynamic=True) if compiled else model.model


def loss(model: Qwen2ForCausalLM, layers: Callable[..., Any], examples: Sequence[Example]) -> torch.Tensor:
    """Mean negative log-likelihood of the answers' tokens, in bfloat16 as far as that is safe, on the model's device."""
    x, places, targets = (part.to(model.device) for part in collate(examples))
    with torch.autocast(model.device.type, dtype=torch.bfloat16):
        logits = model.lm_head(layers(input_ids=x).last_hidden_state.flatten(0, 1)[places])
    return cross_entropy(logits.float(), targets)


def train(
    model: Qwen2ForCausalLM,
    examples: Sequence[Example],
    folder: Path,
    *,
    steps: int,
    rate: float = 2e-3,
    tokens: int = 8192,
    seed: int = 0,
    compiled: bool = False,
    **options,
) -> Qwen2ForCausalLM:
    """Train on the model's device up to `steps` steps of about `tokens` tokens; see `fit` for checkpoints and options.

    `compiled` runs the layers through torch.compile, which needs a C++ compiler and saves a third of the time.
    """
    order = batches([len(example.tokens) for example in examples], tokens, np.random.default_rng(seed))
    layers = layers_of(model, compiled)

    def step(i: int) -> tuple[torch.Tensor, dict[str, float]]:
        return loss(model, layers, [examples[j] for j in order[i % len(order)]]), {}

    model.train()
    return fit(model, step, folder, steps=steps, rate=rate, betas=(0.9, 0.95), **options)


def collate(examples: Sequence[Example]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Tokens (b, n), the places (in the flattened batch) from which answers are predicted, and what stands there.

    Padding is on the right, where causal attention never sees it.
    """
    longest = max(len(example.tokens) for example in examples)
    x = np.zeros((len(examples), longest), np.int64)
    places, targets = [], []
    for row, (tokens, start) in enumerate(examples):
        x[row, : len(tokens)] = tokens
        places.append(row * longest + np.arange(start - 1, len(tokens) - 1))
        targets.append(tokens[start:])
    return (
        torch.from_numpy(x),
        torch.from_numpy(np.concatenate(places)),
        torch.from_numpy(np.concatenate(targets)).long(),
    )


def batches(lengths: Sequence[int], tokens: int, rng: np.random.Generator) -> list[list[int]]:
    """Every index once, in batches of at most `tokens` tokens with padding (one text may be longer), in random order."""
    out: list[list[int]] = [[]]
    longest = 0
    for i in np.argsort(np.asarray(lengths) + rng.random(len(lengths)) * _ALIKE):
        longest = max(longest, lengths[i])
        if out[-1] and (len(out[-1]) + 1) * longest > tokens:
            out.append([])
            longest = lengths[i]
        out[-1].append(int(i))
    return [out[i] for i in rng.permutation(len(out))]


@torch.inference_mode()
def perplexity(model: Qwen2ForCausalLM, examples: Sequence[Example]) -> float:
    """exp of the mean loss per token of the answers, end mark included."""
    model.eval()
    total = count = 0.0
    for start in range(0, len(examples), 16):
        x, places, targets = (part.to(model.device) for part in collate(examples[start : start + 16]))
        logits = model.lm_head(model.model(input_ids=x).last_hidden_state.flatten(0, 1)[places])
        total += float(cross_entropy(logits, targets, reduction="sum"))
        count += len(targets)
    return math.exp(total / count)


def open_model(folder: str | Path) -> tuple[Qwen2ForCausalLM, PreTrainedTokenizerFast]:
    """A published miniature and its tokenizer, in float32; a relative folder is one of the repository."""
    path = ROOT / folder
    model = Qwen2ForCausalLM.from_pretrained(path, dtype=torch.float32)
    return model.eval(), PreTrainedTokenizerFast.from_pretrained(path)

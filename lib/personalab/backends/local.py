"""Language models in this process: any causal model of transformers, by card.

Answers are written in batches of prompts of like length; which prompts share a batch follows from the list of chats
alone. Sampling is exact and has a generator for every answer: the noise depends on the card's seed, the repeat and
the messages, not on the neighbours in the batch (whose padding moves logits by rounding only). Decoding is the card's
and nothing else: what a model's own generation_config says of temperature, top-k or penalties does not count. Remote
code and pickled weights are never loaded.
"""

import hashlib
import json
import time
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import torch

from . import weights
from .chat import (
    WORDLESS,
    Answer,
    Chat,
    Reply,
    Route,
    Usage,
    as_dicts,
    cut,
    decoding,
    encodable,
    inert,
    refuse_images,
)

_CALL = ("max_tokens", "seed", "temperature", "top_p")
_DTYPES = ("float32", "bfloat16", "float16")


class Writer(NamedTuple):
    """A model with its tokenizer, the ids that end an answer, and the tokens that prompt and answer may have."""

    model: Any
    tokenizer: Any
    ends: list[int]
    window: int


def route(card: dict[str, Any], device: str = "cpu") -> Route:
    """A function from chats to their replies, one list a batch; the model is loaded when it is first called.

    Args:
        card: `model` (a folder or a hub's id), and where wanted `revision`, `dtype` (default float32), `batch_size`
            (8), `max_input_tokens`, `cut` and `call` with `temperature` (0: the likeliest token), `top_p`,
            `max_tokens` (256) and `seed`.
        device: "cpu" or "cuda".

    Raises:
        ValueError: a setting of `call` that is not one of those, or an unknown dtype.
        FileNotFoundError: a folder that is not there.
    """
    unknown = sorted(set(card.get("call", {})) - set(_CALL))
    if unknown:
        raise ValueError(f"`call` names {unknown}, which is not read here; expected some of {_CALL}")
    if card.get("dtype", "float32") not in _DTYPES:
        raise ValueError(f"dtype {card['dtype']!r}; expected one of {_DTYPES}")
    weights.folder(card)

    @cache
    def writer() -> Writer:
        return _load(card, device)

    def answers(chats: Sequence[Chat]) -> Iterator[list[Reply]]:
        refuse_images(chats, f"{card['model']} (kind transformers)")
        yield from _answers(writer(), card, chats)

    return answers


def _load(card: dict[str, Any], device: str) -> Writer:
    import transformers

    path = weights.folder(card) or card["model"]
    revision = {"revision": card["revision"]} if card.get("revision") else {}
    with weights.quiet():
        tokenizer = transformers.AutoTokenizer.from_pretrained(path, padding_side="left", **revision)
        dtype = getattr(torch, card.get("dtype", "float32"))
        model = transformers.AutoModelForCausalLM.from_pretrained(
            path, dtype=dtype, use_safetensors=True, **revision
        )
    if not tokenizer.chat_template:
        raise ValueError(f"{path} has no chat template; expected a model that was tuned for chats")
    ends = model.generation_config.eos_token_id
    ends = tokenizer.eos_token_id if ends is None else ends
    window = getattr(model.config, "max_position_embeddings", tokenizer.model_max_length)
    return Writer(model.to(device).eval(), tokenizer, ends if isinstance(ends, list) else [ends], window)


def _answers(writer: Writer, card: dict[str, Any], chats: Sequence[Chat]) -> Iterator[list[Reply]]:
    prompts = [_prompt(writer.tokenizer, chat) for chat in chats]
    room = card.get("max_input_tokens", writer.window - _limit(card))
    long = [i for i, ids in enumerate(prompts) if len(ids) > room]
    if long:
        yield [
            Reply(i, Answer(None, f"prompt of {len(prompts[i])} tokens, model takes {room}")) for i in long
        ]
    order = sorted(set(range(len(chats))) - set(long), key=lambda i: (len(prompts[i]), i))
    size = card.get("batch_size", 8)
    for part in (order[start : start + size] for start in range(0, len(order), size)):
        begun = time.perf_counter()
        written = _write(writer, card, [prompts[i] for i in part], [chats[i] for i in part])
        seconds = (time.perf_counter() - begun) / len(part)
        yield [
            Reply(i, _read(writer, card, ids), Usage(len(prompts[i]), len(ids), seconds))
            for i, ids in zip(part, written, strict=True)
        ]


def _limit(card: dict[str, Any]) -> int:
    return card.get("call", {}).get("max_tokens", 256)


def _prompt(tokenizer: Any, chat: Chat) -> list[int]:
    added = {str(token) for token in tokenizer.added_tokens_decoder.values() if token.special}
    messages = as_dicts(inert(chat, sorted(added | set(tokenizer.all_special_tokens))))
    text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    return tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]


def _write(
    writer: Writer, card: dict[str, Any], prompts: list[list[int]], chats: list[Chat]
) -> list[list[int]]:
    """Token ids of each answer, its end included if it has one."""
    from transformers import GenerationConfig, LogitsProcessorList

    pad = writer.tokenizer.pad_token_id
    pad = writer.ends[0] if pad is None else pad
    width = max(map(len, prompts))
    ids = torch.tensor([[pad] * (width - len(prompt)) + prompt for prompt in prompts])
    mask = torch.tensor([[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts])
    plain = GenerationConfig(max_new_tokens=_limit(card), eos_token_id=writer.ends, pad_token_id=pad)
    writer.model.generation_config = plain
    device = writer.model.device
    with torch.inference_mode(), weights.quiet():
        rows = writer.model.generate(
            ids.to(device),
            attention_mask=mask.to(device),
            logits_processor=LogitsProcessorList(_warpers(card, chats)),
        )
    return [_until(row[width:].tolist(), writer.ends) for row in rows]


def _until(ids: list[int], ends: list[int]) -> list[int]:
    """The ids up to and with the first that ends an answer."""
    stop = next((i + 1 for i, token in enumerate(ids) if token in ends), len(ids))
    return ids[:stop]


def _read(writer: Writer, card: dict[str, Any], ids: list[int]) -> Answer:
    ended = bool(ids) and ids[-1] in writer.ends
    text = encodable(writer.tokenizer.decode(ids, skip_special_tokens=True))
    if not ended:
        return cut(card, text, _limit(card))
    return Answer(text) if text.strip() else Answer(None, WORDLESS)


def _warpers(card: dict[str, Any], chats: Sequence[Chat]) -> list[Any]:
    """What turns the likeliest token into a sampled one: temperature, top-p, noise; nothing at temperature 0."""
    from transformers import TemperatureLogitsWarper

    call = card.get("call", {})
    temperature, top_p = call.get("temperature", 0.0), call.get("top_p", 1.0)
    if temperature == 0:
        return []
    warpers = [TemperatureLogitsWarper(float(temperature))]
    if top_p < 1:
        warpers.append(TopP(top_p))
    return [*warpers, Gumbel([_seed(card, chat) for chat in chats])]


def _seed(card: dict[str, Any], chat: Chat) -> int:
    """Of one answer's noise: the seed that the card and the repeat give, and the messages."""
    parts = [decoding(card, chat).get("seed", chat.repeat), chat.messages]
    return int.from_bytes(hashlib.sha256(json.dumps(parts).encode()).digest()[:8], "big")


class TopP:
    """transformers' TopPLogitsWarper without a sort of the whole vocabulary where few tokens hold the mass p.

    A full sort is a third of the time of a small model; among the likeliest `_LOOKED_AT` tokens the nucleus is nearly
    always whole, and where it is not the library's own warper does it.
    """

    _LOOKED_AT = 128

    def __init__(self, p: float):
        from transformers import TopPLogitsWarper

        self._p, self._whole = p, TopPLogitsWarper(p)

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """(b, n) ids, ignored, and (b, v) logits to (b, v), -inf outside the smallest set that holds p."""
        top, places = scores.topk(min(self._LOOKED_AT, scores.shape[1]))
        share = (top - scores.logsumexp(-1, keepdim=True)).exp()
        above = share.cumsum(-1) - share
        if (above[:, -1] + share[:, -1] < self._p).any():
            return self._whole(input_ids, scores)
        kept = torch.zeros_like(scores, dtype=torch.bool).scatter(1, places, above < self._p)
        return scores.masked_fill(~kept, -torch.inf)


class Gumbel:
    """Logits plus Gumbel noise, one generator a row: the likeliest token of the sum is a sample of the softmax.

    argmax_i (l_i + g_i), g_i independent standard Gumbel, has probability softmax(l)_i (Gumbel 1954), so greedy
    decoding over it is sampling.
    """

    def __init__(self, seeds: Sequence[int]):
        self._generators = [np.random.default_rng(seed) for seed in seeds]

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """(b, n) ids, ignored, and (b, v) logits to (b, v) noisy logits."""
        noise = np.stack([generator.gumbel(size=scores.shape[1]) for generator in self._generators])
        return scores.float() + torch.from_numpy(noise).to(scores.device, torch.float32)

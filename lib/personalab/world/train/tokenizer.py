"""The world's byte-level BPE, trained on captions and saved as an ordinary CLIPTokenizer."""

import json
from collections.abc import Iterable

import numpy as np
from tokenizers import Tokenizer, pre_tokenizers, trainers
from tokenizers.models import BPE
from transformers import CLIPTokenizer

from .. import scenes
from ..captions import caption, plain
from ..words import wordings

#: Tokens that a text may have, start and end included.
LENGTH = 64
_FEWEST = 2 * 256 + 2


def corpus(n: int, seed: int) -> Iterable[str]:
    """n captions of random scenes, some in the canonical form, then every wording many times."""
    rng = np.random.default_rng(seed)
    for i in range(n):
        scene = scenes.sample(rng)
        yield plain(scene) if i % 8 == 0 else caption(scene, rng, share=float(rng.choice([0.5, 1.0])))
    for values in wordings().values():
        for words in values.values():
            yield from words * 20


def train_tokenizer(texts: Iterable[str], size: int) -> CLIPTokenizer:
    """A CLIPTokenizer of at most `size` entries; every byte has its own, so that no text is unknown to it.

    Raises ValueError when `size` leaves no room for 256 bytes, inside and at the end of a word, and two marks.
    """
    if size < _FEWEST:
        raise ValueError(f"got a vocabulary of {size}; every byte and the marks need at least {_FEWEST}")
    stock = CLIPTokenizer().backend_tokenizer
    learner = Tokenizer(BPE(continuing_subword_prefix="", end_of_word_suffix="</w>"))
    learner.normalizer, learner.pre_tokenizer = stock.normalizer, stock.pre_tokenizer
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    ends = [byte + "</w>" for byte in alphabet]
    trainer = trainers.BpeTrainer(
        vocab_size=size - 2,
        special_tokens=ends,  # numbered beforehand: else their order, and with it every tie, would be by chance
        initial_alphabet=alphabet,
        end_of_word_suffix="</w>",
        show_progress=False,
    )
    learner.train_from_iterator(texts, trainer)
    merges = [tuple(pair) for pair in json.loads(learner.to_str())["model"]["merges"]]
    entries = [*alphabet, *ends, *map("".join, merges)]
    entries = list(dict.fromkeys([*entries, "<|startoftext|>", "<|endoftext|>"]))
    vocabulary = {entry: i for i, entry in enumerate(entries)}
    return CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=LENGTH)

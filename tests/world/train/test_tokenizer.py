"""The tokenizer: no text is lost on it, and a saved one gives the same ids."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import CLIPTokenizer

from personalab.world.train.clip import tokenize
from personalab.world.train.tokenizer import LENGTH, corpus, train_tokenizer
from personalab.world.words import wordings

TEXTS = list(corpus(400, 0))
TOKENIZER = train_tokenizer(TEXTS, 1500)


def back(text: str) -> str:
    return TOKENIZER.decode(TOKENIZER(text).input_ids, skip_special_tokens=True)


def bare(text: str) -> str:
    """Text as the stock normaliser leaves it, without its white space."""
    return re.sub(r"\s", "", TOKENIZER.backend_tokenizer.normalizer.normalize_str(text))


def test_captions_keep_their_words():
    for text in TEXTS[:400]:
        assert re.findall(r"\w+", back(text)) == re.findall(r"\w+", text.lower())


@pytest.mark.parametrize("text", ["Qaanaaq, 1971", "azulejo à la café", "東京の夜", "a 🙂 kiosk", "ß ł ₧ ﷽"])
def test_what_no_caption_says_survives(text):
    assert back(text).replace(" ", "") == bare(text)


@given(st.text(st.characters(blacklist_categories=["Cs", "Cc", "Cf", "Cn", "Co", "Z"]), max_size=20))
def test_any_text_survives(text):
    assert re.sub(r"\s", "", back(text)) == bare(text)


def test_size_and_marks():
    assert len(TOKENIZER) <= 1500 and TOKENIZER.unk_token_id in (None, TOKENIZER.eos_token_id)
    ids = TOKENIZER("a red boat").input_ids
    assert ids[0] == TOKENIZER.bos_token_id and ids[-1] == TOKENIZER.eos_token_id
    assert {TOKENIZER.bos_token_id, TOKENIZER.eos_token_id} == {len(TOKENIZER) - 2, len(TOKENIZER) - 1}
    assert len(train_tokenizer(TEXTS, 514)) <= 514
    with pytest.raises(ValueError, match=r"got a vocabulary of 513; .* at least 514"):
        train_tokenizer(TEXTS, 513)


def test_common_words_are_one_token():
    for word in ("underfoot", "person", "colours", "night"):
        assert len(TOKENIZER.tokenize(word)) == 1


def test_a_saved_tokenizer_gives_the_same_ids(tmp_path):
    TOKENIZER.save_pretrained(tmp_path)
    again = CLIPTokenizer.from_pretrained(tmp_path)
    texts = [*TEXTS[:100], "東京の夜", ""]
    assert again(texts).input_ids == TOKENIZER(texts).input_ids
    assert len(again) == len(TOKENIZER) and again.model_max_length == LENGTH


def test_the_same_corpus_gives_the_same_tokenizer():
    assert list(corpus(400, 0)) == TEXTS and list(corpus(50, 1)) != list(corpus(50, 0))
    assert train_tokenizer(TEXTS, 1500).get_vocab() == TOKENIZER.get_vocab()


def test_the_corpus_holds_every_wording():
    words = {word for values in wordings().values() for group in values.values() for word in group}
    assert words <= set(TEXTS) and len(TEXTS) >= 400 + 20 * len(words)


def test_ids_have_one_length():
    ids = tokenize(TOKENIZER, ["", "a boat", "a red boat on a river " * 30])
    assert ids.shape == (3, LENGTH) and (ids[:, 0] == TOKENIZER.bos_token_id).all()
    assert (ids[0, 1:] == TOKENIZER.eos_token_id).all() and ids[2, -1] == TOKENIZER.eos_token_id
    lengths = [len(ids) for ids in TOKENIZER([text for text in TEXTS[:400] if " " in text]).input_ids]
    assert sum(n <= LENGTH for n in lengths) / len(lengths) > 0.9

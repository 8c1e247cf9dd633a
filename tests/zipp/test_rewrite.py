"""Rewriting by a persona: what each setting shows, and how answers are held to the limit."""

import math
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from personalab.backends.chat import Answer, Chat, Reply
from personalab.backends.composer import Composer
from personalab.backends.llm import LLM
from personalab.zipp.rewrite import Ask, chats, rewrite, subject_kept

PERSONA = "You are somebody who walks the harbour at dawn."
EARLIER = ("a rowing boat in fog", "a crane at night")


def model(answer: str | None = "a boat at dawn", **card: object) -> LLM:
    def route(asked: Sequence[Chat]) -> Iterator[list[Reply]]:
        yield [Reply(i, Answer(answer, None if answer else "refused: no")) for i, chat in enumerate(asked)]

    return LLM("fake", {"model": "fake"} | card, route)


@pytest.mark.parametrize("variant", ["full", "brief"])
@pytest.mark.parametrize("persona", ["", PERSONA])
@pytest.mark.parametrize("history", [(), EARLIER])
def test_each_setting_shows_what_it_may_and_nothing_else(variant, persona, history):
    (chat,) = chats(model(prompts=variant), [Ask("a boat", persona, history)])
    *system, (role, said) = chat.messages
    assert system == ([("system", persona)] if persona else [])
    assert role == "user" and "a boat" in said and PERSONA not in said
    assert all((earlier in said) == bool(history) for earlier in EARLIER)


def test_answers_come_in_order_and_long_ones_are_asked_for_once_more():
    held = rewrite(model("word " * 71), [Ask("a"), Ask("b")])
    assert held.reasked == 2 and [one.text for one in held.answers] == [None, None]
    assert all("no whole sentence" in one.reason for one in held.answers)
    assert rewrite(model(), [Ask("a"), Ask("b")]).answers == [Answer("a boat at dawn")] * 2


def test_a_refusal_is_missing_with_its_reason():
    (answer,) = rewrite(model(None), [Ask("a")]).answers
    assert answer == Answer(None, "refused: no")


def test_the_template_uses_persona_and_history_and_keeps_the_prompt():
    (plain,), (own,) = (
        rewrite(Composer(1.0), [ask]).answers for ask in (Ask("A boat."), Ask("A boat.", PERSONA, EARLIER))
    )
    assert plain.text == "A boat." and own.text.startswith("A boat.") and "harbour" in own.text
    assert all(earlier in own.text for earlier in EARLIER)


def test_the_repeat_reaches_the_question():
    assert [one.repeat for one in chats(model(), [Ask("a")], repeat=2)] == [2]


@pytest.mark.parametrize(
    "basic, text, share",
    [
        ("a red boat", "The boat, red and old", 1.0),
        ("a red boat", "a blue boat", 0.5),
        ("a red boat", "nothing", 0.0),
        ("a red boat", None, math.nan),
        ("of the", "anything", math.nan),
    ],
)
def test_kept_subjects_by_hand(basic, text, share):
    assert subject_kept(basic, text) == pytest.approx(share, nan_ok=True)


@given(st.text(max_size=40), st.text(max_size=40))
def test_a_prompt_keeps_itself_and_whatever_is_added_loses_nothing(basic, more):
    kept = subject_kept(basic, f"{basic} {more}")
    assert math.isnan(kept) or kept == 1.0

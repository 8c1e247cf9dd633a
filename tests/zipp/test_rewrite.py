"""Rewriting by a persona: what each setting shows, and how answers are held to the limit."""

import math
from collections.abc import Iterator, Sequence

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from personalab.backends.chat import Answer, Chat, Reply
from personalab.backends.composer import Composer
from personalab.backends.llm import LLM
from personalab.zipp.rewrite import Ask, chats, questions, rewrite, rewrite_table, subject_kept

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
    assert held.again == [True, True] and [one.text for one in held.answers] == [None, None]
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


PROMPTS = pd.DataFrame({"user": ["u", "v", "u"], "basic": ["a boat", "a hill", "a cat"], "prompt": [4, 5, 6]})
HISTORIES = {"u": ["one", "two", "three"], "v": ["four"]}
NEXT = {"u": "v", "v": "u"}


def test_an_arm_shows_the_latest_prompts_and_the_persona_of_the_person_it_is_for():
    own = questions(PROMPTS, HISTORIES, personas={"u": "You are u.", "v": None}, shots=2)
    assert own["history"].tolist() == [("two", "three"), ("four",), ("two", "three")]
    assert own["persona"].tolist() == ["You are u.", None, "You are u."]
    other = questions(PROMPTS, HISTORIES, personas={"v": "You are v."}, shots=1, whose=NEXT)
    assert other["history"].tolist() == [("four",), ("three",), ("four",)]
    assert other["persona"].tolist() == ["You are v.", None, "You are v."]
    plain = questions(PROMPTS, HISTORIES)
    assert plain["history"].tolist() == [()] * 3 and plain["persona"].tolist() == [""] * 3
    assert plain[PROMPTS.columns].equals(PROMPTS)
    with pytest.raises(ValueError, match="shots is -1"):
        questions(PROMPTS, HISTORIES, shots=-1)


def test_arms_of_a_table_are_asked_together_and_answered_in_order():
    """Every row has the answer that its question has alone; a person without persona is asked nothing."""
    batches: list[int] = []

    def route(asked):
        batches.append(len(asked))
        yield [Reply(i, Answer(chat.messages[-1][1])) for i, chat in enumerate(asked)]

    writer = LLM("fake", {"model": "fake", "prompts": "brief"}, route)
    arms = {
        "plain": questions(PROMPTS, HISTORIES),
        "own": questions(PROMPTS, HISTORIES, personas={"u": PERSONA}, shots=1),
    }
    table = pd.concat([one.assign(arm=name) for name, one in arms.items()], ignore_index=True)[::-1]
    found, counts = rewrite_table(writer, table)
    assert batches[0] == 5, "first of all, everything at once"
    assert found.index.tolist() == table.index.tolist() and not {"persona", "history"} & set(found)
    missing = found[found["text"].isna()]
    assert missing[["arm", "user", "reason"]].values.tolist() == [["own", "v", "no persona"]]
    for i, row in found[found["text"].notna()].iterrows():
        asked = table.loc[i]
        (alone,) = rewrite(writer, [Ask(asked["basic"], asked["persona"], asked["history"])]).answers
        assert row["text"] == alone.text and row["reason"] is None
    assert counts.loc[["plain", "own"]].to_numpy().tolist() == [[0, 0], [0, 0]]


def test_what_was_asked_again_and_cut_is_counted_by_arm():
    table = pd.concat(
        [
            questions(PROMPTS[:2], HISTORIES).assign(arm="plain"),
            questions(PROMPTS, HISTORIES, shots=1).assign(arm="shots"),
        ],
        ignore_index=True,
    )
    found, counts = rewrite_table(model("Here it is. " + "word " * 71), table)
    assert counts.loc["plain"].tolist() == [2, 2] and counts.loc["shots"].tolist() == [3, 3]
    assert set(found["text"]) == {"Here it is."}
    with pytest.raises(ValueError, match="repetitions"):
        rewrite_table(model(), pd.concat([table, table]))


def test_an_arm_in_which_nobody_has_a_persona_has_no_answers():
    table = questions(PROMPTS, HISTORIES, personas={}).assign(arm="own")
    found, counts = rewrite_table(Composer(), table)
    assert found["text"].isna().all() and set(found["reason"]) == {"no persona"}
    assert counts.loc["own"].tolist() == [0, 0]


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

"""Cases: who is asked what, with which persona and which earlier prompts; what cannot be asked keeps its place."""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from samples import read_table13, read_world

from personalab.backends.chat import Answer, Chat, Reply
from personalab.backends.llm import LLM
from personalab.zipp.datasets import COLUMNS, cases, invented, invented_histories, movielens, pip

METHODS = {"plain": (False, 0), "persona": (True, 0), "two": (False, 2), "both": (True, 2)}
VOTER = {"person": 7, "gender": "Female", "age": "18-29", "country": "VN", "occupation": "Technology"}


def echo() -> LLM:
    """Answers with what it was shown, numbered by batch."""

    def route(asked: Sequence[Chat]) -> Iterator[list[Reply]]:
        batches.append(len(asked))
        yield [
            Reply(i, Answer(" / ".join(text.split("\n")[-1] for _, text in chat.messages)))
            for i, chat in enumerate(asked)
        ]

    batches: list[int] = []
    model = LLM("fake", {"model": "fake", "prompts": "brief"}, route)
    model.batches = batches
    return model


def table(*rows: tuple) -> pd.DataFrame:
    """Histories by (user, original, basic, part)."""
    return pd.DataFrame(
        [(user, str(i), i, text, short, part) for i, (user, text, short, part) in enumerate(rows)],
        columns=list(COLUMNS),
    )


def case(persona: str | None, *history: str) -> dict:
    return {"user": "u", "basic": "b", "original": "o", "persona": persona, "history": history}


def test_the_last_test_prompt_with_all_that_came_before_the_tests():
    read = table(
        ("a", "first", None, "history"),
        ("a", "second", None, "history"),
        ("a", "early test", "early", "test"),
        ("a", "late test", "late", "test"),
        ("b", "only test", None, "test"),
        ("c", "no test", None, "history"),
        ("d", "beyond n", "x", "test"),
    )
    found = cases.of_histories(read, {"a": "You are A."}, 3)
    assert found.to_dict("records") == [
        {
            "user": "a",
            "basic": "late",
            "original": "late test",
            "persona": "You are A.",
            "history": ("first", "second"),
        },
        {"user": "b", "basic": "only test", "original": "only test", "persona": None, "history": ()},
    ]
    assert list(cases.of_histories(read[:0], {}, 3)) == list(cases.CASE)


def test_the_forms_of_both_readers_give_a_case_per_user(tmp_path):
    invented_histories.write_pip(tmp_path / "pip", 4, 8, seed=0, unsafe=0.0)
    invented_histories.write_movielens(tmp_path / "films", 4, 60, 40, seed=0)
    films = movielens.histories(tmp_path / "films", [tmp_path / "films" / "tmdb.csv"])
    for read, users in ((pip.histories(tmp_path / "pip"), 4), (films, films.table["user"].nunique())):
        found = cases.of_histories(read.table, {}, 99)
        assert len(found) == users > 0
        for one in found.itertuples():
            own = read.table[read.table["user"] == one.user]
            assert one.original == own[own["part"] == "test"]["original"].iloc[-1]
            assert len(one.history) == (own["part"] == "history").sum()


@pytest.mark.parametrize(
    ("unknown", "expected"),
    [
        ((), "You are a woman aged 18-29 from Viet Nam; occupation: Technology."),
        (("age", "occupation"), "You are a woman from Viet Nam."),
        (("gender", "country"), "You are a person aged 18-29; occupation: Technology."),
        (("gender", "age", "country", "occupation"), "You are a person."),
    ],
)
@pytest.mark.parametrize("nothing", [None, np.nan])
def test_what_a_voter_did_not_say_is_not_said(unknown, expected, nothing):
    voter = pd.Series(VOTER | dict.fromkeys(unknown, nothing))
    assert cases.of_demographics(voter, {"VN": "Viet Nam"}) == expected


def test_every_invented_voter_has_a_sentence_a_prompt_and_their_own_history():
    world = read_world()
    people = invented.draw_people(
        read_table13(),
        world.groupby(["region", "iso2"])["population"].sum(),
        30,
        np.random.default_rng(0),
    )
    names = world.drop_duplicates("iso2").set_index("iso2")["country"]
    found = cases.of_voters(people, ["p", "q"], names, [(str(i),) for i in people["person"]])
    assert list(found["basic"]) == list(found["original"]) == ["p", "q"] * 15
    assert list(found["history"]) == [(str(user),) for user in found["user"]]
    assert found["persona"].str.match(r"You are a (man|woman|person)( aged [\d+-]+)? from \w.*\.$").all()


def test_voters_without_prompts_or_with_the_wrong_number_of_histories_are_told():
    voters = pd.DataFrame([VOTER])
    with pytest.raises(ValueError, match="got 0 prompts"):
        cases.of_voters(voters, [], {})
    with pytest.raises(ValueError, match="2 histories for 1 voters"):
        cases.of_voters(voters, ["p"], {}, [(), ()])


@given(st.lists(st.text("ab", min_size=1), max_size=4), st.booleans(), st.booleans(), st.integers(0, 5))
def test_a_question_shows_the_latest_prompts_or_is_not_asked(history, known, personal, shots):
    (ask,) = cases.asks(pd.DataFrame([case("You." if known else None, *history)]), personal, shots)
    assert (ask is None) == (len(history) < shots or (personal and not known))
    if ask:
        assert ask.history == tuple(history[len(history) - shots :]) and ask.persona == "You." * personal


def test_every_case_by_every_method_in_one_batch_and_in_its_place():
    given_cases = pd.DataFrame([case("You are A.", "x", "y", "z"), case(None, "x", "y"), case("You are C.")])
    given_cases["basic"] = ["a boat", "a cat", "a tree"]
    model = echo()
    found = cases.rewritten(model, given_cases, METHODS)
    assert model.batches == [8] and len(found) == 12
    assert list(found["method"]) == [name for name in METHODS for _ in range(3)]
    missing = found["text"].isna()
    assert found["reason"].notna().equals(missing) and set(found["reason"][missing]) == {cases.UNASKED}
    assert list(np.flatnonzero(missing)) == [4, 8, 10, 11]
    both = found[found["method"] == "both"]["text"].iloc[0]
    assert (
        both.startswith("You are A.") and "You are" not in found[found["method"] == "plain"]["text"].iloc[0]
    )

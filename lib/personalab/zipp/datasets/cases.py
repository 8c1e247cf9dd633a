"""What a rewriter is asked about the public benchmarks: a case for each user (ZIPP 4.2.2, 4.2.4).

A case holds `user`, `basic` (the prompt to rewrite), `original` (the prompt that pictures are held against), `persona`
(None where there is none) and `history` (a tuple of prompts, the oldest first). The readers beside this module make the
tables that go in. Nothing is drawn or scored here.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from ...backends.composer import Composer
from ...backends.llm import LLM
from ..rewrite import Ask, rewrite

#: Columns of every table of cases.
CASE = ("user", "basic", "original", "persona", "history")
#: Why a case has no text where a method shows more than is known of its user.
UNASKED = "no persona, or too short a history"


def of_histories(table: pd.DataFrame, personas: Mapping[Any, str | None], n: int) -> pd.DataFrame:
    """The last test prompt of each of the first n users, with all that the user wrote before the tests.

    Args:
        table: Histories.table of a reader.
        personas: user -> persona; who is missing has none.

    Returns:
        Cases, sorted as the table is. `basic` is the original where a source has no short form; a user without a test
        prompt has no case.
    """
    part = table[table["user"].isin(table["user"].drop_duplicates().iloc[:n])]
    before = part[part["part"] == "history"].groupby("user")["original"].agg(tuple)
    last = part[part["part"] == "test"].groupby("user", sort=False).tail(1)
    short = last["basic"].where(last["basic"].notna(), last["original"])
    rows = [
        (one.user, basic, one.original, personas.get(one.user), before.get(one.user, ()))
        for one, basic in zip(last.itertuples(), short, strict=True)
    ]
    return _cases(rows)


def of_voters(
    voters: pd.DataFrame,
    prompts: Sequence[str],
    names: Mapping[str, str],
    histories: Sequence[Sequence[str]] | None = None,
) -> pd.DataFrame:
    """A prompt of the votes for each voter, in turn; it is basic and original at once, since voters write none.

    Args:
        voters: person, and the axes of `rapidata.AXES`, missing where unknown.
        prompts: at least one.
        names: country code -> the country's name.
        histories: what each voter wrote before; None where nobody wrote anything.

    Raises:
        ValueError: no prompts, or not one history for each voter.
    """
    told = [()] * len(voters) if histories is None else histories
    if not len(prompts) or len(told) != len(voters):
        raise ValueError(
            f"got {len(prompts)} prompts and {len(told)} histories for {len(voters)} voters; "
            "expected a prompt or more, and a history each"
        )
    texts = [prompts[i % len(prompts)] for i in range(len(voters))]
    rows = [
        (one.person, text, text, of_demographics(one, names), tuple(history))
        for one, text, history in zip(voters.itertuples(), texts, told, strict=True)
    ]
    return _cases(rows)


def of_demographics(voter: Any, names: Mapping[str, str]) -> str:
    """One sentence to a voter, "You are ...", of gender, age, country and occupation; what is unknown stays unsaid.

    Args:
        voter: with those four as attributes, in Rapidata's words; anything but text is unknown.
        names: country code -> name; a code without one stands for itself.
    """
    who = {"Male": "a man", "Female": "a woman"}.get(voter.gender, "a person")
    country = names.get(voter.country, voter.country)
    said = (
        (" aged {}", voter.age),
        (" from {}", country),
        ("; occupation: {}", voter.occupation),
    )
    return f"You are {who}{''.join(form.format(value) for form, value in said if isinstance(value, str))}."


def asks(cases: pd.DataFrame, personal: bool, shots: int) -> list[Ask | None]:
    """The question for each case: whether the persona is shown, and how many of the latest prompts.

    Returns:
        None for a case without a persona where one is to be shown, or with fewer than `shots` prompts.
    """
    return [
        Ask(one.basic, one.persona if personal else "", tuple(one.history[len(one.history) - shots :]))
        if len(one.history) >= shots and (isinstance(one.persona, str) or not personal)
        else None
        for one in cases.itertuples()
    ]


def rewritten(
    writer: LLM | Composer,
    cases: pd.DataFrame,
    methods: Mapping[str, tuple[bool, int]],
    max_words: int = 70,
) -> pd.DataFrame:
    """Every case by every method, all asked together.

    Args:
        methods: name -> (whether the persona is shown, how many prompts are).
        max_words: as `rewrite` holds it.

    Returns:
        The cases once for each method, in order, with `method`, `text` (None where there is none) and `reason` (None
        where there is a text).
    """
    wanted = [ask for personal, shots in methods.values() for ask in asks(cases, personal, shots)]
    given = iter(rewrite(writer, [ask for ask in wanted if ask], max_words=max_words).answers)
    answers = [next(given) if ask else None for ask in wanted]
    out = pd.concat([cases.assign(method=name) for name in methods], ignore_index=True)
    out["text"] = pd.Series([one.text if one else None for one in answers], dtype=object)
    out["reason"] = pd.Series([one.reason if one else UNASKED for one in answers], dtype=object)
    return out


def _cases(rows: list[tuple[Any, ...]]) -> pd.DataFrame:
    """Columns of objects, so that None stays None."""
    return pd.DataFrame(rows, columns=list(CASE), dtype=object)

"""Histories and test prompts: nothing of one in the other, everything counted, real re-rolled prompts included."""

import json
import os
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.metrics import jaccard_score

from personalab.zipp.zipbench import bench
from personalab.zipp.zipbench.civitai import Picture
from personalab.zipp.zipbench.link import Link

START = datetime(2024, 1, 1, 23, 30, tzinfo=UTC)
DISTINCT = [
    "a lighthouse on the cliffs in a storm",
    "two foxes asleep under an old oak",
    "market hall with red awnings at noon",
    "snow on a wooden bridge, lanterns",
    "portrait of a beekeeper, soft light",
    "empty swimming pool full of leaves",
    "tram rails shining after rain, neon",
    "greenhouse with lemon trees, pastel",
    "old globe on a desk by the window",
]


def shares(one, other):
    """Common words, word trigrams, and trigrams of the shorter one, counted by scikit-learn."""
    found = []
    for n in (1, 3):
        vectors = CountVectorizer(ngram_range=(n, n), binary=True, token_pattern=r"\w+")
        a, b = vectors.fit_transform([one, other]).toarray()
        found += [jaccard_score(a, b), (a & b).sum() / max(min(a.sum(), b.sum()), 1)]
    return found[0], found[2], found[3]


def alike(one, other):
    words, trigrams, extended = shares(one, other)
    return words >= bench.NEAR_WORDS or trigrams >= bench.NEAR_TRIGRAMS or extended >= bench.NEAR_EXTENDED


long = st.lists(st.sampled_from("amber fox lake night oil red tree wood".split()), min_size=3, max_size=9)


@given(long.map(" ".join), long.map(" ".join))
def test_near_is_what_scikit_learn_counts_with_the_three_thresholds(one, other):
    assert bench.near(one, other) == bench.near(other, one) == alike(one, other)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("a red boat at dawn, ink", "A RED BOAT at dawn ink!", True),
        ("a red boat at dawn, ink", "ink, a red boat, at dawn", True),
        ("a red boat at dawn, ink", "a red boat at dawn, ink, 8k", True),
        ("a red boat at dawn, ink", "a blue bird in a garden, photo", False),
        ("a red boat", "a red boat at dawn in the old harbour, ink on paper", True),
        ("portrait of a fox, golden outlines, ink", "portrait of two cranes, golden outlines, ink", False),
        ("cat", "cat", True),
        ("cat", "cat on a roof", False),
        ("cat", "dog", False),
        ("???", "!!!", True),
    ],
)
def test_near_by_hand(one, other, expected):
    assert bench.near(one, other) is expected


def test_the_last_prompts_are_held_out():
    found = bench.split(DISTINCT, held_out=3)
    assert found.history == [0, 1, 2, 3, 4, 5] and found.test == [6, 7, 8] and found.dropped.total() == 0


def test_a_rerolled_prompt_counts_once_at_its_first_time():
    found = bench.split([*DISTINCT, DISTINCT[0].upper(), DISTINCT[0]], held_out=2)
    assert found.dropped["repeated"] == 2 and 0 in found.history and found.test == [7, 8]


def test_examples_near_a_test_prompt_are_dropped_and_test_prompts_are_not_near_each_other():
    tries = [f"{DISTINCT[8]}{end}" for end in (", detailed", ", very detailed")]
    found = bench.split([DISTINCT[8], *DISTINCT[:8], *tries], held_out=2)
    assert found.test == [8, 10] and found.dropped["near a test prompt"] == 2 and 0 not in found.history


few_words = st.lists(st.sampled_from("fox lake night oil red".split()), min_size=1, max_size=5).map(" ".join)


@given(st.lists(few_words | st.text(max_size=6), max_size=14), st.integers(1, 4))
def test_every_prompt_has_one_place_and_no_test_prompt_is_in_the_history(prompts, held_out):
    found = bench.split(prompts, held_out)
    assert len(found.history) + len(found.test) + found.dropped.total() == len(prompts)
    assert len(found.test) <= held_out and (found.test or not prompts)
    kept = found.test + found.history
    assert len({prompts[i].lower() for i in kept}) == len(kept) and found.test == sorted(found.test)
    assert not any(bench.near(prompts[i], prompts[j]) for i in found.test for j in kept if i != j)


def test_fewer_than_one_held_out_is_refused():
    with pytest.raises(ValueError, match="held_out=0"):
        bench.split(DISTINCT, 0)


LINK = Link("acivitaiguy_417", "0" * 32, 7, True)


def pictures(prompts, user="acivitaiguy_417", first=0):
    """One a day, handed over newest first."""
    times = [START + timedelta(days=i) for i in range(len(prompts))]
    made = [Picture(user, first + i, text, times[i], i, "m", "") for i, text in enumerate(prompts)]
    return made[::-1]


def test_histories_are_in_the_order_of_time_and_of_linked_accounts_only():
    other = Link("empty", "1" * 32, 3, False)
    strangers = pictures(["never seen"], user="stranger")
    found = bench.histories([*strangers, *pictures(DISTINCT)], [LINK, other])
    assert [one.prompt for one in found[LINK]] == DISTINCT and found[other] == []


def test_the_table_holds_what_later_notebooks_read():
    frame, counts = bench.divide({LINK: pictures(DISTINCT)[::-1]}, held_out=3, fewest=5)
    assert list(frame.columns) == list(bench.COLUMNS) and counts["prompts"] == 9
    assert list(frame["part"]) == ["history"] * 6 + ["test"] * 3 and set(frame["graph_row"]) == {7}
    assert str(frame["created"][0]) == "2024-01-01" and frame["seed"].tolist() == list(range(9))
    assert frame["prompt"].tolist() == list(range(9)) and frame["basic"].isna().all()


def test_nothing_that_leads_back_to_an_account_is_in_a_row():
    prompts = [
        *DISTINCT,
        "poster for acivitaiguy_417 and ACivitaiGuy, see https://a.example, u/somebody, by Klimt",
    ]
    frame, _ = bench.divide({LINK: pictures(prompts, first=987654321)[::-1]}, held_out=1)
    text = frame.to_csv().lower()
    assert "civitaiguy" not in text and "a.example" not in text and "somebody" not in text
    assert "98765" not in text and "23:30" not in text
    assert frame["original"].iloc[-1] == "poster for [user] and [user], see [url], [user], by Klimt"


def test_users_with_too_little_are_left_out_and_counted():
    small = Link("small", "2" * 32, 1, False)
    found = {LINK: pictures(DISTINCT)[::-1], small: pictures(DISTINCT[:7], user="small")[::-1]}
    frame, counts = bench.divide(found, held_out=3, fewest=5)
    assert set(frame["graph_row"]) == {7} and counts["user with too few"] == 7
    assert counts.pop("prompts") == 16 == counts.total()


def test_nobody_at_all_is_an_empty_table():
    frame, counts = bench.divide({}, 3, 5)
    assert len(frame) == 0 and list(frame.columns) == list(bench.COLUMNS) and counts.total() == 0
    assert len(bench.with_basic(frame, {})[0]) == 0


def test_only_test_prompts_have_a_basic_form_and_those_without_one_go():
    other = Link("other", "3" * 32, 2, False)
    found = {LINK: pictures(DISTINCT)[::-1], other: pictures([f"{x}, oil" for x in DISTINCT])[::-1]}
    frame, _ = bench.divide(found, held_out=2, fewest=5)
    kept, counts = bench.with_basic(frame, {DISTINCT[8]: "a globe", DISTINCT[7]: None, DISTINCT[0]: "unused"})
    assert counts == {"test": 4, "kept": 1, "no basic prompt": 3} and set(kept["user"]) == {LINK.identifier}
    assert kept["basic"].dropna().tolist() == ["a globe"] and (kept["part"] == "history").sum() == 7


def test_rows_survive_parquet(tmp_path):
    frame, _ = bench.divide({LINK: pictures(DISTINCT)[::-1]}, held_out=3)
    kept, _ = bench.with_basic(frame, {text: "x" for text in DISTINCT})
    kept.to_parquet(tmp_path / "prompts.parquet")
    again = pd.read_parquet(tmp_path / "prompts.parquet")
    assert (
        again["original"].tolist() == kept["original"].tolist()
        and again["seed"].tolist() == kept["seed"].tolist()
    )


def real_histories():
    folder = os.environ.get("PERSONALAB_DATA")
    file = Path(folder or "", "t2i_user_prompts_eden", "creations.ndjson")
    if not folder or not file.exists():
        pytest.skip(
            "PERSONALAB_DATA is not set; it names the folder that holds t2i_user_prompts_eden/creations.ndjson"
        )
    by_author = defaultdict(list)
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    for row in sorted(rows, key=lambda one: one["date"]):
        by_author[row["author"]].append(row["text_input"])
    return by_author


def test_real_people_reroll_and_refine_and_nothing_of_it_leaks(capsys):
    """Discord histories of a text-to-image bot; another site's format, so only the division is tried on them."""
    dropped = np.zeros(2, int)
    for prompts in real_histories().values():
        found = bench.split(prompts, held_out=3)
        assert len(found.history) + len(found.test) + found.dropped.total() == len(prompts)
        assert found.dropped["repeated"] == len(prompts) - len({text.lower() for text in prompts})
        for i in found.history:
            assert not any(alike(prompts[i], prompts[j]) for j in found.test)
        dropped += found.dropped["repeated"], found.dropped["near a test prompt"]
    assert dropped[0] > 0 and dropped[1] > 0, "these histories hold both"
    with capsys.disabled():
        print(f"\nof 32 real prompts {dropped[0]} repeat and {dropped[1]} are near a held-out one")

"""Any text is either read as exactly the labels with halves from 0 to 5, or not at all, with a reason."""

import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from personalab.vptt.judge.reading import SCORES, Reading, read

FORM = "off-form: a line of another form"
SCORE = "off-form: a score that is not one of 0, 0.5, ..., 5"
TWICE, UNKNOWN = "off-form: a label twice", "off-form: a label that was not shown"
SHORT = "off-form: a label without a line"
GOOD = "A: Score=3.5 - the same brass lamps\nB: Score=0.0 - nothing of it"


def test_by_hand():
    assert read(GOOD, "AB") == Reading(
        {"A": (3.5, "the same brass lamps"), "B": (0.0, "nothing of it")}, None
    )


@pytest.mark.parametrize(
    "text",
    [
        "\n\nB: Score=0 - nothing of it\n\nA: Score=3.5 – the same brass lamps\n",
        "**A:** Score=3.5 - the same brass lamps\r\n**B: Score=0.0** — nothing of it",
        "**A: Score = 3.5 - the same brass lamps**\n`B`: Score=**0.0** -- nothing of it",
    ],
)
def test_order_blank_lines_dashes_and_bold_type_mean_nothing(text):
    assert read(text, "AB") == read(GOOD, "AB")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", SHORT),
        ("A: Score=3 - lamps", SHORT),
        (f"{GOOD}\nA: Score=3.5 - lamps", TWICE),
        (f"{GOOD}\nC: Score=3.5 - lamps", UNKNOWN),
        (f"Here are my scores.\n{GOOD}", FORM),
        (f"{GOOD}\nAll in all the first is better.", FORM),
        ("A: Score=3.5 - lamps B: Score=2 - none", FORM),
        ("A: Score=3.5 - lamps\nB: 2 - none", FORM),
        ("A: Score=3.5 - lamps\nb: Score=2 - none", FORM),
        ("A: Score=3.5 - lamps\nB: Score=2", FORM),
        ("A: Score=3.5 - lamps\nB: Score=2 - ...", FORM),
        ("A: Score=3.5 - lamps\nB: Score=2 - __", FORM),
        ("A: Score=3.5 - lamps\nB: Score=2 - 3 - none", FORM),
        ("A: Score=3.5 - lamps\nB: Score=2.0 - 2.5", FORM),
        ("A: Score=3.5 - lamps\nB: Score=2.0 to 2.5 - none", FORM),
        ('[{"label": "A", "score": 3.5}, {"label": "B"', FORM),
        *(
            (f"A: Score=3.5 - lamps\nB: Score={bad} - none", SCORE)
            for bad in (
                "NaN",
                "inf",
                "-1",
                "5.5",
                "3.7",
                "1e0",
                "05",
                "X.X",
                "4/5",
                "4.0-4.5",
                "٣",
                "½",
                "4,5",
            )
        ),
    ],
)
def test_anything_else_is_off_form_whole(text, reason):
    assert read(text, "AB") == Reading(None, reason)


def test_the_scores_are_the_eleven_halves():
    assert set(SCORES.values()) == {k / 2 for k in range(11)}
    assert all(float(text) == value for text, value in SCORES.items())


_PIECES = st.sampled_from(
    ["A", "B", "C", ":", " Score", "=", "3.5", "0", "5", "5.5", "NaN", " - ", "-", "\n", "lamps", "**", " ", "\x85", "1 - "]
)  # fmt: skip


@given(
    st.one_of(st.text(), st.lists(_PIECES, max_size=40).map("".join)), st.sampled_from(["A", "AB", "ABCDE"])
)
@example("A: Score=3.5 - lamps", "A")
def test_any_text_gives_exactly_the_labels_with_halves_or_a_reason(text, labels):
    lines, reason = read(text, labels)
    assert (lines is None) == (reason is not None)
    if lines is not None:
        assert sorted(lines) == list(labels)
        for score, why in lines.values():
            assert 0 <= score <= 5 and math.modf(2 * score)[0] == 0 and why


_WHY = st.text("abc ,;.()'é", min_size=1).filter(lambda why: any(c.isalpha() for c in why))


@given(st.data(), st.integers(1, 5), st.booleans())
def test_what_is_in_form_is_read_as_it_was_written(data, n, points):
    labels = "ABCDE"[:n]
    scores = {label: data.draw(st.integers(0, 10)) / 2 for label in data.draw(st.permutations(labels))}
    why = {label: data.draw(_WHY) for label in labels}
    text = "\n".join(
        f"{label}: Score={score if points else format(score, 'g')} - {why[label]}"
        for label, score in scores.items()
    )
    assert read(text, labels).lines == {label: (scores[label], why[label].strip()) for label in labels}


@pytest.mark.parametrize(
    "text", ["A:" + " " * 50_000, "A: Score=3" + " -" * 30_000, " *" * 50_000 + "A", "score " * 20_000]
)
def test_a_long_answer_is_read_as_quickly_as_a_short_one(text):
    """A pattern that backtracks would take hours for these."""
    assert read(text, "A").lines is None

"""Selection of one subreddit's posts against hand-worked cases and invariants."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from personalab.zipp import selection


def words(text: str) -> int:
    return len(text.split())


def test_removed_empty_and_repeated_posts_are_dropped_and_counted():
    told = [
        "[removed]",
        " [deleted] ",
        "",
        "…",
        "I fixed the old gate today",
        "I FIXED the old gate, today!",
        None,
    ]
    chosen = selection.select(told, [9, 8, 7, 6, 5, 4, 3], 100, words)
    assert chosen.texts == ["I fixed the old gate today"]
    assert chosen.dropped == {"removed": 2, "empty": 3, "duplicate": 1}


def test_four_fifths_of_the_trigrams_make_a_duplicate_and_less_does_not():
    base = [
        f"w{i}" for i in range(20)
    ]  # 18 trigrams; a new last word shares 17 of 19, two new last words 16 of 20
    for changed, same in ((1, True), (2, True), (3, False)):
        other = base[:-changed] + [f"new{i}" for i in range(changed)]
        chosen = selection.select([" ".join(base), " ".join(other)], [2, 1], 100, words)
        assert (len(chosen.texts) == 1) == same


def test_the_next_post_weighs_score_against_likeness_to_what_is_chosen():
    """Ranks 0, 1/3, 2/3. After "a b c d": the 2nd has (1 - 1/3)/2 - 3/5/2 = .033, the 3rd (1 - 2/3)/2 - 0 = .167."""
    told = ["a b c d", "d c b e", "p q r s"]
    assert selection.select(told, [30, 20, 10], 100, words).texts == ["a b c d", "p q r s", "d c b e"]


def test_what_is_shown_of_another_subreddit_is_not_shown_again():
    chosen = selection.select(
        ["one two three four five", "six seven eight nine ten"],
        [2, 1],
        100,
        words,
        ["One two three four five."],
    )
    assert chosen.texts == ["six seven eight nine ten"] and chosen.dropped == {"duplicate": 1}


def test_the_post_that_does_not_fit_is_cut_at_a_word_or_left_out_below_five():
    long = "the quick brown fox jumps over the lazy dog"
    assert selection.select([long], [1], 6, words).texts == ["the quick brown fox jumps over"]
    assert selection.select([long], [1], 4, words) == selection.Chosen([], 0, Counter({"no room": 1}))


def test_posts_far_below_the_best_are_not_looked_at():
    told = [f"{i}a {i}b {i}c {i}d {i}e" for i in range(30)]
    chosen = selection.select(told, range(30), 10, words)
    assert chosen.dropped == {"low score": 22, "no room": 6} and len(chosen.texts) == 2


TEXT = st.lists(st.sampled_from("red boat fog in the harbour [removed] . at dawn".split()), max_size=12).map(
    " ".join
)


@given(st.lists(st.tuples(TEXT, st.integers(-5, 5)), max_size=12), st.integers(0, 40))
def test_selection_keeps_the_budget_loses_nothing_and_repeats_itself(posts, tokens):
    told, scores = [text for text, _ in posts], [score for _, score in posts]
    first, again = (selection.select(told, scores, tokens, words) for _ in range(2))
    assert first == again
    assert first.tokens == sum(map(words, first.texts)) <= tokens
    assert len(first.texts) + sum(first.dropped.values()) == len(posts)
    assert all(any(text.strip().startswith(part) for text in told) for part in first.texts)

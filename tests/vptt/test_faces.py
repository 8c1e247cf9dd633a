"""Faces: the printed count by enumeration, the seed against coreutils, uniformity by chi-square, reachability."""

import itertools
import math
import re
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2_contingency, chisquare

from personalab.vptt.faces import Face, combinations, face, face_seed, numbered, options

N = 97_200_000  # VPTT 10.1
AGES = st.integers(0, 110)
USERS = 20_000


def test_the_number_of_faces_is_the_paper_s():
    assert combinations() == N == 2**7 * 3**5 * 5**5
    for age in (0, 29, 30, 59, 60, 100):
        assert math.prod(map(len, options(age).values())) == N


def test_ten_attributes_of_four_to_six_options_leave_one_modifier_list_a_single_option():
    admissible = set()
    for attributes in itertools.combinations_with_replacement((4, 5, 6), 10):
        rest, remainder = divmod(N, math.prod(attributes))
        if remainder:
            continue
        divisors = [d for d in range(1, rest + 1) if rest % d == 0]
        for modifiers in itertools.combinations_with_replacement(divisors, 3):
            if math.prod(modifiers) == rest:
                admissible.add((attributes, modifiers))
    assert {math.prod(modifiers) for _, modifiers in admissible} == {4, 5, 6, 9}
    assert all(modifiers[0] == 1 for _, modifiers in admissible)
    counts = [len(choices) for choices in options(40).values()]
    assert (tuple(sorted(counts[:10])), tuple(sorted(counts[10:]))) in admissible


def test_options_are_different_and_in_neutral_words():
    loaded = r"\b(?:asian|african|european|caucasian|roman|greek|nordic|latin|beautiful|pretty|handsome|ugly|perfect|attractive|flawless|exotic)\b"
    for age in (20, 40, 70):
        words = [phrase for choices in options(age).values() for phrase in choices]
        assert len(set(words)) == len(words)
        assert not [phrase for phrase in words if re.search(loaded, phrase, re.I)]


def test_the_age_modifier_goes_with_the_age_and_nothing_else_does():
    young, middle, old = (options(age) for age in (29, 30, 60))
    assert not set(young["age_modifier"]) & set(middle["age_modifier"])
    assert not set(middle["age_modifier"]) & set(old["age_modifier"])
    assert options(20) == young and options(59) == middle and options(99) == old
    assert {key: value for key, value in young.items() if key != "age_modifier"} == {
        key: value for key, value in old.items() if key != "age_modifier"
    }


def test_the_seed_is_what_sha256sum_says():
    # printf '3:p00017' | sha256sum ends in f5377679
    assert face_seed("p00017", 34) == 0xF5377679


@given(st.text(min_size=1), AGES)
def test_a_face_is_the_same_within_a_decade_and_only_there(user, age):
    decade = range(age - age % 10, age - age % 10 + 10)
    assert {face(user, year) for year in decade} == {face(user, age)}
    assert face_seed(user, age) != face_seed(user, age + 10)
    assert 0 <= face_seed(user, age) < 2**32


@pytest.mark.parametrize(("user", "age"), [("", 30), ("p1", -1)])
def test_a_missing_id_and_a_negative_age_are_refused(user, age):
    with pytest.raises(ValueError, match="expected"):
        face(user, age)


@given(st.integers(0, N - 1), AGES)
def test_every_number_is_a_face_of_its_own(number, age):
    made = numbered(number, age)
    lists = options(age)
    back = 0
    for field, value in made._asdict().items():
        back = back * len(lists[field]) + lists[field].index(value)
    assert back == number


@pytest.mark.parametrize("number", [-1, N])
def test_other_numbers_are_refused(number):
    with pytest.raises(ValueError, match="expected 0 to 97199999"):
        numbered(number, 30)


@given(st.integers(0, N - 1))
def test_every_number_is_reached_by_44_or_45_seeds(number):
    first = -(-number * 2**32 // N)
    last = -(-(number + 1) * 2**32 // N) - 1
    assert first * N >> 32 == last * N >> 32 == number
    assert 44 <= last - first + 1 <= 45


def test_options_are_uniform_and_attributes_independent_over_20_000_users():
    faces = [face(f"user{i}", 34) for i in range(USERS)]
    lists = options(34)
    codes = {}
    for field, choices in lists.items():
        column = [made[Face._fields.index(field)] for made in faces]
        counts = Counter(column)
        assert set(counts) == set(choices)
        codes[field] = np.array([choices.index(value) for value in column])
        if len(choices) > 1:
            assert chisquare(list(counts.values())).pvalue > 1e-4
    several = [field for field in lists if len(lists[field]) > 1]
    for a, b in itertools.combinations(several, 2):
        table = np.zeros((len(lists[a]), len(lists[b])))
        np.add.at(table, (codes[a], codes[b]), 1)
        assert chi2_contingency(table).pvalue > 1e-5

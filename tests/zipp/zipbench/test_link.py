"""Accounts to Reddit users: the paper's rule, and nobody linked beyond it."""

import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from personalab.zipp.reddit.privacy import Key
from personalab.zipp.zipbench import link

KEY = Key(bytes(range(32)))


def linked(safe, reddit, **options):
    found = link.link(safe, KEY, [KEY.identifier(name) for name in reddit], **options)
    return {one.account: reddit[one.row] for one in found.links}, found


@pytest.mark.parametrize(
    ("account", "reddit", "user"),
    [
        ("acivitaiguy", ["ACivitaiGuy"], "ACivitaiGuy"),
        ("acivitaiguy_417", ["ACivitaiGuy"], "ACivitaiGuy"),
        ("acivitaiguy_000", ["ACivitaiGuy"], "ACivitaiGuy"),
        ("acivitaiguy_41", ["ACivitaiGuy"], None),
        ("acivitaiguy_4170", ["ACivitaiGuy"], None),
        ("acivitaiguy417", ["ACivitaiGuy"], None),
        ("acivitaiguy-417", ["ACivitaiGuy"], None),
        ("acivitaiguy_٤١٧", ["ACivitaiGuy"], None),
        ("acivitaiguy_417_200", ["ACivitaiGuy"], None),
        ("acivitaiguy_417_200", ["ACivitaiGuy_417"], "ACivitaiGuy_417"),
        ("acivitaiguy_417", ["ACivitaiGuy", "ACivitaiGuy_417"], "ACivitaiGuy_417"),
        ("_417", ["ACivitaiGuy"], None),
        ("acivitaigu", ["ACivitaiGuy"], None),
    ],
)
def test_the_name_or_the_name_with_exactly_three_digits(account, reddit, user):
    found, _ = linked({account: 5}, reddit)
    assert found.get(account) == user


def test_fewer_than_five_safe_pictures_link_nobody_and_claim_nobody():
    found, counts = linked({"moss": 4, "moss_123": 5}, ["moss"])
    assert found == {"moss_123": "moss"} and counts.counts["too few safe pictures"] == 1


BOTH = {"moss": 9, "moss_123": 20}
ALIASES = {"moss_123": 9, "moss_321": 20}
EVEN = {"moss_123": 9, "moss_321": 9}


@pytest.mark.parametrize(
    ("safe", "claims", "expected"),
    [
        (BOTH, "exact", "moss"),
        (BOTH, "most", "moss_123"),
        (BOTH, "refuse", None),
        (ALIASES, "exact", None),
        (ALIASES, "most", "moss_321"),
        (ALIASES, "refuse", None),
        (EVEN, "most", None),
    ],
)
def test_who_gets_a_user_whom_two_accounts_claim(safe, claims, expected):
    found, result = linked(safe, ["moss"], claims=claims)
    assert found == ({expected: "moss"} if expected else {})
    reason = "claimed by the exact name" if safe is BOTH and claims == "exact" else "claimed by several"
    assert result.counts[reason] == 2 - len(found)


def test_another_key_links_nobody():
    users = [Key(bytes(range(1, 33))).identifier("moss")]
    assert link.link({"moss": 9}, KEY, users).links == []


def test_an_unknown_way_to_settle_claims_is_named():
    with pytest.raises(ValueError, match="'exact', 'refuse' or 'most'"):
        link.link({}, KEY, [], claims="first")


names = st.from_regex(r"[ab](_[01]{2,4})?", fullmatch=True)


@given(
    safe=st.dictionaries(names, st.integers(1, 8)),
    reddit=st.lists(names, unique=True),
    claims=st.sampled_from(["exact", "refuse", "most"]),
)
def test_no_user_twice_no_account_twice_and_every_account_counted(safe, reddit, claims):
    found, result = linked(safe, reddit, claims=claims)
    assert len(set(found.values())) == len(found) == len(result.links)
    counts = Counter(result.counts)
    assert counts.pop("accounts") == len(safe) == counts.total()
    for account, user in found.items():
        assert safe[account] >= 5 and re.fullmatch(rf"{user}(_\d{{3}})?", account)
    if claims == "exact":
        assert {name for name in reddit if safe.get(name, 0) >= 5} <= set(found)

"""Which Reddit user stands behind a Civitai account (ZIPP E.2), without a Reddit name in the clear.

Who logs in to Civitai with a Reddit account gets its name, or, if that is taken, the name with an underscore and three
digits. So the account NAME points to the user NAME, and NAME_DDD to NAME_DDD or to NAME. The graph knows its users by
keyed hashes only: the possible names are hashed and looked up. Capital letters do not count, as on Reddit. Whether two
accounts with one name are one person is nowhere checked, by the paper or here.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from ..reddit.privacy import Key

Claims = Literal["exact", "refuse", "most"]
#: Why an account has no link, in the order in which it is asked.
REASONS = ("too few safe pictures", "no such Reddit user", "claimed by the exact name", "claimed by several")
_ALIAS = re.compile(r"(.+)_\d{3}", re.ASCII | re.DOTALL)


class Link(NamedTuple):
    """An account and the user behind it."""

    account: str
    """Civitai's name, in lower case, to find the pictures by; never to be written."""
    identifier: str
    """Keyed hash of the Reddit name."""
    row: int
    """Of the graph."""
    alias: bool
    """Linked as NAME_DDD."""


class Linked(NamedTuple):
    """What `link` found."""

    links: list[Link]
    """By row; no user and no account twice."""
    counts: Counter[str]
    """Accounts by "accounts", "linked" and REASONS; accounts is the sum of the others."""


def readings(account: str) -> list[str]:
    """The Reddit names that an account can stand for, the likelier first: itself, and without `_DDD`."""
    alias = _ALIAS.fullmatch(account)
    return [account, alias[1]] if alias else [account]


def link(
    safe: Mapping[str, int], key: Key, users: Sequence[str], fewest: int = 5, claims: Claims = "exact"
) -> Linked:
    """Accounts to users of the graph.

    An account that itself is a Reddit name is that user's, even if it ends in `_DDD` and the shorter name is a user too.
    Several accounts can still claim one user. By default the exact name has it and aliases alone have nothing, for
    there is no telling which of them is the user. This is a choice: a suffix is given because a name was taken, maybe by
    somebody else. `claims="refuse"` leaves out every user who is claimed twice, `"most"` gives the user to
    the account with most safe pictures, to nobody where two have the same number.

    Args:
        safe: account -> number of its safe pictures.
        key: the key that the graph was made with; another key links nobody.
        users: keyed hashes of the graph's users, row by row.
        fewest: safe pictures that an account needs (five in E.2). Accounts with fewer claim nobody.

    Raises:
        ValueError: an unknown way to settle claims.
    """
    if claims not in ("exact", "refuse", "most"):
        raise ValueError(f"got claims={claims!r}, expected 'exact', 'refuse' or 'most'")
    rows = {identifier: row for row, identifier in enumerate(users)}
    counts = Counter(dict.fromkeys(("accounts", "linked", *REASONS), 0), accounts=len(safe))
    claimed: dict[int, list[Link]] = defaultdict(list)
    for account, pictures in safe.items():
        found = _candidate(account, key, rows) if pictures >= fewest else None
        if found:
            claimed[found.row].append(found)
        else:
            counts["no such Reddit user" if pictures >= fewest else "too few safe pictures"] += 1
    links = []
    for row in sorted(claimed):
        winner, reason = _settled(claimed[row], safe, claims)
        links += [winner] if winner else []
        counts[reason] += len(claimed[row]) - bool(winner)
    counts["linked"] = len(links)
    return Linked(links, counts)


def _candidate(account: str, key: Key, rows: Mapping[str, int]) -> Link | None:
    """The link that an account claims."""
    for name in readings(account):
        identifier = key.identifier(name)
        if identifier in rows:
            return Link(account, identifier, rows[identifier], name != account)
    return None


def _settled(claims: list[Link], safe: Mapping[str, int], how: Claims) -> tuple[Link | None, str]:
    """Who has a user, and the reason that goes to the others."""
    exact = [one for one in claims if not one.alias]
    if len(claims) == 1 or (how == "exact" and len(exact) == 1):
        return (exact or claims)[0], "claimed by the exact name"
    if how == "most":
        first, second, *_ = sorted(claims, key=lambda one: -safe[one.account])
        if safe[first.account] > safe[second.account]:
            return first, "claimed by several"
    return None, "claimed by several"

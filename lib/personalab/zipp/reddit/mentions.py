"""Account names in running text ("I agree with wader_77"), which no rule finds without a list of accounts.

The list is the dump's own authors. Only names that no word can be mistaken for are replaced: five characters or more
with a digit or an underscore. Names that are words ("spez") stay, as do names of accounts that have not written in the
file by then; mentions with u/ or @ are found by `scrub` whoever wrote.
"""

import re
from collections.abc import Iterable

#: Account names kept in memory, the latest (about 60 MB).
MOST = 2**19
_WORD = re.compile(r"[a-z0-9_-]{5,}")
_DISTINCT = re.compile(r"(?=.*[0-9_])(?=.*[a-z])[a-z0-9_-]{5,}")


class Mentions:
    """Hides names that it was told of."""

    def __init__(self, most: int = MOST):
        self._most = most
        self._names: dict[str, None] = {}

    def learn(self, authors: Iterable[str | None]) -> None:
        """Take in names in the order given; beyond the limit the oldest are forgotten."""
        lower = (name.lower() for name in authors if name)
        self._names.update(dict.fromkeys(name for name in lower if _DISTINCT.fullmatch(name)))
        for name in list(self._names)[: max(len(self._names) - self._most, 0)]:
            del self._names[name]

    def hide(self, text: str) -> str:
        """The text with [user] in the place of every known name, in capitals or not."""
        words = set(_WORD.findall(text.lower()))
        words |= {part for word in words if "-" in word for part in word.split("-")}
        for name in sorted(self._names.keys() & words, key=len, reverse=True):
            text = re.sub(
                rf"(?<![A-Za-z0-9_]){re.escape(name)}(?![A-Za-z0-9_])", "[user]", text, flags=re.IGNORECASE
            )
        return text

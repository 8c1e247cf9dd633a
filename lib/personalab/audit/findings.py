"""What a finding is, and how a printed number is compared.

A printed number stands for an interval: half a unit of its last digit either way. Two printings of one quantity
are compatible when their intervals meet. A verdict is always computed from the numbers; nothing here knows
which paper is right, and nothing here reads files.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Literal, NamedTuple

import pandas as pd

#: Tables by file name without suffix, as params/printed/README.md lists them.
Tables = Mapping[str, pd.DataFrame]

#: How an audited statement can end.
Verdict = Literal["agrees", "disagrees", "cannot be both", "rests on reading"]

#: Slack for floating-point sums; a thousand times smaller than the finest step printed.
_EPS = 1e-9


class Printed(NamedTuple):
    """A number as printed: its value, the size of its last digit (0: exact), and where it stands."""

    value: float
    step: float
    place: str

    @property
    def low(self) -> float:
        """Lowest number that prints so."""
        return self.value - self.step / 2

    @property
    def high(self) -> float:
        """Highest number that prints so."""
        return self.value + self.step / 2


@dataclass(frozen=True)
class Finding:
    """One audited statement.

    Attributes:
        id: short name, paper first.
        paper: "VPTT" or "ZIPP".
        place: section, table or figure of every number used.
        claim: what the paper says, in our words.
        arithmetic: the calculation with its numbers.
        verdict: how it ended.
        kind: "arithmetic" if numbers settle it, "reading" if what a sentence means matters.
        note: the assumption behind the verdict, or empty.
    """

    id: str
    paper: str
    place: str
    claim: str
    arithmetic: str
    verdict: Verdict
    kind: Literal["arithmetic", "reading"] = "arithmetic"
    note: str = ""


def quoted(tables: Tables, paper: str, quantity: str) -> Printed:
    """A figure of the running text, from <paper>_prose.csv.

    Raises:
        KeyError: the file has no such quantity, or has it twice.
    """
    table = tables[f"{paper}_prose"]
    rows = table[table["quantity"] == quantity]
    if len(rows) != 1:
        raise KeyError(f"{quantity!r} stands {len(rows)} times in {paper}_prose.csv; expected once")
    row = rows.iloc[0]
    return Printed(float(row["value"]), float(row["step"]), str(row["place"]))


def listed(tables: Tables, table: str, quantity: str, step: float, place: str) -> Printed:
    """A figure of a two-column file (quantity, value); `step` and `place` are the caller's.

    Raises:
        KeyError: the file has no such quantity, or has it twice.
    """
    rows = tables[table].query("quantity == @quantity")
    if len(rows) != 1:
        raise KeyError(f"{quantity!r} stands {len(rows)} times in {table}.csv; expected once")
    return Printed(float(rows["value"].iloc[0]), step, place)


def meet(*numbers: Printed) -> bool:
    """Whether one quantity can have been printed as all of these: do the intervals share a point?"""
    return max(number.low for number in numbers) <= min(number.high for number in numbers) + _EPS


def prints_as(value: float, number: Printed, error: float = 0.0) -> bool:
    """Whether `value`, known to within `error`, can be printed as `number`."""
    return number.low - error - _EPS <= value <= number.high + error + _EPS


def settle(holds: bool, otherwise: Verdict) -> Verdict:
    """ "agrees" if the check held, else the given verdict."""
    return "agrees" if holds else otherwise


def by_reading(checks: Sequence[bool]) -> Verdict:
    """One check per possible reading: all hold, none holds, or it depends."""
    if all(checks):
        return "agrees"
    return "rests on reading" if any(checks) else "disagrees"


def to_frame(findings: Sequence[Finding]) -> pd.DataFrame:
    """One row per finding, columns as the attributes of `Finding`."""
    return pd.DataFrame([asdict(finding) for finding in findings])

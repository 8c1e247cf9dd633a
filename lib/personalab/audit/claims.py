"""Headline claims held against three things: the paper's own numbers, our tables, and tables of larger profiles.

A claim names the findings of the audit that speak to it and the rows of our tables that decide it, with a bound for
each. Every verdict follows from an interval and its bound; none is stored. Nothing is measured here, and a table that
nobody has made yet is no error: it is "not measured".
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd

Outcome = Literal["holds", "holds in part", "does not hold", "cannot be told at this size", "not measured"]
#: A table by name, or None where it has not been made.
Read = Callable[[str], pd.DataFrame | None]


class Measured(NamedTuple):
    """One number that a claim rests on."""

    #: what is measured, in the words of the list of claims
    name: str
    #: table and row
    source: str
    estimate: float
    low: float
    high: float
    #: of what the row counts, NaN where it counts nothing
    n: float
    #: what the interval is held against: a number, or another row's estimate
    bound: float
    #: the bound in words, say "above 0.5" or "below ViPer"
    asked: str
    outcome: Outcome


def outcome(low: float, high: float, lower: float, upper: float) -> Outcome:
    """Whether an interval lies above a bound, which may be an interval itself.

    Args:
        low, high: of the measured quantity.
        lower, upper: of the bound; the same number twice where it is exact. Two intervals that overlap leave the
            matter open, which asks for more than an interval of the difference would.

    Returns:
        "holds" above, "does not hold" at or below, "cannot be told at this size" across, "not measured" with a NaN.
    """
    if np.isnan([low, high, lower, upper]).any():
        return "not measured"
    if low > upper:
        return "holds"
    return "does not hold" if high <= lower else "cannot be told at this size"


def together(outcomes: Sequence[Outcome], least: int | None = None) -> Outcome:
    """Of several numbers: "holds" if all do, "holds in part" if at least half do, else "does not hold" if one fails.

    Where fewer hold and none fails it "cannot be told at this size": one of many holds by chance. What is not measured
    takes the place of a number that does not hold, unless nothing is measured.

    Args:
        least: how many must hold, of a claim that says so; it then holds or fails as a whole, and is open while the
            numbers that are open or not measured could still decide it.
    """
    found, held = set(outcomes), outcomes.count("holds")
    if not found - {"not measured"}:
        return "not measured"
    if least is not None:
        failed = len(outcomes) - outcomes.count("does not hold") < least
        return "holds" if held >= least else "does not hold" if failed else "cannot be told at this size"
    if 2 * held >= len(outcomes):
        return "holds" if held == len(outcomes) else "holds in part"
    return "does not hold" if "does not hold" in found else "cannot be told at this size"


def audited(ids: Sequence[str], findings: pd.DataFrame) -> str:
    """What the paper's own numbers say of a claim.

    Args:
        ids: of findings.
        findings: `id` and `verdict`, as `to_frame` returns them.

    Returns:
        "does not hold" if a finding disagrees, "holds in part" if another one agrees at the same time; otherwise
        "contradicts itself" if one cannot be both, "holds" if one agrees, "rests on reading"; "not audited" without ids.

    Raises:
        KeyError: an id that no finding has.
    """
    verdicts = findings.set_index("id")["verdict"]
    unknown = [one for one in ids if one not in verdicts.index]
    if unknown:
        raise KeyError(f"no finding is called {unknown}; expected ids such as {list(verdicts.index[:2])}")
    found = set(verdicts[list(ids)])
    if "disagrees" in found:
        return "holds in part" if "agrees" in found else "does not hold"
    if "cannot be both" in found:
        return "contradicts itself"
    return "holds" if "agrees" in found else "rests on reading" if found else "not audited"


def measured(measure: Mapping[str, Any], read: Read) -> list[Measured]:
    """The numbers that one entry of a claim's `measures` names.

    Args:
        measure: `name`; `table`, a name or several; `where`, {column: value, or several}; `estimate`, a column, and
            `low` and `high`, those of its interval (by default so called); `n`, a column if there is one; and `above` or
            `below`: a number, or one or more {column: value}, each the row that differs from this one by these.
        read: a table by name.

    Returns:
        One per row and bound; a single one with NaN where no row is there.

    Raises:
        KeyError: a column that the table lacks.
        ValueError: neither `above` nor `below`, or more than one row that a bound means.
    """
    if ("above" in measure) == ("below" in measure):
        raise ValueError(f"{measure['name']!r} has no bound, or two; expected one of above and below")
    found = [one for name in _several(measure["table"]) for one in _of_table(measure, name, read(name))]
    return found or [_held(measure, ", ".join(_several(measure["table"])), *_NOTHING, bound=_NOTHING[:3])]


def table(
    claims: Sequence[Mapping[str, Any]], findings: pd.DataFrame, read: Read, larger: Read
) -> pd.DataFrame:
    """One row per claim: claim, paper, place, printed, audit, ours, asked, verdict, larger profiles.

    Args:
        claims: as in params/claims.yaml; `least`, where a claim says how many of its numbers hold.
        findings: of the audit.
        read: tables of this profile.
        larger: tables of a larger one; where none of a claim's is there, the column says "not run".
    """
    rows = []
    for claim in claims:
        ours, theirs = ([one for m in claim["measures"] for one in measured(m, of)] for of in (read, larger))
        verdicts = [together([one.outcome for one in found], claim.get("least")) for found in (ours, theirs)]
        row = {key: claim[key] for key in ("claim", "paper", "place", "printed")}
        asked = [one.asked + " (not measured)" * (one.outcome == "not measured") for one in ours]
        row |= {
            "audit": audited(claim["audit"], findings),
            "ours": said(ours),
            "asked": "; ".join(dict.fromkeys(asked)),
            "verdict": verdicts[0],
        }
        rows.append(row | {"larger profiles": "not run" if verdicts[1] == "not measured" else verdicts[1]})
    return pd.DataFrame(rows)


def numbers(claims: Sequence[Mapping[str, Any]], read: Read) -> pd.DataFrame:
    """One row per number: claim, and the fields of `Measured`."""
    rows = [
        {"claim": claim["claim"], **one._asdict()}
        for claim in claims
        for measure in claim["measures"]
        for one in measured(measure, read)
    ]
    return pd.DataFrame(rows, columns=["claim", *Measured._fields])


def said(found: Sequence[Measured]) -> str:
    """The numbers that there are, in one line; of more than three under one name, how many ended how."""
    parts, there = [], [one for one in found if one.outcome != "not measured"]
    for name in dict.fromkeys(one.name for one in there):
        mine = [one for one in there if one.name == name]
        counts = Counter(one.outcome for one in mine)
        many = [f"{n} of {len(mine)} {what}" for what, n in counts.items()]
        parts.append(f"{name}: {', '.join(many if len(mine) > 3 else map(_number, mine))}{_of(mine)}")
    return "; ".join(parts)


#: estimate, low, high and n of a row that is not there
_NOTHING = (float("nan"),) * 4


def _several(value: Any) -> list:
    return value if isinstance(value, list) else [value]


def _of_table(measure: Mapping[str, Any], name: str, rows: pd.DataFrame | None) -> Iterator[Measured]:
    """The numbers in one table, none where it or its row is missing."""
    if rows is None:
        return
    bounds = measure.get("above", measure.get("below"))
    for _, row in _matching(rows, measure["where"]).iterrows():
        source = f"{name}: " + ", ".join(str(row[column]) for column in measure["where"])
        for bound in _several(bounds):
            exact = (bound,) * 3 if not isinstance(bound, Mapping) else None
            other = {column: row[column] for column in measure["where"]} | bound if exact is None else {}
            held = exact or _interval(measure, _matching(rows, other), other)[:3]
            rest = _interval(measure, row.to_frame().T, {})
            yield _held(
                measure,
                source,
                *rest,
                bound=held,
                against=", ".join(map(str, bound.values())) if other else "",
            )


def _matching(rows: pd.DataFrame, where: Mapping[str, Any]) -> pd.DataFrame:
    keep = np.ones(len(rows), bool)
    for column, value in where.items():
        keep &= rows[column].isin(_several(value)).to_numpy()
    return rows[keep]


def _interval(measure: Mapping[str, Any], rows: pd.DataFrame, where: Mapping[str, Any]) -> tuple[float, ...]:
    """Estimate, low, high and n of the one row there is, NaN without."""
    if len(rows) > 1:
        raise ValueError(f"{len(rows)} rows of {measure['table']} have {dict(where)}; expected one")
    if rows.empty:
        return _NOTHING
    columns = [measure["estimate"], measure.get("low", "low"), measure.get("high", "high")]
    found = [float(pd.to_numeric(rows[column].iloc[0], errors="coerce")) for column in columns]
    return (*found, float(rows[measure["n"]].iloc[0]) if "n" in measure else float("nan"))


def _held(
    measure: Mapping[str, Any],
    source: str,
    estimate: float,
    low: float,
    high: float,
    n: float,
    bound: Sequence[float],
    against: str = "",
) -> Measured:
    """A number with its verdict; `below` is `above` upside down."""
    side = "above" if "above" in measure else "below"
    ends = (low, high, *bound[1:]) if side == "above" else (-high, -low, -bound[2], -bound[1])
    asked = f"{side} {against or format(bound[0], 'g')}"
    return Measured(measure["name"], source, estimate, low, high, n, bound[0], asked, outcome(*ends))


def _number(one: Measured) -> str:
    other = "" if one.asked.endswith(f" {one.bound:g}") else f" v. {one.bound:.3g}"
    return f"{one.estimate:.3g} [{one.low:.3g}, {one.high:.3g}]{other}"


def _of(found: Sequence[Measured]) -> str:
    """What the rows count, from the smallest to the largest."""
    counts = sorted({f"{one.n:.0f}" for one in found if not np.isnan(one.n)}, key=int)
    return f", n {' to '.join(counts[:: max(len(counts) - 1, 1)])}" if counts else ""

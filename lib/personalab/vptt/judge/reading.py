"""The judge's answers, read strictly: one line per label, a score in halves from 0 to 5 and an explanation (VPTT 15.1).

An answer is read whole or not at all, and nothing in it is repaired or guessed.
"""

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

#: The scores there are, as a model may write them.
SCORES = {text: value / 2 for value in range(11) for text in (f"{value / 2:.1f}", f"{value / 2:g}")}
#: A line of the form asked for, with the bold type models like: label, score, explanation.
_LINE = re.compile(r"[\s*`_]*([A-Z])[*`_]*:[\s*`_]*Score[*`_ ]*=[*`_ ]*([^\s*`_]+)[*`_]*\s+[-–—]+\s(.*)")
#: An explanation that begins with the upper end of a range, or holds a second score.
_SECOND = re.compile(r"\s*[0-9.]+\s*(?:[-–—]|$)|.*score\s*=", re.I)


class Reading(NamedTuple):
    """An answer in its form, or None with the reason why it is not."""

    #: label -> (score, explanation)
    lines: dict[str, tuple[float, str]] | None
    reason: str | None


def read(text: str, labels: Sequence[str]) -> Reading:
    """Scores and explanations of an answer in which every line with words is `A: Score=3.5 - why`, one per label.

    The order of lines, blank ones and bold type mean nothing; anything else does.
    """
    lines: dict[str, tuple[float, str]] = {}
    for line in filter(str.strip, text.splitlines()):
        found = _LINE.fullmatch(line)
        label, score, why = found.groups() if found else ("", "", "")
        if fault := _fault(label, score, why, labels, lines):
            return Reading(None, f"off-form: {fault}")
        lines[label] = (SCORES[score], why.strip(" \t*`_"))
    missing = len(lines) < len(labels)
    return Reading(None, "off-form: a label without a line") if missing else Reading(lines, None)


def _fault(
    label: str, score: str, why: str, labels: Sequence[str], before: Mapping[str, object]
) -> str | None:
    if not label or not re.search(r"[^\W_]", why) or _SECOND.match(why):
        return "a line of another form"
    if label not in labels:
        return "a label that was not shown"
    if label in before:
        return "a label twice"
    return None if score in SCORES else "a score that is not one of 0, 0.5, ..., 5"

"""Private identifiers cut out of Reddit texts (ZIPP section E.1: "URLs, names, and exact geolocation").

`scrub` puts a mark in place of web and e-mail addresses, phone numbers, user mentions, names of people and exact
places; cities, regions and countries stay. `redact` removes sentences that declare sensitive attributes. Both work by
lists and shapes, not by understanding: tests/zipp/reddit measures how much they find, and they are no guarantee of
anonymity. Names in scripts without capitals (Chinese, Arabic ...) stay. Time is linear in the length of the text.
"""

import re

from .contacts import find_contacts
from .declarations import redact
from .marks import KINDS, Span, vocabulary
from .persons import find_persons
from .places import find_places

__all__ = ["KINDS", "Span", "redact", "scrub", "spans"]

_MARK = re.compile(rf"\[(?:{'|'.join(KINDS)})\]")
#: a mark can change what its neighbours look like; real texts settle in two or three passes
_PASSES = 20


def spans(text: str) -> list[Span]:
    """What is private in a text: disjoint spans in the order of the text; marks already there are left alone.

    Overlapping finds become one span of the strongest kind, so that no part of either survives.
    """
    found, start = [], 0
    for mark in _MARK.finditer(text):
        found += _in_piece(text[start : mark.start()], start)
        start = mark.end()
    return found + _in_piece(text[start:] if start else text, start)


def _in_piece(piece: str, offset: int) -> list[Span]:
    """The spans of a piece of text that holds no marks, moved by `offset`."""
    seen = vocabulary(piece)
    found = [*find_contacts(piece, seen), *find_places(piece, seen)]
    found += [Span(*pair, "name") for pair in find_persons(piece, seen)]
    merged: list[Span] = []
    for span in sorted(found):
        if merged and span.start < merged[-1].end:
            last = merged.pop()
            kind = min(last.kind, span.kind, key=KINDS.index)
            span = Span(last.start, max(last.end, span.end), kind)
        merged.append(span)
    return [Span(start + offset, end + offset, kind) for start, end, kind in merged]


def scrub(text: str) -> str:
    """The text with [url], [email], [user], [phone], [place], [name] in place of what is private.

    Scrubbing again changes nothing. Markdown links keep their label.
    """
    for _ in range(_PASSES):
        found = spans(text)
        if not found:
            break
        pieces, start = [], 0
        for span in found:
            pieces += text[start : span.start], f"[{span.kind}]"
            start = span.end
        text = "".join(pieces) + text[start:]
    return text

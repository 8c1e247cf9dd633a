"""Exact places in a text: street addresses, postcodes, coordinates and venues; spans for scrub.py to cut out.

Cities, regions and countries are no exact places and stay (ZIPP section E.1 strips "exact geolocation"). A venue is a
kind of building or site with a proper name beside it: "Strathmore Performing Arts Center", "the Blue Door cafe"; "my
high school" or "Catholic Church" is none. Every expression is linear in the length of the text.
"""

import re
from collections.abc import Iterator
from functools import cache

from .marks import Span, rules, words
from .names import NAME, classify, towns

_UP = "A-ZÀ-ÖØ-ÞŁŚŻŽŠČĐİŞÖÜА-Я"
_CAP = rf"[{_UP}][\w'’.&-]{{0,30}}"
_NTH = r"\d{1,3}(?:st|nd|rd|th|ST|ND|RD|TH)"
_SIDE = r"(?:[NSEW]{1,2}\.?|North|South|East|West)"
_UNIT = r"(?:,? (?:Apt|apt|Unit|unit|Suite|Ste|Flat|flat|Room|#)\.? ?#?\w{1,5}\b)"
_OF = r"(?:de (?:la|las|los|l['’])|del|della|dei|des|du|da|do|dos|d[ei]|of)"

_COORDINATES = re.compile(
    r"(?i)(?<![\w.,])[+-]?\d{1,3}\.\d{2,}\s?°?\s?[NS]?\s?[,;/ ]\s?[+-]?\d{1,3}\.\d{3,}(?:\s?°?\s?[EWO]\b)?(?![\w.]*\d)"
    r"|(?<![\w.,])[+-]?\d{1,3},\d{3,}\s?[;/]\s?[+-]?\d{1,3},\d{3,}"
    r"|\b(?:lat|latitude)\b[^\d\n]{0,5}[+-]?\d{1,3}\.\d+[^\d\n]{0,18}\d{1,3}\.\d+"
    r"|\b[NS] ?\d{1,3}(?:\.\d+)? ?[°º] ?(?:\d{1,2}(?:\.\d+)? ?['′’] ?)?(?:\d{1,2}(?:\.\d+)? ?[\"″”] ?)?[, ]{0,2}[EWO] ?\d{1,3}(?:\.\d+)? ?[°º](?: ?\d{1,2}(?:\.\d+)? ?['′’])?(?: ?\d{1,2}(?:\.\d+)? ?[\"″”])?"
    r"|[NS]?\s?\d{1,3}(?:\.\d+)?\s?[°º]\s?(?:\d{1,2}(?:\.\d+)?\s?['′’m]\s?)?(?:\d{1,2}(?:\.\d+)?\s?(?:[\"″”]|'')\s?)?[NSEWO]\b"
    r"(?:[\s,]{0,3}(?:and )?\d{1,3}(?:\.\d+)?\s?[°º]\s?(?:\d{1,2}(?:\.\d+)?\s?['′’m]\s?)?(?:\d{1,2}(?:\.\d+)?\s?(?:[\"″”]|'')\s?)?[EWO]\b)?"
    r"|\b[NS] ?\d{1,2}[.°]\d{2,}[^\w\n]{1,3}[EW] ?\d{1,3}[.°]\d{2,}|(?<!\w)[23456789CFGHJMPQRVWX]{4,8}\+[23456789CFGHJMPQRVWX]{2,3}\b"
    r"|(?<!\S)///[a-z]+\.[a-z]+\.[a-z]+"
)
_POSTCODE = re.compile(
    r"\b(?:[A-Z]{1,2}\d[A-Z\d]? \d[ABD-HJLNP-UW-Z]{2}|[ABCEGHJ-NPRSTVXY]\d[A-Z][ -]?\d[A-Z]\d|\d{5}-\d{4}|(?!19|20)\d{4} ?[A-Z]{2}(?= [A-Z][a-z]))\b(?!-)"
    r"|(?<=[A-Z]{2} )\d{5}\b|(?i:\b(?:zip|zip ?code|post ?code|postal code|plz|cp|cep|pin ?code)\b)(?: is|:|'s)? ?(\d[\d -]{2,8}\d|[A-Z]{1,2}\d\w{0,2} ?\d?[A-Z]{0,2})\b"
)
_CODE_TOWN = re.compile(r"(?<![\w$€£.,-])(?:D-|F-|CH-|A-)?(\d{4,5}) ([A-ZÀ-Ž][\w-]{2,30})")
_BOX = re.compile(
    r"(?i)\bp\.? ?o\.? ?box \d{1,6}|\b(?:apt|apartment|flat|suite|bldg|dorm room|hotel room|room number)\.? ?(?:#|no\.? ?)?\d{1,5}[a-z]?\b|\bunit #?\d{1,4}[a-z]?(?=,)"
)


@cache
def _addresses() -> dict[str, list[re.Pattern[str]]]:
    """Street addresses in several languages' orders."""
    kinds, before, endings = rules()["streets"], rules()["streets_before"], rules()["street_endings"]
    name = rf"(?:(?:{_CAP}|{_NTH}) ){{1,4}}"
    foreign = rf"(?:{before})\.? (?:{_OF} ?)?{_CAP}(?: (?:{_OF} )?{_CAP}){{0,3}}"
    return {
        "english": [
            re.compile(
                rf"(?<![\w$€£.])\d{{1,5}}[A-Za-z]?(?:[-/]\d{{1,4}})?,? (?:{_SIDE} )?{name}(?:{kinds})\b\.?(?: {_SIDE}\b)?{_UNIT}?"
            )
        ],
        "foreign": [
            re.compile(
                r"\b(?:Carrera|Calle|Cra|Cl|Transversal|Diagonal|Avenida|Av)\.? \d{1,3}[A-Z]?,? (?:No|Nro|N[º°]|#)?\.? ?\d{1,3}[A-Z]? ?- ?\d{1,3}\b"
            ),
            re.compile(
                rf"(?<![\w$€£.])\d{{1,4}}(?: ?[a-d]| bis| ter)?,? (?:{before})\.? (?:{_OF} ?)?{_CAP}(?: (?:{_OF} )?{_CAP}){{0,3}}"
            ),
            re.compile(rf"\b{foreign},? (?:(?i:n[º°o]?\.? ?|nr\.? ?|#))?\d{{1,5}}[a-zA-Z]?(?:/\d+)?\b"),
            re.compile(
                rf"\b(?:Rue|rue|Calle|calle|Avenida|avenida|Piazza|Rua|Jalan|Jl\.|ul\.|Boulevard) (?:{_OF} ?)?{_CAP}(?: (?:{_OF} )?{_CAP}){{0,2}}"
            ),
        ],
        "german": [
            re.compile(
                rf"\b[{_UP}][\w-]{{2,30}}?(?:{endings}|Straße|-Straße|-Platz|-Allee)(?:(?: (?:nr\.? ?)?\d{{1,4}} ?[a-z]?)\b|(?<=straße)|(?<=strasse)|(?<=Straße)|(?<=straat)|(?<=platz)|(?<=gatan)\b)"
            ),
            re.compile(rf"\b(?:{_CAP} ){{1,2}}(?:Straße|Allee|Platz|Weg|Damm) \d{{1,4}}[a-z]?\b"),
        ],
        "japanese": [
            re.compile(r"\b[A-Z][a-z]+-(?:ku|cho|machi|shi) \d{1,3}(?:-\d{1,3}){1,2}\b"),
            re.compile(
                r"(?i)\b\d{1,2}-\d{1,2}(?:-\d{1,3})? [A-Z][a-z]+(?:-(?:ku|cho|machi|shi|dori))\b|\b[A-Z][a-z]+ \d-chome\b|\b\d{1,2}[- ]ch[oō]me\b"
            ),
        ],
        "corner": [
            re.compile(
                rf"(?i:\b(?:corner|intersection|junction|crossing) of )((?:(?:{_CAP}|{_NTH}) ?){{1,3}}(?:and|&|und|y|et|/) (?:{_CAP}|{_NTH})(?: {_CAP})?)"
            ),
            re.compile(
                rf"(?i:\b(?:on|at|near|by|off|off of|around) )({_NTH} (?:and|&) {_CAP}|{_CAP} (?:and|&) {_NTH}|{_NTH} (?:and|&) {_NTH}(?= (?:in|downtown|uptown)\b))"
            ),
        ],
    }


_DIGIT = re.compile(r"\d")
_STREETS = frozenset(
    "street st avenue ave av road rd boulevard blvd lane ln parkway pkwy square crescent terrace".split()
)
_GERMANIC = tuple(
    "str weg allee damm laan plein gata vägen veien katu gracht utca straße strasse gasse platz straat gatan".split()
)
_STREET = re.compile(
    rf"\b((?:(?:{_CAP}|{_NTH}) ){{1,3}})(?:Street|St|Avenue|Ave|Road|Rd|Boulevard|Blvd|Lane|Parkway|Pkwy|Square|Crescent|Terrace)\b"
)
_DRIVES = (" Drive", " Court", " Close", " Place", " Circle", " Way", " Walk", " Row", " Mews", " Grove")
_DRIVE = re.compile(rf"\b((?:{_CAP} ){{1,3}})(?:{'|'.join(kind.strip() for kind in _DRIVES)})\b")
_SMALL_STREET = re.compile(
    r"(?i)(?<![\w$€£.])\d{1,5}[a-z]? (?:[nsew]\.? |north |south |east |west )?((?:[\w'’-]{1,20} ){1,3}?)"
    r"(?:street|st|avenue|ave|road|rd|blvd|boulevard|lane|ln|terrace|crescent|parkway)\b\.?"
)
_NTH_STREET = re.compile(rf"(?i)\b(?:[nsew]\.? |north |south |east |west )?{_NTH} (?:street|st|avenue|ave)\b")


def _streets(text: str, seen: set[str], digits: bool) -> Iterator[Span]:
    """Street names, with or without a number."""
    kinds = not seen.isdisjoint(_STREETS)
    signs = {
        "english": digits and not seen.isdisjoint(words("streets")),
        "foreign": not seen.isdisjoint(words("streets_before")),
        "german": any(word.endswith(_GERMANIC) for word in seen),
        "japanese": digits and ("chome" in seen or "-" in text),
        "corner": not seen.isdisjoint(("corner", "intersection", "junction", "crossing")) or digits,
    }
    for name, patterns in _addresses().items():
        for pattern in patterns if signs[name] else ():
            yield from (Span(*match.span(pattern.groups), "place") for match in pattern.finditer(text))
    if any(kind in text for kind in _DRIVES):
        for match in _DRIVE.finditer(text):
            if all(classify(word) & NAME for word in match[1].split()):
                yield Span(*match.span(), "place")
    if kinds:
        if digits:
            for match in _SMALL_STREET.finditer(text):
                if not set(match[1].lower().split()) & words("no_street"):
                    yield Span(*match.span(), "place")
            yield from (Span(*match.span(), "place") for match in _NTH_STREET.finditer(text))
        for match in _STREET.finditer(text):
            if any(word.lower() not in words("generic") for word in match[1].split()):
                yield Span(*match.span(), "place")


_BACK = re.compile(rf"(?:(?:{_CAP}|{_NTH}|\d{{1,3}}|&|of|the|de|la|du|del) ){{1,7}}\Z")
_LAST_CAP = re.compile(rf"[{_UP}\d][\w'’.&-]* \Z")
_FORWARD = re.compile(rf" (?:of|for|de|at) (?:the |la |{_OF} )?{_CAP}(?: {_CAP}){{0,2}}")


@cache
def _venue() -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Kinds of venue, and those that come before their name."""
    kinds = rf"\b(?:({rules()['venues']})|({rules()['small_venues']}))\b(?!')"
    first = rf"\b(?:{rules()['venues_before']}) (?:{_OF} )?(?:the )?{_CAP}(?: (?:{_OF} )?{_CAP}){{0,3}}"
    return re.compile(kinds), re.compile(first)


def _proper_name(text: str, before: str, start: int, large: bool) -> int | None:
    """Where the proper name that ends at `start` begins; None if the words there are generic."""
    found = _BACK.search(before) if large or _LAST_CAP.search(before) else None
    if not found:
        return None
    parts = list(re.finditer(r"\S+", found[0]))
    while parts and (parts[0][0][0].islower() or parts[0][0].lower() in words("openers")):
        parts.pop(0)
    opening = not re.search(r"\w[,;:]? $", before[: found.start()])
    proper = [p for p in parts if not p[0][0].islower() and p[0].lower().rstrip("'s") not in words("generic")]
    proper = [p for p in proper if p[0].lower() not in words("generic") and len(p[0]) > 1]
    if not large:
        proper = [p for p in proper if not p[0].isupper() and p[0].lower() not in towns()]
    if large and len(parts) > 1 and parts[0][0] == "First":
        proper = parts
    if not proper or (
        not large and len(parts) == 1 and opening and found.start() + parts[0].start() == found.start()
    ):
        return None
    return start - len(found[0]) + parts[0].start()


def _venues(text: str, seen: set[str]) -> Iterator[Span]:
    """Buildings and sites with a proper name."""
    if seen.isdisjoint(words("venues") | words("venues_before")):
        return
    kinds, first = _venue()
    for match in kinds.finditer(text):
        before = text[max(0, match.start() - 90) : match.start()]
        if not before.endswith(" "):
            continue
        begin = _proper_name(text, before, match.start(), bool(match[1]))
        if begin is not None:
            after = _FORWARD.match(text, match.end()) if match[1] else None
            yield Span(begin, after.end() if after else match.end(), "place")
    yield from (Span(*match.span(), "place") for match in first.finditer(text))


def find_places(text: str, seen: set[str]) -> Iterator[Span]:
    """Spans of exact places, unordered; they may overlap. `seen` is vocabulary(text)."""
    digits = bool(_DIGIT.search(text))
    if digits:
        for match in _COORDINATES.finditer(text):
            yield Span(*match.span(), "place")
        for match in _POSTCODE.finditer(text):
            yield Span(*(match.span(1) if match[1] else match.span()), "place")
        for match in _CODE_TOWN.finditer(text):
            if not re.match(r"1[89]|20", match[1]) and match[2].lower() in towns():
                yield Span(*match.span(1), "place")
        yield from (Span(*match.span(), "place") for match in _BOX.finditer(text))
    if "///" in text:
        yield from (Span(*match.span(), "place") for match in _COORDINATES.finditer(text))
    yield from _streets(text, seen, digits)
    yield from _venues(text, seen)

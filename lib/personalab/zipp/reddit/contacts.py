"""Web addresses, e-mail addresses, phone numbers and account names in a text: spans for scrub.py to cut out.

Plain and spelt-out forms ("name at host dot com"). Numbers that are dates, years, prices or scores stay. It looks
nothing up: an unknown top-level domain is no address, and a handle without "@", "u/" or the name of a site before it
is a word like any other. Every expression is linear in the length of the text.
"""

import re
from collections.abc import Iterator
from functools import cache

from .marks import Span, rules, words

_TAIL = r"(?:[^\s()<>\[\]{}\"”]++|\([^\s()<>]{0,200}+\)|\[[^\s\[\]<>()]{0,200}+\])*+"
_URL = re.compile(
    rf"(?i)(?<![a-z])(?:(?:h[tx]{{2}}ps?|ftp|file|irc|steam|magnet|git|ssh)\b:?/?/[/]?|www\d?\.){_TAIL}"
)
_SCHEMES = frozenset("http https hxxp hxxps ftp file irc steam magnet git ssh www".split())
_DOTTED = re.compile(r"(?<![\w.@/-])[a-zA-Z0-9][\w-]*+(?:\.[\w-]++)++")
_PATH = re.compile(rf"(?::\d{{1,5}})?(?:[/?#]{_TAIL})?")
_SPOKEN = re.compile(
    r"(?i)(?<![\w-])[\w-]++(?: ?[\[({] ?(?:dot|\.) ?[\])}] ?| dot )(?:com|org|net|edu|io|co|info)\b(?:(?: slash |/)\w++)*+"
)
_IPV4 = re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w.]*\d)(?::\d{2,5})?")


def _dotted(text: str) -> Iterator[Span]:
    """Bare domains: reddit.com, del.icio.us/x; not node.js, e.g. or a missing space.After a stop."""
    sure, doubtful = words("domains"), words("doubtful_domains")
    for match in _DOTTED.finditer(text):
        labels = match[0].split(".")
        for count in range(min(len(labels), 8), 1, -1):
            label = labels[count - 1]
            end = match.start() + len(".".join(labels[:count]))
            path = _PATH.match(text, end).end()
            plain = label in (label.lower(), label.upper()) and label.isalpha()
            known = (
                label.lower() in sure
                or (label in doubtful and count > 2)
                or (path > end + 2 and len(label) > 1)
            )
            if plain and known:
                rest = labels[count:]
                yield Span(match.start(), path if not rest or rest[0][:1].isupper() else match.end(), "url")
                break


def _urls(text: str, seen: set[str]) -> Iterator[Span]:
    """Addresses on the web."""
    if not seen.isdisjoint(_SCHEMES):
        for match in _URL.finditer(text):
            yield Span(match.start(), match.start() + len(match[0].rstrip(".,;:!?'*")), "url")
    if "." in text:
        yield from _dotted(text)
        yield from (Span(*match.span(), "url") for match in _IPV4.finditer(text))
    if "dot" in seen or "[.]" in text or "(.)" in text:
        yield from (Span(*match.span(), "url") for match in _SPOKEN.finditer(text))


_AT = r"(?:@|[\[({<] ?(?:at|@) ?[\])}>])"
_DOT = r"(?:\.|[\[({<] ?(?:dot|\.) ?[\])}>])"
_MAIL = re.compile(
    rf"(?i)(?<![\w.+-])\w[\w.+%-]*+(?: ?{_DOT} ?\w[\w.+-]{{0,40}}+){{0,3}} ?{_AT} ?[\w-]++(?:(?: ?{_DOT} ?| dot )[\w-]++)++"
)
_MAIL_WORDS = re.compile(
    r"(?i)(?<![\w.+-])\w[\w.+%-]*+(?: dot [\w-]{1,40}+){0,3} at [\w-]++(?: dot [\w-]++){1,4}"
)
_MAIL_HOST = r"(?i)(?<![\w.+-])\w[\w.+%-]*+ (?:at|@) (?:(?:{mail_hosts})(?:(?:\.| dot | \. )\w{{2,6}}){{1,2}}|gmail|googlemail|hotmail|ymail)\b"
_MAIL_SHORT = re.compile(r"(?i)(?<![\w.+-])[a-z]\w*+(?:[._+]\w++|\d++)++ at [\w-]++(?:\.[\w-]++)++")


@cache
def _mail_host() -> re.Pattern[str]:
    """someone at gmail (.com)."""
    return re.compile(_MAIL_HOST.format(**rules()))


def _emails(text: str, seen: set[str]) -> Iterator[Span]:
    """E-mail addresses, plain and spelt out."""
    if "at" in seen or "@" in text:
        for pattern in (_MAIL, _MAIL_WORDS, _mail_host(), _MAIL_SHORT):
            yield from (Span(*match.span(), "email") for match in pattern.finditer(text))


_USER = re.compile(
    r"(?<![\w@/])(?:/?[uU]/[\w-]{2,}|@[A-Za-z_][\w.-]*\w)|(?<![\w#])[A-Za-z_]\w{1,31}+#\d{4}\b"
)
_SITES = r"discord|snap(?:chat)?|insta(?:gram)?|kik|telegram|twitter|tiktok|psn|skype|xbl|gamertag|ign|aim|icq|msn|user ?name|screen ?name"
_NETWORKS = frozenset(re.findall(r"[a-z]+", "snapchat instagram username screenname user screen " + _SITES))
_ACCOUNT = r"(?: (?:handle|id|tag|user|username|name|account))?"
_HANDLE = re.compile(
    rf"(?i)\b(?:my (?:{_SITES}){_ACCOUNT}(?: is|'s)|(?:{_SITES}){_ACCOUNT} ?[:=]|(?:add|find|follow|message) me on (?:{_SITES})(?: as|:)?) ?@?([\w.-]*\w)"
)
_DIGITS = r"\d(?:[ .\-/()]{0,2}\d)"
_PHONE = re.compile(
    r"(?<![\w.,/$€£#-])(?:"
    rf"\+ ?{_DIGITS}{{6,14}}|00[1-9]{_DIGITS[2:]}{{7,13}}"
    r"|(?:1[-. ]?)?(?:\([2-9]\d\d\) ?|[2-9]\d\d[-. /])\d{3}[-. ]\d{4}|(?:1[-. ])?8\d\d[-. ][A-Z\d][A-Z\d-]{6,9}"
    r"|\(0?\d{2,5}\) ?\d{2,4}(?:[-. ]\d{2,5}){1,3}|\(0?\d{2,5}\) ?\d{6,8}|0\d{1,4}(?:[-. /]\d{2,4}){2,4}|0\d{2,4}[-. /]\d{5,8}|0[1-9]\d{8,9}"
    r"|[2-9]\d\d[2-9]\d{6}|1[38]00[- ]\d{3}[- ]\d{3}|\d{3}[-.]555[-.]?\d{4}|555[-. ]\d{4}"
    r")(?![\w]|[.,]\d)"
)
_PHONE_NEAR = re.compile(
    r"(?i)\b(?:call|phone|tel|telephone|mobile|cell|cellphone|whats ?app|viber|signal|fax|dial|ring|text|sms|number|hotline|pager|num|line)\b"
    r"[^\d\n$€£%]{0,25}?(?<!\d)([+(]{0,2}\d(?:[ .\-/()]{0,2}\d){6,14})(?!\w)"
)
_NUMBER_WORDS = frozenset("zero oh one two three four five six seven eight nine double triple".split())
_PHONE_SPELT = re.compile(
    r"(?i)\b(?:(?:zero|oh|one|two|three|four|five|six|seven|eight|nine|double|triple)[ ,-]{1,2}){6,16}(?:zero|oh|one|two|three|four|five|six|seven|eight|nine)\b"
)
_THREE_DIGITS = re.compile(r"\d{3}|\d\d[ .-]\d\d")
_DATE = re.compile(
    r"(?:19|20)\d\d[-./ ]\d{1,2}[-./ ]\d{1,2}|\d{1,2}[-./ ]\d{1,2}[-./ ](?:19|20)\d\d|(?:19|20)\d\d ?[-/] ?(?:19|20)\d\d"
)


def _users(text: str, seen: set[str]) -> Iterator[Span]:
    """u/name, @name, name#1234, and names of accounts elsewhere."""
    if "/" in text or "@" in text or "#" in text:
        yield from (Span(*match.span(), "user") for match in _USER.finditer(text))
    if not seen.isdisjoint(_NETWORKS):
        yield from (Span(*match.span(1), "user") for match in _HANDLE.finditer(text))


def _phones(text: str) -> Iterator[Span]:
    """Phone numbers, national and international; no dates, years, prices or scores."""
    for pattern, group in ((_PHONE, 0), (_PHONE_NEAR, 1)):
        for match in pattern.finditer(text):
            if not _DATE.fullmatch(match[group].strip("() ")):
                yield Span(*match.span(group), "phone")


def find_contacts(text: str, seen: set[str]) -> Iterator[Span]:
    """Spans of email, url, user and phone, unordered; they may overlap. `seen` is vocabulary(text)."""
    yield from _urls(text, seen)
    yield from _emails(text, seen)
    yield from _users(text, seen)
    if _THREE_DIGITS.search(text):
        yield from _phones(text)
    if len(seen & _NUMBER_WORDS) > 1:
        yield from (Span(*match.span(), "phone") for match in _PHONE_SPELT.finditer(text))

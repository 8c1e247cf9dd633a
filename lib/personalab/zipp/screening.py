"""What of a user's words may reach a model, and what of a model's words may stand as a persona (ZIPP 3.1, E.1, Table 2).

A post becomes one plain line: private details are cut once more, and every sign is broken up that could close its block,
open a turn or be taken for code. A persona is one paragraph of prose without private or sensitive details, platforms
and communities. Both go by lists and shapes: they contain, they do not understand, and no promise is made that a model
withstands what a post asks of it.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate

from ..backends.chat import Answer, encodable
from .reddit.declarations import declares, redact
from .reddit.scrub import KINDS, scrub

#: Signs of chat templates, markup and code, and what they become.
_BROKEN = (
    (re.compile(r"<(?=[^\s\d])"), "< "),
    (re.compile(r"(?<=[^\s\d])>"), " >"),
    (re.compile(r"\[(?=/?[A-Z]{2,})"), "[ "),
    (re.compile(r"\{(?=[{%#])"), "{ "),
    (re.compile(r"([%#}])(?=\})"), r"\1 "),
    (re.compile(r"\\(?=\S)"), "\\ "),
    (re.compile(r"([=\-_*#~`+])\1{2,}"), r"\1"),
)
#: Categories of characters that show nothing, and what becomes of them.
_NOTHING = {"Cc": " ", "Cf": "", "Co": "", "Cn": ""}
#: What stands for a private detail in a persona, where a mark would be read out.
_SAID = {"name": "somebody", "place": "somewhere"}
_MARK = re.compile(rf"\[(?:{'|'.join(KINDS)})\]")
_LIST = re.compile(r"(?m)^\s*(?:[-*•‣–+]|\d+[.)]|#+)\s|[<>{}|\\`^=*#\[\]]|__")
_SENTENCE = re.compile(r".+?(?:[.!?…]+[\"'”’)]*(?=\s|$)|$)\s*")
_PLATFORM = re.compile(
    r"(?i)\b(?:sub-?reddit\w*|reddit\w*|[ru]/\w+|up-?vot\w+|down-?vot\w+|facebook|twitter|instagram|tik ?tok|tumblr|discord|"
    r"youtube|pinterest|civitai|midjourney|online (?:communit|forum|platform)\w*|social media|(?:your|these) (?:posts|comments))\b"
)
_PECULIAR = re.compile(r"[_\d]|[a-z][A-Z]")
_FIRST_PERSON = (
    (r"\byou['’]re\b", "I'm"), (r"\byou are\b", "I am"), (r"\byou were\b", "I was"), (r"\byou\b", "I"),
    (r"\byour\b", "my"), (r"\byourself\b", "myself"), (r"\b(?:and|who)(?= (?!I\b)\w)", "and I"),
)  # fmt: skip
_PEOPLES = (
    "black|white|caucasian|asian|african|arab|latin[oax]|latine|hispanic|chican[oa]|jewish|rom(?:a|ani)|indigenous|aboriginal|"
    "native american|first nations|mixed[- ]race|bi-?racial|multi-?racial|kurdish|berber|m[aā]ori|inuit|"
    r"[a-z]+[- ](?:american|british|canadian|australian)"
)
#: What the rules for the first person leave out, as it may be said of others there: habits of voting, peoples.
_SECOND_PERSON = re.compile(
    rf"(?i)\byou(?: \w+){{0,2}}? (?:vote|voted|campaign|canvass)\b|\b(?:{_PEOPLES})[- ](?:(?:\w+ ){{0,2}}?(?:man|woman|person|male|female|guy|girl|boy|mother|father|parent|student|people|"
    rf"community|immigrant)\b|(?:by )?(?:descent|heritage|ancestry|origins?|background|roots|birth))|"
    rf"\byou(?: are|['’]re) (?:an? )?(?:[\w-]+ ){{0,2}}?(?:{_PEOPLES})(?=[.,;]| and\b| who\b)|\b(?:of|your|have) (?:[\w-]+ ){{1,3}}"
    r"(?:descent|ancestry|ethnicity|ethnic (?:background|heritage|roots))\b|\byour (?:race|ethnicity|caste|tribe|skin colou?r)\b"
)


def line(text: str, longest: int = 500) -> str:
    """A post as one line of plain text, at most `longest` characters.

    Lone surrogates, control, format (zero-width, bidirectional) and unassigned characters go, compatibility forms become
    plain (NFKC), so that no sign hides behind another; then private details and declarations are cut (E.1), tags, role
    marks, template and LaTeX commands are broken up by a space, and rows of one sign become one.
    """
    text = _plain(text[: 20 * longest])
    text = scrub(redact(text)[0])
    for pattern, to in _BROKEN:
        text = pattern.sub(to, text)
    text = " ".join(text.split())
    return text if len(text) <= longest else text[: longest + 1].rpartition(" ")[0] or text[:longest]


def screened(text: str, communities: Sequence[str] = (), max_words: int = 150) -> tuple[Answer, Counter]:
    """What a text may say as a persona, and the sentences cut out, by reason.

    It must begin with "You are" and be prose: lists, markup and template signs make it missing. Private details become
    neutral words. Sentences that name a platform or a community, or that declare health, religion, politics, sexuality or
    ethnicity, go. What is left is one paragraph of whole sentences, at most `max_words` long, and still begins with
    "You are".

    Args:
        communities: names; those that no other word looks like (with an underscore, a digit or a capital inside) count.
    """
    text = _unquoted(encodable(text).strip())
    marked = not is_prose(_MARK.sub("", text))
    text, names, cut = _plain(text), _peculiar(tuple(communities)), Counter[str]()
    if not _begins(text):
        return Answer(None, "does not begin with 'You are'"), cut
    if marked:
        return Answer(None, "a list or markup"), cut
    kept = []
    for sentence in _sentences(text):
        reason = _forbidden(sentence, names)
        cut[f"cut: {reason}"] += reason != ""
        kept += [] if reason else [sentence]
    left = _unmarked(scrub(" ".join(kept)))
    short = _whole(left, max_words)
    cut["cut: too long"] += short != left
    return (
        Answer(short) if _begins(short) else Answer(None, "nothing left that begins with 'You are'")
    ), +cut


def is_prose(text: str) -> bool:
    """Whether a text is free of lists, markup, template signs and marks of private details."""
    return _LIST.search(unicodedata.normalize("NFKC", text)) is None


def sensitive(sentence: str) -> bool:
    """Whether a sentence in the second person declares health, religion, politics, sexuality or ethnicity.

    By the rules for texts of the first person, into which it is put, and a list of peoples.
    """
    said = sentence
    for pattern, to in _FIRST_PERSON:
        said = re.sub(pattern, to, said, flags=re.IGNORECASE)
    return declares(said) or declares(sentence) or _SECOND_PERSON.search(sentence) is not None


@lru_cache(maxsize=8)
def _peculiar(names: tuple[str, ...]) -> frozenset[str]:
    return frozenset(name.lower() for name in names if _PECULIAR.search(name))


def _forbidden(sentence: str, names: frozenset[str]) -> str:
    if _PLATFORM.search(sentence) or not names.isdisjoint(re.findall(r"[\w-]+", sentence.lower())):
        return "platform or community"
    return "sensitive" if sensitive(sentence) else ""


def _begins(text: str) -> bool:
    return re.match(r"You are\b", text) is not None


def _sentences(text: str) -> list[str]:
    return [match[0].strip() for match in _SENTENCE.finditer(text)]


def _whole(text: str, most: int) -> str:
    """The first sentences that have at most so many words together."""
    sentences = _sentences(text)
    words = accumulate(len(one.split()) for one in sentences)
    return " ".join(sentences[: sum(total <= most for total in words)])


def _unquoted(text: str) -> str:
    """Without the quotation marks around all of it."""
    return text[1:-1].strip() if text[:1] in ('"', "“", "'") and text[-1:] in ('"', "”", "'") else text


def _plain(text: str) -> str:
    """One line without control, format, private and unassigned characters; compatibility forms made plain."""
    text = unicodedata.normalize("NFKC", encodable(text))
    kept = (_NOTHING.get(unicodedata.category(character), character) for character in text)
    return " ".join("".join(kept).split())


def _unmarked(text: str) -> str:
    """Marks of private details as neutral words."""
    return _MARK.sub(lambda mark: _SAID.get(mark[0][1:-1], "something private"), text)

"""Posts and comments out of lines: one `Item` each, or the reason why a line cannot be one.

The fields' types changed over the years (`created_utc` text or number, `score` null, `author` null); this is the only
place that knows. Reasons never quote a line, which may hold names. Whether an item is wanted is for `filters`.
"""

import json
import re
from functools import lru_cache
from operator import itemgetter
from typing import Any, NamedTuple

import orjson

#: Reddit's own limit is 40,000 characters, some of them written as entities.
LONGEST_TEXT = 200_000
_SECONDS_A_DAY = 86_400
_SUBREDDIT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,49}")
_PICTURE = re.compile(
    r"https?://(?:i\.redd\.it/|(?:[im]\.|www\.)?imgur\.com/(?!a/|gallery/|t/|r/)\w|[^\s?#]+\.(?:png|jpe?g|webp)(?:[?#]|$))",
    re.IGNORECASE,
)


_COMMENT = itemgetter("body", "author", "id", "subreddit", "created_utc", "score")
_POST = itemgetter("title", "author", "id", "subreddit", "created_utc", "score")
_new = tuple.__new__


class BadLine(ValueError):
    """A line that is no post and no comment; the message is the reason, without any of the line's text."""


class Item(NamedTuple):
    """A post or comment as it stands in a dump, unfiltered."""

    id: str
    """Reddit's: t1_... for a comment, t3_... for a post."""
    author: str | None
    """None: the account is gone."""
    subreddit: str
    score: int | None
    day: int
    """Since 1970-01-01, UTC: no finer time is kept."""
    text: str
    """A comment's body; a post's title and, after an empty line, its own text."""
    picture: str | None
    """The URL of the one picture that a post shows."""


def parse(line: bytes | None) -> dict[str, Any]:
    """A line's JSON object.

    Raises:
        BadLine: too long (None), not UTF-8, a byte order mark, not strict JSON (NaN, lone surrogates), nested deeper than
            1,000 levels, or not an object.
    """
    try:
        row = orjson.loads(line)  # type: ignore[arg-type]
    except orjson.JSONDecodeError:
        raise BadLine(_fault(line)) from None
    if row.__class__ is not dict:
        raise BadLine("JSON, but not an object")
    return row


def item(row: dict[str, Any]) -> Item:
    """A row of a dump of comments (it has a body) or of posts (it has a title).

    Raises:
        BadLine: a field is missing or of a type or size that Reddit never wrote; names the field.
    """
    try:
        if "body" in row:
            kind, picture = "t1_", None
            text, author, name, subreddit, seconds, score = _COMMENT(row)
        else:
            kind, picture = "t3_", row.get("url")
            text, author, name, subreddit, seconds, score = _POST(row)
            text = _post_text(text, row.get("selftext"))
            picture = picture if picture and is_picture(picture) else None
    except KeyError as error:
        raise BadLine(f"field {error.args[0]} is missing") from None
    if text.__class__ is not str or name.__class__ is not str or subreddit.__class__ is not str:
        raise _odd({"text": text, "id": name, "subreddit": subreddit}, str)
    if author.__class__ is not str and author is not None:
        raise _odd({"author": author}, str)
    if seconds.__class__ is not int or not 0 <= seconds < 2**32:
        seconds = _number("created_utc", seconds, 0, 2**32)
    if score is not None and (score.__class__ is not int or not -(2**31) <= score < 2**31):
        score = _number("score", score, -(2**31), 2**31)
    if len(text) > LONGEST_TEXT or not is_subreddit(subreddit):
        raise BadLine(
            "text longer than Reddit allows" if is_subreddit(subreddit) else "no name of a subreddit"
        )
    return _new(Item, (kind + name, author, subreddit, score, seconds // _SECONDS_A_DAY, text, picture))


def is_picture(url: Any) -> bool:
    """Whether a post's URL leads to one picture: i.redd.it, imgur (no albums), or a .png, .jpg, .jpeg or .webp file."""
    return url.__class__ is str and len(url) < 2048 and _PICTURE.match(url) is not None


@lru_cache(maxsize=2**17)
def is_subreddit(name: str) -> bool:
    """Whether a subreddit, or a personal page, can have this name."""
    return _SUBREDDIT.fullmatch(name) is not None


def _post_text(title: Any, text: Any) -> Any:
    if text is not None and text.__class__ is not str:
        raise _odd({"selftext": text}, str)
    return f"{title}\n\n{text}" if text and title.__class__ is str else title


def _number(field: str, value: Any, low: int, high: int) -> int:
    """A whole number that may come as text or float."""
    try:
        number = int(float(value))
    except (TypeError, ValueError, OverflowError):
        raise _odd({field: value}, bool) from None
    if not low <= number < high:
        raise BadLine(f"field {field} is out of range")
    return number


def _odd(fields: dict[str, Any], kind: type) -> BadLine:
    """Names the first field whose value is not of a kind."""
    field, value = next((name, value) for name, value in fields.items() if value.__class__ is not kind)
    return BadLine(f"field {field} is not as Reddit writes it ({type(value).__name__})")


def _fault(line: bytes | None) -> str:
    """Why orjson refused a line."""
    if line is None:
        return "line longer than the limit"
    if line.startswith(b"\xef\xbb\xbf"):
        return "byte order mark"
    try:
        json.loads(line.decode("utf-8"), parse_constant=_not_a_number)
    except UnicodeDecodeError:
        return "not UTF-8"
    except RecursionError:
        return "nested too deep"
    except BadLine as error:
        return str(error)
    except ValueError:
        return "not JSON"
    return "nested too deep" if _depth(line) > 1000 else "lone surrogate"


def _not_a_number(constant: str) -> None:
    raise BadLine("NaN or infinity")


def _depth(line: bytes) -> int:
    """Most brackets open at once, those in texts included."""
    depth = most = 0
    for byte in re.findall(rb"[\[{\]}]", line):
        depth += 1 if byte in b"[{" else -1
        most = max(most, depth)
    return most

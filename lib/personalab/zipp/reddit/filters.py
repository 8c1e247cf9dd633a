"""Which posts and comments are kept, in the order of ZIPP E.1, each drop with its reason.

Bots and moderators, NSFW, deleted, comments under five words; then personal pages. What is kept is still as its author
wrote it: `scrub` takes out private identifiers afterwards. Caps and low-information users need the whole set and are in
`aggregate`. The paper's toxicity filter is a language model (Llama Guard): `ingest` takes one as a function.
"""

import html
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from orjson import loads

from . import dumps
from .items import BadLine, Item, item, parse

BOT, NSFW, DELETED, SHORT, PERSONAL = (
    "bot or moderator",
    "NSFW",
    "deleted",
    "comment too short",
    "personal page",
)
#: What a row can be dropped for before its text is scrubbed, in order.
REASONS = (BOT, NSFW, DELETED, SHORT, PERSONAL)
#: What Reddit and the dumps' makers write in the place of an author or a text that is gone.
GONE = frozenset(
    ["[deleted]", "[removed]", "[deleted by user]", "[removed by reddit]", "[ removed by reddit ]"]
)
#: Automated accounts whose names do not say so.
KNOWN_BOTS = frozenset(
    "automoderator autotldr totesmessenger vredditdownloader transcribersofreddit converter_bot imguralbumbot "
    "sneakpeekbot remindmebot flair_helper repostsleuthbot savevideo haiku_robot gifreversingbot".split()
)
#: "Bot" at the end as a word of its own, or in small letters unless the whole is an ordinary word (robot, Talbot).
_BOT = re.compile(
    r"(?:(?<=[a-z0-9])Bot|(?<=[a-z])BOT|(?<![A-Za-z])(?i:bot)|(?i:(?<!ro)(?<!ab)(?<!al)(?<!ca)(?<!tur)(?<!sa)(?<!ja)bot))"
    r"[-_]?\d*$"
)
_STAFF = ("moderator", "admin")
_SAFE = frozenset(["false", "0", "", "none"])
_MARK = re.compile(r"\[[\w ]{1,20}\]")
_LETTER = re.compile(r"\w")


@lru_cache(maxsize=2**18)
def is_bot(author: str) -> bool:
    """Whether an account's name is a bot's: a known one, or it ends in "bot" (MrRobot and Talbot do not count)."""
    return author.lower() in KNOWN_BOTS or _BOT.search(author) is not None


def unwanted(row: dict[str, Any], nsfw: Collection[str] = (), min_words: int = 5) -> str | None:
    """The first of `REASONS` for which a row of a dump is not kept, or None.

    Args:
        row: a comment (it has a body) or a post.
        nsfw: further subreddits that are not safe for work, in small letters; rows of comments carry no such flag.
        min_words: fewest words of a comment.

    Raises:
        KeyError, TypeError, AttributeError: the row is no post and no comment, see `items.item`.
    """
    get = row.get
    author, subreddit, body = _account(row["author"]), row["subreddit"], get("body")
    if author is BOT or get("distinguished") in _STAFF:
        return BOT
    community = _community(subreddit)
    if community is NSFW or (nsfw and subreddit.lower() in nsfw):
        return NSFW
    if (over_18 := get("over_18")) and str(over_18).lower() not in _SAFE:
        return NSFW
    if author is DELETED or (
        _is_gone(row) if body is None else not body or (body[0] == "[" and body.lower() in GONE)
    ):
        return DELETED
    if body is not None and len(body.split(None, min_words - 1)) < min_words:
        return SHORT
    return PERSONAL if community is PERSONAL or get("subreddit_type") == "user" else None


def sift(
    path: str | Path,
    counts: Counter[str],
    quarantine: Callable[[int, int | None, str], None],
    *,
    authors: dict[str | None, None] | None = None,
    nsfw: Collection[str] = (),
    min_words: int = 5,
    limit: int = dumps.LONGEST,
) -> Iterator[Item]:
    """The items of one dump that are kept.

    Args:
        counts: is added to: "read" (lines that are not blank), "quarantined", and the reasons of `REASONS`.
        quarantine: told of every bad line: its number, its offset in the unpacked stream (bytes), the reason.
        authors: gets the author of every row, kept or not, as a key, in order.

    Raises:
        DumpError: see `dumps.blocks`.
    """
    authors = {} if authors is None else authors
    for block in dumps.blocks(path, limit):
        for place, line in enumerate(block.lines):
            try:
                row = loads(line)
                reason = unwanted(row, nsfw, min_words)
                authors[row["author"]] = None
                if reason is None:
                    yield item(row)
                else:
                    counts[reason] += 1
            except (ValueError, KeyError, TypeError, AttributeError):
                if line is None or line.strip():
                    counts["quarantined"] += 1
                    quarantine(block.number + place, _offset(block, place), _fault(line))
                else:
                    counts["read"] -= 1
        counts["read"] += len(block.lines)


def _fault(line: bytes | None) -> str:
    """Why a line is bad, in the words of `items`."""
    try:
        item(parse(line))
    except BadLine as known:
        return str(known)
    return "a field is not as Reddit writes it"


def clean(text: str, scrub: Callable[[str], str], redact: Callable[[str], tuple[str, int]]) -> str | None:
    """A text without private identifiers and declarations of sensitive attributes; None if no word is left.

    Args:
        text: as Reddit stores it; HTML entities are turned into characters first, so that none hides an address.
        scrub: puts marks such as [url] in the place of identifiers.
        redact: takes out sentences with declarations; returns what is left and their number.
    """
    plain = html.unescape(text) if "&" in text else text
    left = redact(scrub(plain))[0].strip()
    return left if _LETTER.search(_MARK.sub("", left) if "[" in left else left) else None


@lru_cache(maxsize=2**18)
def _account(author: str | None) -> str | None:
    """BOT, DELETED or None."""
    if not author or author in GONE:
        return DELETED
    return BOT if is_bot(author) else None


@lru_cache(maxsize=2**17)
def _community(name: str) -> str | None:
    """NSFW, PERSONAL or None."""
    if "nsfw" in name.lower():
        return NSFW
    return PERSONAL if name.startswith("u_") else None


def _is_gone(post: dict[str, Any]) -> bool:
    """Whether a post's title or text was taken away; its title may still stand in old dumps."""
    text = post.get("selftext") or ""
    return bool(post.get("removed_by_category")) or text.lower() in GONE or post["title"].lower() in GONE


def _offset(block: dumps.Block, place: int) -> int | None:
    if block.offset is None:
        return None
    return block.offset + sum(len(line) + 1 for line in block.lines[:place] if line is not None)

"""A user's prompts as a history and held-out test prompts (ZIPP 3.1, 4.2.1), with nothing of one in the other.

The last prompts by time are held out. Few-shot examples come from the history, so no history prompt may repeat a held-out
one or come near it: re-rolls and small changes of one prompt are common, and would hand a rewriter the answer. What is
dropped for it is counted. The rows name users by keyed hash and days instead of moments, and lack the site's own
numbers. They are not anonymous for all that: prompts are public texts, and whoever searches for one finds its author.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import pandas as pd

from ..reddit.contacts import find_contacts
from ..reddit.marks import vocabulary
from .civitai import Picture
from .link import Link, readings

COLUMNS = ("user", "graph_row", "prompt", "created", "part", "original", "basic", "seed")
#: Two prompts are near-duplicates from these shares on: of all their word trigrams, of the shorter one's, of their words.
NEAR_TRIGRAMS, NEAR_EXTENDED, NEAR_WORDS = 0.5, 0.8, 0.8
_WORD = re.compile(r"\w+")


class Split(NamedTuple):
    """Places in a user's list of prompts."""

    history: list[int]
    test: list[int]
    dropped: Counter[str]
    """Prompts by reason: "repeated", "near a test prompt"."""


def near(one: str, other: str) -> bool:
    """Whether two prompts are near-duplicates: one changed a little, extended, or in another order.

    That is, at least half of their word trigrams in common, or four fifths of those of the one that has fewer, or four fifths
    of their words; shares of all are Jaccard's, of sets in lower case. A prompt of fewer than three words has itself as its
    one trigram. Another subject in the same form of words is no near-duplicate unless the form is most of it.
    """
    a, b = (_WORD.findall(text.lower()) for text in (one, other))
    s, t = _trigrams(a), _trigrams(b)
    extended = len(s & t) / min(len(s), len(t)) >= NEAR_EXTENDED
    return extended or _jaccard(set(a), set(b)) >= NEAR_WORDS or _jaccard(s, t) >= NEAR_TRIGRAMS


def split(prompts: Sequence[str], held_out: int) -> Split:
    """A user's prompts, oldest first, as history and test.

    Of prompts alike to the letter, but for capitals, the first stays. Then, from the last backwards, `held_out` prompts are
    taken that are not near each other; what remains and is near none of them is the history.

    Args:
        prompts: of one user, in the order of time.
        held_out: test prompts wanted; a user with fewer distinct prompts gets fewer.

    Raises:
        ValueError: fewer than one held out.
    """
    if held_out < 1:
        raise ValueError(f"got held_out={held_out}, expected at least 1")
    first = {text.lower(): i for i, text in reversed(list(enumerate(prompts)))}
    distinct = sorted(first.values())
    test: list[int] = []
    for i in reversed(distinct):
        if len(test) == held_out:
            break
        if not any(near(prompts[i], prompts[j]) for j in test):
            test.append(i)
    history = [i for i in distinct if not any(near(prompts[i], prompts[j]) for j in test)]
    dropped = Counter({"repeated": len(prompts) - len(distinct)})
    dropped["near a test prompt"] = len(distinct) - len(history) - len(test)
    return Split(history, test[::-1], dropped)


def histories(pictures: Iterable[Picture], links: Sequence[Link]) -> dict[Link, list[Picture]]:
    """The linked accounts' pictures, oldest first; an account without one that has a prompt is there with none."""
    by_account = {one.account: one for one in links}
    found: dict[Link, list[Picture]] = {one: [] for one in links}
    for picture in pictures:
        if picture.user in by_account:
            found[by_account[picture.user]].append(picture)
    return {one: sorted(own, key=lambda p: (p.created, p.image)) for one, own in found.items()}


def private(prompt: str, account: str) -> str:
    """The prompt with [url], [email], [user], [phone] for contacts and [user] for the account's own names.

    Other names stay, artists' among them: they say how a picture should look.
    """
    parts, start = [], 0
    for span in sorted(find_contacts(prompt, vocabulary(prompt))):
        if span.start >= start:
            parts += prompt[start : span.start], f"[{span.kind}]"
        start = max(start, span.end)
    text = "".join(parts) + prompt[start:]
    for name in readings(account):
        text = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", "[user]", text, flags=re.IGNORECASE)
    return text


def divide(
    found: Mapping[Link, Sequence[Picture]], held_out: int = 3, fewest: int = 5
) -> tuple[pd.DataFrame, Counter[str]]:
    """The prompts of all linked users, divided.

    Args:
        found: what `histories` gave.
        held_out: test prompts of a user.
        fewest: history prompts that a user needs, as many as the largest number of few-shot examples; with fewer, or
            without `held_out` test prompts, the user is left out.

    Returns:
        A table of COLUMNS, users by row of the graph, each oldest first: `prompt` a running number, `created` a day,
        `part` "history" or "test", `basic` still missing; and a count of "prompts", the sum of the others: "history",
        "test", "repeated", "near a test prompt", "user with too few".
    """
    counts = Counter(dict.fromkeys(("prompts", "history", "test", "repeated", "near a test prompt"), 0))
    counts["user with too few"] = 0
    rows = []
    for link in sorted(found, key=lambda one: one.row):
        pictures = found[link]
        texts = [private(one.prompt, link.account) for one in pictures]
        parts = split(texts, held_out)
        counts["prompts"] += len(texts)
        if len(parts.history) < fewest or len(parts.test) < held_out:
            counts["user with too few"] += len(texts)
            continue
        counts.update(parts.dropped)
        counts.update({"history": len(parts.history), "test": len(parts.test)})
        for i in sorted(parts.history + parts.test):
            part, day = "test" if i in parts.test else "history", pictures[i].created.date()
            rows.append((link.identifier, link.row, len(rows), day, part, texts[i], None, pictures[i].seed))
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype({"seed": "Int64"}), counts


def with_basic(prompts: pd.DataFrame, basic: Mapping[str, str | None]) -> tuple[pd.DataFrame, Counter[str]]:
    """The table with basic prompts at the test prompts; a test prompt without one is left out.

    Args:
        prompts: from `divide`.
        basic: original -> its basic prompt; None, or nothing, where there is none.

    Returns:
        The table, without users who have no test prompt any more, and a count of "test" prompts, the sum of "kept" and
        "no basic prompt".
    """
    at = prompts["part"] == "test"
    short = prompts["original"].where(at).map(basic.get, na_action="ignore")
    kept = prompts.assign(basic=short)[~at | short.notna()]
    tested = kept.loc[kept["part"] == "test", "user"]
    counts = Counter(
        {"test": int(at.sum()), "kept": len(tested), "no basic prompt": int(at.sum()) - len(tested)}
    )
    return kept[kept["user"].isin(tested)].reset_index(drop=True), counts


def _trigrams(words: Sequence[str]) -> set[tuple[str, ...]]:
    return {tuple(words[i : i + 3]) for i in range(max(len(words) - 2, 1))}


def _jaccard(a: set, b: set) -> float:
    """Common share of two sets; two empty ones are alike."""
    return len(a & b) / len(a | b) if a | b else 1.0

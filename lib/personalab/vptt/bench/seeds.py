"""Seed sentences to facts: what a one-line description says about a person (VPTT 9.2.1).

Reads PersonaHub's format, one {"persona": "..."} per line. Only what the words state is taken: occupation, place,
gender, age and interests; the rest is left for the grammar to draw. A line that does not describe one adult in
English is dropped with its reason, never guessed at. The reading is by rules and lexicon, without a model; how
well it does on lines labelled by reading is reported by notebook vptt/s3_1_bench.
"""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from ...records import Dropped, Gender
from .facts import CUT, find_age, find_gender, find_interests, find_occupation
from .gazetteer import Place, find_place

_ENGLISH = frozenset(
    "a an the of to and in on for with who that is are at from by as has have their his her its my i about or be "
    "this which not but into was how they she he it over also".split()
)
_NOT_ENGLISH = frozenset(
    "der die und ein eine mit aus für ist von el los las un una que con para por le les des du une et est il che di "
    "per uma com não het een van met och en som".split()
)
_PLURAL = re.compile(
    r"\b(?:group|team|couple|panel of|committee|council|company|firm|startup|organi[sz]ation|agency|community of|network of|"
    r"family of|class of|students(?!')|children(?!')|siblings|twins|residents|members of|players who|parents who)\b"
)
_ONE_OF = re.compile(
    r"\b(?:member|owner|leader|head|director|manager|founder|employee|ceo|representative|coach|captain|president|coordinator|volunteer|worker|officer|teacher|parent|mother|father) (?:of|for|at|in|from|with|to)\b"
)
_MINOR = re.compile(
    r"\b(?:young child|child who|child with|small child|toddler|baby|infant|kid|schoolchild|preschooler|elementary school student|[a-z]+-grader|(?:[5-9]|1[0-7])[- ]year[- ]old|young (?:boy|girl)|little (?:boy|girl))\b"
)
#: letters; the patterns here and in `facts` are meant for one sentence and take their time over a long one
_LONGEST = 2000
_NOT_A_PERSON = re.compile(
    r"\b(?:fictional|character in|cartoon|ghost|alien|robot|vampire|wizard|narrator)\b|\b(?:parrot|puppy|kitten|cat|dog)\s*$"
)


class Seed(NamedTuple):
    """One usable line and the facts stated in it; what it does not state is None or empty."""

    line: int
    text: str
    occupation: str | None
    family: str | None
    place: Place | None
    gender: Gender
    age: tuple[int, int] | None
    interests: tuple[str, ...]


class Seeds(NamedTuple):
    """read == len(kept) + len(dropped)."""

    kept: list[Seed]
    dropped: list[Dropped]

    def reasons(self) -> Counter[str]:
        """How many lines were dropped for each reason."""
        return Counter(drop.reason for drop in self.dropped)


def read_seeds(path: str | Path) -> Seeds:
    """Read a PersonaHub-format file: every non-empty line is kept or dropped with a reason.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: no line of it could be kept.
    """
    with open(path, "rb") as file:
        seeds = parse_lines(line for line in file)
    if not seeds.kept:
        raise ValueError(
            f'{path}: none of {len(seeds.dropped)} lines is usable; expected lines like {{"persona": "A nurse from Leeds"}}'
        )
    return seeds


def parse_lines(lines: Iterable[bytes]) -> Seeds:
    """The lines of such a file, in order; blank ones are skipped."""
    kept: list[Seed] = []
    dropped: list[Dropped] = []
    seen: set[str] = set()
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        text, reason = _text(line)
        reason = reason or _refusal(text) or ("duplicate" if text.lower() in seen else None)
        seen.add(text.lower())
        if reason:
            dropped.append(Dropped(number, reason))
        else:
            kept.append(parse(text, number))
    return Seeds(kept, dropped)


def parse(text: str, line: int = 0) -> Seed:
    """The facts one English sentence states about its person."""
    head = CUT.split(text, maxsplit=1)[0]
    occupation, family = find_occupation(head, text)
    return Seed(
        line,
        text,
        occupation,
        family,
        find_place(text),
        find_gender(head, text),
        find_age(text),
        find_interests(text),
    )


def grade(lines: Sequence[bytes], labels: pd.DataFrame) -> pd.DataFrame:
    """Precision and recall of the reader against labels made by reading.

    Args:
        lines: of the file the labels were made for.
        labels: columns line (from 1), usable (0 or 1), occupation, country, gender, interests (keys joined by
            ";"); an empty cell means that the sentence does not state it.

    Returns:
        fact, labelled, taken, right, precision, recall. "usable" grades the decision to keep a line; the other
        facts are graded on lines that both sides keep. An occupation is right if one title contains the other.
    """
    right: Counter[str] = Counter()
    taken: Counter[str] = Counter()
    labelled: Counter[str] = Counter()
    for label in labels.fillna("").astype(str).to_dict("records"):
        kept = parse_lines([lines[int(label["line"]) - 1]]).kept
        usable = label["usable"] == "1"
        facts = {"usable": ({"yes"} if kept else set(), {"yes"} if usable else set())}
        if kept and usable:
            facts |= _facts(kept[0], label)
        for fact, (ours, theirs) in facts.items():
            taken[fact] += len(ours)
            labelled[fact] += len(theirs)
            right[fact] += len(
                {a for a in ours for b in theirs if a == b or (fact == "occupation" and (a in b or b in a))}
            )
    rows = [[fact, labelled[fact], taken[fact], right[fact]] for fact in taken]
    table = pd.DataFrame(rows, columns=["fact", "labelled", "taken", "right"])
    return table.assign(precision=table["right"] / table["taken"], recall=table["right"] / table["labelled"])


def _facts(seed: Seed, label: Mapping[str, str]) -> dict[str, tuple[set[str], set[str]]]:
    """fact -> (what the reader took, what the label says)."""
    return {
        "occupation": ({seed.occupation} - {None}, {label["occupation"].lower()} - {""}),
        "place": ({seed.place.country} if seed.place else set(), {label["country"]} - {""}),
        "gender": ({seed.gender} - {"unknown"}, {label["gender"]} - {""}),
        "interests": (set(seed.interests), set(label["interests"].split(";")) - {""}),
    }


def seed_index(i: int, n: int, rule: str = "sha256") -> int:
    """Which of n seeds persona i gets (VPTT Eq. 2: hash(i) mod n).

    Args:
        rule: "sha256" (stable everywhere) or "identity". Python's own hash of an int is the identity and its
            hash of a str is salted per process, so neither can be what was meant by a reproducible draw.
    """
    if rule == "identity":
        return i % n
    if rule == "sha256":
        return int.from_bytes(hashlib.sha256(str(i).encode()).digest()[:8], "big") % n
    raise ValueError(f"rule {rule!r} is unknown; expected 'sha256' or 'identity'")


def _text(line: bytes) -> tuple[str, str | None]:
    """(sentence, None) or (whatever could be read, reason)."""
    try:
        value = json.loads(line.removeprefix(b"\xef\xbb\xbf").decode("utf-8"))
    except UnicodeDecodeError:
        return "", "not UTF-8"
    except (ValueError, RecursionError):  # ValueError: also an integer too long to convert
        return "", "not JSON"
    text = value.get("persona") if isinstance(value, Mapping) else None
    if not isinstance(text, str) or not text.strip():
        return "", "no text under the key 'persona'"
    if any("\ud800" <= letter <= "\udfff" for letter in text):
        return "", "half a surrogate pair"
    return " ".join(text.split()), None


def _refusal(text: str) -> str | None:
    """Why a sentence is not used, or None."""
    if len(text) > _LONGEST:
        return f"longer than {_LONGEST} letters"
    lower = text.lower()
    head = CUT.split(lower, maxsplit=1)[0]
    words = re.findall(r"[^\W\d_]+", lower)
    if not words:
        return "no words"
    latin = sum(max(word) < "\u0250" for word in words) / len(words)
    english, other = (sum(word in short for word in words) for short in (_ENGLISH, _NOT_ENGLISH))
    if latin < 0.7 or other > english or (len(words) > 4 and english < 0.1 * len(words)):
        return "not English"
    if len(words) > 80:
        return "longer than 80 words"
    if _PLURAL.search(head) and not _ONE_OF.search(head):
        return "not one person"
    if _MINOR.search(lower):
        return "a child"
    if _NOT_A_PERSON.search(head):
        return "not a real person"
    return None

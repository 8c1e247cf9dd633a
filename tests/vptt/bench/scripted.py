"""A language model by script: it reads each question of the bench's stages and answers it in the form asked for.

Everything it says follows from the question alone. Faults are put in by the tests.
"""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Sequence

from personalab.backends.chat import Answer, Chat

#: a key that only the questions of one stage name
STAGES = {
    "origin": '"place_basis"',
    "person": '"daily_rhythm"',
    "elements": '{"entries"',
    "preferences": '{"preferences"',
    "scenarios": '{"scenarios"',
    "caption": '{"caption"',
}
HOME = {"walker": ("India", "Pune", "guess", ""), "sailor": ("Portugal", "Porto", "stated", "Porto")}
_COLOURS = ("red", "blue", "green", "amber", "grey", "white", "black", "pink", "brown", "teal")
_THINGS = ("lantern", "boat", "chair", "kite", "bowl", "gate", "bench", "kettle", "rope", "basket")

Fault = Callable[[str, Chat], Answer | None]


def stage_of(chat: Chat) -> str:
    """Which stage asks."""
    question = chat.messages[1][1]
    return next(stage for stage, key in STAGES.items() if key in question)


class Scripted:
    """Answers chats; counts them by stage and keeps them in `chats`.

    Args:
        fault: (stage, chat) to the answer given instead of the right one, or None.
    """

    def __init__(self, fault: Fault = lambda stage, chat: None):
        self.fault, self.chats = fault, list[Chat]()

    @property
    def asked(self) -> Counter[str]:
        return Counter(stage_of(chat) for chat in self.chats)

    def complete(self, chats: Sequence[Chat]) -> list[Answer]:
        self.chats += chats
        return [self.fault(stage_of(chat), chat) or Answer(json.dumps(right(chat))) for chat in chats]


def right(chat: Chat) -> dict:
    """An answer in the form that the question asks for."""
    question = chat.messages[1][1]
    return _ANSWERS[stage_of(chat)](question)


def _number(question: str) -> int:
    return int.from_bytes(hashlib.sha256(question.encode()).digest()[:4], "big")


def _origin(question: str) -> dict:
    sentence = question.split("==========")[1].strip()
    country, city, basis, words = next(
        (v for k, v in HOME.items() if k in sentence), ("Japan", "Kyoto", "guess", "")
    )
    said = next((w for w in ("woman", "man") if re.search(rf"\b{w}\b", sentence)), "")
    return {
        "country": country, "city": city, "place_basis": basis, "place_words": words, "ethnicity": None,
        "gender": said or "woman", "gender_words": said,
    }  # fmt: skip


def _person(question: str) -> dict:
    n = _number(question)
    lines = (
        "language occupation industry workplace education career_stage household home neighbourhood values tone "
        "lifestyle daily_rhythm posting_habit camera pets travel"
    ).split()
    person = {line: f"some {line.replace('_', ' ')} {n % 97}" for line in lines}
    interests = [f"{colour} {_THINGS[n % 10]} making" for colour in _COLOURS[: 5 + n % 4]]
    traits = list(_COLOURS[: 4 + n % 4])
    return person | {"name": f"Alex {n % 1000}", "age": 18 + n % 80, "interests": interests, "traits": traits}


def _elements(question: str) -> dict:
    categories = re.findall(r'^"([a-z ]+)": ', question, flags=re.M)
    facet = re.search(r"List the (\w+)", question)[1]
    count = 15 + _number(question) % 6
    return {
        "entries": [
            {
                "category": categories[i % len(categories)],
                "text": f"a {_COLOURS[i % 10]} {_THINGS[(i + i // 10) % 10]} in the {facet}",
                "regional": i % 10 < 8,
            }
            for i in range(count)
        ]
    }


def _preferences(question: str) -> dict:
    return {"preferences": [f"prefers {colour} {thing}s" for colour in _COLOURS[:4] for thing in _THINGS[:4]]}


def _scenarios(question: str) -> dict:
    slots = re.findall(r"^\d+\. (.+)", question, flags=re.M)
    return {
        "scenarios": [f"Scenario {_number(question)} of its own, {i}: {slot}" for i, slot in enumerate(slots)]
    }


def _caption(question: str) -> dict:
    offered = dict(re.findall(r"^(foreground|background|atmospheric): (.+)$", question, flags=re.M))
    chosen = {facet: entries.split("; ")[:2] for facet, entries in offered.items()}
    low = int(re.search(r"(\d+) to \d+ words", question)[1])
    told = [f"Picture {_number(question)} shows", *(e for entries in chosen.values() for e in entries)]
    caption = ", ".join(told) + "."
    padding = " very" * max(0, low - len(caption.split()))
    return {"caption": caption + padding} | chosen


_ANSWERS = {
    "origin": _origin, "person": _person, "elements": _elements,
    "preferences": _preferences, "scenarios": _scenarios, "caption": _caption,
}  # fmt: skip

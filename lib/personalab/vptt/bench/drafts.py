"""A persona half made: what a language model has said of it so far, what is to be asked next, and what it became.

Plain bookkeeping between the stages; nothing is asked here.
"""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from ...records import Demographics, Persona, Post
from .answers import ENTRIES
from .demographics import summary
from .gazetteer import Place, regions
from .personas import FEWEST_POSTS, assemble
from .seeds import Seed
from .slots import Slot, draw_slots
from .vocabulary import FACETS, REGIONAL, WITHOUT_PERSON, Vocabulary

#: the categories a model may name per facet; VPTT 9.3 counts poses among the foreground
CATEGORIES = FACETS | {"foreground": (*FACETS["foreground"], "pose")}
_WITHOUT_PERSON = (*WITHOUT_PERSON, "pose")


class Outcome(NamedTuple):
    """What became of one persona: the record, or None with the reason and, behind it, the last complaint.

    `notes` tells of both: how often was asked again, where the place comes from, posts left out by reason.
    """

    number: int
    persona: Persona | None
    reason: str | None
    detail: str | None
    notes: dict[str, Any]


@dataclass
class Draft:
    """A persona on its way through the stages."""

    number: int
    seed: Seed
    rng: np.random.Generator
    slots: list[Slot]
    place: Place | None = None
    region: str = ""
    given: dict[str, str] = field(default_factory=dict)
    d: Demographics | None = None
    vocabulary: dict[str, list[str]] = field(default_factory=dict)
    preferences: list[str] = field(default_factory=list)
    scenarios: dict[int, str] = field(default_factory=dict)
    posts: dict[int, Post] = field(default_factory=dict)
    reason: str | None = None
    detail: str | None = None
    notes: dict[str, Any] = field(default_factory=dict)

    @property
    def entries(self) -> dict[str, str]:
        """Entry -> its category."""
        return {entry: category for category, entries in self.vocabulary.items() for entry in entries}


def begin(number: int, seed: Seed, posts: int, bench_seed: int) -> Draft:
    """Persona `number` before the first question."""
    rng = np.random.default_rng([bench_seed, 2, number])
    notes = {"asked again": 0, "posts left out": Counter()}
    return Draft(number, seed, rng, draw_slots(posts, rng), notes=notes)


def stands_in(words: str, text: str) -> bool:
    """Whether the words stand in the text as they are, upper and lower case apart."""
    wanted = re.escape(words.strip().casefold())
    return bool(wanted and re.search(rf"(?<!\w){wanted}(?!\w)", text.casefold()))


def about_facet(draft: Draft, facet: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """(fields of the prompt, context of the answer) for one facet; neither gender nor ethnicity is told."""
    fields = {
        **draft.d.model_dump(include={"city", "country", "region", "occupation", "interests", "lifestyle"}),
        "facet": facet,
        "categories": CATEGORIES[facet],
        "low": ENTRIES[0],
        "high": ENTRIES[1],
        "share": round(100 * REGIONAL),
        "earlier": list(draft.entries),
    }
    taken = {entry.casefold() for entry in draft.entries}
    return fields, {"categories": CATEGORIES[facet], "taken": taken}


def about_habits(draft: Draft) -> tuple[dict[str, Any], dict[str, Any]]:
    """The same for the preferences."""
    fields = {"summary": summary(draft.d), "elements": list(draft.entries)}
    return fields | {"low": ENTRIES[0], "high": ENTRIES[1]}, {}


def about_scenarios(draft: Draft, part: Sequence[int]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The same for the scenarios of some posts."""
    earlier = list(draft.scenarios.values())
    fields = {"summary": summary(draft.d), "preferences": draft.preferences, "earlier": earlier}
    return fields | {"slots": [draft.slots[j] for j in part]}, {"n": len(part), "earlier": earlier}


def about_post(
    draft: Draft, j: int, words: tuple[int, int], bench_seed: int
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The same for the caption of post j. What may be shown stands in an order of its own, or models take the first."""
    rng = np.random.default_rng([bench_seed, 3, draft.number, j])
    hidden = _WITHOUT_PERSON if draft.slots[j].kind == "appreciation" else ()
    offered = {}
    for facet, categories in CATEGORIES.items():
        entries = [e for k in categories if k not in hidden for e in draft.vocabulary.get(k, ())]
        offered[facet] = [entries[i] for i in rng.permutation(len(entries))]
    fields = {"summary": summary(draft.d), "preferences": draft.preferences, "offered": offered}
    fields |= {"scenario": draft.scenarios[j], "slot": draft.slots[j], "low": words[0], "high": words[1]}
    known = {entry.casefold(): entry for entries in offered.values() for entry in entries}
    return fields, {"words": words, "entries": known}


def add_post(draft: Draft, j: int, caption: str, shown: Sequence[str]) -> None:
    """Post j with its caption and the entries it shows."""
    elements: dict[str, list[str]] = {}
    for entry in shown:
        elements.setdefault(draft.entries[entry], []).append(entry)
    draft.posts[j] = Post(
        kind=draft.slots[j].kind, scenario=draft.scenarios[j], caption=caption, elements=elements
    )


def leave_out(draft: Draft, reason: str, n: int = 1) -> None:
    """Count n posts that will not be there."""
    draft.notes["posts left out"][reason] += n


def finish(draft: Draft, implied: Callable[[Sequence[str]], list[dict[str, str]]]) -> Outcome:
    """The persona, or why there is none (VPTT 9.5: fewer than 10 valid posts).

    Args:
        implied: texts to what each implies in the miniature world.
    """
    posts = [draft.posts[j] for j in sorted(draft.posts)]
    fewest = min(FEWEST_POSTS, len(draft.slots))
    if draft.reason is None and len(posts) < fewest:
        draft.reason, draft.detail = f"fewer than {fewest} valid posts", f"{len(posts)} of {len(draft.slots)}"
    if draft.reason:
        return Outcome(draft.number, None, draft.reason, draft.detail, draft.notes)
    likes = [*draft.preferences, *draft.d.interests]
    texts = [*draft.entries, *likes]
    implies = dict(zip(texts, implied(texts), strict=True))
    vocabulary = Vocabulary(draft.vocabulary, {e: implies[e] for e in draft.entries}, REGIONAL)
    liked = {text: implies[text] for text in likes}
    persona = assemble(
        draft.number, draft.seed, draft.d, vocabulary, draft.preferences, posts, sources(draft), liked
    )
    return Outcome(draft.number, persona, None, None, draft.notes)


def sources(draft: Draft) -> dict[str, str]:
    """Which of the four facts a seed can state come from it, by its own words."""
    text = draft.seed.text
    stated = {
        "place": draft.notes["place"] == "stated",
        "occupation": stands_in(draft.d.occupation, text),
        "interests": any(stands_in(interest, text) for interest in draft.d.interests),
    }
    gender = "unknown" if draft.d.gender == "unknown" else "seed"
    return {fact: "seed" if said else "sampled" for fact, said in stated.items()} | {"gender": gender}


def label(draft: Draft) -> dict[str, str]:
    """Where the persona lives, as fields of d."""
    return {
        "country": draft.place.country,
        "city": draft.place.city or draft.place.country,
        "region": regions()[draft.region]["label"],
    }

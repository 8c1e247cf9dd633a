"""The prompts of a persona's posts: captions with the person made anonymous, scenes without people (VPTT 10.2).

Pronouns and names become "this person", as the paper asks for gender neutrality; clothing, expression and pose are
added from what the post shows. Nothing is rendered here.
"""

import re
from functools import lru_cache

from ..records import Persona, Post
from .faces import Face

#: VPTT 10.2, for posts of appreciation.
NO_PEOPLE = "person, people, human, face, body, portrait"
#: Said when a post's elements show no pose.
POSES = {
    "activity": "in the middle of the activity",
    "selfie": "facing the camera at arm's length",
    "shared": "standing to one side of the frame",
}
#: Categories that describe a scene without the people in it, in the order of telling.
SCENE = "foreground,objects,environment,background,materials,lighting,time of day,palette,mood".split(",")


def post_prompt(post: Post, face: Face, persona: Persona, *, max_words: int | None = None) -> tuple[str, str]:
    """(prompt, negative prompt) of a post (VPTT 10.2).

    Posts with the person in them give the caption, then clothing, expression and pose. Clothing is the post's
    appearance elements, left out if it has none; expression and pose fall back on the face and `POSES`. Posts of
    appreciation give their scene: the elements that are not about people, or the scenario if there are none.

    Args:
        max_words: shorten the caption or scene to so many words, at a sentence's end if one falls in the second
            half; clothing, expression and pose are kept, for encoders that read little.

    Raises:
        ValueError: max_words below 1.
    """
    if post.kind == "appreciation":
        scene = ", ".join(entry for category in SCENE for entry in post.elements.get(category, ()))
        return shorten(neutral(scene or post.scenario, persona), max_words), NO_PEOPLE
    shown = {category: " and ".join(entries) for category, entries in post.elements.items() if entries}
    caption = shorten(neutral(post.caption, persona), max_words).rstrip(" .,;")
    wearing = f", wearing {shown['appearance']}" if "appearance" in shown else ""
    manner = f", with {shown.get('expression', face.expression)}, {shown.get('pose', POSES[post.kind])}"
    return caption + neutral(wearing + manner, persona), ""


def shorten(text: str, max_words: int | None) -> str:
    """At most so many words; ends with a sentence if that keeps half of them. ValueError for less than 1."""
    if max_words is not None and max_words < 1:
        raise ValueError(f"got max_words={max_words}; expected a number from 1 on, or None to keep all words")
    words = text.split()
    if max_words is None or len(words) <= max_words:
        return text
    ends = [i for i in range(max_words // 2, max_words) if words[i][-1] in ".!?"]
    return " ".join(words[: ends[-1] + 1 if ends else max_words])


#: short and long verbs after a pronoun, in the third person
_VERBS = {"am": " is", "have": " has", "do": " does", "m": " is", "ve": " has", "ll": " will", "d": " would"}
_WORDS = "[Ss]he|[Hh]e|[Hh]er|[Hh]im|[Hh]is|[Hh]ers|[Hh]erself|[Hh]imself|[Mm]e|[Mm]y|[Mm]yself"
_PRONOUN = re.compile(
    r"\b(?P<word>(?:[Ss]?[Hh]e|[Hh]is|[Hh]im|[Hh]er)(?: or |/)(?:she|hers?|he|his|him)"
    rf"|(?<!War )I|{_WORDS}|(?:(?<=of )|(?<=is )|(?<=was ))mine)\b"
    r"(?:['’](?P<short>m|ve|ll|d)\b|(?<=\bI) (?P<verb>am|have|do)\b)?"
)
#: after these "her" is an object: no noun phrase goes on with them
_AFTER_OBJECT = frozenset(
    "a an the this these those some any every and or but nor when while because that who if as than so to in into "
    "at on onto with without from for by of over under behind beside beneath near through across after before "
    "during against along among off up around away toward towards until since is was are were has had will would "
    "can could again there here too".split()
)


def neutral(text: str, persona: Persona) -> str:
    """The text with the persona's names and third- and first-person singular pronouns as "this person" (10.2).

    "Her" is taken as possessive unless the next word cannot follow a possessive. Plural pronouns stay, because
    whom they mean cannot be read off; verbs after "I" stay too, save "am", "have" and "do". A name that is part of
    the place ("Florence") stays, and so does a family name beside another capitalised word ("Hyde Park").
    """
    d = persona.demographics
    names, family = _names(d.name, f"{d.city} {d.country} {d.region} {d.neighbourhood}")
    text = _PRONOUN.sub(lambda m: _person(m, _rest(m)), text)
    text = names.sub(lambda m: _person(m, m["s"] and "'s"), text)
    return family.sub(lambda m: m[0] if _beside_capital(m) else _person(m, m["s"] and "'s"), text)


@lru_cache(64)
def _names(name: str, place: str) -> list[re.Pattern[str]]:
    """Two patterns, longest first: the name, family name first too, and its beginnings (given); its ends (family)."""
    words, places = name.split(), set(place.split())
    halves = [(" ".join(words[:n]), " ".join(words[n:])) for n in range(1, len(words))]
    given = [name, *(f"{last} {first}" for first, last in halves), *(first for first, _ in halves[::-1])]
    family = [last for _, last in halves]
    title, own = r"(?P<title>(?:Mr|Mrs|Ms|Mx|Dr|Prof)\.? )?", r"(?P<s>['’]s\b|(?<=s)['’](?=\s))?"
    parts = [[re.escape(part) for part in group if part not in places] for group in (given, family)]
    return [re.compile(rf"(?<![\w-]){title}(?:{'|'.join(part) or '(?!)'})(?![\w-]){own}") for part in parts]


def _beside_capital(match: re.Match[str]) -> bool:
    """Whether a family name without a title stands beside another capitalised word."""
    before, after = match.string[: match.start()], match.string[match.end() :]
    beside = re.search(r"(?<![\w-])[A-Z][\w'’-]* $", before) or re.match(r" [A-Z]", after)
    return bool(beside and not match["title"])


def _rest(match: re.Match[str]) -> str:
    """What follows "this person" for a pronoun: nothing, a possessive or a verb."""
    word = match["word"].lower()
    if verb := match["short"] or match["verb"]:
        return _VERBS[verb]
    if word.startswith("his") or word.endswith(("his", "hers")) or word in ("my", "mine"):
        return "'s"
    if word != "her":
        return ""
    following = re.match(r"\s+[\"“(]?([\w'’-]+)", match.string[match.end() :])
    return "'s" if following and following[1].lower() not in _AFTER_OBJECT else ""


def _person(match: re.Match[str], rest: str | None) -> str:
    """ "this person" and what follows it, with a capital where a sentence starts."""
    before = match.string[: match.start()].rstrip(" \n\"“‘('")
    start = "This" if not before or before[-1] in ".!?…" else "this"
    return f"{start} person{rest or ''}"

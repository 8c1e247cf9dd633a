"""Captions of scenes, from one phrase to some sixty words, in many wordings.

A caption names a random share of a scene's attributes, in a random order and with a random wording each, so that
what learns from it meets the same value in different words and learns what a text leaves open. `plain` is the one
canonical form: each named value in its first wording, in a fixed order.
"""

from collections.abc import Mapping

import numpy as np

from .words import attributes, wordings

#: Frames around a wording; the bare wording is the first and the commonest.
_FRAMES = {
    "setting": (
        "{}",
        "{}",
        "the place is {}",
        "set against {}",
        "somewhere near {}",
        "{} fills the background",
    ),
    "time": ("{}", "{}", "the hour: {}", "all of it {}"),
    "weather": ("{}", "{}", "the weather: {}", "everything {}"),
    "palette": ("{}", "{}", "kept in {}", "with {} throughout"),
    "material": ("{} underfoot", "a floor of {}", "{} in front", "{} below"),
    "style": ("{}", "{}", "done as {}", "the look of {}"),
}
_OPENINGS = ("", "", "", "a view with", "here is", "look:", "an ordinary moment with", "this one shows")
_FILLERS = (
    "nothing else asks for attention",
    "it feels like a day worth keeping",
    "someone has been here a while",
    "quiet at the edges and calm in the middle",
    "the kind of place people come back to",
    "seen from a few steps away",
    "nobody is in a hurry",
    "a small scene with room around it",
)


def caption(
    scene: Mapping[str, str],
    rng: np.random.Generator,
    share: float = 1.0,
    longer: float = 0.2,
    worded: Mapping[str, str] | None = None,
) -> str:
    """A caption of a scene.

    Args:
        scene: attribute -> value.
        rng: draws wordings, order and what is left out.
        share: each attribute is named with this probability (at least one is).
        longer: probability of added sentences that say nothing about the picture.
        worded: attribute -> the wording to use for its value, where it is not left to chance.

    Returns:
        1 to about 60 words.

    Raises:
        ValueError: a scene without any value.
    """
    if not scene:
        raise ValueError("got an empty scene; expected at least one attribute to name")
    named = [a for a in scene if a != "colour" and rng.random() < share]
    if not named:
        named = [_pick([a for a in scene if a != "colour"] or list(scene), rng)]
    colour = scene.get("colour") if rng.random() < share else None
    parts = [_phrase(a, scene[a], colour, rng, (worded or {}).get(a)) for a in named]
    order = rng.permutation(len(parts))
    text = ", ".join(parts[i] for i in order)
    if rng.random() < longer:
        text += ". " + ". ".join(_pick(_FILLERS, rng).capitalize() for _ in range(int(rng.integers(1, 3))))
    return f"{_pick(_OPENINGS, rng)} {text}".strip()


def plain(scene: Mapping[str, str]) -> str:
    """The canonical caption: every value in its first wording, in the order of the attributes."""
    return ", ".join(_first(a, scene) for a in attributes() if a in scene and not _worn(a, scene))


def spoken(attribute: str, value: str) -> list[str]:
    """Phrases that name one value and nothing else, one per wording; a colour is named on every thing that wears it."""
    words = wordings()[attribute][value]
    if attribute == "colour":
        things = [words[0] for words in wordings()["object"].values()]
        worn = [_dressed("garment", _coloured(words[0], value)) for words in wordings()["garment"].values()]
        return [_coloured(thing, value) for thing in things] + worn
    if attribute == "material":
        return [_FRAMES["material"][0].format(word) for word in words]
    return [_dressed(attribute, word) for word in words]


def _worn(attribute: str, scene: Mapping[str, str]) -> bool:
    """Whether a value is spoken as part of another's phrase: the colour of an object or a garment."""
    return attribute == "colour" and bool({"object", "garment"} & scene.keys())


def _first(attribute: str, scene: Mapping[str, str]) -> str:
    wording = wordings()[attribute][scene[attribute]][0]
    wearer = attribute == "object" or (attribute == "garment" and "object" not in scene)
    if wearer and "colour" in scene:
        wording = _coloured(wording, scene["colour"])
    return _FRAMES["material"][0].format(wording) if attribute == "material" else _dressed(attribute, wording)


def _phrase(
    attribute: str, value: str, colour: str | None, rng: np.random.Generator, wording: str | None = None
) -> str:
    wording = wording or _pick(wordings()[attribute][value], rng)
    if attribute in ("object", "garment") and colour:
        wording = _coloured(wording, _pick(wordings()["colour"][colour], rng))
    if attribute in _FRAMES:
        return _pick(_FRAMES[attribute], rng).format(wording)
    return _dressed(attribute, wording)


def _dressed(attribute: str, wording: str) -> str:
    return f"a person in {wording}" if attribute == "garment" else wording


def _coloured(wording: str, colour: str) -> str:
    """The colour put behind a wording's article: "a boat" to "a red boat"."""
    article, _, noun = wording.partition(" ")
    if article not in ("a", "an", "the") or not noun:
        return f"{colour} {wording}"
    article = ("an" if colour[0] in "aeiou" else "a") if article != "the" else article
    return f"{article} {colour} {noun}"


def _pick(options, rng: np.random.Generator):
    return options[int(rng.random() * len(options))]

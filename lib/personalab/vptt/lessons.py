"""Lessons in prompt rewriting: what a persona's posts teach a language model (VPTT 3.2, 4.1).

From one post of a persona comes a short prompt and the full prompt this persona would have written: the prompt's
subject in its own words, and the post's elements woven around it. What the rewriter is shown follows the study's
methods, and comes from the persona's other posts: captions that share elements with the hidden one, ranked element
lists in which the right ones stand among others, or demographics alone. So a model learns to keep a subject, to
choose what fits together, and to take phrases over from where they stand. Short prompts use no wording of the study;
many of their nouns and verbs are made up, so that a subject is found by its place in the sentence.

The full prompts are written by frames, not by people: a model taught by them writes in their style.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from ..records import CATEGORIES, Persona, Post
from ..world.lessons import Lesson
from ..world.scenes import INDOOR
from ..world.words import wordings

#: Method (VPTT 4.1) -> share of lessons.
METHODS = {"Persona Only": 0.15, "BRAG": 0.25, "VPRAG": 0.3, "Comb.": 0.3}
#: Share of lessons in which a category's right element is ranked first, second, third.
_RANKS = (0.6, 0.25, 0.15)
#: Elements that a full prompt names at least, if as many are shown.
_FEWEST = 5
_FRAMES = {
    "foreground": ("{} in front", "in front {}", "{} close to the lens"),
    "objects": ("{} beside it", "{} to one side", "next to it {}"),
    "actions": ("somebody {}", "a person {}"),
    "appearance": ("a person in {}", "somebody wearing {}"),
    "background": ("behind it {}", "{} in the background", "further back {}"),
    "environment": ("{}", "all of it {}", "found {}"),
    "lighting": ("lit by {}", "under {}", "{} falling on it"),
    "materials": ("surfaces of {}", "{} all around", "made of {}"),
    "palette": ("in the colours of {}", "coloured like {}"),
    "mood": ("with {}", "over it {}"),
    "time of day": ("the hour of {}", "taken at {}"),
}
_GENERATION = (
    "A photo of {} that I would {}.|An image of {}, the way I would {}.|Show me {} where I could {}.|{}|"
    "Please make a picture of {}.|A picture of {} for my wall.|I want to see {} that makes me {}.|Draw {} as I like it."
).split("|")
_OCCASION = (
    "A photo for {}, {}.|A picture for {}.|Something for {}, {}.|An image for {}, {}.|I need a picture for {}, {}."
).split("|")
_VERBS = (
    "Paint,Clean,Fill,Arrange,Light,Equip,Plant,Dress,Tidy,Renovate,Restore,Restyle,Rebuild,Open up,Set up,Lay out,"
    "Turn,Change,Finish,Colour,Repair,Prepare,Make over,Brighten".split(",")
)
_ENDS = (
    " into one where I would {},, so that I would {}, until I {}, as if I were to {}, for me to {}, as I like it,"
    " to my taste, the way I would, and make it mine, with what I care about, for somebody who would {} there"
).split(",")
_ADJECTIVES = "empty,plain,bare,grey,dull,unused,simple,small,quiet,new,old,wide,dark,narrow".split(",")
#: What may follow a noun and belongs to the subject.
_TAILS = (
    "by the {},behind the {},with a {} in it,near our {},between the {} and the road,which was once a {},that nobody uses,"
    "at the end of the road,where my friends meet,under a low ceiling,from my childhood,full of boxes,with high windows"
).split(",")
_WISHES = (
    "show to my friends,stay for an afternoon,come back to,spend a holiday,remember,frame,walk to every day,"
    "tell people about,feel at home,stop and look,bring my family,live".split(",")
)
_MANNERS = (
    "the way I like it,in my own taste,with what I care about,as I would take it,with my favourite things,true to me"
).split(",")
_OWNERS = "my next,the first,our,my weekly,the club's,a friend's,my,this year's".split(",")
_PAGES = "page,cover,card,report,wall,calendar,letter,story,banner,poster,leaflet,diary,board,album".split(
    ","
)
_NOUNS = (
    "bridge,museum,staircase,chapel,viewpoint,fountain,gate,station,tower,square,courtyard,path,pier,hall,theatre,"
    "monument,terrace,corner,window,doorway,shop,stall,studio,hut,cabin,pavilion,ruin,well,statue,church,mosque,"
    "shrine,stadium,lighthouse,mill,barn,orchard,vineyard,playground,pool,attic,balcony,bedroom,hallway,office,"
    "porch,roof,yard,classroom,waiting room,picnic spot,meeting place,old quarter,fishing village,tea house"
).split(",")


def rewriting(
    persona: Persona, rng: np.random.Generator, method: str | None = None, top_captions: int = 3
) -> Lesson:
    """One short prompt, what a method shows about the persona, and the full prompt.

    Args:
        persona: whose posts teach; at least two of them.
        method: one of METHODS; drawn in their shares if None.
        top_captions: captions shown to BRAG and Comb.

    Raises:
        ValueError: an unknown method, or a persona with fewer than two posts.
    """
    method = str(rng.choice(list(METHODS), p=list(METHODS.values()))) if method is None else method
    if method not in METHODS:
        raise ValueError(f"method {method!r}; expected one of {tuple(METHODS)}")
    if len(persona.posts) < 2:
        raise ValueError(
            f"persona {persona.id} has {len(persona.posts)} post; expected two: one is the answer"
        )
    hidden = int(rng.integers(len(persona.posts)))
    post = persona.posts[hidden]
    prompt, opening = short_prompt(post, rng)
    fields = {
        "prompt": prompt,
        "demographics": {},
        "summary": "",
        "captions": (),
        "elements": {},
        "max_words": 150,
    }
    told = [(category, entry) for category, entries in post.elements.items() for entry in entries]
    if method == "Persona Only":
        fields["demographics"] = persona.demographics.model_dump()
        some = [
            told[i] for i in rng.permutation(len(told))[:_FEWEST]
        ]  # none can be read, so more are only guesses
        return Lesson("vptt_rewrite", fields, answer(opening, some, rng))
    known: list[tuple[str, str]] = []
    if method in ("VPRAG", "Comb."):
        fields["summary"], fields["elements"] = persona.summary, _ranked(persona, post, rng)
        known += [(c, e) for c, e in told if e in fields["elements"].get(c, ())]
        known += _fitting(persona, known, fields["elements"], rng)
    if method in ("BRAG", "Comb."):
        shown = _nearest(persona, hidden, top_captions, rng)
        fields["captions"] = tuple(other.caption for other in shown)
        seen = [(c, e) for other in shown for c, entries in other.elements.items() for e in entries]
        known += [pair for pair in told if pair in seen and pair not in known]
        spare = [pair for pair in dict.fromkeys(seen) if pair[0] not in dict(known)]
        known += [spare[i] for i in rng.permutation(len(spare))[: max(0, _FEWEST - len(known))]]
    return Lesson("vptt_rewrite", fields, answer(opening, known, rng))


def short_prompt(post: Post, rng: np.random.Generator) -> tuple[str, str]:
    """A short prompt and how a full one for it opens; every third subject is the post's own."""
    kind = rng.choice(["generation", "occasion", "editing"], p=[0.5, 0.2, 0.3])
    if kind == "occasion":
        what = f"{_pick(_OWNERS, rng)} {_noun(rng)} {_pick(_PAGES, rng)}"
        return _fill(_pick(_OCCASION, rng), what, _pick(_MANNERS, rng)), f"A photo for {what}"
    if kind == "editing":
        subject = _subject(rng)
        verbs = [
            _pick(_VERBS, rng) if rng.random() < 0.8 else _made_up(rng) for _ in range(rng.integers(1, 3))
        ]
        asked = f"{' and '.join(verbs).capitalize()} this {subject}{_pick(_ENDS, rng)}."
        return asked.format(_pick(_WISHES, rng)), f"This {subject}"
    entries = [*post.elements.get("foreground", ()), *post.elements.get("objects", ())]
    subject = _pick(entries, rng) if entries and rng.random() < 0.33 else _article(_subject(rng))
    return _fill(_pick(_GENERATION, rng), subject, _pick(_WISHES, rng)), f"A photo of {subject}"


def answer(opening: str, elements: Sequence[tuple[str, str]], rng: np.random.Generator) -> str:
    """The full prompt: an opening, then the elements in any order, each in a frame of its category."""
    pairs = [(c, e) for c, e in elements if e not in opening]
    clauses = [
        _pick(_FRAMES.get(c, ("{}",)), rng).format(e)
        for c, e in (pairs[i] for i in rng.permutation(len(pairs)))
    ]
    return ", ".join([opening, *clauses]) + "."


def _ranked(persona: Persona, post: Post, rng: np.random.Generator, budget: int = 3) -> dict[str, list[str]]:
    """Per category up to `budget` of the persona's elements, the post's own among them, categories in any order."""
    out = {}
    for i in rng.permutation(len(CATEGORIES)):
        category = CATEGORIES[i]
        own = list(post.elements.get(category, ()))[:1]
        pool = [entry for entry in persona.elements.get(category, ()) if entry not in own]
        entries = [pool[j] for j in rng.permutation(len(pool))[: budget - len(own)]]
        for entry in own:
            entries.insert(min(int(rng.choice(len(_RANKS), p=_RANKS)), len(entries)), entry)
        if entries:
            out[category] = entries
    return out


def _fitting(
    persona: Persona,
    known: Sequence[tuple[str, str]],
    shown: Mapping[str, Sequence[str]],
    rng: np.random.Generator,
) -> list[tuple[str, str]]:
    """From categories without an element yet, the first that stands on the same side of a door as those there are."""
    indoors = {_side(persona, e) for _, e in known} - {None}
    taken, out = dict(known), []
    for category in (c for c in shown if c not in taken):
        fits = (
            e
            for e in shown[category]
            if _side(persona, e) is None or not indoors or _side(persona, e) in indoors
        )
        if (entry := next(fits, None)) is not None:
            out.append((category, entry))
    return [out[i] for i in sorted(rng.permutation(len(out))[: max(0, _FEWEST - len(known))])]


def _side(persona: Persona, entry: str) -> bool | None:
    """Whether an element stands indoors, None if it says nothing of it."""
    place = persona.implies.get(entry, {}).get("setting")
    return None if place is None else place in INDOOR


def _nearest(persona: Persona, hidden: int, n: int, rng: np.random.Generator) -> list[Post]:
    """The n other posts that share most elements with the hidden one, in any order."""
    told = {entry for entries in persona.posts[hidden].elements.values() for entry in entries}
    others = [post for i, post in enumerate(persona.posts) if i != hidden]
    shared = [sum(e in told for entries in post.elements.values() for e in entries) for post in others]
    best = sorted(rng.permutation(len(others)), key=lambda i: -shared[i])[:n]
    return [others[i] for i in rng.permutation(best)]


def _subject(rng: np.random.Generator) -> str:
    """A noun, often with an adjective before it and a phrase or clause behind."""
    adjective = f"{_pick(_ADJECTIVES, rng)} " if rng.random() < 0.5 else ""
    tail = f" {_pick(_TAILS, rng).format(_noun(rng))}" if rng.random() < 0.3 else ""
    return f"{adjective}{_noun(rng)}{tail}"


def _noun(rng: np.random.Generator) -> str:
    """A place or thing: from a list, from the world's own words, or made up, so that subjects must be copied."""
    which = rng.random()
    if which < 0.4:
        return _pick(_NOUNS, rng)
    if which < 0.7:
        group = wordings()["setting" if rng.random() < 0.6 else "object"]
        return (
            _pick(group[_pick(list(group), rng)], rng)
            .removeprefix("a ")
            .removeprefix("an ")
            .removeprefix("the ")
        )
    return f"{_made_up(rng)}{_pick(('', ' room', ' house', ' corner'), rng)}"


def _made_up(rng: np.random.Generator) -> str:
    return "".join(_pick("bcdfglmnprstvz", rng) + _pick("aeiou", rng) for _ in range(int(rng.integers(2, 4))))


def _fill(frame: str, first: str, second: str) -> str:
    filled = frame.format(first, second)
    return filled[:1].upper() + filled[1:]


def _article(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def _pick(options: Sequence[str], rng: np.random.Generator) -> str:
    return options[int(rng.integers(len(options)))]

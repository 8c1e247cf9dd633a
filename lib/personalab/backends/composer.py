"""A rewriter without a model: it fills sentence frames with what it was shown, under the word limit.

A `Request` holds what a method lets any rewriter see, as data. With `Composer` a study can run without an LLM and
every step can be followed by eye. What it cannot do is choose, blend or invent; its rows in every table carry its
name, and conclusions about rewriting need a model.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from .chat import Answer

_FRAMES = {
    "foreground": "In front, {}.",
    "background": "Behind it, {}.",
    "materials": "The surfaces are {}.",
    "objects": "Close by, {}.",
    "lighting": "It is lit by {}.",
    "actions": "Someone is {}.",
    "environment": "All of this is {}.",
    "appearance": "The person wears {}.",
}
_STOP = frozenset(
    "a an and are as at be but by for from has have i in into is it its my of on one or own that the their them "
    "there they this to was were which who will with would".split()
)


@dataclass(frozen=True)
class Request:
    """What one method shows the rewriter for one prompt (VPTT 4.1): empty fields were not shown."""

    prompt: str
    #: d, field by field (Persona Only)
    demographics: Mapping[str, object] = field(default_factory=dict)
    #: S_p (VPRAG, Comb.)
    summary: str = ""
    #: captions in the order shown (BRAG, Comb.)
    captions: tuple[str, ...] = ()
    #: elements per category, categories and elements by decreasing relevance (VPRAG, Comb.)
    elements: Mapping[str, Sequence[str]] = field(default_factory=dict)
    #: L, the limit in words (VPTT 4.2.3: 150)
    max_words: int = 150


class Composer:
    """A template that strings together what it was shown, under the word limit.

    Args:
        copying: share, 0 to 1, of the caption sentences that are taken over word for word; the others are
            broken into their content words, two at a time. It stands in for how freely an LLM copies, which no
            template can know, so results are shown over its whole range.
    """

    def __init__(self, copying: float = 0.5):
        if not 0 <= copying <= 1:
            raise ValueError(f"copying is {copying}; expected a share between 0 and 1")
        self.copying = copying
        self.name = "composer"

    def complete(self, requests: Sequence[Request]) -> list[Answer]:
        """One answer per request, in order."""
        return [Answer(self._compose(request)) for request in requests]

    def _compose(self, request: Request) -> str:
        """The prompt, then turns from each kind of material shown, until the limit is reached."""
        queues = [
            _about(request.demographics),
            split_sentences(request.summary)[:1],
            _from_elements(request.elements),
            self._from_captions(request),
        ]
        sentences = [request.prompt, *_in_turns(queues)]
        return _within(sentences, request.max_words)

    def _from_captions(self, request: Request) -> list[str]:
        """Caption sentences, those that share most words with the prompt first, copied or broken up."""
        wanted = content_words(request.prompt)
        sentences = [sentence for caption in request.captions for sentence in split_sentences(caption)]
        ranked = sorted(sentences, key=lambda sentence: -len(wanted & content_words(sentence)))
        copied = 0
        out = []
        for position, sentence in enumerate(dict.fromkeys(ranked), 1):
            take = copied < round(self.copying * position)
            copied += take
            out.append(sentence if take else _broken_up(sentence))
        return [sentence for sentence in out if sentence]


def split_sentences(text: str) -> list[str]:
    """Sentences of a caption, cut after full stops, question and exclamation marks."""
    return [part for part in re.split(r"(?<=[.!?])\s+", text.strip()) if part]


def content_words(text: str) -> set[str]:
    """Lower-case words of a text without articles, pronouns, prepositions and forms of "be"."""
    return set(re.findall(r"\w+", text.lower())) - _STOP


def _broken_up(sentence: str) -> str:
    """Content words in pairs: the matter of the sentence without any of its trigrams; "" if it has none.

    A hyphen parts words here as it does in novelty, where "hand-built wall" is a trigram already.
    """
    words = [word for word in re.findall(r"\w+(?:['’]\w+)*", sentence) if word.lower() not in _STOP]
    pairs = [" ".join(words[i : i + 2]) for i in range(0, len(words), 2)]
    return ", ".join(reversed(pairs)).capitalize() + "." if pairs else ""


def _about(demographics: Mapping[str, object]) -> list[str]:
    """Sentences from d, the visual life first."""
    if not demographics:
        return []
    d = demographics
    return [
        f"Seen by {_article(str(d['occupation']))} aged {d['age']} from {d['city']}, {d['country']}.",
        f"It shows an interest in {_listed(d['interests'])}.",
        f"Home is {d['home']} in {d['neighbourhood']}, the workplace is {d['workplace']}.",
        f"This person is {_listed(d['traits'])} and cares about {d['values']}.",
        f"This person {d['lifestyle']}, {d['travel']} and {d['posting_habit']}.",
        f"The picture was taken with {d['camera']}, in the spirit of {d['tone']}.",
    ]


def _from_elements(elements: Mapping[str, Sequence[str]]) -> list[str]:
    """One sentence per category with its two most relevant elements, in the order of the categories."""
    return [
        _FRAMES.get(category, "There is {}.").format(_listed(list(chosen)[:2]))
        for category, chosen in elements.items()
        if chosen
    ]


def _in_turns(queues: Sequence[Sequence[str]]) -> list[str]:
    """First of each, second of each, ...: no kind of material crowds out another."""
    longest = max(map(len, queues))
    return [queue[i] for i in range(longest) for queue in queues if i < len(queue)]


def _within(sentences: Sequence[str], max_words: int) -> str:
    """As many whole sentences as fit; the first is cut if even that does not."""
    kept: list[str] = []
    for sentence in sentences:
        words = sentence.split()
        room = max_words - sum(len(part.split()) for part in kept)
        if not kept or len(words) <= room:
            kept.append(" ".join(words[:max_words]))
    return " ".join(kept)


def _listed(items: Sequence[str]) -> str:
    return " and ".join([", ".join(items[:-1]), items[-1]] if len(items) > 1 else items)


def _article(noun: str) -> str:
    return f"an {noun}" if noun[:1].lower() in "aeiou" else f"a {noun}"

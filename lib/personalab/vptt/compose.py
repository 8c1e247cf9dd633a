"""The five methods (VPTT 4.1): what each shows the rewriter, and the two ways to compose.

The rewriter itself is passed in. All four rewriting methods get the same prompt and the same limit and differ
only in what they see. What a method writes depends on the memory it sees alone, so its text can be scored for
another persona too: the mismatched control, which tells personalisation apart from merely writing more.
"""

from collections.abc import Sequence

import numpy as np

from ..backends.composer import Request
from ..records import Persona
from .retrieve import Retrieval

#: In the order of the paper's tables.
METHODS = ("Baseline", "Persona Only", "BRAG", "VPRAG", "Comb.")
#: Methods that saw captions or elements of them; the others' novelty counts as 0 (VPTT 3.4).
NOVELTY_COUNTS = frozenset({"BRAG", "VPRAG", "Comb."})
#: Methods whose rewriter is shown whole captions, and so could copy them.
SHOWN_CAPTIONS = ("BRAG", "Comb.")


def request(
    method: str,
    prompt: str,
    persona: Persona,
    retrieval: Retrieval,
    *,
    max_words: int = 150,
    top_captions: int | None = None,
) -> Request | None:
    """What `method` shows the rewriter, or None for Baseline, which asks no rewriter.

    Args:
        method: one of METHODS.
        persona: whose memory is shown.
        retrieval: VPRAG's result for this prompt and that persona.
        max_words: the limit L (VPTT 4.2.3).
        top_captions: show only the captions most similar to the prompt instead of all 30.
    """
    captions = tuple(persona.captions)
    if top_captions is not None:
        order = np.argsort(-np.asarray(retrieval.similarities), kind="stable")[:top_captions]
        captions = tuple(captions[i] for i in order)
    match method:
        case "Baseline":
            return None
        case "Persona Only":
            return Request(prompt, demographics=persona.demographics.model_dump(), max_words=max_words)
        case "BRAG":
            return Request(prompt, captions=captions, max_words=max_words)
        case "VPRAG":
            return Request(prompt, summary=persona.summary, elements=retrieval.elements, max_words=max_words)
        case "Comb.":
            return Request(
                prompt,
                summary=persona.summary,
                captions=captions,
                elements=retrieval.elements,
                max_words=max_words,
            )
    raise ValueError(f"method {method!r} is unknown; expected one of {METHODS}")


def concatenate(prompt: str, phrases: Sequence[str], max_words: int = 150) -> str:
    """f_compose as plain concatenation (VPTT 3.2; the three-phrase budget of 4.2.2): prompt, then phrases.

    Raises:
        ValueError: the result would be longer than `max_words`.
    """
    text = ", ".join([prompt.rstrip(" .,;"), *phrases])
    if len(text.split()) > max_words:
        raise ValueError(
            f"{len(text.split())} words, at most {max_words}; raise max_words or pass fewer phrases"
        )
    return text


def mismatch(n: int, rng: np.random.Generator) -> np.ndarray:
    """For each of n personas the index of another one: a cyclic order, so each serves once and none itself.

    Raises:
        ValueError: fewer than two personas.
    """
    if n < 2:
        raise ValueError(f"got {n} persona, expected at least 2: nobody is left to mismatch with")
    order = rng.permutation(n)
    other = np.empty(n, int)
    other[order] = np.roll(order, 1)
    return other

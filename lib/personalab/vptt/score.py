"""The VPTT score of a rewritten prompt against a persona (VPTT section 3.4), hard and differentiable.

Four terms: persona alignment (PA), Gram-Schmidt reconstruction (GS), cluster proximity (CP) and novelty (NV).
Embeddings come in ready-made, as lists or NumPy arrays (computed in float64, NumPy back) or torch tensors
(dtype, device and the gradient towards the prompts are kept; whole numbers become floating point). One prompt
(d,) in place of n (n, d) gives one score of shape (): a float, or a tensor for a tensor. Nothing here embeds text, and which methods take part in
novelty is the caller's knowledge: the paper sets NV to 0 for those that saw no caption (Baseline, Persona
Only), which no function below can tell from the text. Scores of different embedders do not compare, because
the GS of a random direction is `random_floor`, which depends on the width.
"""

import math
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from .arrays import Array, alike, rows, tensors
from .span import basis as basis
from .span import centroids as find_centroids
from .span import one_thread, orthonormal, unit
from .span import themes as themes

Trigram = tuple[str, str, str]

#: Weights of PA, GS, CP and NV in the composite (VPTT section 3.4).
WEIGHTS = (0.20, 0.30, 0.30, 0.20)
_WORD = re.compile(r"\w+(?:'\w+)*")
#: A blank for each ASCII character that no word holds.
_BLANKS = {code: " " for code in range(128) if not re.match(r"[\w']", chr(code))}


def persona_alignment(prompts: Array, persona: Array) -> Array:
    """PA: cosine of each prompt (n, d) and the persona's description (d,), shape (n,); 0 for a zero vector.

    Raises:
        ValueError: prompts and persona differ in width, or the persona is not one embedding.
    """
    (p, q), back = tensors(prompts, persona)
    if q.ndim != 1:
        raise ValueError(f"the persona has shape {tuple(q.shape)}; expected its one embedding (d,)")
    return back((unit(p) @ unit(q)).clamp(-1.0, 1.0) + 0.0)  # + 0.0 makes -0.0 plain


@one_thread
def gs_reconstruction(prompts: Array, captions: Array, basis: Array | None = None) -> Array:
    """GS: cosine of each prompt v and its projection on the span of the captions, which is |B^T v| / |v|.

    Args:
        prompts: (n, d).
        captions: (m, d), or one (d,), any scale, repeats allowed; constants for the gradient.
        basis: (d, rank), `basis(captions)` where the caller has it, which saves most of the time.

    Returns:
        (n,) in [0, 1]; 0 outside the span, for a zero vector and for captions that span nothing.

    Raises:
        ValueError: prompts and captions differ in width.
    """
    (p, c, *known), back = tensors(prompts, captions, *([] if basis is None else [basis.T]))
    return back(torch.linalg.vector_norm(unit(p) @ _basis(c, known), dim=-1).clamp(max=1.0))


@one_thread
def cluster_proximity(
    prompts: Array,
    captions: Array,
    k: int = 5,
    seed: int = 0,
    centroids: Array | None = None,
    tau: float | None = None,
    basis: Array | None = None,
) -> Array:
    """CP: exp(-distance) of each prompt to the nearest theme of the gallery, measured inside its span.

    Prompts and captions are expressed in the basis B of the captions and not renormalised there; themes are
    the k-means centroids of the captions. `tau` gives a soft form. The relaxation printed in the paper is a sum
    of softmax weights, hence 1 for every prompt, with no gradient; here each weight multiplies its exp(-d_k):
    CP = sum_k softmax_k(-d / tau) exp(-d_k), which tends to the hard form as tau goes to 0. Unlike PA and GS, CP
    depends on the length of the prompt: whoever optimises an embedding should keep it a unit vector.

    Args:
        prompts: (n, d).
        captions: (m, d); constants for the gradient.
        k: number of themes, reduced where the captions have fewer distinct points.
        seed: of k-means.
        centroids: (k, d), k >= 1, in embedding space, in place of k-means; projected on B here.
        tau: temperature of the soft form, in units of distance; None for the hard form.
        basis: (d, rank), `basis(captions)` where the caller has it.

    Returns:
        (n,) in [0, 1]; 0 where the captions span nothing.

    Raises:
        ValueError: widths differ, k < 1, no centroids or tau <= 0.
    """
    if k < 1:
        raise ValueError(f"k is {k}; expected a number of clusters of at least 1")
    if tau is not None and not tau > 0:
        raise ValueError(f"tau is {tau}; expected a positive temperature, or None for the hard form")
    own, known = centroids is None, [] if basis is None else [basis.T]
    (p, c, given, *known), back = tensors(prompts, captions, captions if own else centroids, *known)
    c, given = rows(c, "captions"), rows(given, "centroids")
    if not own and not len(given):
        raise ValueError(f"centroids have shape {tuple(given.shape)}; expected (k, d) with at least one")
    b = _basis(c, known)
    if b.shape[1] == 0:
        return back(p.sum(-1) * 0 + 0.0)
    centres = find_centroids(c @ b, k, seed) if own else given @ b
    distance = torch.linalg.vector_norm((p @ b)[..., None, :] - centres, dim=-1)
    if tau is None:
        return back(torch.exp(-distance.amin(-1)))
    return back((torch.softmax(-distance / tau, dim=-1) * torch.exp(-distance)).sum(-1))


def novelty(prompt: str | Sequence[str], captions: str | Sequence[str]) -> float | np.ndarray:
    """NV: 1 minus the largest share of a prompt's word trigrams that stand in any one caption.

    Args:
        prompt: a text, or n texts.
        captions: the texts the prompt might have copied; none at all leaves nothing to copy, NV = 1. For
            methods that were shown no caption the paper's convention is 0, which the caller applies.

    Returns:
        A float for a text, (n,) for a list; 1 for a prompt of fewer than three words.
    """
    known = [trigrams(caption) for caption in ([captions] if isinstance(captions, str) else captions)]
    union = set().union(*known)
    if isinstance(prompt, str):
        return _novelty(trigrams(prompt), known, union)
    return np.array([_novelty(trigrams(text), known, union) for text in prompt], dtype=float)


def soft_novelty(prompt: Array, captions: Sequence[Array]) -> Array | float:
    """Soft NV: for each caption the mean, over the prompt's trigrams, of the best cosine; 1 minus the largest.

    The paper pairs the trigrams of prompt and caption by one index t without saying how; each prompt trigram
    is matched here with the caption trigram nearest to it.

    Args:
        prompt: (t, d) embeddings of `trigram_phrases(text)`.
        captions: one (t_i, d) array per caption; those without trigrams are skipped.

    Returns:
        A float, a tensor () for tensors; 0 for a verbatim copy, 1 where prompt or captions have no trigram.
        Negative cosines can lift it above 1.

    Raises:
        ValueError: widths differ, or a text is not given as (t, d).
    """
    (p, *rest), back = tensors(prompt, *captions)
    if odd := [tuple(x.shape) for x in (p, *rest) if x.ndim != 2]:
        raise ValueError(
            f"got trigrams of shape {odd[0]}; expected (t, d) for the prompt and for each caption"
        )
    filled = [c for c in rest if len(c)]
    if not len(p) or not filled:
        return back(p.sum() * 0 + 1)
    p = unit(p)
    overlap = torch.stack([(p @ unit(c).T).amax(dim=1).mean() for c in filled])
    return back(1 - overlap.amax())


def vptt(pa: Any, gs: Any, cp: Any, nv: Any) -> Any:
    """The composite .20 PA + .30 GS + .30 CP + .20 NV of numbers, lists, arrays or tensors (VPTT section 3.4)."""
    pa, gs, cp, nv = alike(pa, gs, cp, nv)
    return WEIGHTS[0] * pa + WEIGHTS[1] * gs + WEIGHTS[2] * cp + WEIGHTS[3] * nv


def vptt_c(pa: Any, gs: Any, cp: Any) -> Any:
    """The composite without novelty, (PA + GS + CP) / 3, for short prompt budgets (VPTT section 3.4)."""
    pa, gs, cp = alike(pa, gs, cp)
    return (pa + gs + cp) / 3


def random_floor(rank: int, d: int) -> float:
    """GS to expect of a random direction: sqrt(rank / d), its root mean square over directions in d dimensions.

    With 30 captions .14 at 1536 dimensions and .28 at 384: report it beside GS.
    """
    return math.sqrt(rank / d)


def trigrams(text: str) -> set[Trigram]:
    """The set of lower-case word trigrams; a word is a run of letters, digits or _, with inner apostrophes."""
    words = _words(text.lower().replace("’", "'"))
    return set(zip(words, words[1:], words[2:], strict=False))


def trigram_phrases(text: str) -> list[str]:
    """The trigrams as sorted phrases, ready to be embedded for `soft_novelty`."""
    return [" ".join(trigram) for trigram in sorted(trigrams(text))]


def _words(text: str) -> list[str]:
    """All matches of `_WORD`. Cutting ASCII at blanks is three times as fast as matching word by word."""
    if not text.isascii():
        return _WORD.findall(text)
    words = text.translate(_BLANKS).split()
    return words if "'" not in text else [w for word in words for w in _WORD.findall(word)]


def _novelty(own: set[Trigram], known: list[set[Trigram]], union: set[Trigram]) -> float:
    """NV of one prompt's trigrams; what stands in no caption at all is set aside first, which saves time."""
    shared = own & union
    return 1 - max(len(shared & caption) for caption in known) / len(own) if shared else 1.0


def _basis(captions: torch.Tensor, known: list[torch.Tensor]) -> torch.Tensor:
    """The basis (d, rank) of the captions: the transposed one that is known, if any, else calculated."""
    return rows(known[0], "basis vectors").T if known else orthonormal(captions)

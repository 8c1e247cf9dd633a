"""How much a corpus repeats itself: distinct n-grams and nearest neighbours (for VPTT-Bench, section 11)."""

from collections.abc import Callable, Sequence

import numpy as np


def distinct_ngrams(texts: Sequence[str], n: int = 4, budget: int | None = None) -> float:
    """Distinct word n-grams as a share of all n-grams; nan where there is none.

    Args:
        texts: the corpus; n-grams do not cross texts.
        budget: count only the first `budget` words of the corpus, because longer corpora repeat more.
    """
    seen: set[tuple[str, ...]] = set()
    total = 0
    left = budget if budget is not None else float("inf")
    for text in texts:
        words = text.lower().split()[: int(min(left, len(text)))]
        left -= len(words)
        grams = list(zip(*(words[i:] for i in range(n)), strict=False))
        seen.update(grams)
        total += len(grams)
        if left <= 0:
            break
    return len(seen) / total if total else float("nan")


def nearest_neighbours(vectors: np.ndarray, block: int = 2000) -> np.ndarray:
    """Cosine of each row's nearest other row, (n,); rows (n, d) have length 1. Raises ValueError for n < 2."""
    if len(vectors) < 2:
        raise ValueError(f"got {len(vectors)} row, expected at least 2")
    nearest = []
    for start in range(0, len(vectors), block):
        similar = vectors[start : start + block] @ vectors.T
        similar[np.arange(len(similar)), np.arange(start, start + len(similar))] = -np.inf
        nearest.append(similar.max(1))
    return np.concatenate(nearest)


def measures(
    texts: Sequence[str], embed: Callable[[Sequence[str]], np.ndarray], budget: int
) -> dict[str, float]:
    """One row of the diversity table: distinct 4-grams within `budget` words, nearest-neighbour cosine."""
    nearest = nearest_neighbours(embed(list(texts)))
    words = sum(len(text.split()) for text in texts)
    return {
        "texts": len(texts),
        "words": min(words, budget),
        "distinct 4-grams": distinct_ngrams(texts, 4, budget),
        "nearest cosine, mean": float(nearest.mean()),
        "nearest cosine, 95th percentile": float(np.quantile(nearest, 0.95)),
        "exact duplicates": len(texts) - len(set(texts)),
    }

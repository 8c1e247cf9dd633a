"""Who is in a bench: one row per persona, and the figures of VPTT Table 5 and section 11.

Works on rows and arrays, not on personas, so that ten thousand of them need not be in memory at once. Drawing the
figures is the notebook's business (vptt/s11_statistics).
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ...records import Persona
from .drafts import CATEGORIES


def row(persona: Persona) -> dict[str, object]:
    """A persona without its posts: d, where its facts come from, its entries, and how much of everything it has."""
    entries = {k: list(values) for k, values in persona.elements.items()}
    facets = {
        f"{facet} entries": sum(len(entries.get(k, ())) for k in ks) for facet, ks in CATEGORIES.items()
    }
    lengths = [len(caption.split()) for caption in persona.captions]
    return {
        "id": persona.id,
        **persona.demographics.model_dump(),
        **{f"{fact} from": source for fact, source in persona.sources.items()},
        "elements": [entry for values in entries.values() for entry in values],
        **facets,
        "preferences": len(persona.preferences),
        "posts": len(persona.posts),
        "shortest caption": min(lengths),
        "longest caption": max(lengths),
        "caption words": sum(lengths),
    }


def table5(people: pd.DataFrame) -> dict[str, float]:
    """The quantities of VPTT Table 5 and Figure 11 that follow from the rows, under the names of params/printed.

    `unique_elements` counts an entry once over all personas, `visual_elements_total` once per persona: the paper
    prints one number for which both readings are possible.
    """
    entries = people["elements"].explode().dropna()
    return {
        "personas": len(people),
        "posts": int(people["posts"].sum()),
        "posts_per_persona": people["posts"].mean(),
        "mean_caption_words": people["caption words"].sum() / people["posts"].sum(),
        "mean_visual_elements_per_persona": people["elements"].map(len).mean(),
        "countries": people["country"].nunique(),
        "cities": people[["country", "city"]].drop_duplicates().shape[0],
        "groups": people["ethnicity"].nunique(),
        "unique_occupations": people["occupation"].nunique(),
        "unique_interests": people["interests"].explode().nunique(),
        "visual_elements_total": len(entries),
        "unique_elements": entries.nunique(),
        "mean_interests": people["interests"].map(len).mean(),
        "mean_traits": people["traits"].map(len).mean(),
    }


def ranges(people: pd.DataFrame) -> pd.DataFrame:
    """Smallest, mean and largest of what the construction bounds (VPTT 9.2 to 9.5): quantity, lowest, mean, highest."""
    counts = {
        "age": people["age"],
        "interests": people["interests"].map(len),
        "traits": people["traits"].map(len),
        "preferences": people["preferences"],
        "posts": people["posts"],
        **{f"{facet} entries": people[f"{facet} entries"] for facet in CATEGORIES},
    }
    rows = [[name, values.min(), values.mean(), values.max()] for name, values in counts.items()]
    lengths = people["caption words"].sum() / people["posts"].sum()
    rows.append(
        ["words in a caption", people["shortest caption"].min(), lengths, people["longest caption"].max()]
    )
    return pd.DataFrame(rows, columns=["quantity", "lowest", "mean", "highest"])


def mean_vectors(vectors: np.ndarray, counts: Sequence[int]) -> np.ndarray:
    """Average caption embedding of every persona, scaled to length 1: (sum(counts), d) to (len(counts), d).

    Raises:
        ValueError: the counts do not add up to the rows, or a persona has no caption or a mean of length 0.
    """
    counts = np.asarray(counts)
    if counts.sum() != len(vectors) or (counts < 1).any():
        raise ValueError(
            f"got {len(vectors)} vectors for counts that sum to {counts.sum()}; expected one per caption"
        )
    sums = np.add.reduceat(vectors, np.cumsum(counts) - counts)
    lengths = np.linalg.norm(sums, axis=1, keepdims=True)
    if not lengths.all():
        raise ValueError(
            "the captions of a persona cancel out; expected embeddings with a direction in common"
        )
    return sums / lengths


def mean_pairwise_cosine(unit: np.ndarray) -> float:
    """Mean cosine over all pairs of different rows of length 1, (n, d); nan for fewer than two."""
    n = len(unit)
    total = unit.sum(0, dtype=float)
    return float((total @ total - n) / (n * (n - 1))) if n > 1 else float("nan")


def neighbours_alike(
    unit: np.ndarray, labels: Sequence[object], rng: np.random.Generator, draws: int = 200
) -> dict[str, float]:
    """How often a row's nearest other row has the same label, and how often by chance.

    Args:
        unit: (n, d) rows of length 1, n at least 2.
        labels: one per row.
        rng: shuffles the labels `draws` times for the level of chance and its 95th percentile.

    Returns:
        nearest alike, by chance, by chance at most (95th percentile); shares.
    """
    similar = unit @ unit.T
    np.fill_diagonal(similar, -np.inf)
    nearest = similar.argmax(1)
    codes = pd.factorize(np.asarray(labels, dtype=object))[0]
    shuffled = [rng.permutation(codes) for _ in range(draws)]
    chance = [float((each == each[nearest]).mean()) for each in shuffled]
    return {
        "nearest alike": float((codes == codes[nearest]).mean()),
        "by chance": float(np.mean(chance)),
        "by chance at most": float(np.quantile(chance, 0.95)),
    }

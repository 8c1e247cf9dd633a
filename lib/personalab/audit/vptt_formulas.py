"""VPTT's formulas put to the test: what a printed expression computes whatever goes in.

Four cases: the relaxed cluster proximity, the number of face combinations, the quotas of Algorithm 1 and the
cross-attention of the feedback network. Each is run, not argued; the algebra stands in the docstring.
"""

from itertools import combinations_with_replacement
from math import prod

import numpy as np
import pandas as pd
from scipy.special import softmax

from .findings import Finding, Tables, listed, quoted, settle

#: Below this a spread of float64 sums is rounding noise.
NOISE = 1e-9


def printed_soft_cp(distances: np.ndarray, tau: float) -> np.ndarray:
    """The relaxed cluster proximity as section 3.4 prints it.

    It sums exp(-d_k / tau) / sum_j exp(-d_j / tau) over k. The denominator does not depend on k, so the sum is 1
    for any distances: no gradient reaches the prompt.

    Args:
        distances: from prompts to centroids, shape (n, k).
        tau: temperature, positive.

    Returns:
        One value per prompt, shape (n,).
    """
    return softmax(-np.asarray(distances) / tau, axis=1).sum(axis=1)


def hard_cp(distances: np.ndarray) -> np.ndarray:
    """The evaluated cluster proximity, exp(-min_k d_k) (section 3.4); (n, k) to (n,)."""
    return np.exp(-np.min(distances, axis=1))


def soft_cp_constant(tables: Tables) -> Finding:
    """The relaxation of section 3.4 against the hard form, over 1,000 random sets of five distances."""
    distances = np.random.default_rng(0).uniform(0.0, 2.0, size=(1000, 5))
    soft = np.concatenate([printed_soft_cp(distances, tau) for tau in (0.01, 0.1, 1.0, 10.0)])
    hard = hard_cp(distances)
    return Finding(
        "vptt-soft-cp",
        "VPTT",
        "section 3.4",
        "Replacing the minimum by a softmax gives a differentiable version of cluster proximity.",
        f"1,000 random prompts, four temperatures: printed form {soft.min():.6f} to {soft.max():.6f}, "
        f"hard form {hard.min():.3f} to {hard.max():.3f}",
        settle(bool(np.ptp(soft) > NOISE), "disagrees"),
        note="softmax weights sum to 1; weighting exp(-d_k) by them tends to the hard form",
    )


def face_factorisations(low: int, high: int, attributes: int, options: range) -> pd.DataFrame:
    """Every way to reach a product in [low, high] by attribute option counts times three list lengths.

    Args:
        low, high: bounds of the number of combinations, inclusive.
        attributes: number of facial attributes.
        options: option counts an attribute may have.

    Returns:
        One row per multiset of option counts and ordered lengths a <= b <= c of the lists of age modifiers,
        expressions and styles; columns n_<count> for each option count, a, b, c, product.
    """
    rows = []
    for counts in combinations_with_replacement(options, attributes):
        faces = prod(counts)
        for rest in range(-(-low // faces), high // faces + 1):
            rows += [
                {
                    **{f"n_{k}": counts.count(k) for k in options},
                    "a": a,
                    "b": b,
                    "c": c,
                    "product": faces * rest,
                }
                for a, b, c in _three_factors(rest)
            ]
    return pd.DataFrame(rows)


def _three_factors(number: int) -> list[tuple[int, int, int]]:
    """All a <= b <= c with a * b * c = number."""
    divisors = [d for d in range(1, number + 1) if number % d == 0]
    pairs = [(a, b) for a in divisors for b in divisors if a <= b and number % (a * b) == 0]
    return [(a, b, number // (a * b)) for a, b in pairs if b <= number // (a * b)]


def face_lists(tables: Tables) -> Finding:
    """The face generator's 97.2 million combinations leave one of the three modifier lists with one entry."""
    total = quoted(tables, "vptt", "face_combinations")
    options = [int(quoted(tables, "vptt", f"face_options_{end}").value) for end in ("min", "max")]
    found = face_factorisations(
        int(np.ceil(total.low)),
        int(np.ceil(total.high)) - 1,
        int(quoted(tables, "vptt", "face_attributes").value),
        range(options[0], options[1] + 1),
    )
    shortest = int(found["a"].max()) if len(found) else 0
    return Finding(
        "vptt-faces",
        "VPTT",
        total.place,
        "Ten attributes with 4-6 options, age modifiers, expressions and styles give 97.2 million faces.",
        f"{len(found)} factorisations print as {total.value:,.0f}, all of them exactly "
        f"{', '.join(f'{n:,}' for n in sorted(set(found['product'])))}; "
        f"the shortest of the three lists never has more than {shortest} entry",
        settle(shortest >= 2, "cannot be both"),
        note="a list with a single entry modifies nothing",
    )


def algorithm_quotas(tables: Tables) -> Finding:
    """Quotas of Algorithm 1, line 12, for equally weighted posts with equally many elements.

    Section 3.2 hands the remainder to the largest fractions; the algorithm stops at the floor.
    """
    budget = quoted(tables, "vptt", "study_budget_per_category").value
    posts = int(listed(tables, "vptt_table5_bench_stats", "posts_per_persona", 0, "Table 5").value)
    quotas = np.floor(np.full(posts, 1 / posts) * budget)
    return Finding(
        "vptt-algorithm1-quotas",
        "VPTT",
        "section 3.2, section 4.2.3, Algorithm 1",
        "Algorithm 1 is the compact form of the quota rule of section 3.2.",
        f"{posts} equal posts share a budget of {budget:g}: floor({budget:g} / {posts}) = {quotas[0]:g} each, "
        f"{quotas.sum():g} elements in all against {budget:g}",
        settle(quotas.sum() == budget, "cannot be both"),
    )


def attention_output(queries: np.ndarray, keys: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Scaled dot-product attention per head: (n, h, w), (m, h, w), (m, h, w) to (n, h, w)."""
    logits = np.einsum("nhw,mhw->hnm", queries, keys) / np.sqrt(queries.shape[-1])
    return np.einsum("hnm,mhw->nhw", softmax(logits, axis=-1), values)


def single_key(tables: Tables) -> Finding:
    """Cross-attention from one profile vector to one prompt vector (sections 3.3 and 16).

    A softmax over one key is 1, so every profile gets the same output and the profile matters only through the
    residual path.
    """
    heads = int(quoted(tables, "vptt", "feedback_heads").value)
    width = int(quoted(tables, "vptt", "feedback_width").value) // heads
    rng = np.random.default_rng(0)
    profiles, prompt = rng.normal(size=(50, heads, width)), rng.normal(size=(2, 1, heads, width))
    spread = float(np.ptp(attention_output(profiles, *prompt), axis=0).max())
    return Finding(
        "vptt-single-key",
        "VPTT",
        "sections 3.3 and 16",
        "Cross-attention lets the profile attend to the prompt's features.",
        f"50 random profiles, {heads} heads of width {width}, one prompt vector: outputs differ by {spread:.1g}",
        settle(spread > NOISE, "rests on reading"),
        kind="reading",
        note="assumes one embedding on either side, as section 16 describes the inputs",
    )


def findings(tables: Tables) -> list[Finding]:
    """All checks of this module."""
    return [check(tables) for check in (soft_cp_constant, face_lists, algorithm_quotas, single_key)]

"""What a language model is shown of a user: the posts that importance and a token budget choose (ZIPP Algorithm 3).

From a user's attention over subreddits (or any other score) to shares, from shares to tokens, from tokens to the
highest-scored posts that are unlike each other. No model is asked and nothing is made safe here: texts come out as they
came in, cut at most. `persona` shows them to a model.

Items are grouped by user once, `by_user = dict(list(items.groupby("user")))`; a context then looks at one user's rows
alone, and its time does not depend on the size of the table.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import softmax
from sklearn.feature_extraction.text import TfidfVectorizer

from .selection import Count, select


class Context(NamedTuple):
    """What is shown of one user."""

    texts: list[tuple[str, str]]
    """(subreddit, text), the most important subreddit first."""
    tokens: int
    """Of all texts, each counted by itself; never above the budget."""
    dropped: Counter
    """What was left out, by reason: items = texts + dropped, or subreddits = texts + dropped where no posts are shown."""
    subreddits: dict[str, float]
    """Those that have a text, with their shares."""


def importance(scores: np.ndarray, indptr: np.ndarray, temperature: float | None = None) -> np.ndarray:
    """(e,) shares: for each user summing to 1 over all neighbours (Algorithm 3, lines 6 and 7).

    Args:
        scores: (e,), or (k, e) for k heads or layers, which are averaged first: attention, or TF-IDF scores (the
            algorithm's baseline); with a temperature anything, say cosines of encoders that have no attention.
        indptr: (u + 1,) where users begin.
        temperature: None divides by the sum, and gives equal shares where it is 0; a number takes the softmax of
            scores / temperature.

    Raises:
        ValueError: scores that are not finite or, without a temperature, negative; a temperature not above 0; an indptr
            that does not run from 0 to e.
    """
    flat = np.asarray(scores, np.float64).reshape(-1, np.shape(scores)[-1]).mean(axis=0)
    if not np.isfinite(flat).all() or (temperature is None and (flat < 0).any()):
        raise ValueError(
            "some scores are negative or not finite; expected neither, or a temperature for cosines"
        )
    if temperature is not None and not temperature > 0:
        raise ValueError(f"got temperature={temperature}; expected a number above 0")
    if indptr[0] != 0 or indptr[-1] != len(flat):
        raise ValueError(f"indptr runs from {indptr[0]} to {indptr[-1]}; expected 0 to {len(flat)} scores")
    users = np.split(flat, indptr[1:-1])
    return np.concatenate([softmax(own / temperature) if temperature else _normalised(own) for own in users])


def budgets(shares: np.ndarray, budget: int = 4096, most: int = 50) -> np.ndarray:
    """(n,) tokens of each subreddit: floor(budget * share) for the `most` of largest share, 0 for the rest (3.1, B.2).

    Shares stay normalised over all neighbours, as Algorithm 3 prints it: what the rest would have had is not given out.

    Args:
        shares: (n,) of one user, summing to 1 at most; of equal ones the first go first.

    Raises:
        ValueError: shares that are negative, not finite, or sum to more than 1; a negative budget or `most`.
    """
    shares = np.asarray(shares, np.float64)
    if not np.isfinite(shares).all() or (shares < 0).any() or shares.sum() > 1 + 1e-6:
        raise ValueError(
            f"got shares that sum to {shares.sum():.6g}; expected 1 at most, none negative or NaN"
        )
    if budget < 0 or most < 0:
        raise ValueError(f"got budget={budget}, most={most}; expected numbers from 0")
    out = np.zeros(len(shares), np.int64)
    first = np.argsort(-shares, kind="stable")[:most]
    out[first] = np.floor(budget * shares[first] + 1e-9)
    return out


def context(
    items: pd.DataFrame,
    names: Sequence[str],
    shares: Mapping[int, float],
    count: Count,
    *,
    budget: int = 4096,
    most: int = 50,
    full: bool = True,
) -> Context:
    """What is shown of one user, most important subreddits first.

    Args:
        items: the user's rows, with columns subreddit (row in `names`), score, text.
        names: of all subreddits, or their titles or descriptions.
        shares: row of a subreddit -> share, from `importance`; of equal ones the first go first.
        count: tokens of a text.
        budget: B, tokens of all texts together.
        full: False shows no posts, but the names of as many subreddits as fit (Figure 11's subreddit-only persona).
    """
    rows, share = list(shares), np.fromiter(shares.values(), np.float64, len(shares))
    allowed, order = budgets(share, budget, most), np.argsort(-share, kind="stable")[:most]
    if not full:
        return _names_alone({names[rows[i]]: float(share[i]) for i in order}, len(share), budget, count)
    told, scored = items["text"].to_numpy(), items["score"].to_numpy()
    places = {row: at for row, at in items.groupby("subreddit").indices.items()}
    texts, tokens, dropped, used = list[tuple[str, str]](), 0, Counter[str](), dict[str, float]()
    for i in order[allowed[order] > 0]:
        mine = places.pop(rows[i], [])
        found = select(told[mine], scored[mine], int(allowed[i]), count, [text for _, text in texts])
        texts += [(names[rows[i]], text) for text in found.texts]
        tokens, dropped = tokens + found.tokens, dropped + found.dropped
        used |= {names[rows[i]]: float(share[i])} if found.texts else {}
    dropped["subreddit without budget"] = sum(map(len, places.values()))
    return Context(texts, tokens, +dropped, used)


def terms(contexts: Sequence[Context], n: int = 10) -> list[list[str]]:
    """The n words and pairs of words that tell each user from the others: TF-IDF weighted by importance (B.2).

    A user's texts, each a document, are averaged within a subreddit and then added up with the subreddits' shares. English
    stop words do not count. A line of them is shown by `context._replace(texts=[*context.texts, ("", line)])`; its tokens
    are the caller's to allow for. Named entities, which B.2 mentions, are left out: they are what scrubbing hides.
    """
    vectors = TfidfVectorizer(stop_words="english", ngram_range=(1, 2))
    flat = [text for one in contexts for _, text in one.texts]
    if not any(map(vectors.build_analyzer(), flat)):
        return [[] for _ in contexts]
    matrix, known = vectors.fit_transform(flat), vectors.get_feature_names_out()
    start, out = 0, []
    for one in contexts:
        number = Counter(name for name, _ in one.texts)
        weight = np.array([one.subreddits.get(name, 0.0) / number[name] for name, _ in one.texts])
        score = weight @ matrix[start : start + len(weight)] if len(weight) else np.zeros(len(known))
        out.append([str(known[i]) for i in np.argsort(-score, kind="stable")[:n] if score[i] > 0])
        start += len(weight)
    return out


def _normalised(own: np.ndarray) -> np.ndarray:
    return own / own.sum() if own.any() else np.full(len(own), 1 / max(len(own), 1))


def _names_alone(named: Mapping[str, float], known: int, budget: int, count: Count) -> Context:
    """The first names that fit together; the rest of the `known` subreddits has no room."""
    sizes = np.cumsum([count(name) for name in named], dtype=np.int64)
    fit = int((sizes <= budget).sum())
    used = dict(list(named.items())[:fit])
    left = +Counter({"no room": known - fit})
    return Context([(name, name) for name in used], int(sizes[fit - 1]) if fit else 0, left, used)

"""Labelled prompts for feedback simulation (VPTT 4.2.4): 20 aligned, 20 misaligned, 10 neutral per persona.

The paper has GPT-4o write prompts for a class; here they are made from the bench, so that nothing has to be asked.
An aligned prompt names three elements of the persona's own posts, a neutral one three common things. A misaligned
prompt is, word for word, an aligned prompt of somebody with a distant taste: every such text is given once with
label 1 and once with label 0, so that without the profile nothing tells the two classes apart. (Neutral prompts
can be told by their subject alone; a method that never sees the profile shows how far that goes.)

The elements behind a persona's prompts are held out: no caption of a post that shows one is part of the profile.
Nothing here embeds or learns.
"""

from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import yaml
from scipy.optimize import linear_sum_assignment

#: The label of each class, by the paper's description (4.2.4).
LABELS = {"aligned": 1.0, "neutral": 0.5, "misaligned": 0.0}
PARTS = ("train", "validation", "test")
#: Categories whose entries are noun phrases and fit the frames.
NOUNS = (
    "foreground", "background", "objects", "materials", "lighting", "palette", "mood", "time of day",
)  # fmt: skip
_WORDS = yaml.safe_load(Path(__file__).with_name("words.yaml").read_text())
FRAMES: tuple[str, ...] = tuple(_WORDS["frames"])
THINGS: tuple[str, ...] = tuple(_WORDS["things"])


class HeldOut(NamedTuple):
    """What a persona's prompts may name, and which posts the profile may still show."""

    #: entries that no kept post shows
    elements: list[str]
    #: indices of the posts that stay in the profile
    kept: list[int]


class World(NamedTuple):
    """The prompts of n personas before anybody is assigned to a part; `examples` labels them."""

    #: per persona, its aligned prompts
    aligned: list[list[str]]
    #: per part, a pool of neutral prompts; the pools share no thing
    neutral: dict[str, list[str]]
    #: (n, n), True where persona i names an element that persona j's prompts are made of
    clash: np.ndarray


def hold_out(posts: Sequence[Any], n: int, rng: np.random.Generator) -> HeldOut:
    """Set posts aside in random order until at least n entries are shown by them alone.

    Args:
        posts: each with `elements` {category: texts}; entries outside `NOUNS` are never prompted for.
        n: entries wanted.

    Raises:
        ValueError: too few posts for n entries and one post left over.
    """
    shown = [{e for texts in post.elements.values() for e in texts} for post in posts]
    nouns = {e for post in posts for name in NOUNS for e in post.elements.get(name, ())}
    order = rng.permutation(len(posts)).tolist()
    for cut in range(1, len(posts)):
        kept = set().union(*(shown[i] for i in order[cut:]))
        apart = sorted((nouns & set().union(*(shown[i] for i in order[:cut]))) - kept)
        if len(apart) >= n:
            return HeldOut(apart, sorted(order[cut:]))
    raise ValueError(
        f"{len(posts)} posts do not hold {n} noun entries apart; expected more posts or a smaller n"
    )


def prompts(phrases: Sequence[str], n: int, rng: np.random.Generator) -> list[str]:
    """n prompts that name three different phrases each, no three twice, all frames equally often as far as n allows.

    Raises:
        ValueError: fewer than n ways to pick three phrases.
    """
    threes = list(combinations(phrases, 3))
    if len(threes) < n:
        raise ValueError(
            f"{len(phrases)} phrases make {len(threes)} prompts; expected {n}: give more phrases"
        )
    frames = [FRAMES[i % len(FRAMES)] for i in rng.permutation(n)]
    picked = [rng.permutation(threes[i]) for i in rng.choice(len(threes), n, replace=False)]
    texts = [
        frame.format(one=one, two=two, three=three)
        for frame, (one, two, three) in zip(frames, picked, strict=True)
    ]
    return [text[0].upper() + text[1:] for text in texts]


def parts(n: int, rng: np.random.Generator, shares: Sequence[int] = (130, 20, 50)) -> np.ndarray:
    """The part of each of n personas, (n,) of `PARTS`, in the paper's proportions; every part gets at least two.

    Raises:
        ValueError: fewer than six personas, so that a part would have nobody to borrow misaligned prompts from.
    """
    if n < 6:
        raise ValueError(f"got {n} personas; expected at least 6, two in each of {PARTS}")
    small = [max(2, round(n * share / sum(shares))) for share in shares[1:]]
    return rng.permutation(np.repeat(PARTS, [n - sum(small), *small]))


def world(
    personas: Sequence[Any],
    held: Sequence[HeldOut],
    rng: np.random.Generator,
    n_aligned: int = 20,
    pool: int = 60,
) -> World:
    """Every persona's aligned prompts, the pools of neutral ones, and who shares motifs with whom.

    Args:
        personas: each with `posts`.
        held: what `hold_out` gave for each of them.
        n_aligned: prompts per persona.
        pool: neutral prompts per part.
    """
    aligned = [prompts(one.elements, n_aligned, rng) for one in held]
    things = np.array_split(rng.permutation(THINGS), len(PARTS))
    neutral = {part: prompts(some.tolist(), pool, rng) for part, some in zip(PARTS, things, strict=True)}
    named = [{e for post in p.posts for texts in post.elements.values() for e in texts} for p in personas]
    clash = np.array([[not named_.isdisjoint(one.elements) for one in held] for named_ in named])
    return World(aligned, neutral, clash)


def donors(likeness: np.ndarray, clash: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Whose aligned prompts each persona gets as misaligned ones: a random assignment, each donor used once.

    A donor lies in the less alike half of the others wherever the assignment allows it, and never clashes.

    Args:
        likeness: (n, n), how alike two tastes are.
        clash: (n, n) bool, pairs that may not meet; nobody is their own donor either way.

    Returns:
        (n,) indices.

    Raises:
        ValueError: somebody can have no donor; names the first such index.
    """
    barred = clash | np.eye(len(clash), dtype=bool)
    others = np.where(np.eye(len(likeness), dtype=bool), np.nan, likeness)
    near = likeness > np.nanmedian(others, axis=1, keepdims=True)
    cost = rng.random(likeness.shape) + 1e3 * near + 1e7 * barred
    rows, columns = linear_sum_assignment(cost)
    stuck = rows[barred[rows, columns]]
    if len(stuck):
        raise ValueError(
            f"persona {stuck[0]} of {len(clash)} has no donor without shared motifs; give more personas"
        )
    return columns


def examples(
    world: World,
    part: np.ndarray,
    likeness: np.ndarray,
    rng: np.random.Generator,
    n_neutral: int = 10,
    rounds: int = 4,
) -> pd.DataFrame:
    """The labelled examples of one split; donors come from the persona's own part.

    Args:
        world: the prompts.
        part: (n,) of `PARTS`, from `parts`.
        likeness: (n, n) cosines of tastes.
        n_neutral: prompts per persona from its part's pool.
        rounds: a persona's misaligned prompts come from up to this many donors.

    Returns:
        One row per example: persona (index), part, kind, label, text.
    """
    lent: list[list[str]] = [[] for _ in part]
    for name in PARTS:
        here = np.flatnonzero(part == name)
        for turn in range(rounds):
            chosen = donors(likeness[np.ix_(here, here)], world.clash[np.ix_(here, here)], rng)
            for i, j in zip(here, here[chosen], strict=True):
                lent[i] += world.aligned[j][turn::rounds]
    rows = []
    for i, name in enumerate(part):
        pool = world.neutral[name]
        neutral = [pool[j] for j in rng.choice(len(pool), n_neutral, replace=False)]
        for kind, texts in zip(LABELS, (world.aligned[i], neutral, lent[i]), strict=True):
            rows += [(i, name, kind, LABELS[kind], text) for text in texts]
    return pd.DataFrame(rows, columns=["persona", "part", "kind", "label", "text"])

"""Invented voters in Rapidata's published form, so that everything runs without its files.

People of the drawn world (`world.users`) get demographics drawn from given shares. Taste and demographics are drawn apart:
nobody's taste follows from age, sex or country, so a subgroup that seems to differ here differs by chance. Votes follow
the oracle's plausibility of scenes, with noise. What is planted is returned, and `rapidata` must read exactly that. No
figure made from it says anything about the real votes. Invented MovieLens and PIP are in `invented_histories`.
"""

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ...world import captions, taste, users
from ...world.scenes import Scene, consistent
from .rapidata import AXES

#: Rapidata's bands by first age, and its words for ZIPP Table 13's professions.
_BANDS = {0: "0-17", 18: "18-29", 30: "30-39", 40: "40-49", 50: "50-64", 65: "65+"}
_OCCUPATIONS = {
    "STEM / Engineering": "Technology",
    "Creative / Arts": "Creative & Media",
    "Business / Finance": "Business & Finance",
    "Student": "Unemployed or Student",
    "Education": "Education",
    "Healthcare": "Healthcare",
    "Manual Trades": "Skilled Manual Trades",
}
#: Languages by region, the likelier first; shares halve along the list.
_LANGUAGES = {
    "N. America": ("en", "es", "fr"),
    "W. Europe": ("de", "fr", "it", "es", "en"),
    "S. Asia": ("hi", "en", "bn"),
    "E. Asia": ("zh", "en", "ja"),
    "Lat. America": ("es", "pt", "en"),
    "Africa": ("en", "fr", "ar"),
    "ME / CIS": ("ar", "ru", "tr", "en"),
}
#: Shares of voters who say nothing about an axis: near those of a published order.
UNKNOWN = {"age": 0.36, "gender": 0.36, "occupation": 0.44}
#: How steeply a vote follows the difference of two plausibilities, per bit.
_STEEP = 2.0


class Planted(NamedTuple):
    """People and their votes as written."""

    people: pd.DataFrame
    """person and the five axes, as a file shows them (None for unknown)."""
    votes: pd.DataFrame
    """comparison, person, image, bits (how much more plausible the first image is to them): in the order of the file."""


def draw_people(
    shares: pd.DataFrame,
    countries: pd.Series,
    n: int,
    rng: np.random.Generator,
    unknown: Mapping[str, float] = UNKNOWN,
) -> pd.DataFrame:
    """Demographics of n people, each axis drawn apart.

    Args:
        shares: ZIPP Table 13: axis, subgroup, sample_pct. Ages are even within its bands, "55+" is 55 to 84.
        countries: population by (region, iso2), from which a region's country is drawn.
        unknown: axis -> share who say nothing.

    Returns:
        person and AXES in Rapidata's words, None for unknown.
    """
    drawn = {
        axis: _draw(group, n, rng)
        for axis, group in shares.dropna(subset=["sample_pct"]).groupby("axis", sort=False)
    }
    answers = {
        "country": _by_region(drawn["region"], lambda region: countries[region], rng),
        "language": _by_region(drawn["region"], _languages, rng),
        "age": [_band(band, rng) for band in drawn["age"]],
        "gender": ["Other" if one.startswith("Non") else one for one in drawn["gender"]],
        "occupation": [_OCCUPATIONS[one] for one in drawn["profession"]],
    }
    table = pd.DataFrame({"person": np.arange(n)})
    for axis in AXES:
        silent = rng.random(n) < unknown.get(axis, 0.0)
        shown = [None if no else answer for no, answer in zip(silent, answers[axis], strict=True)]
        table[axis] = pd.Series(shown, dtype=object)
    return table


def taste_of(person: int, seed: int) -> users.User:
    """The person behind a number; the same seed and number, the same taste."""
    return users.draw_user(np.random.default_rng([seed, person]))


def write_votes(
    folder: str | Path, people: pd.DataFrame, models: Sequence[str], comparisons: int, voters: int, seed: int
) -> Planted:
    """Pairwise votes as an order's results, version 4.0.0: folder/results.json.

    Each comparison has a short prompt and, by two of the models, a scene each that completes it in that model's own taste.
    A voter takes a with probability 1 / (1 + exp(-2 d)), d bits being how much more plausible a is to their taste than b.

    Args:
        people: from `draw_people`.
        models: names without underscore, two or more; each has a taste of its own.
        voters: of each comparison, drawn from the people without repeats.
    """
    rng = np.random.default_rng([seed, 1])
    makers = {model: taste_of(10_000_000 + i, seed).taste for i, model in enumerate(models)}
    tastes = [taste_of(person, seed).taste for person in people["person"]]
    details, numbers = _details(people, rng), people["person"].to_numpy()
    results, votes = [], []
    for number in range(comparisons):
        subject = users.subject_of(users.write(taste_of(20_000_000 + number, seed), 1, rng)[0])
        pair = [models[i] for i in rng.choice(len(models), 2, replace=False)]
        scenes = [_completed(subject, makers[model], rng) for model in pair]
        images = [f"{model}_{number:04d}.png" for model in pair]
        took = rng.choice(len(people), min(voters, len(people)), replace=False)
        bits = [
            taste.plausibility(scenes[0], tastes[i]) - taste.plausibility(scenes[1], tastes[i]) for i in took
        ]
        first = rng.random(len(took)) < 1 / (1 + np.exp(-_STEEP * np.array(bits)))
        chosen = np.where(first, *images).tolist()
        votes += zip([number] * len(took), numbers[took], chosen, bits, strict=True)
        cast = [{"votedFor": image, "userDetails": details[i]} for i, image in zip(took, chosen, strict=True)]
        results.append(_result(captions.caption(subject, rng, longer=0), images, cast))
    _write(folder, "results.json", _order(results))
    return Planted(people, pd.DataFrame(votes, columns=["comparison", "person", "image", "bits"]))


def _order(results: list[dict[str, Any]]) -> str:
    """A file of results, with the head of version 4.0.0."""
    info = {
        "createdAt": "1970-01-01T00:00:00+00:00",
        "version": "4.0.0",
        "orderType": "Compare",
        "name": "invented",
    }
    wins = Counter("AB"[one["winner_index"]] for one in results)
    summary = {"A_wins_total": wins["A"], "B_wins_total": wins["B"]}
    return json.dumps({"info": info, "summary": summary, "results": results}, indent=1)


def _draw(group: pd.DataFrame, n: int, rng: np.random.Generator) -> list[str]:
    share = group["sample_pct"].to_numpy(float)
    return [str(one) for one in rng.choice(group["subgroup"].to_numpy(object), n, p=share / share.sum())]


def _by_region(
    regions: Sequence[str], weights: Callable[[str], pd.Series], rng: np.random.Generator
) -> list[str]:
    """One of each person's region's answers, as likely as their weights have it."""
    out, at = np.empty(len(regions), object), np.array(regions)
    for region in sorted(set(regions)):
        here, weight = np.flatnonzero(at == region), weights(region)
        out[here] = rng.choice(weight.index.to_numpy(object), len(here), p=(weight / weight.sum()).to_numpy())
    return [str(one) for one in out]


def _languages(region: str) -> pd.Series:
    known = _LANGUAGES[region]
    return pd.Series(0.5 ** np.arange(len(known)), index=list(known))


def _band(printed: str, rng: np.random.Generator) -> str:
    """A band of Rapidata's for an age drawn from a band of Table 13's."""
    low, _, high = printed.replace("+", "-84").partition("-")
    age = int(rng.integers(int(low), int(high) + 1))
    return _BANDS[max(first for first in _BANDS if first <= age)]


def _completed(subject: Mapping[str, str], maker: taste.Taste, rng: np.random.Generator) -> Scene:
    context = taste.context_of(subject)
    return consistent(taste.sample(maker, rng, context) | dict(subject))


def _details(people: pd.DataFrame, rng: np.random.Generator) -> list[dict[str, Any]]:
    """userDetails of each person."""
    scores = rng.uniform(0.2, 0.8, len(people)).round(4)
    rows = [{axis: row[axis] or "Unknown" for axis in AXES} for row in people.to_dict("records")]
    return [row | {"userScore": float(score)} for row, score in zip(rows, scores, strict=True)]


def _result(prompt: str, images: list[str], cast: list[dict[str, Any]]) -> dict[str, Any]:
    counts = Counter(vote["votedFor"] for vote in cast)
    summed = {
        image: sum(v["userDetails"]["userScore"] for v in cast if v["votedFor"] == image) for image in images
    }
    winner = int(summed[images[1]] > summed[images[0]])
    return {
        "context": prompt,
        "winner_index": winner,
        "winner": images[winner],
        "aggregatedResults": {image: counts[image] for image in images},
        "aggregatedResultsRatios": {image: counts[image] / max(len(cast), 1) for image in images},
        "summedUserScores": {image: round(score, 4) for image, score in summed.items()},
        "summedUserScoresRatios": {
            image: round(s / max(sum(summed.values()), 1e-9), 4) for image, s in summed.items()
        },
        "detailedResults": cast,
    }


def _write(folder: str | Path, name: str, text: str) -> None:
    path = Path(folder) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")

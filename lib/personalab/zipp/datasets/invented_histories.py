"""Invented histories in the published forms of MovieLens and PIP, so that everything runs without their files.

Films are captions of scenes of the drawn world, watched and rated as hidden tastes have it; prompts are what its people
write. What is planted is returned, and the readers `movielens` and `pip` must find exactly that. No figure made from it
says anything about the real data sets.
"""

import json
from pathlib import Path

import numpy as np
import pandas as pd

from ...world import captions, taste, users
from .invented import taste_of

#: Share of films without a text, and TMDB's ids as far above MovieLens'.
_SILENT = 0.1
_TMDB = 1000


def write_movielens(
    folder: str | Path, n_users: int, n_films: int, per_user: int, seed: int
) -> dict[str, int]:
    """MovieLens' four tables, and TMDB's as tmdb.csv, of films that are scenes; a tenth of them has no text.

    With z a film's plausibility to a user, standardised over films, people watch films with weight exp(z) and give
    3 + 0.9 z + noise (sd 0.5) stars, in halves.

    Returns:
        What readers must find: users, films, ratings, liked (four stars and more, with text), without_text (films).
    """
    rng = np.random.default_rng([seed, 2])
    tables, scenes, silent = _films(n_films, seed, rng)
    rows = []
    for user in range(n_users):
        own = taste_of(user, seed).taste
        bits = np.array([taste.plausibility(scene, own) for scene in scenes])
        z = (bits - bits.mean()) / max(bits.std(), 1e-9)
        weight = np.exp(z) / np.exp(z).sum()
        watched = rng.choice(n_films, min(per_user, n_films), replace=False, p=weight)
        stars = np.clip(np.round(2 * (3 + 0.9 * z[watched] + rng.normal(0, 0.5, len(watched)))) / 2, 0.5, 5)
        times = rng.integers(10**9, 15 * 10**8, len(watched))
        rows += [(user + 1, i + 1, s, t) for i, s, t in zip(watched, stars, times, strict=True)]
    ratings = pd.DataFrame(rows, columns=["userId", "movieId", "rating", "timestamp"])
    tables |= {"ratings": ratings, "tags": pd.DataFrame(columns=["userId", "movieId", "tag", "timestamp"])}
    for name, table in tables.items():
        _write(Path(folder) / f"{name}.csv", table.to_csv(index=False))
    liked = int(((ratings["rating"] >= 4) & ~silent[ratings["movieId"] - 1]).sum())
    counts = {"users": n_users, "films": n_films, "ratings": len(ratings)}
    return counts | {"liked": liked, "without_text": int(silent.sum())}


def write_pip(
    folder: str | Path, n_users: int, per_user: int, seed: int, unsafe: float = 0.05
) -> dict[str, int]:
    """PIP's folder: a file for each user with their prompts, the last two as tests that have a short form.

    Args:
        per_user: prompts of each, the tests among them; above 2.
        unsafe: share not marked as unlikely to be NSFW; the mark is drawn, the prompts are as harmless as all others.

    Returns:
        What readers must find: users, samples, unsafe.
    """
    rng, bad = np.random.default_rng([seed, 3]), 0
    for user in range(n_users):
        name, lines = f"u{user:04d}", ["train_samples:"]
        for i, scene in enumerate(users.write(taste_of(user, seed), per_user, rng)):
            short, full = users.prompts(scene, rng)
            flag = "Unlikely" if rng.random() >= unsafe else ("NSFW", "Unsure")[int(rng.integers(2))]
            bad += flag != "Unlikely"
            sample = {"prompt": full, "id": f"{user}-{i}", "user_id": name, "NSFW": flag, "result_url": ""}
            lines += ["test_samples:"] if i == per_user - 2 else []
            lines.append(sample | ({"query": short} if i >= per_user - 2 else {}))
        _write(Path(folder) / f"{name}.jsonl", "".join(json.dumps(line) + "\n" for line in lines))
    return {"users": n_users, "samples": n_users * per_user, "unsafe": bad}


def _films(n: int, seed: int, rng: np.random.Generator) -> tuple[dict[str, pd.DataFrame], list, np.ndarray]:
    """The tables of films, their scenes, and which have no text."""
    scenes = [users.write(taste_of(30_000_000 + i, seed), 1, rng)[0] for i in range(n)]
    silent, years, number = rng.random(n) < _SILENT, rng.integers(1950, 2018, n), np.arange(1, n + 1)
    titles = [
        f"{scene['setting']} {scene.get('object', 'story')} {i + 1}".title() for i, scene in enumerate(scenes)
    ]
    dated = [f"{title} ({year})" for title, year in zip(titles, years, strict=True)]
    genres = [f"{scene['style']}|{scene['time']}".title() for scene in scenes]
    keywords = [json.dumps([{"id": k, "name": v} for k, v in enumerate(scene.values())]) for scene in scenes]
    texts = [captions.caption(scene, rng) for scene in scenes]
    movies = pd.DataFrame({"movieId": number, "title": dated, "genres": genres})
    links = pd.DataFrame({"movieId": number, "imdbId": number, "tmdbId": _TMDB + number})
    tmdb = pd.DataFrame(
        {"id": _TMDB + number, "title": titles, "overview": texts, "keywords": keywords, "genres": "[]"}
    )
    return {"movies": movies, "links": links, "tmdb": tmdb[~silent]}, scenes, silent


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")

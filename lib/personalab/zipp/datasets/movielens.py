"""MovieLens ratings as histories of text prompts (ZIPP 4.1): the films that people liked, in words.

A film's text is its title, genres, keywords and overview, from TMDB's tables through MovieLens' links; there are no
pictures. The papers do not print the prompt's form, the cap on words or what counts as liked: here it is those four in
that order, 70 words, four stars and more. Nor do they say what the short prompt is: here the poster of the film, its title
and first genre alone. Nothing is fetched.
"""

import io
import json
import re
import zipfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from . import COLUMNS, Histories

_NO_GENRE = "(no genres listed)"
#: MovieLens puts a leading article behind: "Matrix, The".
_ARTICLE = re.compile(r"^(.*), (The|A|An|Le|La|Les|Das|Der|Die|El|Il|L')(?= \(|$)")
_YEAR = re.compile(r"\s*\((\d{4})\)\s*$")


def films(folder: str | Path, texts: Sequence[str | Path]) -> pd.DataFrame:
    """What is known of each film, in words.

    Args:
        folder: MovieLens' own: movies.csv and links.csv.
        texts: TMDB's tables (.csv, or one .csv in a .zip), with id and overview, and in some keywords and genres as JSON
            lists of {id, name}. The first table that has a film's overview, or its keywords, is taken.

    Returns:
        movie, tmdb, title, year, genres (text, by commas), keywords (likewise, "" for none), overview (None for none),
        one row per film of movies.csv.

    Raises:
        ValueError: a table without its columns.
    """
    movies = _table(Path(folder) / "movies.csv", ("movieId", "title", "genres"))
    links = _table(Path(folder) / "links.csv", ("movieId", "tmdbId"))
    out = movies.merge(links[["movieId", "tmdbId"]], on="movieId", how="left")
    out = out.rename(columns={"movieId": "movie", "tmdbId": "tmdb"})
    out["tmdb"] = pd.to_numeric(out["tmdb"], errors="coerce").astype("Int64")
    out["year"] = pd.to_numeric(out["title"].str.extract(_YEAR)[0]).astype("Int64")
    out["title"] = out["title"].map(_title)
    out["genres"] = out["genres"].where(out["genres"] != _NO_GENRE, "").str.replace("|", ", ", regex=False)
    words = _words(texts)
    out["overview"] = [words.get(("overview", film)) for film in out["tmdb"]]
    out["keywords"] = [words.get(("keywords", film), "") for film in out["tmdb"]]
    return out[["movie", "tmdb", "title", "year", "genres", "keywords", "overview"]]


def histories(
    folder: str | Path,
    texts: Sequence[str | Path],
    like: float = 4.0,
    words: int = 70,
    fewest: int = 5,
    held_out: int = 2,
) -> Histories:
    """What each user liked, oldest first, the last `held_out` being the test prompts.

    Args:
        folder: MovieLens' own, with ratings.csv besides.
        texts: as for `films`.
        like: stars from which a film is liked.
        words: a prompt is cut to so many.
        fewest: users with fewer liked films that have a text are left out, all their ratings with them.
        held_out: test prompts of each user, fewer than `fewest`.

    Returns:
        Histories, whose unit is the rating, with `rating` and `time` (seconds since 1970) besides; a film's id is `item`.

    Raises:
        ValueError: held_out is not below fewest, or a table without its columns.
    """
    if not 0 <= held_out < fewest:
        raise ValueError(
            f"got held_out={held_out} of at least {fewest} prompts; expected some left as a history"
        )
    ratings = _table(Path(folder) / "ratings.csv", ("userId", "movieId", "rating", "timestamp"))
    table = ratings.rename(columns={"userId": "user", "movieId": "item", "timestamp": "time"})
    known = films(folder, texts).set_index("movie")
    known = known[known["overview"].notna()]
    reasons = pd.Series(None, index=table.index, dtype=object)
    reasons[~table["item"].isin(known.index)] = "film without text"
    reasons[~(table["rating"] >= like)] = "not liked"
    usable = table["user"][reasons.isna()].value_counts()
    reasons[reasons.isna() & (table["user"].map(usable) < fewest)] = (
        f"user with fewer than {fewest} liked films"
    )
    kept = table[reasons.isna()].sort_values(["user", "time", "item"], ignore_index=True)
    kept["order"] = kept.groupby("user").cumcount()
    left = kept.groupby("user")["order"].transform("max") - kept["order"]
    kept["part"] = left.lt(held_out).map({True: "test", False: "history"})
    prompts = {film.Index: (prompt(film, words), poster(film)) for film in known.itertuples()}
    kept["original"], kept["basic"] = (
        zip(*(prompts[item] for item in kept["item"]), strict=True) if len(kept) else ([], [])
    )
    return Histories(kept[[*COLUMNS, "rating", "time"]], len(table), Counter(reasons.dropna()))


def prompt(film: Any, words: int = 70) -> str:
    """A film as one prompt: title, genres, keywords and overview, cut to so many words.

    Args:
        film: with those four as attributes.
    """
    parts = (film.title, film.genres, film.keywords, film.overview)
    return " ".join(". ".join(part.strip().rstrip(".") for part in parts if part).split()[:words])


def poster(film: Any) -> str:
    """The short prompt: title and first genre alone."""
    genre = film.genres.partition(",")[0].lower()
    return f"a poster for the {genre + ' ' if genre else ''}film {film.title}"


def _table(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    table = pd.read_csv(io.BytesIO(_unzipped(path)) if path.suffix == ".zip" else path, low_memory=False)
    lacking = [name for name in columns if name not in table]
    if lacking:
        raise ValueError(f"{path}: got columns {list(table)}; expected {lacking[0]} as well")
    return table


def _unzipped(path: Path) -> bytes:
    """The first .csv of an archive; archives made on a Mac hold a shadow of each file besides."""
    with zipfile.ZipFile(path) as archive:
        names = [name for name in archive.namelist() if name.endswith(".csv") and "__MACOSX" not in name]
        if not names:
            raise ValueError(f"{path} holds no .csv; expected TMDB's table")
        return archive.read(names[0])


def _title(title: str) -> str:
    """Without the year, the article in front, alternative titles left out."""
    title = _YEAR.sub("", title)
    title = _ARTICLE.sub(r"\2 \1", title)
    return re.sub(r"\s*\([^)]*\)", "", title).strip() or title


def _words(texts: Sequence[str | Path]) -> dict[tuple[str, int], str]:
    """(field, TMDB id) -> overview, or keywords by commas; nothing where a table has none."""
    out: dict[tuple[str, int], str] = {}
    for path in texts:
        table = _table(Path(path), ("id", "overview"))
        for field in ("overview", "keywords"):
            if field in table:
                for number, value in table[["id", field]].dropna().itertuples(index=False):
                    text = _names(value) if field == "keywords" else " ".join(str(value).split())
                    if text:
                        out.setdefault((field, int(number)), text)
    return out


def _names(value: str) -> str:
    """The names in a JSON list of {id, name}."""
    try:
        return ", ".join(one["name"] for one in json.loads(value))
    except (ValueError, TypeError, KeyError):
        return ""

"""Pairwise votes with the voters' demographics, as Rapidata publishes them (ZIPP 4.1, F.5).

Two forms: an order's results (JSON, versions 3 and 4: `info`, `summary`, `results`), and the tables of its public data
sets (parquet or CSV: prompt, image1, image2, model1, model2, weighted_results_*, detailed_results*). Both hold, for each
comparison, every vote with country, language, age band, gender and occupation of the voter, and no identifier: nobody
can tell which votes are one person's. "Unknown" becomes a missing value here, never a category.
"""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import pandas as pd

#: The five axes, by the names of Rapidata's fields.
AXES = ("country", "language", "age", "gender", "occupation")
COLUMNS = ("comparison", "prompt", "image_a", "image_b", "model_a", "model_b", "voted", *AXES, "user_score")
_UNKNOWN = frozenset({"", "unknown", "none", "null", "nan"})


class Votes(NamedTuple):
    """Votes read, and what became of the others."""

    table: pd.DataFrame
    """COLUMNS, one row per vote in the file's order; `voted` is "a" or "b"; unknown answers are missing."""
    read: int
    dropped: Counter[str]
    """By reason; a comparison that cannot be read counts as one."""


class _Odd(ValueError):
    """Something that is no comparison or no vote; the message is the reason."""


def read(path: str | Path) -> Votes:
    """Votes from a results file, a table, or a folder of either (files in order of their names).

    A model is the part of an image's name before the first underscore, unless the table names it.

    Raises:
        FileNotFoundError: no such file, or a folder without .json, .parquet and .csv files.
        ValueError: a file that is neither form; says what it lacks.
    """
    path = Path(path)
    found = [path]
    if path.is_dir():
        files = sorted(file for suffix in ("parquet", "json") for file in path.glob(f"*.{suffix}"))
        found = [file for file in files if _holds_votes(file)]
    if not found or not path.exists():
        raise FileNotFoundError(
            f"{path} holds no votes; expected Rapidata's results (.json) or a table (.parquet, .csv)"
        )
    rows: list[tuple[Any, ...]] = []
    dropped: Counter[str] = Counter()
    for number, comparison in enumerate(one for file in found for one in _comparisons(file)):
        for vote in _votes(number, comparison):
            dropped.update([vote]) if isinstance(vote, str) else rows.append(vote)
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    return Votes(table, len(rows) + dropped.total(), dropped)


def unknown(table: pd.DataFrame, axes: Sequence[str] = AXES) -> Counter[str]:
    """How many votes say nothing on each axis; a vote may count on several."""
    return Counter({axis: int(table[axis].isna().sum()) for axis in axes})


def answered(table: pd.DataFrame, axes: Sequence[str]) -> tuple[pd.DataFrame, Counter[str]]:
    """The votes known on all of some axes, and the others counted by the first axis they say nothing on."""
    missing = table[list(axes)].isna()
    first = missing[missing.any(axis=1)].idxmax(axis=1)
    return table[~missing.any(axis=1)], Counter(
        {f"{axis} unknown": n for axis, n in first.value_counts().items()}
    )


def won(table: pd.DataFrame, model: str) -> pd.Series:
    """For each vote 1 if it went to a model, 0 if to its rival, NaN where the model took no part or met itself."""
    a, b = table["model_a"] == model, table["model_b"] == model
    right = (a & (table["voted"] == "a")) | (b & (table["voted"] == "b"))
    return right.astype(float).where(a != b)


def _holds_votes(file: Path) -> bool:
    """Whether a folder's JSON file is one of results: other files lie beside it."""
    if file.suffix != ".json":
        return True
    with open(file, encoding="utf-8") as text:
        return '"detailedResults"' in text.read()


def _comparisons(file: Path) -> Iterator[Any]:
    """Comparisons as an order's results write them; a table's rows are brought to that form."""
    if file.suffix == ".json":
        found = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(found, dict) or not isinstance(found.get("results"), list):
            raise ValueError(f"{file}: got no list 'results'; expected an order's results, versions 3 or 4")
        yield from found["results"]
        return
    table = pd.read_parquet(file) if file.suffix == ".parquet" else pd.read_csv(file, keep_default_na=False)
    details = [name for name in table if name in ("detailed_results", "detailed_results_preference")]
    lacking = [name for name in ("prompt", "model1", "model2") if name not in table]
    if lacking or not details:
        raise ValueError(
            f"{file}: got columns {list(table)}; expected prompt, model1, model2, detailed_results"
        )
    for row in table.to_dict("records"):
        yield _as_results(row, details[0])


def _as_results(row: dict[str, Any], details: str) -> dict[str, Any]:
    images = [_image_name(row, side) or f"{row[f'model{side}']}_{side}" for side in (1, 2)]
    try:
        votes = json.loads(row[details]) if isinstance(row[details], str) else list(row[details])
    except (ValueError, TypeError):
        votes = None
    models = [row["model1"], row["model2"]]
    return {"context": row["prompt"], "images": images, "models": models, "detailedResults": votes}


def _image_name(row: dict[str, Any], side: int) -> str | None:
    """File name of an image: a column of paths, or the path beside an embedded image's bytes."""
    path = row.get(f"image{side}_path") or row.get(f"image{side}")
    path = path.get("path") if isinstance(path, dict) else path
    return PurePosixPath(path).name if isinstance(path, str) and path else None


def _votes(number: int, comparison: Any) -> Iterator[tuple[Any, ...] | str]:
    """A comparison's votes as rows, or reasons."""
    try:
        images, models, votes = _sides(comparison)
    except _Odd as error:
        yield str(error)
        return
    for vote in votes:
        try:
            side, details = _vote(vote, images, models)
        except _Odd as error:
            yield str(error)
            continue
        answers = [_known(details.get(axis)) for axis in AXES]
        yield (number, comparison.get("context"), *images, *models, side, *answers, _score(details))


def _sides(comparison: Any) -> tuple[list[str], list[str], list[Any]]:
    """Images, models and votes of a comparison."""
    if not isinstance(comparison, dict) or not isinstance(comparison.get("detailedResults"), list):
        raise _Odd("comparison without a list of votes")
    images = comparison.get("images") or list(comparison.get("aggregatedResults") or ())
    if len(images) != 2:
        raise _Odd("comparison without two images")
    models = comparison.get("models") or [image.partition("_")[0] for image in images]
    return images, models, comparison["detailedResults"]


def _vote(vote: Any, images: list[str], models: list[str]) -> tuple[str, dict[str, Any]]:
    """Side and voter of a vote: by the image's name, and where that is neither image's, by the model in it."""
    details = vote.get("userDetails") if isinstance(vote, dict) else None
    if not isinstance(details, dict) or not isinstance(vote.get("votedFor"), str):
        raise _Odd("vote without a choice or a voter")
    name = PurePosixPath(vote["votedFor"]).name
    for options, choice in ((images, name), (models, name.partition("_")[0])):
        if options.count(choice) == 1:
            return "ab"[options.index(choice)], details
    raise _Odd("vote for neither image")


def _known(answer: Any) -> str | None:
    text = str(answer).strip() if answer is not None else ""
    return None if text.lower() in _UNKNOWN else text


def _score(details: dict[str, Any]) -> float:
    """Rapidata's trust in a voter: `userScore`, in other versions `userScores` -> `global`; NaN if it has none."""
    score = details.get("userScore", (details.get("userScores") or {}).get("global"))
    return float(score) if isinstance(score, int | float) else float("nan")

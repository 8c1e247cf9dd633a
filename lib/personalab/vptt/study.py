"""The text-level study of five methods (VPTT 4.2.3, Tables 3 and 7 to 10): rewrite, score, sum up.

Personas, prompts, embeddings and the rewriter come in from outside; the study knows no model. What a method writes
depends on the memory it sees and on nothing else of the reader, so the mismatched control scores the same texts
against the next persona instead of writing them anew.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ..backends.composer import Request
from ..records import Persona, Prompt, Rewrite
from ..stats import cluster_bootstrap, cohens_d, win_shares
from . import compose, score
from .retrieve import Retrieval

_SCORES = ["pa", "gs", "cp", "nv", "vptt", "vptt_c"]


class Gallery(NamedTuple):
    """One persona as the score sees it: Emb(P) (d,), caption embeddings (m, d), captions."""

    persona: np.ndarray
    captions: np.ndarray
    texts: Sequence[str]


def rewrite(
    personas: Sequence[Persona],
    prompts: Sequence[Prompt],
    retrievals: Mapping[tuple[str, str], Retrieval],
    backend: Any,
    *,
    methods: Sequence[str] = compose.METHODS,
    max_words: int = 150,
    top_captions: int | None = None,
) -> list[Rewrite]:
    """p' of every method for every persona and prompt, in one batch.

    Args:
        retrievals: (persona id, prompt id) -> VPRAG's result.
        backend: a rewriter with `complete(requests)` and `name`; its `copying`, if any, is recorded.
        max_words: L, the limit given to all methods (VPTT 4.2.3: 150).
        top_captions: show BRAG and Comb. only the most similar captions.
    """
    plan: list[tuple[Persona, Prompt, str, Request | None]] = [
        (
            persona,
            prompt,
            method,
            compose.request(
                method,
                prompt.text,
                persona,
                retrievals[persona.id, prompt.id],
                max_words=max_words,
                top_captions=top_captions,
            ),
        )
        for persona in personas
        for prompt in prompts
        for method in methods
    ]
    answers = iter(backend.complete([request for *_, request in plan if request is not None]))
    return [_record(*row, backend, answers) for row in plan]


def _record(
    persona: Persona, prompt: Prompt, method: str, request: Request | None, backend: Any, answers: Iterator
) -> Rewrite:
    text, reason = (prompt.text, None) if request is None else next(answers)
    return Rewrite(
        persona=persona.id,
        memory=persona.id,
        prompt=prompt.id,
        method=method,
        backend="none" if request is None else backend.name,
        setting=None if request is None else getattr(backend, "copying", None),
        text=text,
        reason=reason,
    )


def score_rewrites(
    rewrites: Sequence[Rewrite],
    embeddings: np.ndarray,
    galleries: Mapping[str, Gallery],
    readers: Mapping[str, str] | None = None,
    *,
    k: int = 5,
    seed: int = 0,
) -> pd.DataFrame:
    """PA, GS, CP, NV and both composites of every rewrite, one row each (VPTT 3.4).

    Args:
        rewrites: as written; those without a text stay in the table with their reason and without scores.
        embeddings: (len(rewrites), d); rows of missing texts are ignored.
        galleries: persona id -> Gallery.
        readers: memory id -> id of the persona to score for; None scores each for its own (no control).
        k, seed: of the clusters behind CP.

    Returns:
        Columns persona, memory, control, prompt, method, backend, setting, reason, words, pa, gs, cp, nv, vptt,
        vptt_c; the order of `rewrites`. NV is taken against the captions the method saw and is 0 for methods
        that saw none.
    """
    table = pd.DataFrame([rewrite.model_dump() for rewrite in rewrites])
    table["persona"] = [(readers or {}).get(memory, memory) for memory in table["memory"]]
    table["control"] = np.where(table["persona"] == table["memory"], "own", "mismatched")
    table["words"] = table["text"].str.split().str.len()
    values = np.full((len(table), 4), np.nan)
    written = table["text"].notna().to_numpy()
    for persona, rows in _groups(table["persona"], written):
        gallery, rowwise = galleries[persona], embeddings[rows]
        values[rows, 0] = score.persona_alignment(rowwise, gallery.persona)
        b = score.basis(gallery.captions)
        values[rows, 1] = score.gs_reconstruction(rowwise, gallery.captions, basis=b)
        values[rows, 2] = score.cluster_proximity(rowwise, gallery.captions, k=k, seed=seed, basis=b)
    for memory, rows in _groups(table["memory"], written):
        seen = table["method"].iloc[rows].isin(compose.NOVELTY_COUNTS).to_numpy()
        values[rows, 3] = np.where(
            seen, score.novelty(list(table["text"].iloc[rows]), galleries[memory].texts), 0.0
        )
    table[_SCORES[:4]] = values
    table["vptt"] = score.vptt(*values.T)
    table["vptt_c"] = score.vptt_c(*values.T[:3])
    return table.drop(columns="text")


def _groups(keys: pd.Series, wanted: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """(key, row numbers) of the wanted rows, keys in order of appearance."""
    for key, rows in keys[wanted].groupby(keys[wanted], sort=False).indices.items():
        yield str(key), np.flatnonzero(wanted)[rows]


def breakdown(items: pd.DataFrame, rng: np.random.Generator, n: int = 1000) -> pd.DataFrame:
    """Tables 7 to 10: per prompt and method the means, winners and effect sizes, with n and missing answers.

    Args:
        items: rows of one backend, setting and control.
        rng: of the bootstrap; intervals of the mean VPTT resample whole personas.
        n: number of bootstrap draws.

    Returns:
        prompt, method, pa, gs, cp, nv, vptt_c, vptt_c_win_pct, vptt_c_d_vs_baseline, vptt, vptt_win_pct,
        vptt_d_vs_baseline, low, high, n, missing. Cohen's d is absolute, pooled, against Baseline.
    """
    rows = []
    for prompt, group in items.groupby("prompt", sort=False):
        wins = {value: _wins(group, value) for value in ("vptt_c", "vptt")}
        base = group[group["method"] == "Baseline"]
        for method in _methods(group):
            mine = group[group["method"] == method]
            low, high = mean_interval(mine, "vptt", rng, n)
            row = {"prompt": prompt, "method": method, **mine[["pa", "gs", "cp", "nv"]].mean()}
            for value in ("vptt_c", "vptt"):
                d = (
                    np.nan
                    if method == "Baseline"
                    else abs(cohens_d(mine[value].dropna(), base[value].dropna()))
                )
                row |= {
                    value: mine[value].mean(),
                    f"{value}_win_pct": wins[value][method],
                    f"{value}_d_vs_baseline": d,
                }
            rows.append(
                row
                | {
                    "low": low,
                    "high": high,
                    "n": int(mine["vptt"].notna().sum()),
                    "missing": int(mine["vptt"].isna().sum()),
                }
            )
    return pd.DataFrame(rows)


def table3(items: pd.DataFrame) -> pd.DataFrame:
    """Table 3: per task and method the mean VPTT score and Cohen's d against the task's best method.

    Args:
        items: rows of one backend, setting and control, with a column `task`.

    Returns:
        task, method, vptt, cohens_d_vs_best (nan for the best), n.
    """
    rows = []
    for task, group in items.groupby("task", sort=False):
        values = {method: group.loc[group["method"] == method, "vptt"].dropna() for method in _methods(group)}
        best = max(values, key=lambda method: values[method].mean())
        for method, scores in values.items():
            d = np.nan if method == best else abs(cohens_d(values[best], scores))
            rows.append(
                {
                    "task": task,
                    "method": method,
                    "vptt": scores.mean(),
                    "cohens_d_vs_best": d,
                    "n": len(scores),
                }
            )
    return pd.DataFrame(rows)


def mean_interval(
    items: pd.DataFrame, value: str, rng: np.random.Generator, n: int = 1000
) -> tuple[float, float]:
    """95 % interval of the mean of `value`, resampling whole personas; (nan, nan) without values."""
    known = items.dropna(subset=[value])
    if known.empty:
        return float("nan"), float("nan")
    interval = cluster_bootstrap(known[value].to_numpy(), known["persona"].to_numpy(), np.mean, rng, n=n)
    return interval.low, interval.high


def _wins(group: pd.DataFrame, value: str) -> dict[str, float]:
    """Percent of personas for whom each method has the highest value; ties are shared."""
    wide = group.pivot(index="persona", columns="method", values=value)[_methods(group)].dropna()
    shares = win_shares(wide)
    return {
        method: 100 * float(share) for method, share in zip(wide.columns, np.asarray(shares), strict=True)
    }


def _methods(group: pd.DataFrame) -> list[str]:
    present = set(group["method"])
    return [method for method in compose.METHODS if method in present]

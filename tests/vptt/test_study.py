"""The study's sums against plain computations on made-up scores, and one small real run."""

import numpy as np
import pandas as pd
import pytest

from personalab.backends.chat import Answer
from personalab.backends.composer import Composer
from personalab.records import CATEGORIES, Prompt, Rewrite
from personalab.vptt import bench, compose, retrieve, score, study
from personalab.vptt.bench import seeds


def embed(texts):
    """A bag of hashed words: an encoder whose similarities can be reasoned about."""
    rows = np.zeros((len(texts), 64))
    for row, text in zip(rows, texts, strict=True):
        for word in text.lower().split():
            row[sum(map(ord, word)) % 64] += 1
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)


@pytest.fixture(scope="module")
def made():
    kept = seeds.parse_lines(bench.own_seeds(40)).kept
    personas = list(bench.generate(kept, 4, posts=12))
    prompts = [
        Prompt(id="site", task="generation", text="A photo of a place"),
        Prompt(id="room", task="editing", text="Furnish this room"),
    ]
    budgets = dict.fromkeys(CATEGORIES, 3)
    found = {
        (persona.id, prompt.id): retrieve.vprag(prompt.text, persona, embed, embed, budgets, 0.1)
        for persona in personas
        for prompt in prompts
    }
    rewrites = study.rewrite(personas, prompts, found, Composer(0.5))
    galleries = {p.id: study.Gallery(embed([p.summary])[0], embed(p.captions), p.captions) for p in personas}
    return personas, prompts, rewrites, galleries


def test_one_rewrite_per_persona_prompt_and_method_in_order(made):
    personas, prompts, rewrites, _ = made
    expected = [(p.id, q.id, m) for p in personas for q in prompts for m in compose.METHODS]
    assert [(r.persona, r.prompt, r.method) for r in rewrites] == expected
    assert all(
        r.text == q.text for r in rewrites if r.method == "Baseline" for q in prompts if q.id == r.prompt
    )


def test_scores_equal_the_formulas_row_by_row(made):
    _, _, rewrites, galleries = made
    vectors = embed([r.text for r in rewrites])
    items = study.score_rewrites(rewrites, vectors, galleries, k=3)
    for row, rewrite, v in zip(items.itertuples(), rewrites, vectors, strict=True):
        gallery = galleries[rewrite.persona]
        q, r = np.linalg.qr(gallery.captions.T)
        b = (
            q[:, np.abs(np.diag(r)) > 1e-8]
            if np.linalg.matrix_rank(gallery.captions) < len(gallery.captions)
            else q
        )
        assert row.pa == pytest.approx(v @ gallery.persona)
        assert row.gs == pytest.approx(np.linalg.norm(b.T @ v), abs=1e-6)
        nv = score.novelty(rewrite.text, gallery.texts) if rewrite.method in compose.NOVELTY_COUNTS else 0
        assert row.nv == nv
        assert row.vptt == pytest.approx(0.2 * row.pa + 0.3 * row.gs + 0.3 * row.cp + 0.2 * nv)


def test_mismatched_rows_score_the_same_text_for_somebody_else(made):
    personas, _, rewrites, galleries = made
    ids = [p.id for p in personas]
    readers = dict(zip(ids, ids[1:] + ids[:1], strict=True))
    vectors = embed([r.text for r in rewrites])
    items = study.score_rewrites(rewrites, vectors, galleries, readers)
    assert (items["persona"] == items["memory"].map(readers)).all() and (
        items["control"] == "mismatched"
    ).all()
    first = galleries[readers[rewrites[0].memory]]
    assert items["pa"][0] == pytest.approx(vectors[0] @ first.persona)


def test_a_refusal_stays_missing_with_its_reason(made):
    personas, prompts, _, galleries = made

    class Refuses:
        name = "refuses"

        def complete(self, requests):
            return [
                Answer(None, "refused") if i % 3 == 0 else Answer(r.prompt) for i, r in enumerate(requests)
            ]

    found = {
        (p.id, q.id): retrieve.vprag(q.text, p, embed, embed, dict.fromkeys(CATEGORIES, 1), 0.1)
        for p in personas
        for q in prompts
    }
    answers = study.rewrite(personas, prompts, found, Refuses())
    vectors = embed([r.text or "" for r in answers])
    items = study.score_rewrites(answers, vectors, galleries)
    lost = items["reason"].notna()
    assert lost.sum() == sum(r.text is None for r in answers) > 0
    assert items.loc[lost, ["pa", "gs", "cp", "nv", "vptt", "vptt_c"]].isna().all().all()
    table = study.breakdown(items.assign(task="generation"), np.random.default_rng(0))
    assert table["missing"].sum() == lost.sum() and table["n"].sum() + lost.sum() == len(items)


def scored(rng, personas=30):
    """Made-up scores with known means."""
    rows = [
        {
            "persona": f"p{i}",
            "prompt": prompt,
            "task": task,
            "method": method,
            "pa": 0.1 * j,
            "gs": 0.2,
            "cp": 0.3,
            "nv": 0.4,
            "vptt": 0.1 * j + rng.normal(0, 0.02),
            "vptt_c": 0.1 * j + rng.normal(0, 0.02),
            "reason": None,
        }
        for i in range(personas)
        for prompt, task in (("a", "generation"), ("b", "generation"), ("c", "editing"))
        for j, method in enumerate(compose.METHODS)
    ]
    return pd.DataFrame(rows)


def test_breakdown_against_plain_pandas():
    items = scored(np.random.default_rng(1))
    table = study.breakdown(items, np.random.default_rng(0)).set_index(["prompt", "method"])
    means = items.groupby(["prompt", "method"])["vptt"].mean()
    for key, row in table.iterrows():
        assert row["vptt"] == pytest.approx(means[key])
        assert row["low"] < row["vptt"] < row["high"]
    wide = items[items["prompt"] == "a"].pivot(index="persona", columns="method", values="vptt")
    won = 100 * (wide.idxmax(axis=1) == "Comb.").mean()
    assert table.loc[("a", "Comb."), "vptt_win_pct"] == pytest.approx(won)
    x, y = (items.query("prompt == 'a' and method == @m")["vptt"].to_numpy() for m in ("VPRAG", "Baseline"))
    pooled = np.sqrt((x.var(ddof=1) + y.var(ddof=1)) / 2)
    assert table.loc[("a", "VPRAG"), "vptt_d_vs_baseline"] == pytest.approx((x.mean() - y.mean()) / pooled)
    assert np.isnan(table.loc[("a", "Baseline"), "vptt_d_vs_baseline"])


def test_table3_is_the_mean_over_a_task_and_d_against_its_best():
    items = scored(np.random.default_rng(2))
    table = study.table3(items).set_index(["task", "method"])
    assert table.loc[("generation", "VPRAG"), "vptt"] == pytest.approx(
        items.query("task == 'generation' and method == 'VPRAG'")["vptt"].mean()
    )
    assert np.isnan(table.loc[("generation", "Comb."), "cohens_d_vs_best"])
    assert (
        table.loc[("generation", "Baseline"), "cohens_d_vs_best"]
        > table.loc[("generation", "VPRAG"), "cohens_d_vs_best"]
        > 0
    )
    assert (table["n"] == [60] * 5 + [30] * 5).all()


def test_ties_share_the_win():
    items = scored(np.random.default_rng(3)).assign(vptt=1.0)
    table = study.breakdown(items, np.random.default_rng(0))
    assert np.allclose(table["vptt_win_pct"], 20)


def test_rewrite_records_need_a_text_or_a_reason():
    with pytest.raises(ValueError, match="either a text or the reason"):
        Rewrite(persona="p", memory="p", prompt="q", method="BRAG", backend="x", text=None)

"""The audit against counts known in advance, independent calculations, and tables with one number changed."""

import itertools
from math import comb

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.proportion import binom_test

from personalab import audit
from personalab.audit import (
    findings,
    simplex,
    vptt_agreements,
    vptt_claims,
    vptt_formulas,
    zipp_agreements,
    zipp_groups,
    zipp_ipf,
    zipp_study,
)
from personalab.sources import ROOT

PAPERS = ROOT / "params" / "printed"
TABLES = {name: pd.read_csv(PAPERS / f"{name}.csv") for name in audit.TABLES}
MODULES = [
    module for module in vars(audit).values() if hasattr(module, "findings") and module is not findings
]
MODULE = {finding.id: module for module in MODULES for finding in module.findings(TABLES)}
FINDINGS = {finding.id: finding for finding in audit.audit(TABLES)}
BREAKDOWN = TABLES["vptt_tables7_10_breakdown"]

#: One change per finding: file, how to find the row, column, new value. Each must turn the verdict round.
CHANGES = {
    "vptt-composites": (
        "vptt_tables7_10_breakdown",
        {"table": 7, "llm": "Qwen", "method": "BRAG"},
        "pa",
        0.41,
    ),
    "vptt-table3-means": ("vptt_table3_10k_personas", {"llm": "Qwen", "method": "BRAG"}, "vptt", 0.59),
    "vptt-win-columns": ("vptt_tables7_10_breakdown", {"table": 8, "method": "Comb."}, "vptt_win_pct", 31.0),
    "vptt-accuracy-columns": ("vptt_table1_human_study", {"method": "BRAG"}, "human_acc_pct", 22.0),
    "vptt-generation-hours": ("vptt_prose", {"quantity": "generation_hours_max"}, "value", 250),
    "vptt-posts": ("vptt_table5_bench_stats", {"quantity": "posts"}, "value", 290000),
    "vptt-copy-paste": ("vptt_prose", {"quantity": "copy_paste_icl_drop_pct"}, "value", 6.4),
    "vptt-feedback-sizes": ("vptt_prose", {"quantity": "feedback_train_personas"}, "value", 140),
    "vptt-faces": ("vptt_prose", {"quantity": "face_combinations"}, "value", 4**10 * 2 * 3 * 4),
    "vptt-elements-mean": (
        "vptt_table5_bench_stats",
        {"quantity": "mean_visual_elements_fig11"},
        "value",
        45.3,
    ),
    "vptt-elements-total": (
        "vptt_table5_bench_stats",
        {"quantity": "visual_elements_total"},
        "value",
        386154,
    ),
    "vptt-facet-entries": (
        "vptt_table5_bench_stats",
        {"quantity": "mean_visual_elements_fig11"},
        "value",
        46,
    ),
    "vptt-personas": ("vptt_table5_bench_stats", {"quantity": "personas_fig11"}, "value", 10000),
    "vptt-ethnicity-groups": ("vptt_prose", {"quantity": "ethnicity_groups_sampled"}, "value", 9),
    "vptt-feedback-test-prompts": ("vptt_scalars", {"quantity": "feedback_test_prompts"}, "value", 2500),
    "vptt-evaluations": ("vptt_prose", {"quantity": "study_evaluations"}, "value", 600000),
    "vptt-post-mix": ("vptt_prose", {"quantity": "appreciation_pct_rendering"}, "value", 25),
    "vptt-correlations": ("vptt_correlations", {"pair": "extended_200_personas"}, "spearman_rho", 0.71),
    "vptt-algorithm1-quotas": ("vptt_table5_bench_stats", {"quantity": "posts_per_persona"}, "value", 3),
    "vptt-table3-caption": ("vptt_table3_10k_personas", {"llm": "4o-mini", "method": "Comb."}, "vptt", 0.65),
    "zipp-ipf-deltas": ("zipp_table14_ipf", {"method": "TV"}, "cs_delta_pct", -4.0),
    "zipp-table14-table1": ("zipp_table14_ipf", {"method": "TV"}, "pig_raw", 65.4),
    "zipp-sample-shares": ("zipp_table13_subgroups", {"subgroup": "Africa"}, "sample_pct", 6),
    "zipp-subgroup-ranges": ("zipp_table13_subgroups", {"subgroup": "Africa"}, "drum", 57.0),
    "zipp-persona-gains": ("zipp_table12_llms", {"llm": "GPT-4o"}, "gain_pct", 14),
    "zipp-quoted-drops": ("zipp_prose", {"quantity": "drop_age_drum_pct"}, "value", 21.4),
    "zipp-equal-shots": ("zipp_table1_unified", {"method": "TV"}, "pip_cs", 66.0),
    "zipp-zipbench-activity": ("zipp_prose", {"quantity": "zipbench_posts_main"}, "value", 16000),
    "zipp-study-size": ("zipp_table15_user_study", {"method_b": "ViPer"}, "n", 240),
    "zipp-rating-mean": ("zipp_scalars", {"quantity": "persona_quality_mean"}, "value", 4.3),
    "zipp-drum-cs": ("zipp_table1_unified", {"method": "DrUM"}, "pip_cs", 60.0),
    "zipp-highest": ("zipp_table1_unified", {"method": "DrUM"}, "pip_cs", 66.0),
    "zipp-model-count": ("zipp_prose", {"quantity": "llms_heading"}, "value", 14),
    "zipp-moe-gain": ("zipp_prose", {"quantity": "moe_gain_pct"}, "value", 5),
    "zipp-mean-gain": ("zipp_prose", {"quantity": "gain_mean_pct"}, "value", 10.6),
    "zipp-largest-gain": ("zipp_prose", {"quantity": "gain_max_intro_pct"}, "value", 20),
    "zipp-best-everywhere": ("zipp_table13_subgroups", {"subgroup": "N. America"}, "tv_3", 78.9),
    "zipp-equal-shares": ("zipp_table13_subgroups", {"subgroup": "Africa"}, "sample_pct", 4),
    "zipp-ipf-axes": ("zipp_prose", {"quantity": "ipf_axes_appendix"}, "value", 3),
    "zipp-subreddits": ("zipp_prose", {"quantity": "subreddits_pruned_graph"}, "value", 28000),
    "zipp-subreddits-used": ("zipp_prose", {"quantity": "subreddits_used_max"}, "value", 32000),
    "zipp-users": ("zipp_prose", {"quantity": "users_abstract"}, "value", 23000000),
    "zipp-edges-activity": ("zipp_prose", {"quantity": "edges_collected"}, "value", 341000000),
    "zipp-significance-tv": ("zipp_table15_user_study", {"method_a": "ZIPPY (0)", "n": 125}, "win_pct_a", 76),
    "zipp-significance-drum": ("zipp_table15_user_study", {"method_b": "DrUM"}, "win_pct_a", 60),
    "zipp-significance-others": ("zipp_table15_user_study", {"method_b": "ViPer"}, "win_pct_a", 55),
    "zipp-trials": ("zipp_prose", {"quantity": "trials_per_participant"}, "value", 25),
    "zipp-other-persona": ("zipp_table15_user_study", {"method_b": "ViPer"}, "method_b", "Other persona"),
    "zipp-expert-annotations": ("zipp_prose", {"quantity": "expert_criteria"}, "value", 3.4),
    "vptt-vprag-table3": ("vptt_table3_10k_personas", {"method": "VPRAG"}, "vptt", 0.7),
    "zipp-drum-pig": ("zipp_prose", {"quantity": "drum_surpassed"}, "value", 0),
    "zipp-backbone-gains": ("zipp_prose", {"quantity": "backbone_gain_max_pct"}, "value", 18.1),
    "zipp-third-place": ("zipp_table12_llms", {"llm": "Qwen3-32B"}, "clipscore_with_persona", 0.75),
    "zipp-frontier-gains": ("zipp_prose", {"quantity": "frontier_gain_min_pct"}, "value", 8),
    "zipp-pruning-regime": ("zipp_prose", {"quantity": "subreddits_removal_max"}, "value", 17000),
    "zipp-kappa-raters": ("zipp_prose", {"quantity": "experts"}, "value", 2),
}


def changed(file: str, where: dict, column: str, value: object) -> dict[str, pd.DataFrame]:
    """The tables with one column of the matching rows replaced."""
    table = TABLES[file].copy()
    rows = np.logical_and.reduce([table[key] == wanted for key, wanted in where.items()])
    assert rows.any(), f"no row of {file} has {where}"
    if isinstance(value, float):
        table[column] = table[column].astype(float)
    table.loc[rows, column] = value
    return TABLES | {file: table}


def verdict(tables: dict[str, pd.DataFrame], id: str) -> str:
    """The verdict of one finding, running only the module that makes it."""
    return next(finding.verdict for finding in MODULE[id].findings(tables) if finding.id == id)


# --- counts -----------------------------------------------------------------------------------------------


def test_all_composites_table3_means_and_win_columns_fit():
    composites = vptt_agreements.composite_rows(TABLES)
    entries = vptt_agreements.table3_entries(TABLES)
    columns = vptt_agreements.win_columns(TABLES)
    assert (len(composites), composites["holds"].sum()) == (60, 60)
    assert (len(entries), entries["holds"].sum()) == (30, 30)
    assert (len(columns), columns["holds"].sum()) == (24, 24)


def test_twenty_or_more_discrepancies_by_arithmetic():
    rows = audit.to_frame(list(FINDINGS.values()))
    found = rows.query("kind == 'arithmetic' and verdict in ('disagrees', 'cannot be both')")
    assert len(found) >= 20
    assert set(found["paper"]) == {"VPTT", "ZIPP"}


def test_findings_are_complete_and_distinct():
    rows = audit.to_frame(audit.audit(TABLES))
    assert rows["id"].is_unique
    assert (rows[["place", "claim", "arithmetic"]].map(len) > 0).all(axis=None)
    assert rows["arithmetic"].str.contains(r"\d").all()


def test_missing_table_is_named():
    with pytest.raises(KeyError, match="zipp_prose"):
        audit.audit({name: table for name, table in TABLES.items() if name != "zipp_prose"})


def test_missing_quantity_is_named():
    with pytest.raises(KeyError, match="no_such"):
        findings.quoted(TABLES, "zipp", "no_such")
    with pytest.raises(KeyError, match="no_such"):
        findings.listed(TABLES, "zipp_scalars", "no_such", 0, "")


# --- checks can fail --------------------------------------------------------------------------------------


@pytest.mark.parametrize("id", CHANGES)
def test_one_changed_number_turns_the_verdict(id):
    before, after = FINDINGS[id].verdict, verdict(changed(*CHANGES[id]), id)
    assert (before == "agrees") != (after == "agrees")


def test_vprag_best_everywhere_once_novelty_is_raised():
    raised = BREAKDOWN.assign(vptt=BREAKDOWN["vptt"] + 0.1 * (BREAKDOWN["method"] == "VPRAG"))
    tables = TABLES | {"vptt_tables7_10_breakdown": raised}
    assert verdict(tables, "vptt-vprag-cells") == "agrees"
    assert FINDINGS["vptt-vprag-cells"].verdict == "disagrees"


def test_image_alignment_agrees_with_the_range_of_table_10():
    prose = TABLES["zipp_prose"].set_index("quantity")
    prose.loc[["image_align_lift_min", "image_align_lift_max"], "value"] = [2.0, 6.0]
    assert FINDINGS["zipp-image-align"].verdict == "disagrees"
    assert verdict(TABLES | {"zipp_prose": prose.reset_index()}, "zipp-image-align") == "agrees"


def test_every_finding_comes_from_one_module():
    assert set(MODULE) == set(FINDINGS)


def test_ipf_agrees_when_aggregates_come_from_weights():
    table = TABLES["zipp_table13_subgroups"].copy()
    columns = zipp_agreements.METHODS
    same = table["axis"] != "aggregate"
    # Equal subgroups make every axis reach the same mean, so any printed aggregate equal to it is feasible.
    table.loc[same, columns] = [66.9, 73.8, 64.7, 73.7, 72.8, 77.4]
    tables = TABLES | {"zipp_table13_subgroups": table}
    assert verdict(tables, "zipp-ipf-tv") == verdict(tables, "zipp-ipf-joint") == "agrees"


def test_throughput_agrees_when_seconds_fit_the_rates():
    tables = changed("vptt_prose", {"quantity": "standard_seconds_max"}, "value", 60)
    assert verdict(tables, "vptt-throughput-standard") == "agrees"
    assert verdict(tables, "vptt-throughput-lightning") == "cannot be both"


# --- independent calculations -----------------------------------------------------------------------------


def test_composite_by_hand():
    row = (
        vptt_agreements.composite_rows(TABLES)
        .query("table == 7 and llm == '4o-mini' and method == 'BRAG'")
        .iloc[0]
    )
    # 0.0632 + 0.1791 + 0.2022 + 0.1716
    assert row["vptt_again"] == pytest.approx(0.6161)
    assert row["vptt_c_again"] == pytest.approx(1.587 / 3)


def test_nine_of_twelve_by_sorting():
    ranked = BREAKDOWN.sort_values("vptt", ascending=False).drop_duplicates(["table", "llm"])
    assert ranked["method"].value_counts().to_dict() == {"VPRAG": 9, "Comb.": 3}
    assert (vptt_claims.cell_winners(TABLES) == "VPRAG").sum() == 9


def test_soft_cp_has_no_gradient_and_hard_cp_does():
    distances = torch.rand(
        6, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0), requires_grad=True
    )
    soft = torch.softmax(-distances / 0.1, dim=1).sum()
    (gradient,) = torch.autograd.grad(soft, distances)
    assert gradient.abs().max() < 1e-12
    ours = vptt_formulas.printed_soft_cp(distances.detach().numpy(), 0.1)
    assert np.allclose(ours, 1.0)
    hard = torch.exp(-distances.min(dim=1).values)
    assert torch.autograd.grad(hard.sum(), distances)[0].abs().max() > 0.1
    assert np.allclose(vptt_formulas.hard_cp(distances.detach().numpy()), hard.detach().numpy())


def test_single_key_output_is_the_same_in_torch():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        layer = torch.nn.MultiheadAttention(128, 4, batch_first=True)
        profiles, prompt = torch.randn(7, 1, 128), torch.randn(1, 1, 128).expand(7, 1, 128)
    output, weights = layer(profiles, prompt, prompt)
    assert torch.allclose(weights, torch.ones_like(weights))
    assert torch.allclose(output, output[:1].expand_as(output), atol=1e-6)


def test_attention_matches_torch():
    rng = np.random.default_rng(1)
    q, k, v = rng.normal(size=(3, 6, 2, 8))
    q = q[:4]
    ours = vptt_formulas.attention_output(q, k, v)
    theirs = torch.nn.functional.scaled_dot_product_attention(
        *(torch.as_tensor(x).transpose(0, 1) for x in (q, k, v))
    ).transpose(0, 1)
    assert np.allclose(ours, theirs.numpy())


def test_face_lists_by_brute_force_over_all_assignments():
    # Every one of the 3^10 assignments of 4-6 options, not multisets; the remainder must split in three >= 2.
    products = np.array([1])
    for _ in range(10):
        products = np.multiply.outer(products, [4, 5, 6]).ravel()
    assert len(products) == 3**10
    rest = {97_200_000 // p for p in set(products.tolist()) if 97_200_000 % p == 0}
    assert rest == {4, 5, 6, 9}
    triples = [t for n in rest for t in itertools.product(range(2, n + 1), repeat=3) if np.prod(t) == n]
    assert triples == []
    found = vptt_formulas.face_factorisations(97_200_000, 97_200_000, 10, range(4, 7))
    assert (found["a"] == 1).all()
    assert set(found["a"] * found["b"] * found["c"]) == rest


def test_face_factorisations_on_a_small_case():
    found = vptt_formulas.face_factorisations(32, 32, 1, range(4, 6))
    assert found[["n_4", "a", "b", "c"]].to_numpy().tolist() == [[1, 1, 1, 8], [1, 1, 2, 4], [1, 2, 2, 2]]


def test_tv_bounds_by_vertices():
    # A linear objective over {w >= 0, sum 1, w.a = v} has its ends where at most two weights are positive.
    for _, group in zipp_agreements.subgroups(TABLES).groupby("axis"):
        llm, tv = group["llm_0"].to_numpy(), group["tv_3"].to_numpy()
        ends = []
        for value in (66.85, 66.95):
            for i, j in itertools.permutations(range(len(group)), 2):
                if llm[i] <= value <= llm[j]:
                    share = (value - llm[i]) / (llm[j] - llm[i])
                    ends.append((1 - share) * tv[i] + share * tv[j])
            ends += list(tv[(llm >= 66.85) & (llm <= 66.95)])
        scores = group[zipp_agreements.METHODS].to_numpy().T
        bounds = zipp_ipf.target_range(scores, 0, 66.9, 1, error=0.05)
        assert bounds == pytest.approx((min(ends), max(ends)), abs=1e-9)
        assert 76.2 < bounds[0] and bounds[1] < 77.3


def test_tv_minus_llm_alone_rules_the_aggregates_out():
    rows = zipp_agreements.subgroups(TABLES)
    gap = rows["tv_3"] - rows["llm_0"]
    printed = zipp_agreements.aggregates(TABLES).loc["IPF-reweighted"]
    # A weighted mean of gaps lies between their extremes; rounding moves either side by 0.1 at most.
    assert gap.min() == pytest.approx(9.0) and gap.max() == pytest.approx(10.5)
    assert printed["tv_3"] - printed["llm_0"] < gap.min() - 0.2


def test_unreachable_value_gives_none():
    scores = np.array([[1.0, 2.0], [3.0, 4.0]])
    assert zipp_ipf.target_range(scores, 0, 5.0, 1) is None


def test_impossible_limits_are_an_error():
    with pytest.raises(ValueError, match="limits"):
        zipp_ipf.smallest_misfit(np.eye(2), np.ones(2), [(0.0, 0.1), (0.0, 0.1)])


@given(st.integers(0, 10_000))
@settings(max_examples=25, deadline=None)
def test_misfit_is_zero_for_a_true_mixture(seed):
    rng = np.random.default_rng(seed)
    scores, weights = rng.uniform(50, 80, size=(4, 5)), rng.dirichlet(np.ones(5))
    misfit, _ = zipp_ipf.smallest_misfit(scores, scores @ weights)
    assert misfit < 1e-7
    low, high = zipp_ipf.target_range(scores, 0, scores[0] @ weights, 1)
    assert low - 0.05 <= scores[1] @ weights <= high + 0.05


def test_p_values_against_statsmodels():
    rows = zipp_study.p_values(TABLES)
    for row in rows.itertuples():
        assert row.two_sided == pytest.approx(binom_test(row.wins, row.n, alternative="two-sided"), rel=1e-9)
        assert row.one_sided == pytest.approx(binom_test(row.wins, row.n, alternative="larger"), rel=1e-9)


def test_seventy_of_125_in_exact_arithmetic():
    tail = sum(comb(125, k) for k in range(70, 126)) / 2**125
    row = zipp_study.p_values(TABLES).query("win_pct == 56").iloc[0]
    assert (row["wins"], row["n"]) == (70, 125)
    assert row["one_sided"] == pytest.approx(tail)
    assert row["two_sided"] == pytest.approx(2 * tail)


def test_counts_that_print_as_a_percentage():
    assert zipp_study.win_counts(58, 250).tolist() == [144, 145, 146]
    assert all(round(100 * k / 250) == 58 for k in (144, 145, 146))


def test_drum_comparison_depends_on_the_count():
    two_sided = zipp_study.p_values(TABLES).query("method_b == 'DrUM'").set_index("wins")["two_sided"]
    assert two_sided[145] > 0.01 > two_sided[146]
    assert FINDINGS["zipp-significance-drum"].verdict == "rests on reading"


def test_where_the_persona_method_does_not_lead():
    found = FINDINGS["zipp-best-everywhere"].arithmetic
    assert "behind in N. America" in found and "level in 25-34, Creative / Arts" in found


def test_spread_of_one_method_by_hand():
    tv = zipp_agreements.subgroups(TABLES)["tv_3"].to_numpy()
    sd = np.sqrt(((tv - tv.mean()) ** 2).mean())
    assert f"{sd:.2f}" in zipp_groups.subgroup_spread(TABLES).arithmetic


# --- intervals --------------------------------------------------------------------------------------------


@given(st.floats(-1e3, 1e3), st.integers(0, 4))
def test_a_number_prints_as_its_rounding(value, decimals):
    printed = findings.Printed(round(value, decimals), 10.0**-decimals, "")
    assert findings.prints_as(value, printed)
    assert findings.meet(printed, findings.Printed(value, 0, ""))


def test_intervals_apart_do_not_meet():
    assert not findings.meet(findings.Printed(38.6, 0.1, ""), findings.Printed(45.3, 0.1, ""))
    assert findings.meet(findings.Printed(22.8, 0.1, ""), findings.Printed(23, 1, ""))


def test_readings():
    assert [findings.by_reading(c) for c in ([True, True], [True, False], [False, False])] == [
        "agrees",
        "rests on reading",
        "disagrees",
    ]


# --- simplex of weights -----------------------------------------------------------------------------------


@pytest.mark.parametrize("step", [0.5, 0.1, 0.05])
def test_grid_has_every_composition(step):
    grid = simplex.weight_grid(step)
    parts = round(1 / step)
    assert len(grid) == comb(parts + 3, 3) == len(np.unique(grid, axis=0))
    assert np.allclose(grid.sum(axis=1), 1) and (grid >= 0).all()


def test_step_must_divide_one():
    with pytest.raises(ValueError, match=r"0\.3"):
        simplex.weight_grid(0.3)


def test_paper_weights_give_the_papers_winners():
    cells, components = simplex.cell_components(BREAKDOWN)
    weights = simplex.along_novelty(np.array([0.2]))
    assert weights[0] == pytest.approx(vptt_agreements.score_weights(TABLES).to_numpy())
    winners = [simplex.METHODS[i] for i in simplex.wins(components, weights)[0].argmax(axis=1)]
    assert winners == vptt_claims.cell_winners(TABLES).loc[cells].tolist()


def test_corner_of_novelty_alone_is_the_novelty_ranking():
    _, components = simplex.cell_components(BREAKDOWN)
    winners = simplex.wins(components, np.array([[0.0, 0.0, 0.0, 1.0]]))[0].argmax(axis=1)
    best = BREAKDOWN.loc[BREAKDOWN.groupby(["table", "llm"])["nv"].idxmax(), "method"]
    assert [simplex.METHODS[i] for i in winners] == best.tolist()


def test_shares_agree_with_uniform_random_weights():
    table = simplex.simplex_shares(BREAKDOWN, 0.02)
    shares = table[simplex.METHODS].to_numpy()
    assert np.allclose(shares.sum(axis=1), 1)
    _, components = simplex.cell_components(BREAKDOWN)
    drawn = simplex.wins(components, np.random.default_rng(0).dirichlet(np.ones(4), size=50_000)).mean(axis=0)
    assert np.abs(shares[:-1] - drawn).max() < 0.015
    assert np.abs(shares[-1] - drawn.mean(axis=0)).max() < 0.005


def test_ties_are_shared():
    components = np.array([[[1.0, 0, 0, 0], [1.0, 0, 0, 0], [0.5, 0, 0, 0]]])
    assert simplex.wins(components, np.array([[1.0, 0, 0, 0]])).tolist() == [[[0.5, 0.5, 0.0]]]


def test_exact_intervals_agree_with_a_scan():
    _, components = simplex.cell_components(BREAKDOWN)
    novelty = np.linspace(0.0005, 0.9995, 1000)
    leads = (
        simplex.wins(components, simplex.along_novelty(novelty))[:, :, simplex.METHODS.index("VPRAG")] == 1
    )
    for cell, row in enumerate(simplex.novelty_intervals(BREAKDOWN).itertuples()):
        inside = (novelty > row.low) & (novelty < row.high)
        assert (leads[:, cell] == inside).all()


def test_a_method_that_never_leads_has_no_interval():
    assert simplex.novelty_intervals(BREAKDOWN, "Baseline")[["low", "high"]].isna().all(axis=None)

"""VPTT's statements about its benchmark and its results, held against its own tables.

Two kinds: a quantity printed twice with different values, and a sentence about a table that the table does not
bear out. Nothing is re-measured here.
"""

import pandas as pd

from .findings import Finding, Tables, by_reading, listed, meet, prints_as, quoted, settle


def cell_winners(tables: Tables, score: str = "vptt") -> pd.Series:
    """The method with the highest mean score in each of the 12 cells of Tables 7-10.

    Args:
        score: "vptt" or "vptt_c".

    Returns:
        Method by (table, llm); the first listed on a tie.
    """
    rows = tables["vptt_tables7_10_breakdown"].set_index("method")
    return rows.groupby(["table", "llm"])[score].idxmax()


def vprag_cells(tables: Tables) -> Finding:
    """How many cells of Tables 7-10 VPRAG leads by the VPTT score (section 4.2.3)."""
    winners = cell_winners(tables)
    counts = ", ".join(f"{method} {n}" for method, n in winners.value_counts().items())
    return Finding(
        "vptt-vprag-cells",
        "VPTT",
        "section 4.2.3, Tables 7-10",
        "VPRAG has the best VPTT score throughout, whichever model rewrites.",
        f"highest mean score in {len(winners)} cells: {counts}",
        settle(bool((winners == "VPRAG").all()), "disagrees"),
    )


def vprag_table3(tables: Tables) -> Finding:
    """The same statement on the six rows of Table 3, which the sentence cites."""
    best = _best_of_table3(tables)
    return Finding(
        "vptt-vprag-table3",
        "VPTT",
        "section 4.2.3, Table 3",
        "Table 3 shows VPRAG with the best VPTT score throughout.",
        f"VPRAG is best in {(best == 'VPRAG').sum()} of {len(best)} rows, Comb. in {(best == 'Comb.').sum()}",
        settle(bool((best == "VPRAG").all()), "disagrees"),
    )


def _best_of_table3(tables: Tables) -> pd.Series:
    rows = tables["vptt_table3_10k_personas"].set_index("method")
    return rows.groupby(["task", "llm"])["vptt"].idxmax()


def combined_ahead(tables: Tables) -> Finding:
    """The caption of Table 3 gives the four rows of GPT-4o-mini and Gemini to Comb."""
    best = _best_of_table3(tables)
    others = best[best.index.get_level_values("llm") != "Qwen"]
    missed = ", ".join(f"{task} {llm}" for task, llm in others[others != "Comb."].index)
    return Finding(
        "vptt-table3-caption",
        "VPTT",
        "caption of Table 3, Table 3",
        "Comb. does slightly better than VPRAG with GPT-4o-mini and with Gemini.",
        f"Comb. leads in {(others == 'Comb.').sum()} of {len(others)} rows; not in: {missed or 'none'}",
        settle(bool((others == "Comb.").all()), "disagrees"),
    )


def two_scores(tables: Tables) -> Finding:
    """Section 14 reports both composites in Tables 7-10 as telling one story."""
    full, core = cell_winners(tables), cell_winners(tables, "vptt_c")
    counts = ", ".join(f"{method} {n}" for method, n in core.value_counts().items())
    return Finding(
        "vptt-two-scores",
        "VPTT",
        "section 14, Tables 7-10",
        "Both composites are consistent with the main study.",
        f"same winner in {(full == core).sum()} of {len(full)} cells; winners by VPTT-c: {counts}",
        settle(bool((full == core).all()), "rests on reading"),
        kind="reading",
        note="consistent may mean no more than that persona methods beat the baselines",
    )


def correlations(tables: Tables) -> Finding:
    """Section 4.2.1 puts generation correlations above 0.7: its own three, or also the one on 200 personas."""
    floor = quoted(tables, "vptt", "generation_correlation_floor").value
    rho = tables["vptt_correlations"].query("split == 'generation'").set_index("pair")["spearman_rho"]
    here = rho.drop("extended_200_personas")
    return Finding(
        "vptt-correlations",
        "VPTT",
        "sections 4.2.1 and 4.2.2",
        "For generation the rank correlations always lie above 0.7.",
        f"{(rho > floor).sum()} of {len(rho)} are printed above {floor:g}: "
        + ", ".join(f"{name} {value:.2f}" for name, value in rho.items()),
        by_reading([bool((values + 0.005 > floor).all()) for values in (here, rho)]),
        kind="reading",
        note="a value printed as 0.70 may lie above; the fourth is reported one section later",
    )


def elements_mean(tables: Tables) -> Finding:
    """Mean visual elements per persona in Table 5 and in the caption of Fig. 11."""
    table = listed(tables, "vptt_table5_bench_stats", "mean_visual_elements_per_persona", 0.1, "Table 5")
    figure = listed(tables, "vptt_table5_bench_stats", "mean_visual_elements_fig11", 0.1, "Fig. 11")
    return Finding(
        "vptt-elements-mean",
        "VPTT",
        "Table 5, Fig. 11",
        "A persona has 45.3 visual elements on average; it has 38.6.",
        f"{table.value:,g} against {figure.value:,g}, both to one decimal",
        settle(meet(table, figure), "cannot be both"),
    )


def elements_total(tables: Tables) -> Finding:
    """Total elements over personas against both printed means (Fig. 11, Table 5)."""
    names = ("visual_elements_total", "personas_fig11")
    total, personas = (listed(tables, "vptt_table5_bench_stats", name, 0, "Fig. 11").value for name in names)
    means = [
        listed(tables, "vptt_table5_bench_stats", f"mean_visual_elements_{name}", 0.1, "")
        for name in ("fig11", "per_persona")
    ]
    return Finding(
        "vptt-elements-total",
        "VPTT",
        "Fig. 11, Table 5",
        "All personas together have 269,035 visual elements.",
        f"{total:,g} / {personas:,g} = {total / personas:.1f} a persona, against "
        + " and ".join(f"{mean.value:g}" for mean in means),
        settle(any(prints_as(total / personas, mean) for mean in means), "rests on reading"),
        kind="reading",
        note="a contradiction if it is a total; a count of distinct elements, as the interests are, may be smaller",
    )


def facet_entries(tables: Tables) -> Finding:
    """Three facets of 15-20 entries against the two printed means."""
    facets, low, high = (
        quoted(tables, "vptt", name).value for name in ("facets", "facet_entries_min", "facet_entries_max")
    )
    means = [
        listed(tables, "vptt_table5_bench_stats", f"mean_visual_elements_{name}", 0.1, "").value
        for name in ("per_persona", "fig11")
    ]
    return Finding(
        "vptt-facet-entries",
        "VPTT",
        "section 9.3, Table 5, Fig. 11",
        "Each of three facets has 15-20 entries.",
        f"{facets:,g} x {low:,g} to {facets:,g} x {high:,g} = {facets * low:,g} to {facets * high:,g}, against "
        + " and ".join(f"{mean:,g}" for mean in means),
        by_reading([facets * low <= mean <= facets * high for mean in means]),
        kind="reading",
        note="section 9.4 removes unused entries, which may bring the mean below 45",
    )


def persona_count(tables: Tables) -> Finding:
    """Personas in Table 5 and in Fig. 11."""
    table, figure = (
        listed(tables, "vptt_table5_bench_stats", name, 0, "").value
        for name in ("personas", "personas_fig11")
    )
    return Finding(
        "vptt-personas",
        "VPTT",
        "Table 5, Fig. 11",
        "The benchmark has 10,000 personas; the figure shows 10,004.",
        f"{table:,g} against {figure:,g}",
        settle(table == figure, "rests on reading"),
        kind="reading",
        note="Table 5 may round",
    )


def findings(tables: Tables) -> list[Finding]:
    """All checks of this module."""
    results = (vprag_cells, vprag_table3, combined_ahead, two_scores, correlations)
    bench = (elements_mean, elements_total, facet_entries, persona_count)
    return [check(tables) for check in (*results, *bench)]

"""VPTT's own numbers recomputed: the places where they fit together.

Composites from their components, Table 3 from Tables 7-10, win shares, and the small sums of the text. Each
check returns the table it rests on, so that a reader can see every row; the findings only count.
"""

import pandas as pd

from .findings import Finding, Printed, Tables, listed, meet, prints_as, quoted, settle

COMPONENTS = ["pa", "gs", "cp", "nv"]

#: Half a unit of the third decimal, the rounding of every score in Tables 3 and 7-10.
HALF = 0.0005


def score_weights(tables: Tables) -> pd.Series:
    """The four weights of the VPTT score (section 3.4), indexed by component."""
    return pd.Series({name: quoted(tables, "vptt", f"weight_{name}").value for name in COMPONENTS})


def composite_rows(tables: Tables) -> pd.DataFrame:
    """The 60 rows of Tables 7-10 with both composites recomputed (section 3.4).

    A sum of rounded terms is off by at most the weighted sum of their half units, and the printed composite by
    half a unit more; a missing novelty counts as an exact 0. Adds vptt_again, vptt_c_again and `holds`.
    """
    rows = tables["vptt_tables7_10_breakdown"].copy()
    weights = score_weights(tables)
    rows["vptt_again"] = rows[COMPONENTS].fillna(0.0) @ weights
    rows["vptt_c_again"] = rows[["pa", "gs", "cp"]].mean(axis=1)
    spread = HALF * (rows[COMPONENTS].notna() @ weights)
    rows["holds"] = ((rows["vptt_again"] - rows["vptt"]).abs() <= spread + HALF + 1e-9) & (
        (rows["vptt_c_again"] - rows["vptt_c"]).abs() <= 2 * HALF + 1e-9
    )
    return rows


def table3_entries(tables: Tables) -> pd.DataFrame:
    """The 30 scores of Table 3 beside the mean of the two prompts of that task in Tables 7-10, with `holds`."""
    mean = tables["vptt_tables7_10_breakdown"].groupby(["task", "llm", "method"])["vptt"].mean()
    rows = tables["vptt_table3_10k_personas"].merge(mean.rename("mean").reset_index())
    rows["holds"] = (rows["mean"] - rows["vptt"]).abs() <= 2 * HALF + 1e-9
    return rows


def win_columns(tables: Tables) -> pd.DataFrame:
    """The 24 win columns of Tables 7-10 (12 cells, two scores): their sums, and whether they can be 100.

    Each of the five shares is rounded to 0.1, so a sum may miss 100 by 0.25.
    """
    columns = {"vptt_win_pct": "vptt", "vptt_c_win_pct": "vptt_c"}
    sums = tables["vptt_tables7_10_breakdown"].groupby(["table", "llm"])[list(columns)].sum()
    rows = sums.rename(columns=columns).melt(ignore_index=False, var_name="score", value_name="sum")
    rows["holds"] = (rows["sum"] - 100).abs() <= 5 * 0.05 + 1e-9
    return rows.reset_index()


def _counted(id: str, place: str, claim: str, checks: pd.Series, what: str) -> Finding:
    arithmetic = f"{int(checks.sum())} of {len(checks)} {what}"
    return Finding(id, "VPTT", place, claim, arithmetic, settle(bool(checks.all()), "disagrees"))


def composites(tables: Tables) -> Finding:
    """Both composites of every row of Tables 7-10 follow from PA, GS, CP and NV."""
    claim = "The composite scores are the stated weighted sums of the four components."
    checks = composite_rows(tables)["holds"]
    return _counted("vptt-composites", "Tables 7-10, section 3.4", claim, checks, "rows within rounding")


def table3_means(tables: Tables) -> Finding:
    """Every score of Table 3 is the mean of two rows of Tables 7-10."""
    claim = "The main text study averages the two prompts of each task."
    checks = table3_entries(tables)["holds"]
    return _counted("vptt-table3-means", "Table 3, Tables 7-10", claim, checks, "entries within rounding")


def win_sums(tables: Tables) -> Finding:
    """Every win column of Tables 7-10 sums to 100 %."""
    claim = "Each persona and prompt has one winning method."
    checks = win_columns(tables)["holds"]
    return _counted("vptt-win-columns", "Tables 7-10", claim, checks, "columns sum to 100 within rounding")


def accuracy_sums(tables: Tables) -> Finding:
    """The accuracy columns of Tables 1 and 2 sum to 100 %; four or five shares, each rounded to 0.1."""
    one = tables["vptt_table1_human_study"].filter(like="acc_pct").sum()
    two = tables["vptt_table2_200_personas"].groupby("task")[["acc_pct", "vlm_acc_pct"]].sum().stack()
    sums = pd.concat([one, two])
    checks = (sums - 100).abs() <= 0.25 + 1e-9
    claim = "Accuracy is the share of cases in which a method is rated best."
    return _counted(
        "vptt-accuracy-columns", "Tables 1 and 2", claim, checks, "columns sum to 100 within rounding"
    )


def generation_time(tables: Tables) -> Finding:
    """Benchmark size divided by profiles per hour gives the hours quoted."""
    personas, slow, fast = (
        listed(tables, "vptt_table5_bench_stats", name, 0, "Table 5").value
        for name in ("personas", "profiles_per_hour_min", "profiles_per_hour_max")
    )
    low, high = (quoted(tables, "vptt", f"generation_hours_{end}") for end in ("min", "max"))
    # The lower end is printed cut off, not rounded: 66.7 appears as 66, so a whole unit is allowed.
    holds = prints_as(personas / fast, low, error=0.5) and prints_as(personas / slow, high)
    return Finding(
        "vptt-generation-hours",
        "VPTT",
        f"Table 5, {low.place}",
        "Making the benchmark takes 66 to 200 hours.",
        f"{personas:,g} / {fast:,g} = {personas / fast:.1f} h; {personas:,g} / {slow:,g} = {personas / slow:.1f} h",
        settle(holds, "disagrees"),
    )


def post_count(tables: Tables) -> Finding:
    """Personas times posts per persona is the number of posts."""
    personas, each, posts = (
        listed(tables, "vptt_table5_bench_stats", name, 0, "Table 5").value
        for name in ("personas", "posts_per_persona", "posts")
    )
    return Finding(
        "vptt-posts",
        "VPTT",
        "Table 5",
        "The benchmark holds 300,000 posts.",
        f"{personas:,g} x {each:,g} = {personas * each:,g}; printed {posts:,g}",
        settle(personas * each == posts, "cannot be both"),
    )


def copy_paste(tables: Tables) -> Finding:
    """The relative drops under the copy-paste penalty follow from the scores before and after."""
    checks, sums = [], []
    for who in ("icl", "ours"):
        before, after = (
            listed(tables, "vptt_scalars", f"copy_paste_{who}_{when}", 0.01, "section 7.2.3")
            for when in ("before", "after")
        )
        drops = [100 * (1 - a / b) for a, b in ((after.high, before.low), (after.low, before.high))]
        drop = Printed(sum(drops) / 2, max(drops) - min(drops), "")
        checks.append(meet(drop, quoted(tables, "vptt", f"copy_paste_{who}_drop_pct")))
        sums.append(
            f"{before.value:,g} to {after.value:,g} is -{100 * (1 - after.value / before.value):.1f} %"
        )
    claim = "Penalising copied images costs the in-context baseline 5.4 % and VPRAG 2.6 %."
    verdict = settle(all(checks), "disagrees")
    return Finding("vptt-copy-paste", "VPTT", "section 7.2.3", claim, "; ".join(sums), verdict)


def feedback_sizes(tables: Tables) -> Finding:
    """Personas, prompts per persona and examples of the feedback study multiply out."""
    names = ("personas", "prompts_per_persona", "examples", "train_personas", "validation_personas")
    personas, each, examples, train, validation = (
        quoted(tables, "vptt", f"feedback_{name}").value for name in names
    )
    test = listed(tables, "vptt_scalars", "feedback_test_users", 0, "section 4.2.4").value
    return Finding(
        "vptt-feedback-sizes",
        "VPTT",
        "section 4.2.4",
        "200 personas with 50 prompts each give 10,000 examples, split by persona.",
        f"{personas:,g} x {each:,g} = {personas * each:,g}; {train:,g} + {validation:,g} + {test:,g} = "
        f"{train + validation + test:,g}",
        settle(personas * each == examples and train + validation + test == personas, "cannot be both"),
    )


def findings(tables: Tables) -> list[Finding]:
    """All checks of this module."""
    checks = (composites, table3_means, win_sums, accuracy_sums, generation_time, post_count, copy_paste)
    return [check(tables) for check in (*checks, feedback_sizes)]

"""ZIPP's own numbers recomputed: the places where they fit together.

Relative changes from the scores they are changes of, tables that repeat one another, shares that sum to 100.
"""

import pandas as pd

from .findings import Finding, Printed, Tables, listed, prints_as, quoted, settle

METHODS = ["llm_0", "tv_3", "drum", "viper", "zippy_0", "zippy_5"]

#: Half a unit of the last digit of CLIPScore and PIGReward in Tables 1, 13 and 14.
HALF = 0.05


def relative_change(before: float, after: float, half: float) -> Printed:
    """The change from `before` to `after` in percent, as the interval their rounding by `half` allows."""
    low, high = (100 * ((after + s * half) / (before - s * half) - 1) for s in (-1, 1))
    return Printed((low + high) / 2, high - low, "")


def subgroups(tables: Tables) -> pd.DataFrame:
    """Table 13 without its five rows of aggregates."""
    return tables["zipp_table13_subgroups"].query("axis != 'aggregate'")


def aggregates(tables: Tables) -> pd.DataFrame:
    """The aggregate rows of Table 13, indexed by their name."""
    return tables["zipp_table13_subgroups"].query("axis == 'aggregate'").set_index("subgroup")[METHODS]


def _finding(id: str, place: str, claim: str, checks: list[bool], what: str) -> Finding:
    arithmetic = f"{sum(checks)} of {len(checks)} {what}"
    return Finding(id, "ZIPP", place, claim, arithmetic, settle(all(checks), "disagrees"))


def ipf_deltas(tables: Tables) -> Finding:
    """The 12 relative changes of Table 14 from its raw and reweighted scores."""
    checks = []
    for row in tables["zipp_table14_ipf"].itertuples():
        for raw, ipf, delta in (
            (row.cs_raw, row.cs_ipf, row.cs_delta_pct),
            (row.pig_raw, row.pig_ipf, row.pig_delta_pct),
        ):
            change = relative_change(raw, ipf, HALF)
            checks.append(prints_as(change.value, Printed(delta, 0.1, ""), error=change.step / 2))
    claim = "Table 14 gives the relative change from raw to reweighted scores."
    return _finding("zipp-ipf-deltas", "Table 14", claim, checks, "changes within rounding")


def repeated_tables(tables: Tables) -> Finding:
    """Table 14 repeats Table 1's RapidData (raw) and demographic (reweighted) columns: 24 numbers."""
    main = tables["zipp_table1_unified"].assign(shots=lambda t: t["shots"].fillna(-1))
    rows = [("GPT-4o", 0), ("TV", 3), ("DrUM", -1), ("ViPer", -1), ("ZIPPY", 0), ("ZIPPY", 5)]
    columns = ["rapiddata_cs", "demographic_cs", "rapiddata_pig", "demographic_pig"]
    left = main.set_index(["method", "shots"]).loc[rows, columns].to_numpy()
    right = tables["zipp_table14_ipf"][["cs_raw", "cs_ipf", "pig_raw", "pig_ipf"]].to_numpy()
    claim = "Tables 1 and 14 report the same raw and reweighted scores."
    return _finding(
        "zipp-table14-table1", "Tables 1 and 14", claim, list((left == right).ravel()), "scores equal"
    )


def sample_shares(tables: Tables) -> Finding:
    """Sample shares of Table 13 sum to 100 % on each axis."""
    sums = subgroups(tables).groupby("axis")["sample_pct"].sum()
    claim = "Every axis of Table 13 covers the whole sample."
    return _finding("zipp-sample-shares", "Table 13", claim, list(sums == 100), "axes sum to 100")


def subgroup_ranges(tables: Tables) -> Finding:
    """The ranges at the foot of Table 13: highest minus lowest subgroup score."""
    scores = subgroups(tables)[METHODS]
    misses = (scores.max() - scores.min() - aggregates(tables).loc["range"]).abs()
    claim = "Table 13 gives each method's range over subgroups."
    return _finding(
        "zipp-subgroup-ranges", "Table 13", claim, list(misses < 3 * HALF + 1e-9), "ranges recomputed"
    )


def persona_gains(tables: Tables) -> Finding:
    """The 14 relative gains of Table 12 from the two scores beside them."""
    checks = []
    for row in tables["zipp_table12_llms"].itertuples():
        change = relative_change(row.clipscore_without_persona, row.clipscore_with_persona, 0.005)
        checks.append(prints_as(change.value, Printed(row.gain_pct, 1, ""), error=change.step / 2))
    claim = "Table 12 gives the relative gain from adding the persona."
    return _finding("zipp-persona-gains", "Table 12", claim, checks, "gains within rounding")


def quoted_drops(tables: Tables) -> Finding:
    """Five drops between subgroups that appendix F.5 quotes in percent."""
    scores = subgroups(tables).set_index("subgroup")
    pairs = {"age": ("25-34", "55+"), "region": ("N. America", "Africa")}
    checks = []
    for axis, method in (
        *(("age", m) for m in ("drum", "tv_3", "zippy_5")),
        ("region", "drum"),
        ("region", "tv_3"),
    ):
        best, worst = scores.loc[list(pairs[axis]), method]
        change = relative_change(best, worst, HALF)
        checks.append(
            prints_as(-change.value, quoted(tables, "zipp", f"drop_{axis}_{method}_pct"), change.step / 2)
        )
    claim = "Scores fall by the quoted percentages from the best to the worst served group."
    return _finding("zipp-quoted-drops", "appendix F.5, Table 13", claim, checks, "drops within rounding")


def equal_shots(tables: Tables) -> Finding:
    """ZIPPY with three shots against Tailored Visions with three, four benchmarks, two metrics."""
    rows = tables["zipp_table1_unified"].query("shots == 3").set_index("method")
    columns = [
        f"{name}_{metric}"
        for name in ("zipbench", "pip", "movielens", "rapiddata")
        for metric in ("cs", "pig")
    ]
    claim = "At three shots the persona method beats retrieval on every benchmark."
    checks = list(rows.loc["ZIPPY", columns] > rows.loc["TV", columns])
    return _finding("zipp-equal-shots", "section 4.2.2, Table 1", claim, checks, "comparisons won")


def zipbench_activity(tables: Tables) -> Finding:
    """Table 8's posts and comments of ZIP-Bench as the sum section 3.1 gives."""
    posts, comments = (
        quoted(tables, "zipp", f"zipbench_{what}_main").value for what in ("posts", "comments")
    )
    total = tables["zipp_table8_datasets"].set_index("dataset").loc["ZIP-Bench", "posts_and_comments"]
    return Finding(
        "zipp-zipbench-activity",
        "ZIPP",
        "section 3.1, Table 8",
        "ZIP-Bench's users wrote 198 thousand posts and comments.",
        f"{posts:,g} + {comments:,g} = {posts + comments:,g}, printed {total:,g}",
        settle(posts + comments == total, "cannot be both"),
    )


def study_size(tables: Tables) -> Finding:
    """Comparisons of Table 15 sum to participants times trials."""
    people, total = (
        listed(tables, "zipp_scalars", name, 0, "section 5").value for name in ("participants", "annotations")
    )
    trials = quoted(tables, "zipp", "trials_per_participant").value
    rows = tables["zipp_table15_user_study"]["n"].sum()
    return Finding(
        "zipp-study-size",
        "ZIPP",
        "section 5, appendix G.1, Table 15",
        "50 participants with 20 trials give 1,000 annotations.",
        f"{people:,g} x {trials:,g} = {people * trials:,g}; rows of Table 15 sum to {rows:,g}; printed {total:,g}",
        settle(people * trials == total == rows, "cannot be both"),
    )


def rating_mean(tables: Tables) -> Finding:
    """The mean persona rating from its three criteria (appendix G.2)."""
    names = ("demographic_accuracy", "interest_completeness", "coherence")
    parts = [listed(tables, "zipp_scalars", f"persona_{name}", 0.1, "").value for name in names]
    mean = listed(tables, "zipp_scalars", "persona_quality_mean", 0.1, "appendix G.2")
    return Finding(
        "zipp-rating-mean",
        "ZIPP",
        mean.place,
        "Personas are rated 4.1 of 5 over three criteria.",
        f"({' + '.join(f'{part:,g}' for part in parts)}) / 3 = {sum(parts) / 3:.2f}, printed {mean.value:,g}",
        settle(prints_as(sum(parts) / 3, mean, error=0.05), "disagrees"),
    )


def findings(tables: Tables) -> list[Finding]:
    """All checks of this module."""
    scores = (
        ipf_deltas,
        repeated_tables,
        sample_shares,
        subgroup_ranges,
        persona_gains,
        quoted_drops,
        equal_shots,
    )
    return [check(tables) for check in (*scores, zipbench_activity, study_size, rating_mean)]

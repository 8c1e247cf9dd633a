"""ZIPP's user study: significance, numbers of trials and annotations, the agreement statistic.

Tests treat trials as independent, as the paper's do; the 50 participants each gave several.
"""

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from .findings import Finding, Tables, by_reading, listed, quoted, settle

#: Raters that Cohen's kappa compares, by its definition.
COHEN_RATERS = 2


def win_counts(win_pct: float, n: int) -> np.ndarray:
    """Numbers of wins out of n that print as `win_pct` when rounded to whole percent (half either way)."""
    wins = np.arange(n + 1)
    return wins[np.abs(100 * wins / n - win_pct) <= 0.5 + 1e-9]


def p_values(tables: Tables) -> pd.DataFrame:
    """Binomial tests against one half for Table 15.

    Returns:
        One row per comparison and possible number of wins: method_a, method_b, win_pct, n, wins, two_sided,
        one_sided (alternative: A is preferred).
    """
    rows = []
    for row in tables["zipp_table15_user_study"].itertuples():
        for wins in win_counts(row.win_pct_a, row.n):
            sides = [
                binomtest(int(wins), row.n, alternative=side).pvalue for side in ("two-sided", "greater")
            ]
            rows.append((row.method_a, row.method_b, row.win_pct_a, row.n, wins, *sides))
    columns = ["method_a", "method_b", "win_pct", "n", "wins", "two_sided", "one_sided"]
    return pd.DataFrame(rows, columns=columns)


def _significance(tables: Tables, against: str, name: str) -> Finding:
    level = quoted(tables, "zipp", "significance_level").value
    rows = p_values(tables).query(against)
    shown = ", ".join(
        f"{r.wins} wins p = {r.two_sided:.4f} (one-sided {r.one_sided:.4f})" for r in rows.itertuples()
    )
    return Finding(
        f"zipp-significance-{name}",
        "ZIPP",
        "caption of Table 15, Table 15",
        f"{rows['method_a'].iloc[0]} is preferred to {rows['method_b'].iloc[0]} with p < {level:g}.",
        f"{rows['win_pct'].iloc[0]:g} % of {rows['n'].iloc[0]}: {shown}",
        by_reading(list(rows["two_sided"] < level)),
        note="two-sided exact test, for every count that prints as this percentage",
    )


def significance_tv(tables: Tables) -> Finding:
    """Zero-shot ZIPPY against TV, Table 15."""
    return _significance(tables, "method_a == 'ZIPPY (0)' and method_b == 'TV (3)'", "tv")


def significance_drum(tables: Tables) -> Finding:
    """ZIPPY with three shots against DrUM, Table 15."""
    return _significance(tables, "method_b == 'DrUM'", "drum")


def significance_others(tables: Tables) -> Finding:
    """The three remaining comparisons of Table 15."""
    level = quoted(tables, "zipp", "significance_level").value
    rows = p_values(tables).query(
        "method_b != 'DrUM' and not (method_a == 'ZIPPY (0)' and method_b == 'TV (3)')"
    )
    return Finding(
        "zipp-significance-others",
        "ZIPP",
        "caption of Table 15, Table 15",
        f"The other comparisons are significant with p < {level:g}.",
        f"largest two-sided p over all counts that print so: {rows['two_sided'].max():.1g}",
        settle(bool((rows["two_sided"] < level).all()), "disagrees"),
    )


def trials(tables: Tables) -> Finding:
    """Comparisons listed in appendix G.1 times pairs each, against trials per participant."""
    comparisons, pairs, each = (
        quoted(tables, "zipp", name).value
        for name in ("comparisons_listed", "pairs_per_comparison", "trials_per_participant")
    )
    return Finding(
        "zipp-trials",
        "ZIPP",
        "section 5, appendix G.1",
        "Each participant judges 20 pairs, five for each comparison listed.",
        f"{comparisons:g} comparisons x {pairs:g} pairs = {comparisons * pairs:g}, stated {each:g}",
        settle(comparisons * pairs == each, "cannot be both"),
    )


def other_persona(tables: Tables) -> Finding:
    """The comparison of one's own persona with another participant's, planned in appendix G.1."""
    rows = tables["zipp_table15_user_study"]
    reported = int(
        rows[["method_a", "method_b"]].apply(lambda c: c.str.contains("other", case=False)).any(axis=1).sum()
    )
    people = listed(tables, "zipp_scalars", "participants", 0, "section 5").value
    planned = people * quoted(tables, "zipp", "pairs_per_comparison").value
    return Finding(
        "zipp-other-persona",
        "ZIPP",
        "appendix G.1, Table 15, section 5",
        "One's own persona is compared with a randomly assigned one.",
        f"{planned:g} comparisons planned, {reported} of {len(rows)} rows report them; the rows reported sum to "
        f"{rows['n'].sum():g} already",
        settle(reported > 0, "rests on reading"),
        kind="reading",
        note="the control that would show whether the persona, and not just more detail, is preferred",
    )


def expert_annotations(tables: Tables) -> Finding:
    """Profiles times experts times criteria against the number of annotations (appendix G.2)."""
    profiles, experts, criteria = (
        quoted(tables, "zipp", f"expert{name}").value for name in ("_profiles", "s", "_criteria")
    )
    stated = quoted(tables, "zipp", "expert_annotations")
    total = profiles * experts * criteria
    return Finding(
        "zipp-expert-annotations",
        "ZIPP",
        stated.place,
        "100 profiles, three experts and three criteria give about 1,000 annotations.",
        f"{profiles:g} x {experts:g} x {criteria:g} = {total:g}, stated about {stated.value:g}",
        settle(stated.low <= total <= stated.high, "disagrees"),
        note="about is read as to the nearest hundred",
    )


def cohens_kappa_raters(tables: Tables) -> Finding:
    """The agreement statistic against the number of raters (appendix G.2)."""
    experts = quoted(tables, "zipp", "experts")
    return Finding(
        "zipp-kappa-raters",
        "ZIPP",
        experts.place,
        "Agreement of three experts is a Cohen's kappa of 0.64.",
        f"{experts.value:g} raters; the statistic compares {COHEN_RATERS}",
        settle(experts.value == COHEN_RATERS, "rests on reading"),
        kind="reading",
        note="a mean over the three pairs would be one reading, Fleiss' kappa another",
    )


def findings(tables: Tables) -> list[Finding]:
    """All checks of this module."""
    tests = (significance_tv, significance_drum, significance_others)
    return [
        check(tables) for check in (*tests, trials, other_persona, expert_annotations, cohens_kappa_raters)
    ]

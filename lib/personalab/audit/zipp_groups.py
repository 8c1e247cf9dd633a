"""ZIPP's statements about demographic subgroups and the two samples behind them.

Subgroup rankings and spreads of Table 13, the shares printed for two different samples, the number of axes
reweighted. The reweighted scores themselves are in zipp_ipf.
"""

from .findings import Finding, Printed, Tables, meet, quoted, settle
from .zipp_agreements import HALF, METHODS, aggregates, subgroups


def best_everywhere(tables: Tables) -> Finding:
    """Who leads in each subgroup of Table 13 (section 4.2.4)."""
    rows = subgroups(tables).set_index("subgroup")[METHODS]
    rivals = rows.drop(columns="zippy_5").max(axis=1)
    behind, level = rows.index[rows["zippy_5"] < rivals], rows.index[rows["zippy_5"] == rivals]
    return Finding(
        "zipp-best-everywhere",
        "ZIPP",
        "section 4.2.4, Table 13",
        "The persona method scores highest in every subgroup.",
        f"ahead in {len(rows) - len(behind) - len(level)} of {len(rows)}, level in {', '.join(level) or 'none'}, "
        f"behind in {', '.join(behind) or 'none'}",
        settle(len(behind) == 0, "disagrees"),
        note="the caption of Table 13 says nearly all",
    )


def age_trend(tables: Tables) -> Finding:
    """Whether scores fall from each age group to the next (appendix F.5)."""
    rows = subgroups(tables).query("axis == 'age'")[["tv_3", "drum"]]
    checks = {method: rows[method].is_monotonic_decreasing for method in rows}
    shown = "; ".join(f"{m} " + " ".join(f"{value:.1f}" for value in rows[m]) for m in rows)
    return Finding(
        "zipp-age-trend",
        "ZIPP",
        "appendix F.5, Table 13",
        "Scores of data-driven methods fall monotonically with age.",
        f"{shown}; monotone in {sum(checks.values())} of {len(checks)}",
        settle(all(checks.values()), "disagrees"),
    )


def subgroup_spread(tables: Tables) -> Finding:
    """The standard deviations at the foot of Table 13, with n and with n - 1 in the denominator.

    Moving every score by at most e moves a standard deviation by at most e (times sqrt(n / (n - 1)) for n - 1).
    """
    scores, printed = subgroups(tables)[METHODS], aggregates(tables).loc["subgroup sd"]
    matched, shown = [], []
    for ddof in (0, 1):
        sd = scores.std(ddof=ddof)
        error = HALF * (len(scores) / (len(scores) - ddof)) ** 0.5
        fits = [meet(Printed(sd[m], 2 * error, ""), Printed(printed[m], 0.1, "")) for m in METHODS]
        matched.append(all(fits))
        shown.append(
            f"n - {ddof}: {sum(fits)} of {len(fits)} fit, " + " ".join(f"{value:.2f}" for value in sd)
        )
    return Finding(
        "zipp-subgroup-spread",
        "ZIPP",
        "Table 13",
        "The last rows give each method's standard deviation over subgroups.",
        f"{'; '.join(shown)}; printed {' '.join(f'{value:g}' for value in printed)}",
        settle(any(matched), "disagrees"),
        note="over all subgroups, unweighted, as the ranges beside them",
    )


def equal_shares(tables: Tables) -> Finding:
    """Region and profession shares of ZIP-Bench (appendix E.3.1) and of RapidData (Table 13)."""
    rows = subgroups(tables).query("axis in ('region', 'profession')")
    same = [
        quoted(tables, "zipp", f"share_{row.axis}_{row.subgroup}").value == row.sample_pct
        for row in rows.itertuples()
    ]
    return Finding(
        "zipp-equal-shares",
        "ZIPP",
        "appendix E.3.1, Table 13",
        "ZIP-Bench's users and RapidData's annotators are two samples, each with its own composition.",
        f"{sum(same)} of {len(same)} shares are equal to the last digit",
        settle(not all(same), "rests on reading"),
        kind="reading",
        note="equality is counted; that two unrelated samples should agree so is implausible, not impossible",
    )


def reweighted_axes(tables: Tables) -> Finding:
    """Axes of the reweighting in section 4.1 and in appendix B.5."""
    main, appendix = (quoted(tables, "zipp", f"ipf_axes_{where}") for where in ("main", "appendix"))
    return Finding(
        "zipp-ipf-axes",
        "ZIPP",
        f"{main.place}, {appendix.place}",
        "Scores are reweighted to the population by country, age and gender; also by language and profession.",
        f"{main.value:g} axes against {appendix.value:g}",
        settle(main.value == appendix.value, "cannot be both"),
    )


def findings(tables: Tables) -> list[Finding]:
    """All checks of this module."""
    return [
        check(tables)
        for check in (best_everywhere, age_trend, subgroup_spread, equal_shares, reweighted_axes)
    ]

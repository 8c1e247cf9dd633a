"""The papers' own numbers, recomputed.

`audit` runs every check over the tables in params/printed and returns findings; `simplex` asks who would win under
other weights. Nothing is re-measured and no verdict is stored: change a number in a table and the verdict that
rests on it changes.
"""

from . import (
    vptt_agreements,
    vptt_claims,
    vptt_counts,
    vptt_formulas,
    zipp_agreements,
    zipp_counts,
    zipp_groups,
    zipp_ipf,
    zipp_llms,
    zipp_results,
    zipp_study,
)
from .findings import Finding, Tables, Verdict, to_frame

__all__ = ["TABLES", "Finding", "Tables", "Verdict", "audit", "to_frame"]

#: Files of params/printed that the audit reads, without suffix.
TABLES = (
    *(
        f"vptt_{name}"
        for name in ("correlations", "prose", "scalars", "table1_human_study", "table2_200_personas")
    ),
    *(f"vptt_{name}" for name in ("table3_10k_personas", "table5_bench_stats", "table6_image_throughput")),
    "vptt_tables7_10_breakdown",
    *(f"zipp_{name}" for name in ("prose", "scalars", "table1_unified", "table8_datasets")),
    *(
        f"zipp_{name}"
        for name in ("table9_subreddit_filter", "table10_encoders", "table11_backbones", "table12_llms")
    ),
    *(f"zipp_{name}" for name in ("table13_subgroups", "table14_ipf", "table15_user_study")),
)


def audit(tables: Tables) -> list[Finding]:
    """Every finding on both papers, VPTT first, agreements before the rest.

    Args:
        tables: one DataFrame for each name in `TABLES`.

    Raises:
        KeyError: a table is missing; the message names it.
    """
    missing = [name for name in TABLES if name not in tables]
    if missing:
        raise KeyError(
            f"tables {missing} are missing; expected all of audit.TABLES, read from params/printed"
        )
    vptt = (vptt_agreements, vptt_formulas, vptt_claims, vptt_counts)
    zipp = (zipp_agreements, zipp_results, zipp_llms, zipp_ipf, zipp_groups, zipp_counts, zipp_study)
    return [finding for module in (*vptt, *zipp) for finding in module.findings(tables)]

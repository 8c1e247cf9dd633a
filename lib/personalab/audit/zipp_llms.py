"""ZIPP's statements about its 14 language models, held against Table 12.

How many models, which gain how much, and who comes third.
"""

import pandas as pd

from .findings import Finding, Printed, Tables, by_reading, meet, prints_as, quoted, settle
from .zipp_agreements import relative_change

#: The mixture-of-experts model for which appendix F.2 quotes a gain of 3 %.
QUOTED_MOE = "Qwen3-30B-A3B"

#: The model that the caption of Table 12 names in third place.
QUOTED_THIRD = "Qwen3-32B"

#: Families called frontier: in section 4.2.4, and in the brackets of appendix F.2.
FRONTIER = {"section 4.2.4": ("Claude", "GPT", "Gemini"), "appendix F.2": ("Claude", "GPT-5")}


def _rows(tables: Tables) -> pd.DataFrame:
    return tables["zipp_table12_llms"].set_index("llm")


def model_count(tables: Tables) -> Finding:
    """Models in the abstract, in a heading of appendix F.2, and in Table 12."""
    abstract, heading = (quoted(tables, "zipp", f"llms_{where}").value for where in ("abstract", "heading"))
    rows = len(_rows(tables))
    return Finding(
        "zipp-model-count",
        "ZIPP",
        "abstract, appendix F.2, Table 12",
        "The benchmark covers 14 language models; it covers 12.",
        f"abstract {abstract:g}, heading {heading:g}, rows {rows}",
        settle(abstract == heading == rows, "cannot be both"),
    )


def moe_gain(tables: Tables) -> Finding:
    """The gain of one mixture-of-experts model in the text and in Table 12."""
    text = quoted(tables, "zipp", "moe_gain_pct")
    row = _rows(tables).loc[QUOTED_MOE]
    change = relative_change(row["clipscore_without_persona"], row["clipscore_with_persona"], 0.005)
    return Finding(
        "zipp-moe-gain",
        "ZIPP",
        f"{text.place}, Table 12",
        f"{QUOTED_MOE} gains 3 %.",
        f"Table 12 prints {row['gain_pct']:g} %; its scores give {change.low:.1f} to {change.high:.1f} %",
        settle(meet(text, Printed(row["gain_pct"], 1, "")), "cannot be both"),
    )


def third_place(tables: Tables) -> Finding:
    """The ranking in the caption of Table 12."""
    scores = _rows(tables)["clipscore_with_persona"]
    above = scores[scores > scores[QUOTED_THIRD]].sort_values(ascending=False)
    return Finding(
        "zipp-third-place",
        "ZIPP",
        "caption of Table 12, Table 12",
        f"{QUOTED_THIRD} comes third.",
        f"{len(above)} models score above its {scores[QUOTED_THIRD]:g}: "
        + ", ".join(f"{name} {value:g}" for name, value in above.items()),
        settle(len(above) <= 2, "disagrees"),
    )


def mean_gain(tables: Tables) -> Finding:
    """The mean gain of appendix F.3 against Table 12's."""
    text = quoted(tables, "zipp", "gain_mean_pct")
    rows = _rows(tables)
    exact = 100 * (rows["clipscore_with_persona"] / rows["clipscore_without_persona"] - 1).mean()
    printed = rows["gain_pct"].mean()
    return Finding(
        "zipp-mean-gain",
        "ZIPP",
        f"{text.place}, Table 12",
        "Over all models the persona gains 4.5 % in CLIPScore on average.",
        f"mean of {len(rows)} gains: {printed:.1f} % as printed, {exact:.1f} % from the scores",
        settle(prints_as(printed, text, error=0.5), "disagrees"),
        note="appendix F.3 stands under few-shot results; the sentence itself says every model and no shots",
    )


def largest_gain(tables: Tables) -> Finding:
    """The upper end of the gains in the introduction and in Table 12."""
    text = quoted(tables, "zipp", "gain_max_intro_pct")
    largest = _rows(tables)["gain_pct"].max()
    return Finding(
        "zipp-largest-gain",
        "ZIPP",
        f"{text.place}, Table 12",
        "Gains over open and frontier models reach 25 %.",
        f"largest gain of Table 12: {largest:g} %",
        settle(meet(text, Printed(largest, 1, "")), "rests on reading"),
        kind="reading",
        note="the introduction does not say which metric or setting reaches 25 %",
    )


def frontier_gains(tables: Tables) -> Finding:
    """The smallest gain among frontier models, under both lists of what those are."""
    low = quoted(tables, "zipp", "frontier_gain_min_pct")
    gains = _rows(tables)["gain_pct"]
    smallest = {place: gains[gains.index.str.startswith(names)].min() for place, names in FRONTIER.items()}
    return Finding(
        "zipp-frontier-gains",
        "ZIPP",
        "Fig. 3, appendix F.2, section 4.2.4, Table 12",
        "Frontier models gain at least 13 %, more than open ones.",
        "; ".join(
            f"smallest gain with the list of {place}: {value:g} %" for place, value in smallest.items()
        ),
        by_reading([bool(value >= low.low) for value in smallest.values()]),
        kind="reading",
        note="GPT-4o, GPT-4.1 and Gemini count as frontier in one place and not in the other",
    )


def findings(tables: Tables) -> list[Finding]:
    """All checks of this module."""
    return [
        check(tables)
        for check in (model_count, moe_gain, third_place, mean_gain, largest_gain, frontier_gains)
    ]

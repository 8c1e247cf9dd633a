"""Verdicts on headline claims: hand-worked intervals, invariants, and a list of claims that names what exists."""

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from personalab.audit import TABLES, audit, claims, to_frame
from personalab.sources import ROOT

CLAIMS = yaml.safe_load((ROOT / "params" / "claims.yaml").read_text())
FINDINGS = to_frame(audit({name: pd.read_csv(ROOT / f"params/printed/{name}.csv") for name in TABLES}))
SCORES = pd.DataFrame(
    {
        "method": ["a", "b", "c", "d"],
        "score": [5.0, 3.0, 4.8, np.nan],
        "low": [4.5, 2.0, 4.4, np.nan],
        "high": [5.5, 4.0, 5.2, np.nan],
        "people": [10, 10, 8, 0],
    }
)
A = {"name": "score", "table": "t", "where": {"method": "a"}, "estimate": "score"}
number = st.floats(-1e6, 1e6)


def outcomes(read=lambda name: SCORES, **changed):
    return [one.outcome for one in claims.measured(A | changed, read)]


def test_an_interval_is_above_at_or_across_its_bound():
    assert [claims.outcome(1, 2, b, b) for b in (0.9, 1.5, 2.0, 2.1)] == [
        "holds", "cannot be told at this size", "does not hold", "does not hold",
    ]  # fmt: skip


@given(number, number, number, number)
def test_below_is_above_upside_down_and_nothing_holds_both_ways(x, y, u, v):
    (low, high), (lower, upper) = sorted((x, y)), sorted((u, v))
    above, below = claims.outcome(low, high, lower, upper), claims.outcome(-high, -low, -upper, -lower)
    assert not above == below == "holds"
    if above == "holds":
        assert below == "does not hold"


@given(st.lists(st.sampled_from(["holds", "does not hold", "cannot be told at this size", "not measured"])))
def test_several_numbers_hold_only_together_and_their_order_says_nothing(found):
    whole = claims.together(found)
    assert whole == claims.together(found[::-1])
    assert (whole == "holds") == (bool(found) and set(found) == {"holds"})
    assert (whole == "not measured") == (not set(found) - {"not measured"})


def test_one_of_many_that_holds_by_chance_does_not_make_a_claim_hold():
    assert claims.together(["holds"] + 23 * ["cannot be told at this size"]) == "cannot be told at this size"
    assert claims.together(["holds", "not measured"]) == "holds in part"


def test_a_claim_may_say_how_many_of_its_numbers_hold():
    open_, failed = "cannot be told at this size", "does not hold"
    assert claims.together(["holds"] * 3 + [failed], least=3) == "holds"
    assert claims.together(["holds"] * 2 + [failed] * 2, least=3) == failed
    assert claims.together(["holds", open_, open_, failed], least=3) == open_
    assert claims.together(["holds"] * 2 + ["not measured", failed], least=3) == open_
    assert claims.together(["not measured"] * 4, least=3) == "not measured"


def test_a_bound_is_a_number_or_another_row():
    assert outcomes(above=4.0) == ["holds"] and outcomes(below=4.0) == ["does not hold"]
    assert outcomes(above=[{"method": "b"}, {"method": "c"}]) == ["holds", "cannot be told at this size"]
    b = A | {"where": {"method": "b"}, "below": {"method": "a"}, "n": "people"}
    (found,) = claims.measured(b, lambda name: SCORES)
    assert (found.outcome, found.bound, found.n, found.asked) == ("holds", 5.0, 10, "below a")


def test_what_is_not_there_is_not_measured_and_what_is_wrong_raises():
    assert outcomes(read=lambda name: None, above=0) == ["not measured"]
    assert outcomes(where={"method": "z"}, above=0) == ["not measured"]
    assert outcomes(where={"method": "d"}, above=0) == outcomes(above={"method": "z"}) == ["not measured"]
    with pytest.raises(KeyError, match="typo"):
        outcomes(estimate="typo", above=0)
    with pytest.raises(ValueError, match="expected one of above and below"):
        outcomes()
    with pytest.raises(ValueError, match="2 rows"):
        outcomes(read=lambda name: pd.concat([SCORES, SCORES.tail(3)]), above={"method": "b"})


def test_verdicts_of_the_audit_are_summed_up_and_unknown_ids_refused():
    verdicts = {"a": "agrees", "d": "disagrees", "c": "cannot be both", "r": "rests on reading"}
    found = pd.DataFrame({"id": verdicts.keys(), "verdict": verdicts.values()})
    wanted = {"": "not audited", "a": "holds", "ar": "holds", "d": "does not hold", "ad": "holds in part"}
    wanted |= {"ac": "contradicts itself", "cd": "does not hold", "r": "rests on reading"}
    assert {ids: claims.audited(list(ids), found) for ids in wanted} == wanted
    with pytest.raises(KeyError, match="no finding is called"):
        claims.audited(["x"], found)


def test_a_row_of_the_table_by_hand():
    claim = {"claim": "a is best", "paper": "P", "place": "T 1", "printed": "5", "audit": []}
    claim["measures"] = [A | {"above": [{"method": "b"}, {"method": "c"}], "n": "people"}]
    found = claims.table([claim], FINDINGS, lambda name: SCORES, lambda name: None).iloc[0]
    assert found["ours"] == "score: 5 [4.5, 5.5] v. 3, 5 [4.5, 5.5] v. 4.8, n 10"
    assert (found["verdict"], found["larger profiles"]) == ("holds in part", "not run")
    assert found["asked"] == "above b; above c"
    assert len(claims.numbers([claim], lambda name: SCORES)) == 2


def test_without_any_table_the_list_is_not_measured_and_the_audit_still_speaks():
    found = claims.table(CLAIMS, FINDINGS, lambda name: None, lambda name: None)
    assert set(found["verdict"]) == {"not measured"} and set(found["larger profiles"]) == {"not run"}
    assert found["claim"].is_unique and {"holds", "does not hold"} < set(found["audit"])


def test_what_the_claims_name_stands_in_the_tables_that_are_kept():
    """A misspelt row would pass for one that is not measured."""
    folder = ROOT / "outputs" / "mini" / "tables"
    for claim in CLAIMS:
        for measure in claim["measures"]:
            names = measure["table"] if isinstance(measure["table"], list) else [measure["table"]]
            for name in [name for name in names if (folder / f"{name}.csv").exists()]:
                table = pd.read_csv(folder / f"{name}.csv")
                for column, value in measure["where"].items():
                    wanted = set(value) if isinstance(value, list) else {value}
                    assert wanted & set(table[column]), f"{claim['claim']}: {name} has no {column} {wanted}"

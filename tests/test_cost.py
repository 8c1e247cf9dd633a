"""The plan of costs: arithmetic by hand, and no card with a price that the plan forgets."""

import pytest
import yaml

from personalab import cost
from personalab.parameters import effective_parameters
from personalab.sources import PROFILES, ROOT, notebook_names

CARDS = {
    path.stem: yaml.safe_load(path.read_text()) for path in (ROOT / "params" / "backends").glob("*.yaml")
}
PAID = {
    name for name, card in CARDS.items() if any(key.startswith("dollars_per_") and card[key] for key in card)
}


@pytest.mark.parametrize("profile", PROFILES)
def test_every_card_with_a_price_that_a_notebook_names_is_in_the_plan(profile):
    plan = yaml.safe_load((ROOT / "params" / "costs.yaml").read_text())
    for name in notebook_names():
        for parameter, value in effective_parameters(name, profile).items():
            cards = value if isinstance(value, list) else [value]
            if PAID & {card for card in cards if isinstance(card, str)}:
                assert parameter in plan.get(name, {}), (
                    f"{name} may pay for {cards}; add it to params/costs.yaml"
                )


@pytest.mark.parametrize("profile", PROFILES)
def test_every_profile_has_a_plan_and_only_paid_cards_cost(profile):
    rows = cost.costs(profile)
    assert {row.notebook for row in rows} >= {"vptt/s3_1_bench", "vptt/s4_2_3_study"}
    for row in rows:
        assert row.calls > 0 and row.prompt_tokens > 0 and (row.dollars > 0) == (row.card in PAID)


def test_the_bench_of_the_paper_by_hand():
    """310,000 texts of 340 tokens at 0.02 dollars a million."""
    (row,) = [row for row in cost.costs("paper") if row.notebook == "vptt/s3_1_bench" and row.card in PAID]
    assert (row.card, row.calls) == ("text-embedding-3-small", 10_000 * 31)
    assert row.dollars == pytest.approx(310_000 * 340 / 1e6 * 0.02)


def test_rewriters_by_hand():
    """Three models: 160,000 questions to the first and 400 to each other one, of 6,000 tokens."""
    names = ["gpt-4o-mini", "composer", "gemini-2.5-pro", "qwen2.5-7b"]
    rows = cost.costs("paper", {"rewriters": names, "n_others": 25})
    rows = {row.card: row for row in rows if row.notebook == "vptt/s4_2_3_study" and row.card in names}
    assert {name: row.calls for name, row in rows.items()} == {
        "gpt-4o-mini": 160_000,
        "gemini-2.5-pro": 400,
        "qwen2.5-7b": 400,
    }
    assert rows["gpt-4o-mini"].dollars == pytest.approx(160_000 * (6000 * 0.15 + 256 * 0.60) / 1e6)
    assert rows["gemini-2.5-pro"].dollars == pytest.approx(400 * (6000 * 1.25 + 4096 * 10) / 1e6)
    assert rows["qwen2.5-7b"].dollars == 0


def test_the_command_prints_every_row_and_the_sum(capsys):
    assert cost.main(["--profile", "paper", "--offer", "n_personas=20"]) == 0
    printed = capsys.readouterr().out.splitlines()
    rows = cost.costs("paper", {"n_personas": 20})
    assert len(printed) >= len(rows) + 2 and "620" in printed[1]
    (together,) = [line for line in printed if line.startswith("together")]
    assert float(together.split()[-1].replace(",", "")) == pytest.approx(
        sum(row.dollars for row in rows), abs=0.01
    )


def test_a_wrong_parameter_is_one_line(capsys):
    assert cost.main(["--profile", "mini", "--offer", "n_personas=many"]) == 1
    error = capsys.readouterr().err
    assert error.startswith("personalab.cost: ") and "n_personas" in error and len(error.splitlines()) == 1

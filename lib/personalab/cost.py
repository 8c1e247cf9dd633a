"""What a profile may cost, before anything is sent: calls, tokens and dollars of every notebook and card.

How often a notebook asks a card, and with prompts of which size, stands in params/costs.yaml; prices and the limit on
answers stand in the cards. These are upper readings for planning. The exact count is LLM.estimate's, once the
requests are there, and what holds in a run is its `cap`. Nothing is asked here, no key is read.
"""

import argparse
import math
import sys
from collections.abc import Iterator
from typing import Any, NamedTuple

import yaml

from .parameters import assignment, effective_parameters
from .sources import PROFILES, ROOT

_PRICES = (
    "dollars_per_million_input",
    "dollars_per_million_output",
    "dollars_per_million_tokens",
    "dollars_per_image",
)

_NOTE = (
    "Upper readings from params/costs.yaml and the cards' prices; an answer that is too long is asked for once more. "
    "A language\nmodel with prices asks nothing unless its notebook has a cap."
)


class Cost(NamedTuple):
    """What one notebook may ask of one card: calls, tokens read and at most written, dollars at most."""

    notebook: str
    card: str
    calls: int
    prompt_tokens: int
    answer_tokens: int
    dollars: float


def costs(profile: str, offered: dict[str, Any] | None = None) -> list[Cost]:
    """One row per notebook and card of params/costs.yaml; names that are no card (templates) are left out.

    Args:
        profile: one of `sources.PROFILES`.
        offered: parameters from the command line, for the notebooks that declare them.

    Raises:
        ValueError: a factor that is no parameter, or one without a value.
    """
    plan = yaml.safe_load((ROOT / "params" / "costs.yaml").read_text())
    return [
        row for notebook in plan for row in _of_notebook(notebook, plan[notebook], profile, offered or {})
    ]


def _of_notebook(name: str, plan: dict[str, Any], profile: str, offered: dict[str, Any]) -> Iterator[Cost]:
    parameters = effective_parameters(name, profile, offered=offered)
    for parameter, sizes in plan.items():
        cards = parameters[parameter] if isinstance(parameters[parameter], list) else [parameters[parameter]]
        for place, card in enumerate(cards):
            factors = sizes["calls"] if place == 0 else sizes.get("others", sizes["calls"])
            calls = math.prod(_value(factor, name, profile, offered) for factor in factors)
            path = ROOT / "params" / "backends" / f"{card}.yaml"
            if path.exists():
                yield _cost(name, card, yaml.safe_load(path.read_text()), calls, sizes["prompt_tokens"])


def _value(factor: int | str, name: str, profile: str, offered: dict[str, Any]) -> int:
    if isinstance(factor, int):
        return factor
    notebook, _, parameter = factor.rpartition(":")
    value = effective_parameters(notebook or name, profile, offered=offered).get(parameter)
    if not isinstance(value, int):
        raise ValueError(
            f"params/costs.yaml, {name}: {factor!r} is {value!r}; expected a parameter that is a number"
        )
    return value


def _cost(notebook: str, name: str, card: dict[str, Any], calls: int, prompt_tokens: int) -> Cost:
    read, written = calls * prompt_tokens, calls * card.get("call", {}).get("max_tokens", 0)
    per_input, per_output, per_token, per_image = (card.get(price, 0.0) for price in _PRICES)
    dollars = (read * (per_input + per_token) + written * per_output) / 1e6 + calls * per_image
    return Cost(notebook, name, calls, read, written, dollars)


def report(rows: list[Cost]) -> str:
    """The rows as a text table with the sum of dollars."""
    head = f"{'notebook':22} {'card':24} {'calls':>11} {'tokens in':>15} {'out, at most':>15} {'dollars':>11}"
    lines = [
        f"{row.notebook:22} {row.card:24} {row.calls:11,} {row.prompt_tokens:15,} {row.answer_tokens:15,} {row.dollars:11,.2f}"
        for row in rows
    ]
    total = f"{'together':91} {sum(row.dollars for row in rows):11,.2f}"
    return "\n".join(
        [
            head,
            *lines,
            total,
            _NOTE,
        ]
    )


def main(arguments: list[str] | None = None) -> int:
    """The command line. Returns 0, or 1 with one line on standard error."""
    parser = argparse.ArgumentParser(prog="python -m personalab.cost", description="What a profile may cost.")
    parser.add_argument("--profile", choices=PROFILES, default="mini")
    parser.add_argument("--offer", action="append", type=assignment, default=[], metavar="NAME=VALUE")
    options = parser.parse_args(arguments)
    try:
        print(report(costs(options.profile, dict(options.offer))))
    except (ValueError, OSError) as error:
        print(f"personalab.cost: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

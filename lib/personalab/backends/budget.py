"""Money: what calls may cost, stopped before a call that could pass the cap.

A call is entered with the most it can cost and settled with what it did cost. An attempt that got lost on the way
(a timeout, an answer of the wrong form) is counted at its most, because it may have been billed; one that the service
turned down with an error status costs nothing. Safe to use from several threads.
"""

import math
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import openai

from .chat import Usage

_PRICES = ("dollars_per_million_input", "dollars_per_million_output")


class CapReached(RuntimeError):
    """The next call could cost more than is left."""


def price(card: dict[str, Any], prompt_tokens: float, answer_tokens: float) -> float:
    """Dollars for that many tokens at the card's prices; 0 for a card without prices."""
    per_input, per_output = (card.get(name, 0.0) for name in _PRICES)
    return (prompt_tokens * per_input + answer_tokens * per_output) / 1e6


def is_paid(card: dict[str, Any]) -> bool:
    """Whether the card names a price above 0.

    Raises:
        ValueError: it does, but no `max_tokens`, so that an answer could cost anything.
    """
    paid = any(card.get(name, 0) for name in _PRICES)
    if paid and "max_tokens" not in card.get("call", {}):
        raise ValueError(
            f"the card of {card['model']} has prices and no limit on an answer; expected max_tokens under `call`"
        )
    return paid


class Budget:
    """What one card may still cost.

    Args:
        card: with prices, or without where calls cost nothing.
        cap: dollars in all; None for no limit.
        spent: dollars that count as spent already.
    """

    def __init__(self, card: dict[str, Any], cap: float | None = None, spent: float = 0.0):
        self.cap, self.spent = cap, spent
        self._card, self._reserved, self._lock = card, 0.0, threading.Lock()

    @contextmanager
    def attempt(self, prompt_tokens: int, answer_tokens: int) -> Iterator[Callable[[Usage], None]]:
        """One call that takes at most so many tokens; yields the function to settle it with.

        Raises:
            CapReached: what is spent, in flight and about to be asked could together pass the cap.
        """
        most = price(self._card, prompt_tokens, answer_tokens)
        self._reserve(most)
        cost = most

        def settle(usage: Usage) -> None:
            nonlocal cost
            if usage.prompt_tokens:  # servers that do not count are taken at the most
                cost = price(self._card, usage.prompt_tokens, usage.answer_tokens)

        try:
            yield settle
        except openai.APIStatusError:
            cost = 0.0
            raise
        finally:
            with self._lock:
                self._reserved -= most
                self.spent += cost

    def _reserve(self, most: float) -> None:
        with self._lock:
            cap = math.inf if self.cap is None else self.cap
            if self.spent + self._reserved + most > cap:
                raise CapReached(
                    f"{self._card['model']}: {self.spent:.4f} dollars are spent and {self._reserved:.4f} in flight; the "
                    f"next call may cost {most:.4f}, which could pass the cap of {cap:.4f}. What was answered is kept; "
                    "raise `cap` to go on"
                )
            self._reserved += most

"""VPTT-Bench (VPTT 3.1, 9, 11): personas P = (d, E, C) from seed sentences, and how varied they are."""

from .personas import generate, make_persona, own_seeds

__all__ = ["generate", "make_persona", "own_seeds"]

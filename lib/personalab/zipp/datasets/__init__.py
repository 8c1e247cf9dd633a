"""Readers of the public benchmarks in their published forms (ZIPP 4.1), what they are weighted to, invented stand-ins.

Readers keep what can be used and count the rest by reason: read = kept + dropped. Histories of prompts come out alike
whatever they were read from: `user`, `item`, `order` (within the user, oldest first), `original` (the full prompt),
`basic` (the same cut to its subject, None where unknown), `part` ("history" or "test").
"""

from collections import Counter
from typing import NamedTuple

import pandas as pd

#: Columns of every table of histories.
COLUMNS = ("user", "item", "order", "original", "basic", "part")


class Histories(NamedTuple):
    """Prompts of users in order, and what became of all that was read."""

    table: pd.DataFrame
    """COLUMNS and what else a source knows; sorted by user and order."""
    read: int
    dropped: Counter[str]
    """By reason."""

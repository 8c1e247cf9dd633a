"""Answers of language models in one SQLite file, so that none is asked for, or paid for, twice.

Rows are only ever added: a key holds everything that changes an answer, so an old answer never becomes wrong. What
is in the file survives a kill or a power cut (WAL, synchronous=FULL), and several processes may write at once: for
one key the first answer counts. Refusals are answers and are kept with their reason; errors never are. This knows
nothing of cards or prices.
"""

import json
import sqlite3
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from .chat import Answer, Usage

#: "plLA", in the file's header: this is a ledger of answers and not somebody else's database
_MARK = 0x706C4C41
_TABLE = """
CREATE TABLE IF NOT EXISTS answers (
    key TEXT PRIMARY KEY, card TEXT NOT NULL, question TEXT NOT NULL, text TEXT, reason TEXT,
    prompt_tokens INTEGER NOT NULL, answer_tokens INTEGER NOT NULL, seconds REAL NOT NULL,
    CHECK ((text IS NULL) != (reason IS NULL))
) WITHOUT ROWID;
CREATE TRIGGER IF NOT EXISTS never_changed BEFORE UPDATE ON answers
    BEGIN SELECT RAISE(ABORT, 'answers are only added'); END;
CREATE TRIGGER IF NOT EXISTS never_deleted BEFORE DELETE ON answers
    BEGIN SELECT RAISE(ABORT, 'answers are only added'); END;
"""


class Entry(NamedTuple):
    """One row: its key, the card's name, the question as JSON, the answer and what it took."""

    key: str
    card: str
    question: str
    answer: Answer
    usage: Usage = Usage()


class Ledger:
    """The answers kept in `file`, which is made if it is not there.

    Raises:
        ValueError: the file is no SQLite database, a damaged one, or one of something else.
    """

    def __init__(self, file: Path | str):
        self.file = Path(file)
        self.file.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._database = _opened(self.file)
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError) and "lock" in str(error):
                raise
            raise ValueError(
                f"{self.file} cannot be read as a ledger of answers ({error}); expected a file made by this "
                "program: name another one, or move this one away"
            ) from None

    def get(self, keys: Sequence[str]) -> dict[str, Answer]:
        """Key -> answer, for those of the keys that are there."""
        found = {}
        for start in range(0, len(keys), 500):
            part = keys[start : start + 500]
            marks = ",".join("?" * len(part))
            rows = self._database.execute(
                f"SELECT key, text, reason FROM answers WHERE key IN ({marks})", part
            )
            found.update({key: Answer(text, reason) for key, text, reason in rows})
        return found

    def put(self, entries: Sequence[Entry]) -> None:
        """Add the entries, all or none; those whose key is there already change nothing.

        Raises:
            sqlite3.Error: the file cannot be written, say because the disk is full; nothing was added.
        """
        rows = [(e.key, e.card, e.question, *e.answer, *e.usage) for e in entries]
        with self._database:
            self._database.executemany(
                "INSERT INTO answers VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (key) DO NOTHING", rows
            )

    def tokens(self, card: str) -> Usage:
        """What all answers under a card's name took together."""
        sums = "SUM(prompt_tokens), SUM(answer_tokens), SUM(seconds)"
        (row,) = self._database.execute(f"SELECT {sums} FROM answers WHERE card = ?", [card])
        return Usage(*(value or 0 for value in row))

    def rows(self, card: str) -> list[Mapping[str, object]]:
        """Every row of a card by key, the question read back from JSON: from a number in a table to its answers."""
        names = ("key", "card", "question", "text", "reason", "prompt_tokens", "answer_tokens", "seconds")
        found = self._database.execute(
            f"SELECT {', '.join(names)} FROM answers WHERE card = ? ORDER BY key", [card]
        )
        return [dict(zip(names, row, strict=True)) | {"question": json.loads(row[2])} for row in found]


def _opened(file: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(file, timeout=60)
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    (mark,) = connection.execute("PRAGMA application_id").fetchone()  # set before there is any table
    if mark != _MARK and tables:
        connection.close()
        raise sqlite3.DatabaseError("it is the database of another program")
    _in_wal(connection)
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute(f"PRAGMA application_id={_MARK}")
    connection.executescript(_TABLE)
    (state,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if state != "ok":
        connection.close()
        raise sqlite3.DatabaseError(f"it is damaged: {state}")
    return connection


def _in_wal(connection: sqlite3.Connection, patience: float = 30.0) -> None:
    """Switch to write-ahead logging; two processes that do so at once do not wait for each other by themselves."""
    end = time.monotonic() + patience
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)

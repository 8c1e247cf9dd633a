"""The ledger of answers: what was put stays, whatever is killed, written at once or broken."""

import os
import signal
import sqlite3
import subprocess
import sys
import uuid
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from personalab.backends.chat import Answer, Usage
from personalab.backends.ledger import Entry, Ledger

TEXTS = st.text(st.characters(codec="utf-8"), max_size=30)
ANSWERS = TEXTS.map(Answer) | TEXTS.map(lambda reason: Answer(None, reason))


@pytest.fixture
def file(tmp_path) -> Path:
    return tmp_path / "somewhere" / "answers.sqlite"


def entry(key: str, answer: Answer | None = None, **more: object) -> Entry:
    return Entry(key, "card", "{}", answer or Answer(f"text of {key}"), **more)


@given(answers=st.dictionaries(TEXTS, ANSWERS, max_size=6))
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_answers_come_back_as_they_went_in(answers, tmp_path):
    file = tmp_path / f"{uuid.uuid4()}.sqlite"
    Ledger(file).put([entry(key, answer) for key, answer in answers.items()])
    assert Ledger(file).get([*answers, "none \x00 of them"]) == answers


def test_many_keys_are_found_at_once(file):
    keys = [f"key {i}" for i in range(1203)]
    ledger = Ledger(file)
    ledger.put([entry(key) for key in keys])
    assert ledger.get(keys[::-1]) == {key: Answer(f"text of {key}") for key in keys}
    assert ledger.get([]) == {}


def test_the_first_answer_to_a_key_counts(file):
    Ledger(file).put([entry("a", Answer("first"))])
    Ledger(file).put([entry("a", Answer("second")), entry("b")])
    assert Ledger(file).get(["a", "b"]) == {"a": Answer("first"), "b": Answer("text of b")}


def test_rows_can_be_added_and_nothing_else(file):
    Ledger(file).put([entry("a")])
    for statement in ("UPDATE answers SET text = 'x'", "DELETE FROM answers"):
        with sqlite3.connect(file) as database, pytest.raises(sqlite3.IntegrityError, match="only added"):
            database.execute(statement)


@pytest.mark.parametrize("answer", [Answer(None), Answer("a", "b")])
def test_an_answer_is_a_text_or_a_reason(answer, file):
    ledger = Ledger(file)
    ledger.put([entry("b")])
    with pytest.raises(sqlite3.IntegrityError):
        ledger.put([entry("a"), Entry("c", "card", "{}", answer)])
    assert set(ledger.get(["a", "b", "c"])) == {"b"}, "all of a group or none"


def test_a_group_that_fails_midway_is_not_there_at_all(file):
    """The third row is refused by the database, as on a full disk."""
    ledger = Ledger(file)
    with sqlite3.connect(file) as database:
        database.execute(
            "CREATE TRIGGER full BEFORE INSERT ON answers WHEN (SELECT count(*) FROM answers) >= 2 "
            "BEGIN SELECT RAISE(FAIL, 'disk full'); END"
        )
    with pytest.raises(sqlite3.Error, match="disk full"):
        ledger.put([entry(key) for key in "abcd"])
    assert ledger.get(list("abcd")) == {}


def test_what_answers_took_is_summed_by_card(file):
    ledger = Ledger(file)
    assert ledger.tokens("card") == Usage()
    ledger.put([entry("a", usage=Usage(10, 3, 0.5)), entry("b", usage=Usage(5, 4, 0.25))])
    ledger.put([Entry("c", "other", "{}", Answer("x"), Usage(1000, 1000, 9.0))])
    assert ledger.tokens("card") == Usage(15, 7, 0.75)


def test_from_a_key_back_to_the_question(file):
    ledger = Ledger(file)
    ledger.put(
        [Entry("a", "card", '{"messages": [["user", "hello"]]}', Answer(None, "refused"), Usage(1, 2, 0.5))]
    )
    (row,) = ledger.rows("card")
    assert row["question"] == {"messages": [["user", "hello"]]}
    assert (row["key"], row["text"], row["reason"], row["seconds"]) == ("a", None, "refused", 0.5)


WRITER = """
import sys
from personalab.backends.chat import Answer
from personalab.backends.ledger import Entry, Ledger
name, file = sys.argv[1:]
ledger = Ledger(file)
for i in range(150):
    ledger.put([Entry(f"shared {i}", "card", "{}", Answer(f"text {i}")),
                Entry(f"{name} {i}", "card", "{}", Answer(f"text {i}"))])
    print(i, flush=True)
"""


def writer(name: str, file: Path) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, name, str(file)], stdout=subprocess.PIPE, text=True
    )


def test_two_processes_write_one_new_file_at_the_same_time(file):
    both = [writer(name, file) for name in ("left", "right")]
    assert [process.wait(60) for process in both] == [0, 0]
    keys = [f"{name} {i}" for name in ("left", "right", "shared") for i in range(150)]
    found = Ledger(file).get(keys)
    assert len(found) == 450 and found["shared 7"] == Answer("text 7")


@pytest.mark.parametrize("after", [1, 40, 110])
def test_what_was_put_before_a_kill_is_there(after, file):
    process = writer("left", file)
    for _ in range(after):
        line = process.stdout.readline()
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    done = int(line) + 1
    found = Ledger(file).get([f"left {i}" for i in range(150)])
    assert {f"left {i}" for i in range(done)} <= set(found)
    shared = Ledger(file).get([f"shared {i}" for i in range(150)])
    assert len(shared) == len(found), "pairs are whole"


@pytest.mark.parametrize(
    "content", [b"this is no database, just a long enough line of text\n" * 40, b"\x89PNG" + bytes(4096)]
)
def test_a_file_of_something_else_is_named_and_left_alone(content, file):
    file.parent.mkdir()
    file.write_bytes(content)
    with pytest.raises(ValueError, match=r"answers\.sqlite cannot be read as a ledger.*name another one"):
        Ledger(file)
    assert file.read_bytes() == content


def test_the_database_of_another_program_is_left_alone(file):
    file.parent.mkdir()
    with sqlite3.connect(file) as database:
        database.execute("CREATE TABLE answers (key, vector)")
    before = file.read_bytes()
    with pytest.raises(ValueError, match="the database of another program"):
        Ledger(file)
    assert file.read_bytes() == before


def test_a_damaged_ledger_is_named(file):
    ledger = Ledger(file)
    ledger.put([entry(f"key {i}", Answer("x" * 500)) for i in range(200)])
    ledger._database.close()
    data = bytearray(file.read_bytes())
    data[8192:12288] = os.urandom(4096)
    file.write_bytes(data)
    with pytest.raises(ValueError, match="cannot be read as a ledger"):
        Ledger(file).get([f"key {i}" for i in range(200)])

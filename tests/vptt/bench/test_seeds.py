"""Seed lines: nothing is lost without a reason, and the draw of Eq. 2 is the same everywhere."""

import hashlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personalab.vptt import bench
from personalab.vptt.bench.seeds import grade, parse, parse_lines, read_seeds, seed_index

LABELS = Path(__file__).parents[3] / "params" / "labels"
GOOD = b'{"persona": "A nurse from Leeds who loves chess"}'


def line(text: object, key: str = "persona") -> bytes:
    return json.dumps({key: text}).encode()


BAD = {
    b"not json": "not JSON",
    b"\xef\xbb\xbf": "not JSON",
    b'{"persona": "cut off': "not JSON",
    b"[" * 100_000: "not JSON",
    b"9" * 5000: "not JSON",
    b'{"persona": "caf\xe9 owner"}': "not UTF-8",
    b"\xff\xfe{\x00}\x00": "not UTF-8",
    b'["A nurse from Leeds"]': "no text under the key 'persona'",
    b"NaN": "no text under the key 'persona'",
    b'{"Persona": "A nurse"}': "no text under the key 'persona'",
    line(None): "no text under the key 'persona'",
    line(["A nurse"]): "no text under the key 'persona'",
    line("   "): "no text under the key 'persona'",
    b'{"persona": "a nurse \\ud800 from Leeds"}': "half a surrogate pair",
    line("a" * 3000): "longer than 2000 letters",
    line("?!… 12 34"): "no words",
    line("护士 喜欢 下棋 和 音乐"): "not English",
    line("eine Krankenschwester aus Leeds mit viel Freude an Schach"): "not English",
    line(" ".join(["a"] * 81)): "longer than 80 words",
    line("A group of nurses from Leeds"): "not one person",
    line("Siblings who run a shop"): "not one person",
    line("A 9-year-old who loves chess"): "a child",
    line("A kid with a telescope"): "a child",
    line("A fictional detective from Leeds"): "not a real person",
    line("A vampire in love"): "not a real person",
}


@pytest.mark.parametrize("raw", BAD, ids=range(len(BAD)))
def test_reasons(raw):
    [drop] = parse_lines([raw]).dropped
    assert drop == (1, BAD[raw])


@pytest.mark.parametrize(
    "text",
    [
        "A member of a group of volunteers in Leeds",
        "A kindergarten teacher",
        "The owner of a family company",
        "Café owner",
        "A mother of two children who paints",
        "A 21-year-old student",
    ],
)
def test_lines_that_only_look_refusable_are_kept(text):
    assert not parse_lines([line(text)]).dropped


def test_blank_lines_are_no_lines_and_numbers_count_from_one():
    raw = [b"\n", GOOD, b"  \t\r\n", b"x", GOOD.upper().replace(b"PERSONA", b"persona"), b""]
    seeds = parse_lines(raw)
    assert [seed.line for seed in seeds.kept] == [2]
    assert seeds.dropped == [(4, "not JSON"), (5, "duplicate")]
    assert seeds.reasons() == {"not JSON": 1, "duplicate": 1}


def test_a_byte_order_mark_and_ragged_spaces_are_forgiven():
    [seed] = parse_lines([b"\xef\xbb\xbf" + line("A nurse\n from   Leeds ")]).kept
    assert seed.text == "A nurse from Leeds" and seed.place.city == "Leeds"


LINES = st.one_of(
    st.binary(max_size=60),
    st.text(max_size=60).map(
        lambda text: json.dumps({"persona": text}, ensure_ascii=False).encode("utf-8", "replace")
    ),
    st.text(max_size=60).map(line),
    st.text(max_size=20).map(lambda key: line("A nurse", key)),
    st.recursive(st.none() | st.floats() | st.text(max_size=5), st.lists, max_leaves=4).map(line),
    st.sampled_from([GOOD, b"\xef\xbb\xbf" + GOOD, *BAD]),
    st.sampled_from([b"", b" ", b"\r\n", b"\t"]),
)


@settings(deadline=None, max_examples=150)
@given(st.lists(LINES, max_size=12))
def test_read_is_kept_plus_dropped(raw):
    seeds = parse_lines(raw)
    numbers = sorted([seed.line for seed in seeds.kept] + [drop.line for drop in seeds.dropped])
    assert numbers == [i for i, part in enumerate(raw, 1) if part.strip()]
    assert all(drop.reason for drop in seeds.dropped)
    texts = [seed.text.lower() for seed in seeds.kept]
    assert len(texts) == len(set(texts)) and all(text.strip() for text in texts)
    assert sum(seeds.reasons().values()) == len(seeds.dropped)
    assert all(text.encode() for text in texts), "what is kept can be written"


def test_reading_takes_no_time_that_grows_with_capital_letters():
    """A sentence in capitals once cost time exponential in its longest word."""
    start = time.process_time()
    parse("A" * 200)
    parse("Maria " * 40 + "and others")
    assert time.process_time() - start < 2


def test_read_seeds_from_a_file(tmp_path):
    path = tmp_path / "persona.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + b"\n".join([GOOD, b"", b"x", line("A farmer in Ghana")]))
    seeds = read_seeds(path)
    assert [seed.line for seed in seeds.kept] == [1, 4] and seeds.dropped == [(3, "not JSON")]
    path.write_bytes(b"x\ny\n")
    with pytest.raises(ValueError, match=r"none of 2 lines.*expected lines like"):
        read_seeds(path)
    with pytest.raises(FileNotFoundError):
        read_seeds(tmp_path / "absent.jsonl")


def test_the_projects_own_seeds_are_all_usable():
    lines = bench.own_seeds(300, seed=4)
    seeds = parse_lines(lines)
    assert not seeds.dropped and len(set(lines)) == 300
    assert all(seed.occupation and seed.place for seed in seeds.kept)
    assert lines == bench.own_seeds(300, seed=4) != bench.own_seeds(300, seed=5)


# --- Eq. 2


@given(st.integers(0, 10**9), st.integers(1, 10**6))
def test_seed_index_is_the_first_eight_bytes_of_sha256(i, n):
    digest = hashlib.new("sha256", f"{i}".encode()).hexdigest()
    assert seed_index(i, n) == int(digest[:16], 16) % n
    assert seed_index(i, n, "identity") == i % n


def test_seed_index_spreads_evenly():
    """Chi-square of 20,000 draws over 50 cells: mean 49, sd 10; below 95 but for one time in 10,000."""
    counts = pd.Series([seed_index(i, 50) for i in range(20_000)]).value_counts()
    assert len(counts) == 50 and ((counts - 400) ** 2 / 400).sum() < 95


def test_an_unknown_rule_says_which_there_are():
    with pytest.raises(ValueError, match=r"'md5' is unknown; expected 'sha256' or 'identity'"):
        seed_index(1, 10, "md5")


def test_pythons_hash_seed_changes_nothing():
    code = (
        "import hashlib; from personalab.records import to_jsonl; from personalab.vptt import bench; from personalab.vptt.bench import seeds;"
        "kept = seeds.parse_lines(bench.own_seeds(8)).kept;"
        "print([seeds.seed_index(i, 999) for i in range(20)],"
        "hashlib.sha256(to_jsonl(bench.generate(kept, 3, posts=10))).hexdigest(), kept[0])"
    )
    started = [
        subprocess.Popen(
            [sys.executable, "-c", code],
            env=os.environ | {"PYTHONHASHSEED": salt},
            stdout=subprocess.PIPE,
            text=True,
        )
        for salt in ("1", "2")
    ]
    runs = [process.communicate()[0] for process in started]
    assert [process.returncode for process in started] == [0, 0]
    assert runs[0] == runs[1] and len(runs[0]) > 100


# --- grade


def test_grade_by_hand():
    """Five labelled lines: one is wrongly kept, one wrongly dropped; the facts are graded on the other three."""
    lines = [
        line("A retired nurse from Leeds who loves chess"),
        line("A man who works as a baker in Ghana"),
        line("A Kenyan"),
        line("A robot"),
        line("A painter of doors"),
    ]
    labels = pd.DataFrame(
        [
            [1, 1, "nurse", "United Kingdom", None, "chess;gardening"],
            [2, 1, "fisherman", "Ghana", "man", None],
            [3, 1, "guide", "Uganda", "woman", "running"],
            [4, 1, "robot", None, None, None],
            [5, 0, None, None, None, None],
        ],
        columns=["line", "usable", "occupation", "country", "gender", "interests"],
    )
    table = grade(lines, labels).set_index("fact")
    expected = {
        "usable": (4, 4, 3),
        "occupation": (3, 2, 1),
        "place": (3, 3, 2),
        "gender": (2, 1, 1),
        "interests": (3, 1, 1),
    }
    assert {
        fact: tuple(map(int, row))
        for fact, row in zip(table.index, table[["labelled", "taken", "right"]].to_numpy(), strict=True)
    } == expected
    assert table.precision["place"] == pytest.approx(2 / 3) and table.recall["occupation"] == pytest.approx(
        1 / 3
    )


@pytest.fixture(scope="module")
def personahub() -> list[bytes]:
    folder = os.environ.get("PERSONALAB_DATA")
    if not folder:
        pytest.skip("PERSONALAB_DATA is not set; it names the folder that holds personahub/persona.jsonl")
    return (Path(folder) / "personahub" / "persona.jsonl").read_bytes().splitlines()


def test_personahub_is_kept_plus_dropped(personahub):
    seeds = parse_lines(personahub)
    assert len(personahub) == 5000 == len(seeds.kept) + len(seeds.dropped)
    assert len(seeds.kept) >= 4500


def test_personahub_held_out_labels(personahub):
    """Floors on the lines held out from the rules, labelled by a language model (params/labels/README.md)."""
    labels = pd.read_csv(LABELS / "personahub_test_100.csv")
    table = grade(personahub, labels).set_index("fact")
    assert table.precision["usable"] >= 0.95 and table.recall["usable"] >= 0.95
    assert table.precision["occupation"] >= 0.85
    assert table.precision["place"] >= 0.85

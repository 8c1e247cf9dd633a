"""Tables, figures and comparisons as files: provenance, inert text, the same bytes again."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy.stats import kendalltau

from personalab import compare, figures, tables


class FakeRun:
    """Collects what would be written."""

    profile, stamp = "smoke", "0123456789"

    def __init__(self):
        self.files = {}

    def write(self, kind, file, data):
        self.files[f"{kind}/{file}"] = data
        return file


HOSTILE = pd.DataFrame(
    {
        "name": ["<script>alert(1)</script>", "=SUM(A1)", "50 % & $x_1$ \\input{y}", "a|b"],
        "value": [1 / 3, 2.0, None, 4.0],
    }
)


def test_hostile_text_is_inert_in_every_format():
    run = FakeRun()
    tables.save_table(run, HOSTILE, "t", "100 % of <b> rows_here.")
    text = {name.rsplit(".")[-1]: data.decode() for name, data in run.files.items()}
    assert "<script>" not in text["html"] and "&lt;script&gt;" in text["html"]
    assert "<script>" not in text["md"]
    assert "\\input{" not in text["tex"] and "\\%" in text["tex"] and "x\\_1" in text["tex"]
    assert "'=SUM(A1)" in text["csv"] and "\n=SUM" not in text["csv"]


def test_every_format_carries_profile_and_input_hash_and_rounds():
    run = FakeRun()
    tables.save_table(run, HOSTILE, "t", "Three rows.", decimals=2)
    for suffix in ("md", "tex", "html"):
        body = run.files[f"tables/t.{suffix}"].decode()
        assert "smoke" in body and "0123456789" in body and "0.33" in body and "0.333" not in body


def test_a_table_read_back_from_csv_has_its_numbers():
    run = FakeRun()
    frame = pd.DataFrame({"method": ["a", "b"], "score": [0.12345, np.nan]})
    tables.save_table(run, frame, "t", "x")
    path = run.files["tables/t.csv"].decode().splitlines()
    assert path == ["method,score", "a,0.123", "b,"]


def draw():
    fig, ax = plt.subplots()
    ax.plot([1, 2, 3])
    return fig


def test_figure_has_footer_metadata_and_the_same_bytes_again(tmp_path):
    figures.style()
    first, second = FakeRun(), FakeRun()
    for run in (first, second):
        figures.save_figure(run, draw(), "f", "n = 3")
        plt.close("all")
    assert first.files == second.files
    png = tmp_path / "f.png"
    png.write_bytes(first.files["figures/f.png"])
    assert (
        "inputs 0123456789" in Image.open(png).info["Description"]
        and "n = 3" in Image.open(png).info["Description"]
    )
    assert b"/CreationDate" not in first.files["figures/f.pdf"]


def test_side_by_side_keeps_keys_of_either_side():
    paper = pd.DataFrame({"method": ["A", "B"], "score": [0.5, 0.6]})
    ours = pd.DataFrame({"method": ["B", "C"], "score": [0.7, 0.1]})
    both = compare.side_by_side(paper, ours, ["method"], "score").set_index("method")
    assert both.loc["B", "difference"] == pytest.approx(0.1)
    assert np.isnan(both.loc["A", "ours"]) and np.isnan(both.loc["C", "paper"])


def test_side_by_side_refuses_repeated_keys():
    twice = pd.DataFrame({"method": ["A", "A"], "score": [0.5, 0.6]})
    with pytest.raises(ValueError):
        compare.side_by_side(twice, twice, ["method"], "score")


def test_order_agreement_is_kendalls_tau():
    rng = np.random.default_rng(0)
    compared = pd.DataFrame({"prompt": ["x"] * 6, "paper": rng.random(6), "ours": rng.random(6)})
    (row,) = compare.order_agreement(compared, ["prompt"]).to_dict("records")
    assert row["tau"] == pytest.approx(kendalltau(compared["paper"], compared["ours"]).statistic)
    assert row["n"] == 6


def test_missing_cells_stay_empty_in_markdown():
    frame = pd.DataFrame({"method": ["a", None], "score": [0.5, np.nan]})
    assert "nan" not in tables.to_markdown(frame, "x").lower()


def test_an_empty_text_stays_empty_in_csv():
    run = FakeRun()
    tables.save_table(run, pd.DataFrame({"state": ["", "-x"], "n": [1, 2]}), "t", "x")
    assert run.files["tables/t.csv"].decode().splitlines() == ["state,n", ",1", "'-x,2"]


def test_a_rounded_zero_has_no_sign():
    """-0.0004 and 0.0004 say the same at three decimals, in every format."""
    run = FakeRun()
    tables.save_table(run, pd.DataFrame({"gap": [-0.0004, 0.0004, -0.4]}), "t", "x")
    assert run.files["tables/t.csv"].decode().splitlines() == ["gap", "0.0", "0.0", "-0.4"]
    assert "-0.000" not in run.files["tables/t.md"].decode()

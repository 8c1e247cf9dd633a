"""Saving and loading, and the stamp: a hash of the recipe that the numbers do not enter."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from conftest import write_notebook
from personalab import records, runs, sources

VALUES = {"profile": "mini", "n": 3, "seed": 0, "rate": 0.5, "label": "a"}
PROMPT = records.Prompt(id="p1", task="generation", text="a café at dusk")


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(sources, "ROOT", tmp_path)
    monkeypatch.setattr(runs, "ROOT", tmp_path)
    write_notebook(tmp_path / "notebooks" / "first.ipynb", ["1 + 1"])
    write_notebook(tmp_path / "notebooks" / "second.ipynb", ["2 + 2"])
    return tmp_path


def test_every_format_comes_back_as_it_went(root):
    run = runs.Run("first", VALUES)
    table = pd.DataFrame({"value": [0.1, np.nan], "name": ["a", "é"]})
    run.save("t.parquet", table)
    run.save("p.jsonl", [PROMPT])
    run.save("x.json", {"b": [1, None], "a": "é"})
    run.save("arrays.npz", {"x": np.arange(3), "y": np.eye(2)})
    other = runs.Run("second", VALUES)
    pd.testing.assert_frame_equal(other.load("first", "t.parquet"), table)
    assert other.load("first", "p.jsonl", records.Prompt) == [PROMPT]
    assert other.load("first", "x.json") == {"b": [1, None], "a": "é"}
    np.testing.assert_equal(other.load("first", "arrays.npz"), {"x": np.arange(3), "y": np.eye(2)})


def test_only_the_declared_parameters_are_kept(root):
    run = runs.Run("first", VALUES | {"np": np, "_": 3})
    assert run.parameters == VALUES
    assert run.data == root / "outputs" / "mini" / "data" / "first"


def test_the_stamp_follows_the_recipe_and_not_the_numbers(root):
    def downstream(value: float, **changed) -> str:
        runs.Run("first", VALUES | changed).save("x.json", value)
        run = runs.Run("second", VALUES)
        run.load("first", "x.json")
        return run.stamp

    stamp = downstream(1.0)
    assert downstream(1.0 + 1e-12) == stamp  # another CPU
    assert downstream(1.0, seed=1) != stamp  # another recipe upstream
    assert runs.Run("second", VALUES).stamp != stamp  # nothing read
    write_notebook(root / "notebooks" / "second.ipynb", ["2 + 3"])
    assert downstream(1.0) != stamp


def test_the_manifest_holds_the_hashes_of_the_bytes(root):
    (root / "seeds.txt").write_bytes(b"abc")
    run = runs.Run("first", VALUES)
    assert run.read("seeds.txt") == b"abc"
    saved = run.save("x.json", [1])
    figure = run.write("figures", "f.svg", b"<svg/>")
    assert figure == root / "outputs" / "mini" / "figures" / "f.svg"
    manifest = json.loads((run.data / "manifest.json").read_text())
    assert manifest["inputs"] == {"seeds.txt": hashlib.sha256(b"abc").hexdigest()}
    assert manifest["outputs"] == {
        "outputs/mini/data/first/x.json": hashlib.sha256(saved.read_bytes()).hexdigest(),
        "outputs/mini/figures/f.svg": hashlib.sha256(b"<svg/>").hexdigest(),
    }
    assert manifest["parameters"] == VALUES and manifest["versions"]["numpy"] == np.__version__
    assert set(manifest["stamps"]) == {"x.json", "f.svg"}


def test_the_same_values_give_the_same_bytes(root):
    table = pd.DataFrame({"value": np.random.default_rng(0).normal(size=50)})
    first = runs.Run("first", VALUES).save("t.parquet", table).read_bytes()
    assert runs.Run("first", VALUES).save("t.parquet", table.copy()).read_bytes() == first
    arrays = {"x": table["value"].to_numpy()}
    first = runs.Run("first", VALUES).save("a.npz", arrays).read_bytes()
    assert runs.Run("first", VALUES).save("a.npz", dict(arrays)).read_bytes() == first


def test_reading_a_csv_gives_a_table(root):
    (root / "t.csv").write_text("a,b\n1,x\n")
    assert runs.Run("first", VALUES).read("t.csv").to_dict("records") == [{"a": 1, "b": "x"}]


def test_mistakes_are_explained(root):
    run = runs.Run("second", VALUES)
    with pytest.raises(
        FileNotFoundError, match=r"Run notebooks/first.ipynb first \(or: make PROFILE=mini second"
    ):
        run.load("first", "x.json")
    with pytest.raises(ValueError, match=r"'\.pkl'; expected \.jsonl"):
        run.save("x.pkl", 1)
    with pytest.raises(ValueError, match="expected 'figures' or 'tables'"):
        run.write("pictures", "x.svg", b"")
    with pytest.raises(ValueError, match="profile 'maxi' is unknown"):
        runs.Run("first", VALUES | {"profile": "maxi"})


def test_a_folder_that_a_library_wrote_is_noted_and_found(root):
    run = runs.Run("first", VALUES)
    with pytest.raises(FileNotFoundError, match="graph does not exist"):
        run.note("graph")
    (run.data / "graph").mkdir(parents=True)
    (run.data / "graph" / "edges.bin").write_bytes(b"abc")
    run.note("graph")
    other = runs.Run("second", VALUES)
    before = other.stamp
    assert other.find("first", "graph") == run.data / "graph"
    assert other.stamp != before, "what is found is part of the recipe"
    other.save("x.json", 1)
    noted = [json.loads((one.data / "manifest.json").read_text()) for one in (run, other)]
    name = "outputs/mini/data/first/graph"
    assert noted[0]["outputs"][name] == noted[1]["inputs"][name]
    (run.data / "graph" / "edges.bin").write_bytes(b"abd")
    run.note("graph")
    assert json.loads((run.data / "manifest.json").read_text())["outputs"][name] != noted[0]["outputs"][name]

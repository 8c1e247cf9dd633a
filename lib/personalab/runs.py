"""Where a notebook's files lie, and what they were made from.

A notebook opens one `Run`, saves and loads through it, and every file it writes appears whole or not at all.
Beside the data lies `manifest.json`: parameters, hashes of everything read and written, versions. `Run.stamp`
is the short hash printed under every figure and table. It is a hash of the recipe (notebook, parameters, the cards
and local models they name, and the recipes of what was read), not of the numbers, so that another CPU prints the same stamp and `git diff`
stays quiet; the manifest holds the hashes of the bytes.
"""

import io
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from . import records
from .sources import (
    PROFILES,
    ROOT,
    declared_parameters,
    models_behind,
    notebook_cells,
    notebook_path,
    sha256,
    sha256_file,
    write_atomic,
)

_VERSIONS = ("numpy", "torch", "sentence-transformers", "scikit-learn", "pandas", "pyarrow")


class Run:
    """One execution of one notebook in one profile.

    Args:
        name: the notebook, relative to notebooks/ and without its suffix.
        values: the notebook's `globals()`; the declared parameters are picked out of it.
    """

    def __init__(self, name: str, values: Mapping[str, Any]):
        path = notebook_path(name)
        self.name = name
        self.parameters = {key: values[key] for key in declared_parameters(path)}
        self.profile = self.parameters.get("profile", "mini")
        if self.profile not in PROFILES:
            raise ValueError(f"profile {self.profile!r} is unknown; expected one of {PROFILES}")
        self._source = sha256(json.dumps(notebook_cells(path)).encode())
        models = models_behind(self.parameters)
        self._recipes: dict[str, str] = {_relative(file): sha256(file.read_bytes()) for file in models}
        self._inputs: dict[str, str] = {}
        self._outputs: dict[str, str] = {}

    @property
    def outputs(self) -> Path:
        """outputs/<profile>."""
        return ROOT / "outputs" / self.profile

    @property
    def data(self) -> Path:
        """The folder of this notebook's data files."""
        return self.outputs / "data" / self.name

    @property
    def stamp(self) -> str:
        """Ten hexadecimal digits over notebook, parameters, models and the recipes of all that was read so far."""
        recipe = {"notebook": self._source, "parameters": self.parameters, "read": self._recipes}
        return sha256(json.dumps(recipe, sort_keys=True, default=str).encode())[:10]

    def save(self, file: str, value: Any) -> Path:
        """Save under this notebook's data folder; the suffix chooses the format.

        .jsonl takes records (an iterator is written as it comes, so they need not be in memory together), .parquet
        records or a DataFrame, .json plain data, .npz a mapping of arrays.
        """
        return self._write(self.data / file, _encode(file, value))

    def load(self, name: str, file: str, model: type[records.Record] | None = None) -> Any:
        """Load what notebook `name` saved in this profile; `model` is the record type of a .jsonl.

        Raises:
            FileNotFoundError: it has not been saved yet; the message says which notebook makes it.
        """
        return self._read(self._made_by(name, file), model)

    def find(self, name: str, file: str) -> Path:
        """The path of a file or folder that notebook `name` noted, to be mapped or streamed instead of read whole.

        Raises:
            FileNotFoundError: as `load`.
        """
        path = self._made_by(name, file)
        self._inputs[_relative(path)] = _sha256_of(path)
        return path

    def note(self, file: str) -> Path:
        """Enter a file or folder that something else wrote under this notebook's data folder into the manifest.

        Raises:
            FileNotFoundError: it is not there.
        """
        path = self.data / file
        if not path.exists():
            raise FileNotFoundError(f"{path} does not exist; note what has been written")
        self._outputs[_relative(path)] = _sha256_of(path)
        self._write_manifest(path)
        return path

    def read(self, path: str | Path, model: type[records.Record] | None = None) -> Any:
        """Read a file that no notebook made (seeds, the papers' figures); relative to the repository."""
        path = ROOT / path
        self._recipes[path.name] = sha256(path.read_bytes())
        return self._read(path, model)

    def write(self, kind: str, file: str, data: bytes) -> Path:
        """Write a finished figure or table: outputs/<profile>/<kind>/<file>."""
        if kind not in ("figures", "tables"):
            raise ValueError(f"kind is {kind!r}; expected 'figures' or 'tables'")
        return self._write(self.outputs / kind / file, data)

    def _made_by(self, name: str, file: str) -> Path:
        """Where another notebook saved something; its recipe becomes a part of this run's."""
        path = self.outputs / "data" / name / file
        if not path.exists():
            raise FileNotFoundError(
                f"{path} does not exist yet. Run notebooks/{name}.ipynb first "
                f"(or: make PROFILE={self.profile} {self.name})"
            )
        manifest = json.loads((self.outputs / "data" / name / "manifest.json").read_text())
        self._recipes[f"{name}/{file}"] = manifest["stamps"][file]
        return path

    def _read(self, path: Path, model: type[records.Record] | None) -> Any:
        data = path.read_bytes()
        self._inputs[_relative(path)] = sha256(data)
        return _decode(path, data, model)

    def _write(self, path: Path, data: bytes | Iterable[bytes]) -> Path:
        write_atomic(path, data)
        self._outputs[_relative(path)] = sha256(data) if isinstance(data, bytes) else sha256_file(path)
        self._write_manifest(path)
        return path

    def _write_manifest(self, path: Path) -> None:
        """Add `path` to the manifest; stamps of files saved by earlier runs of this notebook are kept."""
        file = self.data / "manifest.json"
        stamps = json.loads(file.read_text())["stamps"] if file.exists() else {}
        stamps[path.name] = self.stamp
        manifest = {
            "notebook": self.name,
            "profile": self.profile,
            "parameters": self.parameters,
            "notebook_sha256": self._source,
            "inputs": self._inputs,
            "outputs": self._outputs,
            "stamps": stamps,
            "versions": {"python": sys.version.split()[0], **{name: version(name) for name in _VERSIONS}},
        }
        write_atomic(file, json.dumps(manifest, indent=1, sort_keys=True, default=str).encode())


def _relative(path: Path) -> str:
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


def _sha256_of(path: Path) -> str:
    """Of a file, or of a folder's files by name."""
    if path.is_file():
        return sha256_file(path)
    files = sorted(one for one in path.rglob("*") if one.is_file())
    return sha256("".join(f"{one.relative_to(path)} {sha256_file(one)}\n" for one in files).encode())


def _encode(file: str, value: Any) -> bytes | Iterable[bytes]:
    match Path(file).suffix:
        case ".jsonl":
            return (records.to_jsonl([record]) for record in value)
        case ".parquet":
            return _parquet(value)
        case ".json":
            return json.dumps(value, indent=1, sort_keys=True).encode()
        case ".npz":
            return _npz(value)
        case suffix:
            raise ValueError(f"{file}: cannot save a {suffix!r}; expected .jsonl, .parquet, .json or .npz")


def _decode(path: Path, data: bytes, model: type[records.Record] | None) -> Any:
    match path.suffix:
        case ".jsonl" if model is not None:
            return records.read_jsonl(path, model).records
        case ".parquet" if model is not None:
            return records.read_parquet(path, model)
        case ".parquet":
            return pd.read_parquet(io.BytesIO(data))
        case ".json":
            return json.loads(data)
        case ".csv":
            return pd.read_csv(io.BytesIO(data))
        case ".npz":
            with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
                return dict(arrays)
        case _:
            return data


def _parquet(table: pd.DataFrame | Sequence[records.Record]) -> bytes:
    buffer = io.BytesIO()
    if isinstance(table, pd.DataFrame):
        table.to_parquet(buffer, index=False)
    else:
        pq.write_table(records.to_table(table), buffer)
    return buffer.getvalue()


def _npz(arrays: Mapping[str, np.ndarray]) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()

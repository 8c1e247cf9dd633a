"""Every parameter file names an existing notebook and parameters that it declares, flat and of the right type."""

import pytest
import yaml

from personalab.parameters import effective_parameters, looks_secret
from personalab.sources import PROFILES, ROOT, declared_parameters, notebook_names, notebook_path

FILES = sorted(path for profile in PROFILES for path in (ROOT / "params" / profile).rglob("*.yaml"))


def split(path) -> tuple[str, str]:
    profile, *name = path.relative_to(ROOT / "params").with_suffix("").parts
    return profile, "/".join(name)


@pytest.mark.parametrize("path", FILES, ids=lambda path: "/".join(split(path)))
def test_a_parameter_file_fits_its_notebook(path):
    profile, name = split(path)
    effective_parameters(name, profile)  # raises on unknown names, wrong types, nesting, secrets
    written = yaml.safe_load(path.read_text())
    declared = declared_parameters(notebook_path(name))
    repeated = [key for key, value in written.items() if repr(declared[key]) == repr(value)]
    assert not repeated, f"{repeated} only repeat the notebook's defaults"


@pytest.mark.parametrize("name", notebook_names())
def test_defaults_are_flat_and_no_secrets(name):
    declared = declared_parameters(notebook_path(name))
    assert declared.get("profile") == "mini"
    for key, value in declared.items():
        assert isinstance(value, str | int | float | list | None), f"{key}: {value!r} is not flat"
        assert not looks_secret(key, value), key


@pytest.mark.parametrize("name", notebook_names())
def test_smoke_is_smaller_than_mini(name):
    mini, smoke = effective_parameters(name, "mini"), effective_parameters(name, "smoke")
    counts = [key for key, value in mini.items() if type(value) is int and key != "seed"]
    assert all(smoke[key] <= mini[key] for key in counts), "smoke runs in seconds"

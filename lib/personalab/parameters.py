"""What a run's parameters are, and which are refused before anything starts.

A notebook declares its parameters with their mini defaults; params/<profile>/<notebook>.yaml and the command line
change some of them. What this does not do: read a notebook's values while it runs, or hold any default itself.
"""

import argparse
import difflib
import re
from collections.abc import Mapping
from typing import Any

import yaml

from .sources import ROOT, declared_parameters, notebook_path

_SECRET_NAME = re.compile(r"(api|access|private)_?key|secret|passw(or)?d|credential|(^|_)token$", re.I)
_SECRET_PREFIX = re.compile(r"(sk-|hf_|gh[pousr]_|github_pat_|xox[abp]-|AKIA)[\w-]{8,}")
_SECRET_HEX = re.compile(r"[0-9a-fA-F]{32,}")
_SECRET_BASE64 = re.compile(r"(?=.*[0-9])(?=.*[a-z])(?=.*[A-Z])[\w+=-]{32,}")


def effective_parameters(
    name: str,
    profile: str,
    given: Mapping[str, Any] | None = None,
    offered: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """All parameters of a run: defaults, then params/<profile>/<name>.yaml, then `offered`, then `given`.

    Args:
        name: the notebook, "vptt/s3_1_bench".
        profile: one of `sources.PROFILES`; it becomes the value of a parameter called `profile`.
        given: values for this notebook.
        offered: values that count only where the notebook declares the name.

    Raises:
        ValueError: a value that `check_parameter` refuses, or a file that is no mapping.
    """
    declared = declared_parameters(notebook_path(name))
    changed = written_parameters(name, profile)
    changed |= {key: value for key, value in (offered or {}).items() if key in declared} | dict(given or {})
    for key, value in (declared | changed).items():
        check_parameter(key, value, declared)
    return declared | changed | ({"profile": profile} if "profile" in declared else {})


def written_parameters(name: str, profile: str) -> dict[str, Any]:
    """What params/<profile>/<name>.yaml changes; nothing if there is no such file. ValueError if it is no mapping."""
    file = ROOT / "params" / profile / f"{name}.yaml"
    if not file.exists():
        return {}
    try:
        written = yaml.safe_load(file.read_text())
    except yaml.YAMLError as error:
        raise ValueError(f"{file}: not YAML: {' '.join(str(error).split())}") from None
    if written is not None and not isinstance(written, dict):
        raise ValueError(f"{file}: got a {type(written).__name__}, expected lines of `name: value`")
    return written or {}


def check_parameter(name: str, value: Any, declared: Mapping[str, Any]) -> None:
    """Raise ValueError unless `name` is declared and `value` is of its default's type and no secret.

    An int may stand for a float; a default of None takes any scalar. Lists hold scalars; dicts are refused, and
    so is whatever looks like a key or a password: executed notebooks and manifests show their parameters.
    """
    if looks_secret(name, value):
        raise ValueError(
            f"parameter {name!r} looks like a secret, and parameters end up in executed notebooks; "
            "set it as an environment variable instead"
        )
    if name not in declared:
        near = difflib.get_close_matches(name, declared, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"expected one of {sorted(declared)}"
        raise ValueError(f"unknown parameter {name!r}; {hint}")
    default = declared[name]
    items = value if isinstance(value, list) else [value]
    if not all(isinstance(item, str | int | float | None) for item in items):
        raise ValueError(f"parameter {name!r}: got {value!r}, expected a flat value: parameters do not nest")
    got, expected = type(value), type(default)
    if got is not expected and default is not None and (got, expected) != (int, float):
        raise ValueError(f"parameter {name!r}: got {value!r} ({got.__name__}), expected {expected.__name__}")


def looks_secret(name: str, value: Any) -> bool:
    """Whether the name says key, token or password, or the value has the shape of one."""
    items = value if isinstance(value, list) else [value]
    shapes = (_SECRET_PREFIX, _SECRET_HEX, _SECRET_BASE64)
    return bool(_SECRET_NAME.search(name)) or any(
        shape.fullmatch(item) for item in items if isinstance(item, str) for shape in shapes
    )


def assignment(text: str) -> tuple[str, Any]:
    """ "name=value" as (name, value), the value read as YAML; for argparse."""
    name, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"got {text!r}, expected name=value")
    return name, yaml.safe_load(value)

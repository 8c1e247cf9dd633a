"""Prompts from files: params/prompts/<name>.yaml, filled with fields.

A file has one or more variants, usually `full` and `brief` (for models too small to follow instructions), each with
a `system` and a `user` message as Jinja templates; an empty message is left out. What is filled in is data: a field
that looks like template code stays as it is written. Other words for a prompt are another file.
"""

from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jinja2 import StrictUndefined, Template, TemplateError, UndefinedError
from jinja2.sandbox import SandboxedEnvironment

from ..sources import ROOT

_ROLES = ("system", "user", "assistant")


def render(name: str, variant: str = "full", **fields: object) -> tuple[tuple[str, str], ...]:
    """The messages (role, content) of a prompt.

    Args:
        name: a file in params/prompts without its suffix, or a path that ends in .yaml, relative to the repository.
        variant: which of the file's variants.
        fields: every field the variant names; further ones are ignored.

    Raises:
        FileNotFoundError: no such file; the message lists those there are.
        ValueError: no such variant, a file of the wrong form, or a field that was not given.
    """
    path = _path(name)
    messages = _variant(path, variant)
    try:
        rendered = [(role, _compiled(text).render(fields).strip()) for role, text in messages.items()]
    except UndefinedError as error:
        raise ValueError(
            f"{path.name}, {variant}: {error.message}; got the fields {sorted(fields)}"
        ) from None
    except TemplateError as error:
        raise ValueError(f"{path.name}, {variant}: {error}; expected a Jinja template") from None
    return tuple((role, content) for role, content in rendered if content)


def _path(name: str) -> Path:
    folder = ROOT / "params" / "prompts"
    path = ROOT / name if name.endswith(".yaml") else folder / f"{name}.yaml"
    if not path.exists():
        known = sorted(file.stem for file in folder.glob("*.yaml"))
        raise FileNotFoundError(f"no prompt {name!r}; expected one of {known}, or a new file {path}")
    return path


def _variant(path: Path, variant: str) -> dict[str, str]:
    variants = _parsed(path.read_text())
    if not isinstance(variants, dict) or variant not in variants:
        known = list(variants) if isinstance(variants, dict) else variants
        raise ValueError(f"{path.name} has no variant {variant!r}; expected one of {known}")
    messages = variants[variant]
    if not isinstance(messages, dict) or not set(messages) <= set(_ROLES):
        raise ValueError(f"{path.name}, {variant}: got {messages!r}, expected templates for some of {_ROLES}")
    return messages


@cache
def _parsed(text: str) -> Any:
    return yaml.safe_load(text)


@cache
def _compiled(text: str) -> Template:
    return SandboxedEnvironment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True).from_string(
        text
    )

"""The grammar behind the offline personas: word lists and sentence templates in YAML, and how to read them.

Each file holds data only; the modules beside it hold the code that draws from it. A *phrase* is one string,
`"text"` or `"text | attribute=value, attribute=value"`, where the part after the bar names what the text
implies in the miniature world (`world.words.parse` takes it apart). This module reads files and nothing else.
"""

from functools import cache
from pathlib import Path
from typing import Any

import yaml

_FOLDER = Path(__file__).parent


@cache
def load(name: str) -> Any:
    """The content of `<name>.yaml` beside this module, read once; treat it as read-only.

    Args:
        name: path without suffix, relative to the grammar: "captions", "regions/portugal".

    Raises:
        FileNotFoundError: there is no such file; the message lists those there are.
    """
    path = _FOLDER / f"{name}.yaml"
    if not path.is_file():
        known = sorted(str(p.relative_to(_FOLDER).with_suffix("")) for p in _FOLDER.rglob("*.yaml"))
        raise FileNotFoundError(f"no grammar file {name!r}; expected one of {known}")
    return yaml.load(path.read_bytes(), Loader=yaml.CSafeLoader)

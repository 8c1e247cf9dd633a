"""What pages are made of: plain text, pictures, buttons, and the file their words stand in.

Texts are shown as text, whatever signs they hold. Pictures are PNG bytes without a name or any chunk that says where they
come from. Every control has a tooltip and a DOM class that begins with "study-".
"""

import asyncio
from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path
from typing import Any, TypeVar

import ipywidgets as widgets
import numpy as np
import yaml

from ..backends.pictures import png
from ..sources import ROOT

#: The width of the box around, less the margins that every widget has.
FULL = "calc(100% - 4px)"
#: Seconds between a press in the browser and what it does.
SETTLED = 0.4
W = TypeVar("W", bound=widgets.DOMWidget)


class PatientButton(widgets.Button):
    """A button that waits, when pressed in a browser, for what was entered before.

    A browser holds back a control's last value while the one before is on its way, but never a press: it may overtake
    the last step of a slider. What is pressed meanwhile does nothing, and `click()` does not wait.
    """

    _waiting = False

    def _handle_button_msg(self, _: Any, content: dict, buffers: Any) -> None:
        if content.get("event") != "click" or self._waiting:
            return
        self._waiting = True
        asyncio.get_running_loop().call_later(SETTLED, self._act)

    def _act(self) -> None:
        self._waiting = False
        self.click()


def wording(path: str | Path, *keys: str) -> dict[str, Any]:
    """The words of a screen.

    Args:
        path: a .yaml file, relative to the repository.
        keys: what it has to hold.

    Raises:
        FileNotFoundError: no such file.
        ValueError: it lacks some of the keys.
    """
    words = yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))
    lacking = [key for key in keys if not isinstance(words, dict) or not words.get(key)]
    if lacking:
        raise ValueError(f"{path} lacks {lacking}; expected a mapping with {list(keys)}")
    return words


def marked(widget: W, name: str) -> W:
    """The widget, with the DOM class study-<name>."""
    widget.add_class(f"study-{name}")
    return widget


def text(words: str, tag: str = "p", **attributes: str) -> widgets.HTML:
    """Words as one element of the page, in a box if it is a blockquote; markup in them is shown, not obeyed."""
    given = "".join(f' {name}="{escape(value)}"' for name, value in attributes.items())
    box = "; padding: 8px; border-left: 4px solid #888; background: #8882" if tag == "blockquote" else ""
    return widgets.HTML(f'<{tag} style="line-height: 1.4; margin: 4px 0{box}"{given}>{escape(words)}</{tag}>')


def listed(words: Sequence[str], summary: str = "", unfolded: bool = True) -> widgets.HTML:
    """Words as a list, under a summary that folds and unfolds it."""
    items = "".join(f"<li>{escape(one)}</li>" for one in words)
    fold = f"<details{' open' if unfolded else ''}><summary>{escape(summary)}</summary>"
    return widgets.HTML(f'{fold}<ul style="line-height: 1.4; margin: 4px 0">{items}</ul></details>')


def picture(image: np.ndarray, width: int) -> widgets.Image:
    """A picture, uint8 (h, w, 3), at most `width` pixels wide on the page. JupyterLab shows none that has a tooltip."""
    shown = widgets.Image(value=png(image), format="png")
    shown.layout = widgets.Layout(width=FULL, max_width=f"{width}px", object_fit="contain")
    return shown


def button(
    words: str, name: str, tooltip: str, action: Callable[[], None], style: str = ""
) -> widgets.Button:
    """A button that calls `action`."""
    made = marked(PatientButton(description=words, tooltip=tooltip, button_style=style), name)
    made.on_click(lambda _: action())
    return made


def radio(options: Sequence[Any], value: Any, name: str, tooltip: str) -> widgets.RadioButtons:
    """Options in a row, none chosen where `value` is None; the question itself stands above, as text."""
    made = widgets.RadioButtons(options=options, value=value, orientation="horizontal", tooltip=tooltip)
    made.layout.width = "auto"
    return marked(made, name)


def side_by_side(parts: Sequence[widgets.Widget], width: int) -> widgets.HBox:
    """Parts in a row, each at most `width` pixels wide; they wrap where the page is too narrow."""
    for part in parts:
        part.layout.flex = f"1 1 {width // 2}px"
        part.layout.max_width = f"{width}px"
    return widgets.HBox(list(parts), layout=widgets.Layout(flex_flow="row wrap", grid_gap="12px"))

"""One look for every figure, and the way it is saved: provenance in the footer and in the file's metadata.

Plots themselves are a few lines of seaborn in the notebook that shows them.
"""

import io
from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib.figure import Figure

from .runs import Run

#: One colour per method wherever methods are compared; blue and orange hues apart for colour-blind readers.
METHOD_COLOURS = {
    "Baseline": "#9a9a9a",
    "Persona Only": "#c9a227",
    "BRAG": "#d1603d",
    "VPRAG": "#1f6f8b",
    "Comb.": "#5a3d8a",
}
#: The paper's values are hollow, ours are filled.
PAPER = {"marker": "D", "facecolors": "none", "edgecolors": "black", "linewidths": 1.0, "s": 26, "zorder": 5}


def style() -> None:
    """Apply the project's matplotlib style and seaborn defaults; call it once at the top of a notebook."""
    sns.set_theme(style="ticks", context="paper")
    plt.style.use(Path(__file__).with_name("paper.mplstyle"))


def picture_grid(
    pictures: Sequence[np.ndarray | None],
    columns: int,
    titles: Sequence[str] | None = None,
    rows: Sequence[str] | None = None,
    size: float = 0.75,
) -> Figure:
    """Pictures side by side, pixels as they are.

    Args:
        pictures: n arrays (h, w, 3), row by row; None leaves its place empty.
        columns: pictures per row.
        titles: above the pictures: one per picture, or one per column.
        rows: one label per row.
        size: inches per picture.
    """
    height = -(-len(pictures) // columns)
    extra = 0.25 if titles else 0.03
    shape = (
        columns * size * 1.04,
        height * size * (1.04 + extra * (titles is not None and len(titles) > columns)) + extra,
    )
    figure, axes = plt.subplots(height, columns, figsize=shape, squeeze=False, layout="constrained")
    figure.get_layout_engine().set(w_pad=0.01, h_pad=0.01, wspace=0, hspace=0)
    for i, ax in enumerate(axes.flat):
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
        if i < len(pictures) and pictures[i] is not None:
            ax.imshow(pictures[i], interpolation="nearest")
        if titles and i < len(titles):
            ax.set_title(titles[i], fontsize=5.5 if len(titles) > columns else 6, fontweight="normal", pad=2)
        if rows and i % columns == 0:
            ax.set_ylabel(rows[i // columns], fontsize=6, rotation=0, ha="right", va="center")
    return figure


def save_figure(run: Run, figure: Figure, name: str, caption: str) -> Path:
    """Save as PNG and PDF under outputs/<profile>/figures, footed with profile, caption and input hash.

    Args:
        run: the run the figure belongs to; everything it shows must have been read before.
        figure: laid out already; a line of text is added below it.
        name: file name without suffix, the make target's name.
        caption: n and what is shown, one line.

    Returns:
        The PNG's path.
    """
    footer = f"{caption}  |  profile {run.profile}, inputs {run.stamp}"
    figure.text(0.0, -0.012, footer, fontsize=6.5, color="#555555", ha="left", va="top")
    png = run.write(
        "figures", f"{name}.png", _render(figure, "png", {"Description": footer, "Software": None})
    )
    run.write("figures", f"{name}.pdf", _render(figure, "pdf", {"Subject": footer, "CreationDate": None}))
    return png


def _render(figure: Figure, suffix: str, metadata: dict[str, str | None]) -> bytes:
    buffer = io.BytesIO()
    with mpl.rc_context({"pdf.fonttype": 42}):
        figure.savefig(buffer, format=suffix, metadata=metadata, bbox_inches="tight", pad_inches=0.08)
    return buffer.getvalue()

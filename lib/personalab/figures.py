"""One look for every figure, and the way it is saved: provenance in the footer and in the file's metadata.

Plots themselves are a few lines of seaborn in the notebook that shows them.
"""

import io
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
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

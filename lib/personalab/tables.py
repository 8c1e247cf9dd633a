"""A DataFrame as the four files a reader wants: CSV, Markdown, LaTeX, HTML, each with its provenance.

Text in a table is data: markup is escaped in HTML and LaTeX, and a cell that a spreadsheet would take for a
formula is quoted in the CSV.
"""

import pandas as pd
from IPython.display import HTML
from tabulate import tabulate

from .runs import Run


def save_table(run: Run, table: pd.DataFrame, name: str, caption: str, decimals: int = 3) -> HTML:
    """Save under outputs/<profile>/tables and return the HTML for the notebook to show.

    Args:
        run: the run the table belongs to.
        table: one row per line; its index is not written.
        name: file name without suffix, the make target's name.
        caption: what it shows, with n.
        decimals: floats are rounded to this many, in every format.
    """
    shown = table.reset_index(drop=True).round(decimals)
    floats = shown.select_dtypes("float").columns
    shown[floats] += 0.0  # a zero has no sign: it would follow the order of additions
    note = f"{caption} Profile {run.profile}, inputs {run.stamp}."
    html = to_html(shown, note, decimals)
    run.write("tables", f"{name}.csv", (_inert(shown).to_csv(index=False)).encode())
    run.write("tables", f"{name}.md", to_markdown(shown, note, decimals).encode())
    run.write("tables", f"{name}.tex", to_latex(shown, note, decimals).encode())
    run.write("tables", f"{name}.html", html.encode())
    return HTML(html)


def to_markdown(table: pd.DataFrame, caption: str, decimals: int = 3) -> str:
    """A pipe table with its caption below; missing cells stay empty."""
    rows = [[_plain(cell) for cell in row] for row in table.itertuples(index=False)]
    body = tabulate(rows, list(table.columns), tablefmt="pipe", floatfmt=f".{decimals}f", missingval="")
    return f"{body}\n\n{caption}\n"


def _plain(cell: object) -> object:
    """A cell that Markdown cannot take for markup; None where it is missing."""
    if isinstance(cell, str):
        return cell.replace("|", "\\|").replace("<", "&lt;")
    return None if pd.isna(cell) else cell


def to_html(table: pd.DataFrame, caption: str, decimals: int = 3) -> str:
    """A table element, text escaped; no style sheet, no script."""
    styler = table.style.format(precision=decimals, na_rep="", escape="html").hide(axis="index")
    return styler.set_caption(caption).to_html(doctype_html=False, exclude_styles=True)


def to_latex(table: pd.DataFrame, caption: str, decimals: int = 3) -> str:
    """A tabular with booktabs rules in a table float, text escaped."""
    styler = table.style.format(precision=decimals, na_rep="", escape="latex").hide(axis="index")
    styler = styler.format_index(escape="latex", axis="columns")
    return styler.to_latex(hrules=True, caption=_latex(caption), position_float="centering")


def _latex(text: str) -> str:
    return (
        text.replace("\\", "\\textbackslash ")
        .replace("%", "\\%")
        .replace("_", "\\_")
        .replace("&", "\\&")
        .replace("#", "\\#")
    )


def _inert(table: pd.DataFrame) -> pd.DataFrame:
    """Cells that begin like a spreadsheet formula get a leading apostrophe."""
    return table.map(
        lambda cell: (
            f"'{cell}" if isinstance(cell, str) and cell.startswith(("=", "+", "-", "@", "\t")) else cell
        )
    )

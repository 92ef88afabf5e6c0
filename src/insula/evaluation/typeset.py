"""Tables to paste into a paper or a message: the same rows as LaTeX and as Markdown."""

from __future__ import annotations

import re
from collections.abc import Sequence

_LATEX = str.maketrans(
    {
        "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
        **{sign: f"\\{sign}" for sign in "&%$#_{}"}, **{sign: f"${sign}$" for sign in "<>|"},
        **{sign: f"{{{sign}}}" for sign in "[]*"},  # behind the end of a row they would be its options
        "\u2212": "$-$", "\u2013": "--", "\u201c": "``", "\u201d": "''", "\u2019": "'", '"': "''",
        "\u03ba": r"$\kappa$", "\u00b5": r"$\mu$", "\u00b2": "$^2$", "\u00d7": r"$\times$",
    }
)  # fmt: skip
_WIDE = 35  # letters of a text from which it is broken into lines
_MARKDOWN = re.compile(r"([\\`*_\[\]<>|])")


def typeset(name: str, head: Sequence[str], rows: Sequence[Sequence[str]], about: str) -> dict[str, str]:
    """Return a table as the contents of two files, NAME.tex and NAME.md."""
    return {f"{name}.tex": latex(head, rows, about), f"{name}.md": markdown(head, rows, about)}


def latex(head: Sequence[str], rows: Sequence[Sequence[str]], about: str) -> str:
    r"""Return a table for a LaTeX document, which needs no package; `about` becomes a comment above it.

    Examples
    --------
    >>> print(latex(["Arm", "Accuracy %"], [["a_b & c", "\u22121.5"]], "On simulated brains."), end="")
    % On simulated brains.
    \begin{tabular}{lr}
    \hline
    Arm & Accuracy \% \\
    \hline
    a\_b \& c & $-$1.5 \\
    \hline
    \end{tabular}
    """
    lines = [" & ".join(_line(cell).translate(_LATEX) for cell in row) + r" \\" for row in (head, *rows)]
    columns = "".join(_column([row[place] for row in rows]) for place in range(len(head)))
    top, *body = lines
    return "\n".join(
        [f"% {_line(about)}", rf"\begin{{tabular}}{{{columns}}}", r"\hline", top, r"\hline", *body, r"\hline",
         r"\end{tabular}", ""]
    )  # fmt: skip


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]], about: str) -> str:
    r"""Return a Markdown table, with `about` above it.

    Examples
    --------
    >>> print(markdown(["Arm", "Accuracy %"], [["a_b | c", "50.0"]], "On simulated brains."), end="")
    On simulated brains.
    <BLANKLINE>
    | Arm | Accuracy % |
    | --- | ---: |
    | a\_b \| c | 50.0 |
    """
    right = [all(_numeric(row[place]) for row in rows) for place in range(len(head))]
    cells = [[_MARKDOWN.sub(r"\\\1", _line(cell)) for cell in row] for row in (head, *rows)]
    cells.insert(1, ["---:" if numeric else "---" for numeric in right])
    table = "\n".join(f"| {' | '.join(row)} |" for row in cells)
    above = _MARKDOWN.sub(r"\\\1", _line(about))
    return f"{above}\n\n{table}\n"


def _line(text: str) -> str:
    """Return a text in one line, without what is no sign."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())


def _column(cells: Sequence[str]) -> str:
    if all(map(_numeric, cells)):
        return "r"
    return "p{5cm}" if max(map(len, cells)) > _WIDE else "l"


def _numeric(text: str) -> bool:
    """Return whether a cell belongs on the right: a number, an interval, a dash."""
    return not text or text[0] in "0123456789+<\u2212\u2013"

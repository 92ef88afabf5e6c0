"""How plots look, and how they become pictures inside a page."""

from __future__ import annotations

import base64
import io
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from insula.evaluation.results import Arm, Results
from insula.evaluation.verdict import MINUS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ACCENT, INK, QUIET, FAINT, WARNING = "#d55e00", "#1f2933", "#7b8794", "#d5dbe1", "#b00020"
"""Accent (the headline arm, and nothing else), text, other arms, grid and bands, a leaking split."""

PALETTE = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#000000", "#b8a800", "#8c510a")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
"""Colours (Okabe and Ito, told apart by colour-blind readers) and markers of classes; the two go together."""

WIDTH = 9.6
"""Inches, the width of the page."""

SHAPES = {"system": "o", "placebo": "D", "control": "s"}
"""Marker of an arm by its kind."""

_STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans", "font.size": 9.5, "text.color": INK, "axes.labelcolor": INK,
    "axes.edgecolor": QUIET, "axes.linewidth": 0.8, "axes.spines.top": False, "axes.spines.right": False,
    "axes.axisbelow": True, "grid.color": FAINT, "grid.linewidth": 0.7, "xtick.color": INK, "ytick.color": INK,
    "xtick.major.size": 3, "ytick.major.size": 0, "legend.frameon": False, "lines.linewidth": 1.6,
    "svg.hashsalt": "insula", "savefig.dpi": 160, "text.parse_math": False,  # a name may hold a dollar
}  # fmt: skip


@dataclass(frozen=True)
class Plot:
    """A picture for the report.

    Parameters
    ----------
    name, title : str
        A short name, and the heading.
    picture : str
        A `data:` address that holds the whole picture (SVG).
    alternative : str
        What the picture shows, with its numbers, for who cannot see it.
    caption : str
        How to read it.
    """

    name: str
    title: str
    picture: str
    alternative: str
    caption: str


@contextmanager
def style() -> Iterator[None]:
    """Draw in insula's style inside the block, and leave the settings of matplotlib as they were."""
    from matplotlib import rc_context

    with rc_context(_STYLE):
        yield


def sheet(width: float, height: float) -> Figure:
    """Return an empty figure, in inches; no window and no global state."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def canvas(width: float, height: float, **subplots: Any) -> tuple[Figure, Any]:
    """Return a figure, in inches, and its axes."""
    figure = sheet(width, height)
    return figure, figure.subplots(**subplots)


def picture(figure: Figure, results: Results) -> str:
    """Return a figure as a `data:` address, with the mark across it where published practice flatters it."""
    stamp(figure, results.mark)
    return address(svg(figure))


def stamp(figure: Figure, mark: str) -> None:
    """Write across a figure what flatters it; nothing where the mark is empty."""
    if mark:
        size = min(30, 100 * figure.get_figwidth() / len(mark))  # a bold letter is some 0.65 of its size wide
        figure.text(0.5, 0.5, mark, color=WARNING, alpha=0.2, fontsize=size, weight="bold",
                    ha="center", va="center", rotation=8)  # fmt: skip


def svg(figure: Figure) -> bytes:
    """Return a figure as SVG, the same for the same figure."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()


def address(content: bytes) -> str:
    """Return an SVG as a `data:` address."""
    return "data:image/svg+xml;base64," + base64.b64encode(content).decode()


def colour(results: Results, arm: Arm) -> str:
    """Return an arm's colour: the accent for the headline, dark for the baseline, quiet for the rest."""
    if arm.name == results.headline:
        return ACCENT
    return INK if arm.name == results.baseline else QUIET


def rows_of(axes: Axes, labels: list[str]) -> None:
    """Label the rows of a dot plot from the top down and draw its vertical grid."""
    axes.set_yticks(range(len(labels)), [textwrap.fill(label, 42) for label in labels])
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.grid(axis="x")
    axes.spines["left"].set_visible(False)


def in_percent(axes: Axes, which: str = "x") -> None:
    """Write an axis of shares as percentages."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axis = getattr(axes, f"{which}axis")
    axis.set_major_locator(MaxNLocator(8 if which == "x" else 5, steps=[1, 2, 5, 10]))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.3g} %"))


def in_points(axes: Axes, which: str = "x") -> None:
    """Write an axis of differences as signed points."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    def signed(value: float, _: int) -> str:
        return f"{100 * value:+.3g}".replace("-", MINUS) if abs(value) > 1e-9 else "0"

    axis = getattr(axes, f"{which}axis")
    axis.set_major_locator(MaxNLocator(8 if which == "x" else 6, steps=[1, 2, 5, 10]))
    axis.set_major_formatter(FuncFormatter(signed))

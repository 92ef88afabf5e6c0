"""A picture of what features cluster by: corpus, subject or emotion, before and after an alignment."""

from __future__ import annotations

import textwrap

import numpy as np
import pandas as pd

from insula.evaluation.clusters import SILHOUETTES
from insula.evaluation.drawing import FAINT, MARKERS, PALETTE, QUIET, WIDTH, Plot, address, canvas, stamp, svg
from insula.evaluation.results import Results
from insula.evaluation.verdict import MINUS

_LETTERS = 13  # letters of a title or legend that stand side by side in an inch


def clusters(results: Results) -> Plot | None:
    """Draw what the features of the first fit cluster by, where there is more than one subject."""
    if "clusters" not in results.tables:
        return None
    return draw_clusters(results.tables["clusters"], results.measured[SILHOUETTES], results.mark)


def draw_clusters(points: pd.DataFrame, scores: pd.DataFrame, mark: str = "") -> Plot:
    """Draw t-SNE maps: a row a space, a column a kind of label, with the silhouettes of the features themselves.

    More than eight groups, as of subjects, get no legend.

    Parameters
    ----------
    points : DataFrame
        From `cluster_map`.
    scores : DataFrame
        From `silhouettes`, of the same features; a column `features` says what they are.
    mark : str
        What is written across the figure, where something flatters the system.
    """
    spaces, labels = list(points["space"].unique()), [name for name in points if name not in ("space", "x", "y")]
    table = scores.set_index(["space", "label"])["silhouette"]
    width, rows, columns = min(4.8, WIDTH / len(labels)), len(spaces), len(labels)
    letters = int(_LETTERS * width)
    legends = {label: _legend(points[label], letters) for label in labels}
    below = 0.3 + 0.2 * max(sum(name.count("\n") + 1 for name in names) // across for names, across in legends.values())
    figure, panels = canvas(width * columns, (width + 0.2) * rows + below, nrows=rows, ncols=columns, squeeze=False)
    for row, space in zip(panels, spaces, strict=True):
        part = points[points["space"] == space]
        for axes, label in zip(row, labels, strict=True):
            codes, levels = pd.factorize(part[label], sort=True)
            for code in range(-1, len(levels)):
                own = part[codes == code]
                shade = QUIET if code < 0 else PALETTE[code % len(PALETTE)]
                marker = "." if code < 0 else MARKERS[(code + code // len(PALETTE)) % len(MARKERS)]
                names, across = legends[label]
                name = names[code] if code >= 0 and names else None
                axes.scatter(own["x"], own["y"], 12, color=shade, marker=marker, alpha=0.75, lw=0, label=name)
            title = f"{space}, by {label}: {_said(table[space, label])}"
            axes.set_title(textwrap.fill(title, letters), fontsize=9.5)
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set_visible(True)
            axes.spines[:].set_color(FAINT)
            if space == spaces[-1] and names:
                axes.legend(loc="upper center", bbox_to_anchor=(0.5, 0), ncols=across, fontsize=8,
                            markerscale=1.6, handletextpad=0.2, columnspacing=0.8)  # fmt: skip
    stamp(figure, mark)
    summary = "; ".join(
        f"{space}: " * (len(spaces) > 1) + ", ".join(f"{label} {_said(table[space, label])}" for label in labels)
        for space in spaces
    )
    what = " and ".join(scores["features"].unique()) if "features" in scores else "features"
    count = len(points) // len(spaces)
    aligned = (
        " An alignment has helped where it lowered that of corpus and subject and not that of the label."
        if len(spaces) > 1
        else ""
    )
    return Plot(
        "clusters", "What the features cluster by", address(svg(figure)),
        f"t-SNE maps of features coloured by {', '.join(labels)}. Mean silhouettes: {summary}.",
        f"t-SNE of {count:,} samples, by what the system reads and not by what it learnt ({what}); neighbours are "
        "alike, sizes of clusters and distances between them mean nothing. The titles give the mean silhouette of the "
        f"features, not of the map ({summary}). 1: groups apart, 0: overlap, below 0: others are nearer.{aligned}",
    )  # fmt: skip


def _legend(groups: pd.Series, letters: int) -> tuple[list[str], int]:
    """Return the names of a legend, broken to the width of a panel, and how many stand side by side."""
    _, levels = pd.factorize(groups, sort=True)
    if len(levels) > len(PALETTE):
        return [], 1
    names = [textwrap.fill(str(name), letters - 4) for name in levels]
    longest = max((len(line) for name in names for line in name.split("\n")), default=1)
    return names, max(1, min(3, len(names), letters // (longest + 4)))


def _said(value: float) -> str:
    return f"{value:.2f}".replace("-", MINUS) if np.isfinite(value) else "one group"

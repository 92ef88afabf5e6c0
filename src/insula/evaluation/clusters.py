"""What features cluster by: corpus, subject or emotion, before and after an alignment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from insula.errors import DataError
from insula.evaluation.drawing import FAINT, MARKERS, PALETTE, QUIET, Plot, address, canvas, stamp, svg
from insula.evaluation.verdict import MINUS

Spaces = Mapping[str, np.ndarray]
Labels = Mapping[str, Sequence[str | None]]


def silhouettes(features: Spaces, labels_by_name: Labels) -> pd.DataFrame:
    """Return how well features cluster by each kind of label: the mean silhouette (Rousseeuw 1987).

    1 where groups lie apart, 0 where they overlap, below 0 where others are nearer than one's own group. An alignment
    helps where it lowers that of corpus and subject and keeps or raises that of emotion. Time is quadratic in samples.

    Parameters
    ----------
    features : mapping of str to array, shape (n, d)
        By the name of the space, for example `before` and `after`; the same samples in each.
    labels_by_name : mapping of str to sequence of str, length n
        For example `corpus`, `subject`, `emotion`. Samples without a label are left out of that row, and so are groups
        of one.

    Returns
    -------
    DataFrame
        One row a space and label: `space, label, n, groups, silhouette`, NaN where there are less than two groups.

    Raises
    ------
    DataError
        Where features and labels differ in length.

    Examples
    --------
    >>> before = np.array([[0.0], [0.1], [5.0], [5.1]])
    >>> labels = {"subject": ["A", "A", "B", "B"], "emotion": ["joy", "fear", "joy", "fear"]}
    >>> silhouettes({"before": before}, labels).round(2)
        space    label  n  groups  silhouette
    0  before  subject  4       2        0.98
    1  before  emotion  4       2       -0.49
    """
    from sklearn.metrics import silhouette_score

    rows = []
    for space, values in features.items():
        for label, names in labels_by_name.items():
            codes, found = _codes(names, len(values), label)
            kept = np.bincount(codes + 1, minlength=len(found) + 1)[codes + 1] > 1
            kept &= codes >= 0
            groups = len(np.unique(codes[kept]))
            score = silhouette_score(values[kept], codes[kept]) if groups > 1 else np.nan
            rows.append((space, label, int(kept.sum()), groups, float(score)))
    return pd.DataFrame(rows, columns=["space", "label", "n", "groups", "silhouette"])


def draw_clusters(features: Spaces, labels_by_name: Labels, mark: str = "") -> Plot:
    """Draw t-SNE maps: a row a space, a column a kind of label, with the silhouettes of the features themselves.

    More than eight groups, as of subjects, get no legend.

    Parameters
    ----------
    features, labels_by_name
        As for `silhouettes`.
    mark : str
        What is written across the figure, where something flatters the system.
    """
    table = silhouettes(features, labels_by_name).set_index(["space", "label"])["silhouette"]
    figure, panels = canvas(
        3.2 * len(labels_by_name), 3.2 * len(features) + 0.8, nrows=len(features), ncols=len(labels_by_name),
        squeeze=False,
    )  # fmt: skip
    last = list(features)[-1]
    for row, (space, values) in zip(panels, features.items(), strict=True):
        points = _flat(values)
        for axes, (label, names) in zip(row, labels_by_name.items(), strict=True):
            codes, found = _codes(names, len(values), label)
            for code in range(-1, len(found)):
                own = points[codes == code]
                shade = QUIET if code < 0 else PALETTE[code % len(PALETTE)]
                marker = "." if code < 0 else MARKERS[(code + code // len(PALETTE)) % len(MARKERS)]
                name = found[code] if code >= 0 else None
                axes.scatter(*own.T, 12, color=shade, marker=marker, alpha=0.75, lw=0, label=name)
            axes.set_title(f"{space}, by {label}: {_said(table[space, label])}", fontsize=9.5)
            axes.set(xticks=[], yticks=[])
            axes.set_aspect("equal", "datalim")
            axes.spines[:].set_visible(True)
            axes.spines[:].set_color(FAINT)
            if space == last and len(found) <= len(PALETTE):
                axes.legend(loc="upper center", bbox_to_anchor=(0.5, 0), ncols=min(4, len(found)), fontsize=8,
                            handletextpad=0.2, columnspacing=0.8)  # fmt: skip
    stamp(figure, mark)
    said = "; ".join(
        f"{space}: {', '.join(f'{label} {_said(value)}' for (_, label), value in part.items())}"
        for space, part in table.groupby(level="space", sort=False)
    )
    return Plot(
        "clusters", "What the features cluster by", address(svg(figure)),
        f"t-SNE maps of features coloured by {', '.join(labels_by_name)}. Mean silhouettes: {said}.",
        "t-SNE of the features; neighbours are alike, sizes of clusters and distances between them mean nothing. The "
        f"titles give the mean silhouette of features, not of the map: {said}. 1: groups apart, 0: overlap.",
    )  # fmt: skip


def _said(value: float) -> str:
    return f"{value:.2f}".replace("-", MINUS) if np.isfinite(value) else "one group"


def _codes(names: Sequence[str | None], count: int, label: str) -> tuple[np.ndarray, list[str]]:
    """Return the group of each sample, -1 without a label, and the names of groups."""
    if len(names) != count:
        raise DataError(f"{len(names)} labels for {count} samples", where=label, do="give one label a sample")
    codes, found = pd.factorize(np.asarray(names, object), sort=True)
    return codes, [str(name) for name in found]


def _flat(values: np.ndarray) -> np.ndarray:
    from openTSNE import TSNE

    return np.asarray(TSNE(perplexity=max(2, min(30, len(values) // 4)), random_state=0, n_jobs=1).fit(values))

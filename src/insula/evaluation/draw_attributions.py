"""Pictures of what a network on EEG answers from: attributions and attention on the scalp."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from insula.eeg.montage import flat_positions
from insula.evaluation.attributions import Sanity
from insula.evaluation.drawing import INK, WIDTH, Plot, address, canvas, stamp, svg

_FROM_NONE = "Oranges"
"""White for nothing, dark for much."""


def draw_attributions(table: pd.DataFrame, sanity: Sanity | None = None, mark: str = "") -> Plot:
    """Draw attributions on the scalp: a column a class, a row a band; times are averaged.

    Parameters
    ----------
    table : DataFrame
        From `channel_attributions`.
    sanity : Sanity, optional
        From `check_attributions`, for the caption.
    mark : str
        What is written across the figure, where something flatters the system.
    """
    table = table[table.groupby("class")["value"].transform(lambda values: values.notna().all())]
    over_bands = "band" in table
    table = table if over_bands else table.assign(band=0)
    classes, channels, bands = (list(table[name].unique()) for name in ("class", "channel", "band"))
    means = table.groupby(["class", "channel", "band"], sort=False)["value"].mean().to_numpy()
    maps = means.reshape(len(classes), len(channels), len(bands)).transpose(2, 0, 1)
    figure, panels = canvas(WIDTH, 0.6 + 1.9 * len(bands), nrows=len(bands), ncols=len(classes), squeeze=False)
    electrodes, limit = flat_positions(channels), float(maps.max()) or 1.0
    for row, values, band in zip(panels, maps, bands, strict=True):
        for axes, value in zip(row, values, strict=True):
            drawn = _head(axes, value, electrodes, (0, limit))
        if over_bands:
            row[0].set_ylabel(f"band {band + 1}")
    for axes, name in zip(panels[0], classes, strict=True):
        axes.set_title(name, fontsize=9.5)
    bar = figure.colorbar(drawn, ax=panels, aspect=12 * len(bands), pad=0.02, label="mean absolute attribution")
    bar.outline.set_visible(False)
    top = maps.sum(axis=0).argsort(axis=1)[:, ::-1][:, :3]
    peaks = "; ".join(f"{name} {', '.join(channels[at] for at in own)}" for name, own in zip(classes, top, strict=True))
    stamp(figure, mark)
    checked = sanity.sentence if sanity else "Not checked against networks of random weights."
    return Plot(
        "attributions", "What the network answers from", address(svg(figure)),
        f"Scalp maps of attributions by class. Strongest electrodes: {peaks}. {checked}",
        "How much each electrode moves the score of the true class: mean absolute attribution over the samples of the "
        f"class, one scale for all; nose up, one dot an electrode. Strongest: {peaks}. {checked} What moves a network "
        "need not be where the brain makes it: volume conduction spreads it, and so do muscles and eyes.",
    )  # fmt: skip


def draw_attention(attention: np.ndarray, channels: Sequence[str], mark: str = "") -> Plot:
    """Draw the strongest links between electrodes, as many as electrodes, over the attention that each receives.

    Parameters
    ----------
    attention : array, shape (channels, channels)
        Rows attend to columns and add up to one, as from `RBTransformer.attention`.
    channels : sequence of str
        Their names.
    mark : str
        As for `draw_attributions`.
    """
    count = len(channels)
    times = count * attention  # 1 is attention spread evenly
    links = (times + times.T) / 2
    one, other = np.triu_indices(count, 1)
    chosen = links[one, other].argsort()[::-1][:count]
    received, electrodes = times.mean(axis=0), flat_positions(channels)
    figure, axes = canvas(5.2, 4.4)
    drawn = _head(axes, received, electrodes, (min(1.0, received.min()), max(1.0, received.max())))
    strength = links[one, other][chosen]
    shares = strength / strength.max()
    for start, stop, share in zip(one[chosen], other[chosen], shares, strict=True):
        axes.plot(*electrodes[[start, stop]].T, color=INK, lw=2.5 * share, alpha=0.2 + 0.6 * share, zorder=5)
    for name, (x, y) in zip(channels, electrodes, strict=True):
        axes.annotate(name, (x, y), (0, 4), textcoords="offset points", ha="center", fontsize=7, color=INK, zorder=6)
    figure.colorbar(drawn, ax=axes, aspect=14, shrink=0.8, label="attention received (1: as if even)").outline.set(
        visible=False
    )
    stamp(figure, mark)
    best = ", ".join(
        f"{channels[one[at]]} and {channels[other[at]]} ({links[one[at], other[at]]:.2f})" for at in chosen[:3]
    )
    return Plot(
        "attention", "Which electrodes attend to each other", address(svg(figure)),
        f"The {len(chosen)} strongest links between {count} electrodes, strongest {best} times even attention.",
        f"The {len(chosen)} strongest of {len(one)} links, mean of both directions over heads, blocks and samples; "
        f"colour is the attention that an electrode receives, 1 if it were spread evenly. Strongest: {best}. Attention "
        "says what is mixed, not what decides the answer: for that, see the attributions.",
    )  # fmt: skip


def _head(axes: Any, values: np.ndarray, electrodes: np.ndarray, limits: tuple[float, float]) -> Any:
    from mne.viz import plot_topomap

    edge = 1.03 * max(1.0, float(np.linalg.norm(electrodes, axis=1).max()))  # the outline encloses every electrode
    drawn, _ = plot_topomap(
        values, electrodes, axes=axes, show=False, cmap=_FROM_NONE, vlim=limits, contours=0, sphere=(0, 0, 0, edge)
    )
    return drawn

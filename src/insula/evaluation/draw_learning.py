"""A picture of learning curves: the loss of every network that a run trained, epoch by epoch."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from insula.evaluation.drawing import PALETTE, WIDTH, Plot, canvas, picture
from insula.evaluation.facts import LOSSES, system_of
from insula.evaluation.results import Results

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_TRAINING, _VALIDATION = PALETTE[:2]
_COLUMNS = 4


@dataclass(frozen=True)
class _History:
    """One training: the epoch that was kept, from 1, and the losses of each epoch."""

    epoch: int
    training: list[float]
    validation: list[float]


def learning_curves(results: Results) -> Plot | None:
    """Draw training and validation loss by epoch, a panel for each network and a line for each fit.

    Networks are found by what `insula.training.engine.Trained.facts` leaves, however deep it lies among the facts of a
    fit. Those of placebos and of permuted labels are not drawn.
    """
    parts = _parts(results)
    if not parts:
        return None
    columns = min(_COLUMNS, len(parts))
    rows = -(-len(parts) // columns)
    width = WIDTH if columns > 1 else 0.6 * WIDTH
    figure, panels = canvas(width, 2.1 * rows + 0.5, nrows=rows, ncols=columns, squeeze=False)
    for axes, (title, histories) in zip(panels.flat, parts.items(), strict=False):
        _curves(axes, histories)
        axes.set_title(title, fontsize=9, wrap=True)
    for axes in panels.flat[len(parts) :]:
        axes.set_axis_off()
    for axes in panels.flat[max(len(parts) - columns, 0) : len(parts)]:
        axes.set_xlabel("epoch")
    for axes in panels[:, 0]:
        axes.set_ylabel("loss")
    handles = [_line(panels[0, 0], "training", _TRAINING)]
    if any(one.validation for histories in parts.values() for one in histories):
        handles.append(_line(panels[0, 0], "validation", _VALIDATION))
    figure.legend(handles=handles, loc="outside upper right", ncols=len(handles), fontsize=9)
    return Plot(
        "learning-curves", "How the networks learnt", picture(figure, results), _in_words(parts),
        "Loss by epoch, a line for each fit of a fold and a repeat; the dot is the epoch whose weights were kept. A "
        "validation loss that rises while the training loss falls shows what is learnt by heart. The "
        "two are not always the same sum: what is known of training samples alone, or altered in them, counts in "
        "training only. Each panel has a scale of its own.",
    )  # fmt: skip


def _parts(results: Results) -> dict[str, list[_History]]:
    """Return the trainings of each network by title, own system first, as facts have them."""
    beside = {arm.name: arm for arm in results.arms if arm.kind != "system"}
    parts = defaultdict(list)
    for name, facts in results.facts.items():
        fitted = system_of(name)
        arm = beside.get(fitted) if fitted else None
        if fitted is None or (arm and (arm.kind == "placebo" or arm.at_chance)):
            continue
        for path, history in _histories(facts):
            title = (arm.title, *path) if arm else path
            parts[", ".join(title) or fitted].append(history)
    return dict(parts)


def _histories(facts: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], _History]]:
    if "epoch" in facts and set(LOSSES) <= set(facts):
        yield path, _History(facts["epoch"], *(facts[name] for name in LOSSES))
    for key, value in facts.items():
        if isinstance(value, Mapping):
            yield from _histories(value, (*path, str(key)))


def _line(axes: Axes, label: str, shade: str) -> Any:
    return axes.plot([], [], color=shade, label=label)[0]


def _curves(axes: Axes, histories: list[_History]) -> None:
    from matplotlib.ticker import MaxNLocator

    for one in histories:
        for losses, shade in ((one.training, _TRAINING), (one.validation, _VALIDATION)):
            axes.plot(np.arange(1, len(losses) + 1), losses, color=shade, lw=0.9, alpha=0.8)
            kept = losses[one.epoch - 1 : one.epoch]
            axes.plot([one.epoch] * len(kept), kept, "o", color=shade, ms=3.5)
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.grid(axis="y")


def _in_words(parts: Mapping[str, list[_History]]) -> str:
    sentences = []
    for title, histories in parts.items():
        kept = sorted({one.epoch for one in histories})
        epochs = f"epoch {kept[0]}" if len(kept) == 1 else f"epochs {kept[0]} to {kept[-1]}"
        first, last = (np.mean([one.training[place] for one in histories]) for place in (0, -1))
        held = [one.validation[one.epoch - 1] for one in histories if one.validation]
        validation = f", validation loss {np.mean(held):.3g} there" if held else ""
        fits = "1 fit" if len(histories) == 1 else f"{len(histories)} fits"
        sentences.append(f"{title}: {fits}, training loss {first:.3g} to {last:.3g}, kept {epochs}{validation}")
    return "Loss by epoch. " + "; ".join(sentences) + "."

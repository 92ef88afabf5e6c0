"""How a fitted system does when its inputs are worse than those it was trained on: noise, dropped parts, missing ones.

Test inputs alone are disturbed, after the fit, of the modalities that the system reads; the same row is always
disturbed alike, so modes and systems meet the same disturbance.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from insula.emotions import Continuous
from insula.evaluation.add_on import AddOn, FinishedFit, FinishedRun, Tables
from insula.samples import Samples, Store
from insula.samples.altered_store import Alter, AlteredStore, altered
from insula.samples.stores import Description
from insula.systems.base import System

_DECIBELS = (20, 10, 5, 0)
_SHARES = (0.25, 0.5, 0.75, 1.0)
_FILE = "robustness.parquet"
_SEED = 61

DISTURBED = {
    "classes": "Disturbed inputs: share of units that are right",
    "ratings": "Disturbed inputs: pooled root mean square error, in the label's units; smaller is better",
}
"""What the table is headed by."""

KEY = ("modality", "disturbance", "level")


class Robustness(AddOn):
    """What the system predicts from disturbed inputs, in the first fold of each repeat, where a recipe wants that."""

    field = "measured"

    def applies(self, fit: FinishedFit) -> bool:
        """Return whether the recipe wants it of this fit."""
        return fit.recipe.robustness and fit.fitting.kind == "system" and fit.fitting.fold == 0

    def write(self, fit: FinishedFit) -> None:
        """Write what every mode predicts; a modality that no test sample has cannot be disturbed."""
        frames, units = [], fit.study.protocol.scored_units(fit.test)
        modalities = [name for name in modalities_of(fit.system) if fit.test.has(name).any()]
        for modality in modalities:
            for name, level, disturbed in disturbances(fit.test, modality):
                if name == "missing" and len(modalities) == 1:
                    continue  # nothing is left to predict from
                for mode in fit.system.modes:
                    table = fit.system.predict(disturbed, mode).collapse(units).table.rename_axis("unit").reset_index()
                    about = dict(zip(KEY, (modality, name, level), strict=True))
                    frames.append(table.filter(regex="^(unit|rating|p_.*)$").assign(**about, arm=mode))
        pd.concat(frames).to_parquet(fit.folder / _FILE)

    def read(self, run: FinishedRun) -> Tables:
        """Return one row a disturbance, one column a mode: accuracy, or pooled error of ratings; means over fits."""
        scores = []
        for fitting, path in ((fitting, folder / _FILE) for fitting, folder in run.own.items()):
            if path.is_file():
                table = pd.read_parquet(path)
                table["truth"] = run.answers[fitting.repeat]["truth"].reindex(table["unit"]).to_numpy()
                for key, part in table.groupby(["arm", *KEY], sort=False):
                    scores.append((*key, _score(part.dropna(subset=["truth"]))))
        if not scores:
            return {}
        table = pd.DataFrame(scores, columns=["arm", *KEY, "score"])
        wide = table.pivot_table(index=list(KEY), columns="arm", values="score", aggfunc="mean", sort=False)
        wide = wide[list(dict.fromkeys(table["arm"]))].rename_axis(columns=None).reset_index()
        title = DISTURBED["ratings" if isinstance(run.studies[0].task, Continuous) else "classes"]
        return {title: wide.rename(columns=run.system.modes)}


def disturbances(samples: Samples, modality: str) -> Iterator[tuple[str, str, Samples]]:
    """Yield what is done to a modality, how much of it, and the samples disturbed so.

    Parameters
    ----------
    samples : Samples
        Of a test part.
    modality : str
        A signal or features (noise, dropped channels), a picture (blur, a covered part); any may be missing.
    """
    form = samples.store(modality).description
    for name, level, alter in _alterations(samples, modality, form):
        key = [name, level, _SEED]

        def make(store: Store, alter: Alter = alter, key: list[Any] = key) -> Store:
            return AlteredStore(store, alter, key)

        yield name, level, altered(samples, modality, f"{name} {level}", make)
    present = np.flatnonzero(samples.has(modality))
    order = np.random.default_rng(_SEED).permutation(present)
    for share in _SHARES:
        gone = order[: round(share * len(order))]
        rows = samples.rows(modality).copy()
        rows[gone] = -1
        yield "missing", f"{share:.0%}", samples.with_columns(**{f"{modality}_row": rows})


def _alterations(samples: Samples, modality: str, form: Description) -> Iterator[tuple[str, str, Alter]]:
    if form.kind == "picture":
        for sigma in (1, 2, 4):
            yield "blur", f"{sigma} pixels", _blurred(sigma)
        for share in _SHARES[:2]:
            yield "covered", f"{share:.0%}", _covered(share)
        return
    if form.kind == "text":
        return
    power = _power(samples, modality, over_time="time" in form.axes)
    for decibels in _DECIBELS:
        yield "noise", f"{decibels} dB", _noisy(np.sqrt(power * 10 ** (-decibels / 10)))
    if "channel" in form.axes:
        for share in _SHARES[:2]:
            yield "dropped channels", f"{share:.0%}", _dropped(share, form.axes.index("channel"))


def _power(samples: Samples, modality: str, over_time: bool) -> np.ndarray:
    """Return the variance of each channel or feature over the first thousand samples that have it."""
    some = samples.select(np.flatnonzero(samples.has(modality))[:1000]).read(modality).astype(np.float64)
    return some.var(axis=(0, -1), keepdims=True)[0] if over_time else some.var(axis=0)


def _noisy(deviation: np.ndarray) -> Alter:
    def alter(values: np.ndarray, rows: np.ndarray) -> np.ndarray:
        noise = [np.random.default_rng([_SEED, row]).standard_normal(values.shape[1:]) for row in rows]
        return values + (np.asarray(noise).reshape(values.shape) * deviation).astype(values.dtype)

    return alter


def _dropped(share: float, axis: int) -> Alter:
    """Put the mean of the other channels in place of some: what an interpolation of a dead electrode comes to."""

    def alter(values: np.ndarray, rows: np.ndarray) -> np.ndarray:
        moved = np.moveaxis(values.copy(), 1 + axis, 1)
        gone = np.random.default_rng(_SEED).permutation(moved.shape[1])[: round(share * moved.shape[1])]
        kept = np.setdiff1d(np.arange(moved.shape[1]), gone)
        moved[:, gone] = moved[:, kept].mean(axis=1, keepdims=True)
        return np.moveaxis(moved, 1, 1 + axis)

    return alter


def _blurred(sigma: float) -> Alter:
    from scipy.ndimage import gaussian_filter

    return lambda values, rows: gaussian_filter(values, sigma=(0, sigma, sigma, 0)) if len(values) else values


def _covered(share: float) -> Alter:
    """Cover a square of a picture, this share of its area, grey, somewhere in each row's picture."""

    def alter(values: np.ndarray, rows: np.ndarray) -> np.ndarray:
        covered = values.copy()
        height, width = values.shape[1:3]
        tall, wide = round(height * share**0.5), round(width * share**0.5)
        for picture, row in zip(covered, rows, strict=True):
            top, left = np.random.default_rng([_SEED, row]).integers((height - tall + 1, width - wide + 1))
            picture[top : top + tall, left : left + wide] = 128
        return covered

    return alter


def modalities_of(system: System) -> tuple[str, ...]:
    """Return the modalities that a system may read, by its settings where they name them."""
    named = (getattr(system.settings, name, None) for name in ("eeg", "face"))
    return tuple(name for name in named if isinstance(name, str)) or tuple(system.predicts_from)


def _score(part: pd.DataFrame) -> float:
    if "rating" in part:
        return float(np.sqrt(np.mean((part["rating"] - part["truth"].astype(float)) ** 2)))
    columns = [name for name in part if name.startswith("p_")]
    names = np.array([name.removeprefix("p_") for name in columns], object)
    return float((names[part[columns].to_numpy().argmax(axis=1)] == part["truth"].to_numpy(object)).mean())

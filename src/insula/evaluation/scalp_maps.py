"""Maps of the classes on the scalp, measured and virtual, from test samples; numbers only."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from insula.eeg.maps import Signals, agreement, class_maps, is_time_locked
from insula.emotions import Continuous
from insula.evaluation.study import Study, answers
from insula.samples import Samples

_MAPS, _AGREEMENT = "maps.parquet", "agreement.parquet"


def write_scalp_maps(folder: Path, system: Any, test: Samples, study: Study) -> None:
    """Write the tables of `scalp_tables` for the test part of a fit, where it has EEG cut around events.

    Parameters
    ----------
    folder : Path
        Of the fit.
    system : System
        Fitted; its `signals` get pictures and EEG without labels.
    test : Samples
        The test part, without labels.
    study : Study
        What the truth is taken from.
    """
    test = test.select(test.has("eeg"))
    if isinstance(study.task, Continuous) or not len(test) or not is_time_locked(test.store("eeg").description):
        return
    truth = answers(study)["truth"].reindex(study.protocol.scored_units(test))
    codes = pd.Index(study.task.classes).get_indexer(truth)
    if (signals := system.signals(test)) is None:
        return
    found = scalp_tables(signals, test.units("subject"), codes, study.task.classes)
    for name, table in zip((_MAPS, _AGREEMENT), found or (), strict=False):
        table.to_parquet(folder / name)


def read_scalp_maps(fits: Iterable[tuple[str, str, Path]]) -> dict[str, pd.DataFrame]:
    """Return the tables for a report: `maps` of the system, `agreement` of it and its placebos (`kind`, `arm`).

    Parameters
    ----------
    fits : iterable of (kind, name, folder)
        Of all fits; most hold no maps.
    """
    tables, rows = {}, []
    for kind, name, folder in fits:
        if (folder / _AGREEMENT).exists():
            rows.append(pd.read_parquet(folder / _AGREEMENT).assign(kind=kind, arm=name))
            if kind == "system":
                tables["maps"] = pd.read_parquet(folder / _MAPS)
    return {**tables, "agreement": pd.concat(rows, ignore_index=True)} if "maps" in tables else {}


def scalp_tables(
    signals: Signals, subjects: np.ndarray, codes: np.ndarray, classes: Sequence[str]
) -> tuple[pd.DataFrame, pd.DataFrame] | None:
    """Return how the classes differ on the scalp, measured and virtual, and how well the two agree.

    Parameters
    ----------
    signals : Signals
        Of test samples. Those without a virtual signal are left out.
    subjects : array of str, shape (n,)
        Whose they are.
    codes : int array, shape (n,)
        True classes, -1 where unknown.
    classes : sequence of str
        Class names.

    Returns
    -------
    maps : DataFrame
        One row a source (`real`, `virtual`), class, channel and time bin, in this order: `source, class, channel, time`
        (s after the event) and `value` (microvolts from the mean over classes, averaged over subjects).
    agreement : DataFrame
        One row a subject: `subject`, `n` (epochs), `agreement` (correlation of real and virtual maps over classes,
        channels and times), `halves` (that of two halves of the real epochs: maps of few epochs are noisy) and
        `amplitude` (virtual over real, root mean squares).

    None in place of both where no sample has a virtual signal and a known class.
    """
    kept = np.flatnonzero(np.isfinite(signals.virtual).all(axis=(1, 2)) & (codes >= 0))
    if not len(kept):
        return None
    maps: dict[str, list[np.ndarray]] = {"real": [], "virtual": []}
    rows = []
    for subject in sorted(set(subjects[kept])):
        mine = kept[subjects[kept] == subject]
        real, virtual = (class_maps(part[mine], codes[mine], len(classes)) for part in (signals.real, signals.virtual))
        odd = pd.Series(codes[mine]).groupby(codes[mine]).cumcount().to_numpy() % 2 == 1
        halves = [class_maps(signals.real[half], codes[half], len(classes)) for half in (mine[odd], mine[~odd])]
        rows.append(
            {
                "subject": subject,
                "n": len(mine),
                "agreement": agreement(real, virtual),
                "halves": agreement(*halves),
                "amplitude": float(np.sqrt(np.nanmean(virtual**2) / np.nanmean(real**2))),
            }
        )
        maps["real"].append(real)
        maps["virtual"].append(virtual)
    values = np.stack([_mean(maps[source]) for source in maps])
    index = pd.MultiIndex.from_product(
        [list(maps), classes, signals.channels, signals.times], names=["source", "class", "channel", "time"]
    )
    table = pd.DataFrame({"value": values.ravel().astype(np.float32)}, index=index).reset_index()
    return table, pd.DataFrame(rows)


def _mean(maps: list[np.ndarray]) -> np.ndarray:
    """Return the mean over subjects; a class counts where a subject saw it, and is NaN where none did."""
    stacked = np.stack(maps)
    seen = np.isfinite(stacked).sum(axis=0)
    return np.divide(np.nansum(stacked, axis=0), seen, out=np.full(seen.shape, np.nan), where=seen > 0)

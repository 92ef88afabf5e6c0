"""Maps of the classes on the scalp, measured and virtual, from test samples; numbers only."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from insula.eeg.maps import Signals, agreement, class_maps, is_time_locked
from insula.emotions import Continuous
from insula.evaluation.add_on import AddOn, FinishedFit, FinishedRun, Tables
from insula.evaluation.study import answers

_MAPS, _AGREEMENT = "maps.parquet", "agreement.parquet"


class ScalpMaps(AddOn):
    """Maps of a system that has `signals`, and of its placebos, from test samples with EEG around events."""

    def applies(self, fit: FinishedFit) -> bool:
        """Return whether the fit is the first of the system or of a placebo."""
        return fit.is_first and fit.fitting.kind != "control"

    def write(self, fit: FinishedFit) -> None:
        """Write the tables of `scalp_tables`."""
        task, test = fit.study.task, fit.test.select(fit.test.has("eeg"))
        if isinstance(task, Continuous) or not len(test) or not is_time_locked(test.store("eeg").description):
            return
        if (signals := fit.system.signals(test)) is None:
            return
        truth = answers(fit.study)["truth"].reindex(fit.study.protocol.scored_units(test))
        codes = pd.Index(task.classes).get_indexer(truth)
        tables = scalp_tables(signals, test.units("subject"), codes, task.classes)
        for name, table in zip((_MAPS, _AGREEMENT), tables or (), strict=False):
            table.to_parquet(fit.folder / name)

    def read(self, run: FinishedRun) -> Tables:
        """Return `maps` of the system, and `agreement` of it and its placebos (`kind`, `arm`)."""
        tables, rows = {}, []
        for fitting, folder in run.folders.items():
            if (folder / _AGREEMENT).exists():
                rows.append(pd.read_parquet(folder / _AGREEMENT).assign(kind=fitting.kind, arm=fitting.name))
                if fitting.kind == "system":
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
        own = kept[subjects[kept] == subject]
        real, virtual = (class_maps(part[own], codes[own], len(classes)) for part in (signals.real, signals.virtual))
        odd = pd.Series(codes[own]).groupby(codes[own]).cumcount().to_numpy() % 2 == 1
        halves = [class_maps(signals.real[half], codes[half], len(classes)) for half in (own[odd], own[~odd])]
        rows.append(
            {
                "subject": subject,
                "n": len(own),
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

"""Features of test units, and their two-dimensional map, laid out by t-SNE."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from insula.emotions import Continuous
from insula.evaluation.add_on import AddOn, FinishedFit, FinishedRun, Tables
from insula.evaluation.clusters import flat, silhouettes

_FEATURES = "features.npz"
_UNITS = 5000  # more are drawn from: whole test parts of FER2013, RAF-DB and AffectNet fit in, and a map takes a minute


class FeatureSilhouettes(AddOn):
    """Features of the first sample of each test unit, where the system has any to show, and how far they lie apart."""

    field = "measured"

    def write(self, fit: FinishedFit) -> None:
        """Write the features and whose they are."""
        units, first = np.unique(fit.study.protocol.scored_units(fit.test).astype(str), return_index=True)
        if spaces := fit.system.features(fit.test.select(first)):
            np.savez(fit.folder / _FEATURES, units=units, **spaces)  # type: ignore[arg-type]

    def read(self, run: FinishedRun) -> Tables:
        """Return the table of silhouettes by its title."""
        rated = isinstance(run.studies[0].task, Continuous)
        return {} if rated else feature_silhouettes(run.first, run.predictions, run.recipe.groups or ())


class FeatureMap(AddOn):
    """The map of the features that `FeatureSilhouettes` left."""

    field, cells = "embedding", "drawn"

    def read(self, run: FinishedRun) -> Tables:
        """Return the map, laid out by t-SNE."""
        if isinstance(run.studies[0].task, Continuous):
            return {}
        table = feature_map(run.first, run.predictions, run.recipe.groups or ())
        return {} if table is None else {"embedding": table}


def feature_map(folder: Path, predictions: pd.DataFrame, groups: Sequence[str] = ()) -> pd.DataFrame | None:
    """Return t-SNE coordinates of the features that the system named, one fold's test units, 5,000 of them at most.

    Parameters
    ----------
    folder : Path
        Of the fit.
    predictions : DataFrame
        Says of each `unit` its `truth`, and its groups.
    groups : sequence of str
        Columns by which the map is coloured, too.

    Returns
    -------
    DataFrame or None
        `x, y, source, class` and the groups, a row a unit and source; None where the system named no features.
    """
    path = folder / _FEATURES
    if not path.exists():
        return None
    features, rows = _stored(path, predictions, groups)
    named = rows.rename(columns={"truth": "class"})
    frames = [
        pd.DataFrame(flat(values), columns=["x", "y"]).assign(source=source).join(named)
        for source, values in features.items()
    ]
    return pd.concat(frames, ignore_index=True)


def feature_silhouettes(folder: Path, predictions: pd.DataFrame, groups: Sequence[str] = ()) -> dict[str, pd.DataFrame]:
    """Return the table of how far classes, and groups, lie apart in the features that the system named.

    The mean silhouette of the features themselves, not of their map: 1 where classes are apart, 0 where they overlap.

    Parameters
    ----------
    folder, predictions, groups
        As for `feature_map`.
    """
    path = folder / _FEATURES
    if not path.exists():
        return {}
    features, rows = _stored(path, predictions, groups)
    labels = {"class": rows["truth"], **{name: rows[name] for name in groups}}
    table = silhouettes({name: values.reshape(len(values), -1) for name, values in features.items()}, labels)
    table = table.dropna(subset=["silhouette"]).rename(columns={"space": "features", "label": "by"})
    return {"Mean silhouettes of learnt features": table.reset_index(drop=True)} if len(table) else {}


def _stored(path: Path, predictions: pd.DataFrame, groups: Sequence[str]) -> tuple[dict[str, np.ndarray], pd.DataFrame]:
    """Return features, (units, ...), by their names, and `truth` and groups of each unit; of 5,000 of them at most."""
    with np.load(path, allow_pickle=False) as stored:
        features = {name: stored[name] for name in stored.files if name != "units"}
        units = stored["units"]
    drawn = np.sort(np.random.default_rng(0).permutation(len(units))[:_UNITS])
    rows = predictions.drop_duplicates("unit").set_index("unit")[["truth", *groups]]
    return {name: values[drawn] for name, values in features.items()}, rows.reindex(units[drawn]).reset_index(drop=True)

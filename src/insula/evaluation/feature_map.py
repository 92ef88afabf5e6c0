"""Features of test units, how far classes lie apart in them, and their two-dimensional map, laid out by t-SNE."""

from __future__ import annotations

import numpy as np
import pandas as pd

from insula.emotions import Continuous
from insula.evaluation.add_on import AddOn, FinishedFit, FinishedRun, Tables
from insula.evaluation.clusters import flat, silhouettes

_FEATURES = "features.npz"
_UNITS = 5000  # more are drawn from: whole test parts of FER2013, RAF-DB and AffectNet fit in
_MAPPED = 2000  # fewer are laid out: a report has several maps of some seconds each


class FeatureSilhouettes(AddOn):
    """Features of the first sample of each test unit, where the system has any to show, and how far they lie apart.

    The mean silhouette of the features themselves, not of their map: 1 where classes are apart, 0 where they overlap.
    """

    field = "measured"

    def write(self, fit: FinishedFit) -> None:
        """Write the features and whose they are."""
        units, first = np.unique(fit.study.protocol.scored_units(fit.test).astype(str), return_index=True)
        if spaces := fit.system.features(fit.test.select(first)):
            np.savez(fit.folder / _FEATURES, units=units, **spaces)  # type: ignore[arg-type]

    def read(self, run: FinishedRun) -> Tables:
        """Return the table of classes, and of the groups that a recipe names."""
        features, labels = _stored(run)
        spaces = {name: values.reshape(len(values), -1) for name, values in features.items()}
        table = silhouettes(spaces, {"class": labels["truth"], **labels.drop(columns="truth").to_dict("series")})
        table = table.dropna(subset=["silhouette"]).rename(columns={"space": "features", "label": "by"})
        return {"Mean silhouettes of learnt features": table.reset_index(drop=True)} if len(table) else {}


class FeatureMap(AddOn):
    """The map of the features that `FeatureSilhouettes` left."""

    field, cells = "embedding", "drawn"

    def read(self, run: FinishedRun) -> Tables:
        """Return `x, y, source, class` and the groups that a recipe names, a row a unit and source."""
        features, labels = _stored(run, _MAPPED)
        frames = [
            pd.DataFrame(flat(values), columns=["x", "y"])
            .assign(source=source)
            .join(labels.rename(columns={"truth": "class"}))
            for source, values in features.items()
        ]
        return {"embedding": pd.concat(frames, ignore_index=True)} if frames else {}


def _stored(run: FinishedRun, most: int | None = None) -> tuple[dict[str, np.ndarray], pd.DataFrame]:
    """Return features, (units, ...), by their names, and `truth` and groups of each unit; of `most` or 5,000 units."""
    path, columns = run.first / _FEATURES, ["truth", *(run.recipe.groups or ())]
    if isinstance(run.studies[0].task, Continuous) or not path.exists():
        return {}, pd.DataFrame(columns=columns)
    with np.load(path, allow_pickle=False) as stored:
        drawn = np.sort(np.random.default_rng(0).permutation(len(stored["units"]))[: most or _UNITS])
        features = {name: stored[name][drawn] for name in stored.files if name != "units"}
        units = stored["units"][drawn]
    labels = run.predictions.drop_duplicates("unit").set_index("unit")[columns]
    return features, labels.reindex(units).reset_index(drop=True)

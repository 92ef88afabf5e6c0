"""Features of test units, and their two-dimensional map, laid out by t-SNE."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from insula.evaluation.clusters import flat
from insula.protocols.protocol import Protocol
from insula.samples import Samples

_FEATURES = "features.npz"


def write_features(folder: Path, system: Any, test: Samples, protocol: Protocol) -> None:
    """Write the features of the first sample of each test unit, of a system with `features(samples)`."""
    units = protocol.scored_units(test).astype(str)
    units, first = np.unique(units, return_index=True)
    np.savez(folder / _FEATURES, units=units, **system.features(test.select(first)))


def feature_map(folder: Path, predictions: pd.DataFrame) -> pd.DataFrame | None:
    """Return t-SNE coordinates of the features that the system named, one fold's test units."""
    path = folder / _FEATURES
    if not path.exists():
        return None
    features, classes = _stored(path, predictions)
    frames = [
        pd.DataFrame(flat(values), columns=["x", "y"]).assign(source=source, **{"class": classes})
        for source, values in features.items()
    ]
    return pd.concat(frames, ignore_index=True)


def feature_silhouettes(folder: Path, predictions: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return the table of how far classes lie apart in the features that the system named, one fold's test units.

    The mean silhouette of the features themselves, not of their map: 1 where classes are apart, 0 where they overlap.
    """
    from sklearn.metrics import silhouette_score

    path = folder / _FEATURES
    if not path.exists():
        return {}
    features, classes = _stored(path, predictions)
    groups = len(set(classes))
    if not 1 < groups < len(classes):
        return {}
    rows = [
        (source, len(classes), groups, silhouette_score(values.reshape(len(values), -1), classes))
        for source, values in features.items()
    ]
    table = pd.DataFrame(rows, columns=["features", "n", "classes", "silhouette"])
    return {"Mean silhouettes of learnt features": table}


def _stored(path: Path, predictions: pd.DataFrame) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Return features, (units, ...), by their names, and the class of each unit."""
    with np.load(path, allow_pickle=False) as stored:
        features = {name: stored[name] for name in stored.files if name != "units"}
        units = stored["units"]
    classes = predictions.drop_duplicates("unit").set_index("unit")["truth"]
    return features, classes.reindex(units).to_numpy(object)

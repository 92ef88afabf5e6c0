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
    stored = np.load(path, allow_pickle=False)
    classes = predictions.drop_duplicates("unit").set_index("unit")["truth"]
    frames = []
    for source in (name for name in stored.files if name != "units"):
        frames.append(
            pd.DataFrame(flat(stored[source]), columns=["x", "y"]).assign(
                source=source, **{"class": classes.reindex(stored["units"]).to_numpy()}
            )
        )
    return pd.concat(frames, ignore_index=True)

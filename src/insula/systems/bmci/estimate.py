"""How long a fit of BMCI will take, from the two stages that count."""

from __future__ import annotations

import numpy as np

from insula.samples import Samples
from insula.systems.bmci.settings import BMCISettings

_STEP = 4.5e-5  # s a trial, time step and epoch of the recurrent network, one core, as measured
_TRIAL = 7.7e-8  # s a tree, picture, feature tried and target of the forest, likewise


def estimate_seconds(settings: BMCISettings, train: Samples) -> float:
    """Return roughly how long one fit takes on one core, s."""
    seen = train.has("eeg") & train.has("picture")
    counts = np.unique(train.units("subject")[seen].astype(str), return_counts=True)[1]
    counts = np.sort(counts)[::-1][: settings.subjects]
    if not len(counts):
        return 0.0
    passes = settings.folds  # all folds together see the data folds - 1 times, the whole once more
    seconds = 0.0
    if settings.encoder == "gru":
        steps = settings.time_bins or train.select(np.flatnonzero(seen)[:1]).read("eeg").shape[-1]
        seconds += _STEP * counts.sum() * steps * settings.training.epochs * passes
    if "forest" in settings.regressors:
        width = settings.components or counts.max()
        tried = width**0.5 if settings.max_features == "sqrt" else width * float(settings.max_features)
        seconds += _TRIAL * settings.trees * counts.sum() * tried * (settings.target_dimensions or 128) * passes
    return float(seconds)

"""From a brain code back to the scalp: what a virtual EEG would look like at the electrodes."""

from __future__ import annotations

import numpy as np
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from insula.eeg.maps import is_time_locked, time_bins
from insula.samples import Samples

_STRENGTHS = np.logspace(0, 5, 11)


class SensorReadout:
    """Ridge regression from one subject's (out-of-fold) embedding to the epoch that it embeds.

    Applied to a virtual embedding it draws a virtual signal. That is a statistical proxy, what this regression expects
    of a brain that it was taught by, and no measurement: it cannot show more than the embedding kept, and it shrinks
    towards the mean epoch.

    Parameters
    ----------
    codes : array, shape (n, d)
        Embeddings of training epochs.
    epochs : array, shape (n, channels, bins)
        The epochs, averaged in time bins. The strength of the penalty is chosen by leave-one-out on them.
    """

    def __init__(self, codes: np.ndarray, epochs: np.ndarray) -> None:
        self.shape = epochs.shape[1:]
        self.model = make_pipeline(StandardScaler(), RidgeCV(_STRENGTHS)).fit(codes, epochs.reshape(len(epochs), -1))

    def __call__(self, codes: np.ndarray) -> np.ndarray:
        """Return signals in microvolts, float32 (n, channels, bins)."""
        return self.model.predict(codes).reshape(len(codes), *self.shape).astype(np.float32)


def sensor_readout(codes: np.ndarray, samples: Samples) -> SensorReadout | None:
    """Return the readout of samples' epochs from their codes; None where the epochs follow no event."""
    form = samples.store("eeg").description
    return SensorReadout(codes, time_bins(samples.read("eeg"), form)[0]) if is_time_locked(form) else None

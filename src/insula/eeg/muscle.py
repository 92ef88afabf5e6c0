"""EEG without what face and jaw muscles add most: no high frequencies, no electrodes over those muscles.

Where annotators watched a face, most of what EEG says of their labels is facial muscle (Soleymani, Asghari-Esfeden, Fu
and Pantic 2016, IEEE Trans. Affective Computing 7(1), 17-28). A gain that vanishes with this step was muscle.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from insula import protocols
from insula.eeg.features import BANDS
from insula.errors import DataError
from insula.samples import Samples, Store
from insula.samples.altered_store import AlteredStore, altered
from insula.storage.cache import Cache
from insula.storage.settings import Settings

OVER_MUSCLES = (
    "Fp1", "Fpz", "Fp2", "AF7", "AF3", "AFz", "AF4", "AF8", "F7", "F8", "F9", "F10", "FT7", "FT8", "FT9", "FT10",
    "T7", "T8", "T9", "T10",
)  # fmt: skip
"""Electrodes over the muscles of forehead, eyes and jaw."""


class WithoutMuscle(Settings):
    """Features of the lower bands, from electrodes that lie over no muscle of face or jaw.

    Parameters
    ----------
    highest : float
        Hz; bands that reach above it are left out.
    channels : tuple of str
        Electrodes left out, by name.
    modality : str
        Features with the axes `channel` and `band`, bands being those of `insula.eeg.features.BANDS`.
    """

    learns: ClassVar[bool] = False

    highest: float = 18.0
    channels: tuple[str, ...] = OVER_MUSCLES
    modality: str = "features"

    def access(self, protocol: protocols.Protocol) -> str:
        """Return `none`: it looks at names of channels and bands."""
        return "none"

    def apply(self, samples: Samples, source: Samples, cache: Cache) -> Samples:
        """Return the samples with fewer features.

        Raises
        ------
        DataError
            Where features do not name their channels and bands, or none would be left.
        """
        return altered(samples, self.modality, "without muscle", self._left)

    def _left(self, store: Store) -> Store:
        form = store.description
        nothing = store.read(np.arange(0))
        if form.axes != ("channel", "band") or not isinstance(nothing, np.ndarray) or nothing.shape[2] != len(BANDS):
            what = f"features with the axes {', '.join(form.axes)} do not name the band and electrode of each number"
            raise DataError(what, where=self.modality, do="compute features of channels x bands, or drop the step")
        kept = np.array([place for place, name in enumerate(form.channels) if name not in self.channels], int)
        bands = np.array([place for place, (_, high) in enumerate(BANDS.values()) if high <= self.highest], int)
        if not len(kept) or not len(bands):
            raise DataError("no electrode or band is left", where="step without-muscle", do="leave out fewer")
        left = form.model_copy(update={"channels": tuple(form.channels[place] for place in kept)})
        key = ["without muscle", kept.tolist(), bands.tolist()]
        return AlteredStore(store, lambda values, rows: values[:, kept][:, :, bands], key, left)

"""Windows of every corpus in one montage and of one loudness a person, read from disk as they are asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
import torch

from insula.eeg.harmonisation import montage_matrix
from insula.eeg.loudness import robust_moments
from insula.eeg.montage import canonical
from insula.errors import DataError
from insula.samples import Samples

_ROWS = 64  # windows read at a time


class Windows:
    """What the encoder reads of samples: float32 (n, electrodes, times), in each person's own unit.

    Parameters
    ----------
    samples : Samples
        All have the modality: windows of one length at one rate, of any electrodes; every subject is known.
    modality : str
        For example `eeg`.
    montage : sequence of str
        The electrodes that all are brought to, by `insula.eeg.harmonisation.montage_matrix`.
    loudness : pair of float, optional
        Mean and deviation by which all are divided; by default each person's own, of all their windows here.

    Raises
    ------
    DataError
        Where windows differ in length or rate, or a window belongs to nobody.
    """

    def __init__(
        self, samples: Samples, modality: str, montage: Sequence[str], loudness: tuple[float, float] | None = None
    ) -> None:
        self.rows, self.given = samples.rows(modality), loudness
        self.place, names = pd.factorize(samples.table[f"{modality}_store"])
        self.stores = [samples.stores[name] for name in names]
        self.person, self.people = pd.factorize(samples.units("subject"))
        self._moments: dict[int, tuple[float, float]] = {}
        if (self.person < 0).any():
            count = int((self.person < 0).sum())
            raise DataError(f"{count} windows belong to nobody", where=modality, do="fill in the column subject")
        forms = [store.description for store in self.stores]
        odd = next((form for form in forms if form.axes != ("channel", "time") or form.rate is None), None)
        if odd:
            what = f"mdJPT reads channels x times at a rate, not {' x '.join(odd.axes)}"
            raise DataError(what, where=modality, do="set system.modality to the EEG's windows")
        shapes = {(form.rate or 1.0, np.shape(store.read(np.arange(1)))[-1])
                  for form, store in zip(forms, self.stores, strict=True)}  # fmt: skip
        if len(shapes) > 1:
            each = " and ".join(f"{length} samples at {rate:g} Hz" for rate, length in sorted(shapes))
            do = "set one window and one rate for all corpora, or pipeline=mdjpt"
            raise DataError(f"windows of two kinds: {each}", where=modality, do=do)
        self.rate: float = max(shapes)[0] if shapes else 1.0
        self.length: int = max(shapes)[1] if shapes else 0
        self.matrices = []
        for form, name in zip(forms, names, strict=True):
            if not set(canonical(form.channels)) & set(canonical(montage)):
                do = "set system.encoder.montage to electrodes that all corpora have, or leave it out"
                raise DataError("no electrode of the encoder's montage", where=str(name), do=do)
            self.matrices.append(montage_matrix(form.channels, montage))

    def read(self, places: np.ndarray) -> torch.Tensor:
        """Return the windows at these places, in their order."""
        windows = np.empty((len(places), len(self.matrices[0]), self.length), np.float32)
        for number, matrix in enumerate(self.matrices):
            mine = np.flatnonzero(self.place[places] == number)
            if len(mine):
                windows[mine] = matrix @ self._raw(number, places[mine])
        people = self.person[places]
        moments = np.array([self.given or self.loudness(person) for person in people], np.float32).reshape(-1, 2)
        return torch.from_numpy((windows - moments[:, :1, None]) / moments[:, 1:, None])

    def batches(self, places: np.ndarray, size: int = _ROWS) -> Iterator[torch.Tensor]:
        """Yield the windows at these places, `size` at a time."""
        for start in range(0, len(places), size):
            yield self.read(places[start : start + size])

    def loudness(self, person: int) -> tuple[float, float]:
        """Return mean and deviation of all that was recorded of a person, artefacts left out."""
        if person not in self._moments:
            places = np.flatnonzero(self.person == person)
            stores = [places[self.place[places] == number] for number in range(len(self.stores))]
            parts = [self._raw(number, own) for number, own in enumerate(stores) if len(own)]
            try:
                self._moments[person] = robust_moments(parts)
            except DataError as error:
                raise DataError(error.what, where=f"subject {self.people[person]}", do=error.do) from None
        return self._moments[person]

    def _raw(self, number: int, places: np.ndarray) -> np.ndarray:
        return np.asarray(self.stores[number].read(self.rows[places]), np.float32)

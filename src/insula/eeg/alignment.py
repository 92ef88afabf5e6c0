"""Windows of each subject or session brought to a common covariance, the identity.

`Alignment` learns each domain's mean covariance from all its windows, those of the test part included, and so needs
target access `unlabelled`; samples say so in the column `<modality>_cleaned_on`, which an audit reads.
`OnlineAlignment` learns from windows that are past, and so needs none.
"""

from __future__ import annotations

import warnings
from typing import ClassVar

import numpy as np
import pandas as pd

from insula.eeg.covariance import (
    Method,
    check_definite,
    covariances,
    directions,
    metric_of,
    reference_covariance,
    whitening,
)
from insula.eeg.mixed_store import MixedStore, mix
from insula.errors import DataError, SettingsError
from insula.protocols import Protocol
from insula.samples import Samples, Store
from insula.storage.cache import Cache
from insula.storage.settings import Settings


class Alignment(Settings):
    """Euclidean alignment or Riemannian re-centring: each domain's windows are whitened by their mean covariance.

    Parameters
    ----------
    method : {"euclidean", "riemannian"}
        Which mean (`reference_covariance`). He and Wu sum over time where this takes the mean, which makes the
        aligned variance one instead of one over the number of samples.
    domain : str
        The unit that is aligned: `subject`, or `subject+session`.
    modality : str
        What is aligned: windows of channels x times.

    References
    ----------
    He and Wu (2020), Transfer learning for brain-computer interfaces: a Euclidean space data alignment approach, IEEE
    Transactions on Biomedical Engineering 67(2), 399-410. Zanini, Congedo, Jutten, Said and Berthoumieu (2018),
    Transfer learning: a Riemannian geometry framework, IEEE Transactions on Biomedical Engineering 65(5), 1107-1116.
    """

    learns: ClassVar[bool] = False  # of the training part: each domain tells of itself

    method: Method = "euclidean"
    domain: str = "subject"
    modality: str = "eeg"

    def access(self, protocol: Protocol) -> str:
        """Return `unlabelled`: it learns from all windows of a domain, without labels."""
        return "unlabelled"

    def apply(self, samples: Samples, source: Samples, cache: Cache) -> Samples:
        """Return the samples with the modality aligned where it is read, and with `<modality>_cleaned_on`.

        Nothing is learnt from `source`, and nothing is written to the cache.

        Raises
        ------
        DataError
            As `reference_covariance`, or if a sample belongs to no domain or its signal is of another form.
        """
        modality = self.modality
        present, names = samples.has(modality), samples.units(self.domain)
        names[~present] = None
        codes, domains = pd.factorize(names)
        if (codes[present] < 0).any():
            what = f"{int((codes[present] < 0).sum())} samples belong to no {self.domain}"
            raise DataError(what, where=modality, do="fill in the column, or align another domain")
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            matrices = [self._whitening(samples.select(codes == code), modality, name)
                        for code, name in enumerate(domains)]  # fmt: skip
        if caught:  # once, not for each
            warnings.warn(f"{len(caught)} of {len(domains)} times: {caught[0].message} ({self.domain})", stacklevel=2)

        def make(store: Store, rows: np.ndarray) -> MixedStore:
            used, which = np.unique(codes[rows], return_inverse=True)  # other stores may have other channels
            mixing = np.array([matrices[code] for code in used])
            return MixedStore(store, samples.rows(modality)[rows], store.description.channels, mixing, which)

        learnt_from = {f"{modality}_cleaned_on": pd.array(names, dtype="str")}
        return mix(samples, modality, "aligned", make).with_columns(**learnt_from)

    def _whitening(self, domain: Samples, modality: str, name: str) -> np.ndarray:
        try:
            return whitening(reference_covariance(domain, modality, self.method))
        except DataError as error:
            raise DataError(error.what, where=f"{self.domain} {name}", do=error.do) from error


class OnlineAlignment:
    """Alignment of one session as it comes: each window is whitened by the mean covariance of those before it.

    Parameters
    ----------
    reference : ndarray, (channels, channels)
        The mean before the first window, of source subjects alone (`reference_covariance`).
    method : {"euclidean", "riemannian"}
        Which mean; the Riemannian one moves along the geodesic to each new covariance.
    weight : float
        How many windows the initial reference counts for, more than 0.

    Examples
    --------
    >>> online = OnlineAlignment(np.eye(2))
    >>> window = np.array([[[3.0, -3.0], [1.0, 1.0]]])
    >>> online.align(window)[0].tolist() == window[0].tolist()
    True
    >>> online.align(window).round(2)  # the reference is now the mean of 1 and 9
    array([[[ 1.34, -1.34],
            [ 1.  ,  1.  ]]])
    """

    def __init__(self, reference: np.ndarray, method: Method = "euclidean", weight: float = 1.0) -> None:
        if not weight > 0:
            raise SettingsError(f"a weight of {weight:g}", do="count the reference for more than 0 windows")
        self._basis = directions(reference)[1]
        self._mean = self._basis.T @ reference @ self._basis
        self._metric, self._count = metric_of(method), weight

    def align(self, windows: np.ndarray) -> np.ndarray:
        """Return the next windows aligned, (windows, channels, times), in order of presentation."""
        from pyriemann.geometry.geodesic import geodesic

        if windows.ndim != 3 or windows.shape[1] != len(self._basis):
            what = f"windows of shape {windows.shape} for a reference of {len(self._basis)} channels"
            raise DataError(what, do="give (windows, channels, times) of the reference's channels")
        each = self._basis.T @ covariances(windows) @ self._basis
        if self._metric == "riemann":
            check_definite(each)  # before the mean moves: windows that are refused leave no trace
        aligned = np.empty(windows.shape)
        for i, covariance in enumerate(each):
            aligned[i] = self._basis @ whitening(self._mean) @ self._basis.T @ windows[i]
            self._count += 1
            self._mean = geodesic(self._mean, covariance, 1 / self._count, metric=self._metric)
        return aligned

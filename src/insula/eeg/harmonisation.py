"""Any montage brought to one: a matrix for each source montage, applied where a store is read."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Literal

import numpy as np

from insula.eeg.mixed_store import MixedStore, mix
from insula.eeg.montage import canonical, interpolation, positions
from insula.errors import DataError, SettingsError
from insula.samples import Samples, Store

#: SEED's cap without CB1 and CB2, in its order.
MONTAGE_60 = (
    "Fp1", "Fpz", "Fp2", "AF3", "AF4", "F7", "F5", "F3", "F1", "Fz", "F2", "F4", "F6", "F8", "FT7", "FC5", "FC3",
    "FC1", "FCz", "FC2", "FC4", "FC6", "FT8", "T7", "C5", "C3", "C1", "Cz", "C2", "C4", "C6", "T8", "TP7", "CP5",
    "CP3", "CP1", "CPz", "CP2", "CP4", "CP6", "TP8", "P7", "P5", "P3", "P1", "Pz", "P2", "P4", "P6", "P8", "PO7",
    "PO5", "PO3", "POz", "PO4", "PO6", "PO8", "O1", "Oz", "O2",
)  # fmt: skip

Rule = Literal["uniform", "inverse_distance", "splines"]

_NEIGHBOURS = 3


def nearest_mean(wanted: Sequence[str], available: Sequence[str], inverse_distance: bool) -> np.ndarray:
    """Return weights, (wanted, available): the mean of the three nearest electrodes, or of as many as there are.

    Distances are straight lines between positions on the template head; no wanted electrode may be available.

    Examples
    --------
    >>> nearest_mean(["Cz"], ["C1", "Oz", "C2", "Fz", "FCz"], inverse_distance=False).round(2)
    array([[0.33, 0.  , 0.33, 0.  , 0.33]])
    """
    distance = np.linalg.norm(positions(wanted)[:, None] - positions(available), axis=-1)
    nearest = np.argsort(distance, axis=1, kind="stable")[:, :_NEIGHBOURS]
    weights = np.zeros_like(distance)
    chosen = np.take_along_axis(distance, nearest, axis=1)
    np.put_along_axis(weights, nearest, 1 / chosen if inverse_distance else 1.0, axis=1)
    return weights / np.maximum(weights.sum(axis=1, keepdims=True), np.finfo(float).tiny)


def montage_matrix(source: Sequence[str], target: Sequence[str] = MONTAGE_60, rule: Rule = "uniform") -> np.ndarray:
    """Return the matrix that takes a signal from one montage to another.

    A target electrode that the source has is copied. Any other is, by `uniform` and `inverse_distance`, the mean of up
    to three: the nearest electrodes of the target montage that the source has; source electrodes outside the target
    montage are ignored, and where the two share none, every channel is zero and a warning says so. By `splines` it is
    interpolated from all the source's electrodes (`insula.eeg.montage.interpolation`).

    Returns
    -------
    ndarray of float32, (target, source)

    Raises
    ------
    DataError
        If there is no source or target electrode, or one is unknown or named twice.
    SettingsError
        If there is no such rule.

    Examples
    --------
    >>> montage_matrix(["T3", "F3", "A1"], ["F3", "C3", "T7"])
    array([[0. , 1. , 0. ],
           [0.5, 0.5, 0. ],
           [1. , 0. , 0. ]], dtype=float32)
    """
    if rule not in ("uniform", "inverse_distance", "splines"):
        raise SettingsError(f"unknown rule {rule!r}", do="rules are uniform, inverse_distance, splines")
    if not len(source) or not len(target):
        raise DataError("a montage without electrodes", do="name at least one electrode")
    if rule == "splines":
        return interpolation(source, target)
    have, wanted = canonical(source), canonical(target)
    shared = [name for name in have if name in wanted]
    matrix = np.zeros((len(wanted), len(have)), np.float32)
    if not shared:
        what = f"the source has no electrode of the target montage: all {len(wanted)} channels are zero"
        warnings.warn(f"{what}; rename its channels, or use the rule splines", stacklevel=2)
        return matrix
    absent = [name for name in wanted if name not in have]
    columns = [have.index(name) for name in shared]
    matrix[np.ix_([wanted.index(name) for name in absent], columns)] = nearest_mean(
        absent, shared, rule == "inverse_distance"
    )
    matrix[[wanted.index(name) for name in shared], columns] = 1
    return matrix


def harmonise(
    samples: Samples, modality: str = "eeg", montage: Sequence[str] = MONTAGE_60, rule: Rule = "uniform"
) -> Samples:
    """Return the samples with one modality in one montage, whatever the montages of the corpora it comes from.

    Each store is read through its one matrix (`montage_matrix`, where the rules and errors are); memory does not grow.
    It looks at the names of channels only, never at the data.

    Parameters
    ----------
    samples : Samples
        Of one corpus, or of several joined by `concat`.
    modality : str
        Signals or features with the axis `channel`.
    montage : sequence of str
        The electrodes wanted, in their order; by default the 60 that SEED's cap and most others share.
    rule : {"uniform", "inverse_distance", "splines"}
        Where an electrode that the source lacks comes from.

    Examples
    --------
    >>> from insula.samples import ArrayStore, Description, provenance
    >>> form = Description(kind="signal", axes=("channel", "time"), rate=4, channels=("T3", "F3"), units="uV")
    >>> store = ArrayStore(np.array([[[2, 2], [4, 0]]], np.float32), form)
    >>> samples = Samples(provenance(corpus="demo", subject=["S1"]), {}).with_modality("eeg", "eeg", store, [0])
    >>> harmonise(samples, "eeg", ["C3", "T7"]).read("eeg")
    array([[[2., 2.],
            [2., 2.]]], dtype=float32)
    """
    wanted = canonical(montage)

    def make(store: Store, rows: np.ndarray) -> MixedStore:
        matrix = montage_matrix(store.description.channels, wanted, rule)
        return MixedStore(store, samples.rows(modality)[rows], wanted, matrix[None], np.zeros(len(rows), int))

    return mix(samples, modality, "harmonised", make)

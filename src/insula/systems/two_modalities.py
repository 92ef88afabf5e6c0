"""What systems share that read EEG and a face: which cells of a row can be used, and why the others cannot."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from insula.errors import DataError
from insula.samples import Description, Samples

Asked = Literal["both", "eeg", "face"]

_ROWS = 1024  # samples read at a time: what is described is kept, what it comes from is not


@dataclass(frozen=True)
class Cells:
    """One modality of every sample.

    Parameters
    ----------
    values : float32 array, shape (n, ...)
        Zeros where the cell cannot be used.
    reasons : object array of str, shape (n,)
        Why the cell cannot be used; empty where it can.
    """

    values: np.ndarray
    reasons: np.ndarray

    @property
    def usable(self) -> np.ndarray:
        """Bool (n,): which cells can be used."""
        return self.reasons == ""


def read_cells(
    samples: Samples,
    modality: str,
    called: str,
    *,
    form: Description | None = None,
    shape: tuple[int, ...] | None = None,
    describe: Callable[[np.ndarray], np.ndarray] = lambda rows: rows,
) -> Cells:
    """Read one modality of all samples, batch by batch, leaving out what is missing or not finite.

    Parameters
    ----------
    samples : Samples
        Any of them may lack the modality.
    modality : str
        For example `features`.
    called : str
        What reasons call it: `EEG` or `face`.
    form : Description, optional
        Of the training data: channels are found by its names, in its order.
    shape : tuple of int, optional
        Of a row's values in training.
    describe : callable
        Makes of a batch of rows what is kept, shape (batch, ...); by default the rows themselves. A row of which it
        makes anything that is not finite cannot be used.

    Returns
    -------
    Cells
        Where no sample has the modality, values have the shape (n, 0), or that of training.

    Raises
    ------
    DataError
        Where a channel is absent, stores differ in form, or rows have another shape than in training.

    Examples
    --------
    >>> from insula.samples import ArrayStore, provenance
    >>> store = ArrayStore(np.array([[1.0], [np.nan]]), Description(kind="features", axes=("feature",)))
    >>> samples = Samples(provenance(3, corpus="demo"), {}).with_modality("features", "eeg", store, [0, 1, -1])
    >>> cells = read_cells(samples, "features", "EEG")
    >>> cells.values.tolist(), cells.reasons.tolist()
    ([[1.0], [0.0], [0.0]], ['', 'EEG not finite', 'no EEG'])
    """
    present = samples.has(modality)
    reasons = np.where(present, "", f"no {called}").astype(object)
    places = np.flatnonzero(present)
    if not len(places):
        return Cells(np.zeros((len(samples), *(shape or (0,))), np.float32), reasons)
    order = _order(samples.store(modality).description, form, modality)
    values = np.empty(0)
    for start in range(0, len(places), _ROWS):
        batch = places[start : start + _ROWS]
        rows = samples.select(batch).read(modality)
        with np.errstate(all="ignore"):  # what overflows is not finite: that is said below
            described = np.asarray(describe(rows if order is None else np.take(rows, *order)), np.float32)
        if shape is not None and described.shape[1:] != shape:
            what = f"rows of {described.shape[1:]} numbers are not those of the training data, {shape}"
            raise DataError(what, where=modality, do="make them alike")
        if start == 0:
            values = np.zeros((len(samples), *described.shape[1:]), np.float32)
        sound = np.isfinite(described.reshape(len(described), -1)).all(axis=1)
        values[batch[sound]] = described[sound]
        reasons[batch[~sound]] = f"{called} not finite"
    return Cells(values, reasons)


def _order(form_here: Description, form: Description | None, modality: str) -> tuple[list[int], int] | None:
    """Return the places of the training data's channels and the axis they lie on; None where the order is theirs."""
    if form is None or form_here.channels == form.channels:
        return None
    missing = [name for name in form.channels if name not in form_here.channels]
    if missing or not form.channels:
        what = f"no channel {missing[0]}" if missing else "named channels, the training data had none"
        raise DataError(what, where=modality, do="harmonise the corpus to the channels of the training data")
    return [form_here.channels.index(name) for name in form.channels], 1 + form_here.axes.index("channel")


def without_late(face: Cells, eeg: Cells, samples: Samples, limit: float) -> Cells:
    """Return the cells of the face, those left out that are too far from their row's EEG.

    Parameters
    ----------
    face, eeg : Cells
        Of the same samples. A face whose EEG cannot be used has nothing to be late for.
    samples : Samples
        May have the column `skew`: seconds from the middle of the EEG's window to the face's frame. Where it is missing
        or NaN, the two are taken to belong together.
    limit : float
        Seconds, on either side.

    Examples
    --------
    >>> from insula.samples import provenance
    >>> cells = Cells(np.ones((2, 1), np.float32), np.array(["", ""], object))
    >>> samples = Samples(provenance(2, corpus="demo").assign(skew=[-0.8, 0.1]), {})
    >>> without_late(cells, cells, samples, 0.5).reasons.tolist()
    ['face 0.8 s from the EEG', '']

    Raises
    ------
    DataError
        Where `skew` holds anything but numbers.
    """
    if "skew" not in samples.table:
        return face
    try:
        skew = np.abs(samples.table["skew"].to_numpy(float, na_value=np.nan))
    except (TypeError, ValueError):
        raise DataError(
            "not all are numbers", where="column skew", do="give seconds, or leave the column out"
        ) from None
    late = face.usable & eeg.usable & (skew > limit)
    reasons, values = face.reasons.copy(), face.values.copy()
    reasons[late] = [f"face {seconds:.1f} s from the EEG" for seconds in skew[late]]
    values[late] = 0
    return Cells(values, reasons)


def modes_used(eeg: Cells, face: Cells, asked: Asked = "both") -> tuple[np.ndarray, np.ndarray]:
    """Return what each row is predicted from, and why not from more, both object (n,).

    Parameters
    ----------
    eeg, face : Cells
        Of the same samples.
    asked : str
        What may be used: a row that lacks the one modality asked for is predicted from nothing.

    Returns
    -------
    modes : array of str
        `both`, `eeg`, `face` or `none`.
    reasons : array of str
        Of what was asked for and could not be used; empty where all could.

    Examples
    --------
    >>> there, absent = (Cells(np.ones((1, 1)), np.array([reason], object)) for reason in ("", "no face"))
    >>> [list(values) for values in modes_used(there, absent)]
    [['eeg'], ['no face']]
    >>> [list(values) for values in modes_used(there, absent, "face")]
    [['none'], ['no face']]
    """
    nothing = np.full(len(eeg.reasons), "not asked for", object)
    lacks = eeg.reasons if asked != "face" else nothing, face.reasons if asked != "eeg" else nothing
    usable = lacks[0] == "", lacks[1] == ""
    modes = np.select([usable[0] & usable[1], *usable], ["both", "eeg", "face"], "none").astype(object)
    reasons = [
        "; ".join(reason for reason in pair if reason not in ("", "not asked for")) for pair in zip(*lacks, strict=True)
    ]
    return modes, np.array(reasons, object)

"""Rows as networks read them: each by itself, or those of a trial strung together in the order of time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch

from insula.errors import DataError
from insula.samples import Description, Samples
from insula.systems.two_modalities import Cells, read_cells

_ROWS = 256  # rows read at a time outside of training; of sequences, as many as make up these rows

SIGNAL_ENCODERS = ("eegnet", "deep4net", "tsception")


@dataclass(frozen=True)
class Reader:
    """How one modality is read.

    Parameters
    ----------
    modality, called : str
        For example `features`; what reasons call it, `EEG` or `face`.
    encoder : str
        What is to read it; see the settings.
    form : Description
        Of the training data's rows.
    shape : tuple of int
        Of a row as it is read: (channels, times) for an encoder of signals, (3, height, width) for a picture, (times,
        features) for a row with a time axis of its own, else (features,).
    """

    modality: str
    called: str
    encoder: str
    form: Description
    shape: tuple[int, ...]

    @classmethod
    def of(cls, samples: Samples, modality: str, called: str, encoder: str) -> Reader:
        """Return a reader of rows like those of the samples, of which at least one must have the modality."""
        form = samples.store(modality).description
        if encoder in SIGNAL_ENCODERS and (form.axes != ("channel", "time") or form.rate is None):
            what = f"{encoder} reads channels x times, not {' x '.join(form.axes)}"
            raise DataError(what, where=modality, do="set eeg to the EEG's windows, or encoder to mlp or tcn")
        if form.kind == "text" or (encoder == "mlp" and form.kind in ("signal", "audio")):
            raise DataError(f"{encoder} reads features, not {form.kind}", where=modality, do="choose another encoder")
        start = cls(modality, called, encoder, form, ())
        one = samples.select(np.flatnonzero(samples.has(modality))[:1]).read(modality)
        return cls(modality, called, encoder, form, start.arranged(one).shape[1:])

    @property
    def timed(self) -> bool:
        """Whether a row is a sequence by itself."""
        return self.encoder == "tcn" and self.form.kind != "picture" and "time" in self.form.axes

    @property
    def strung(self) -> bool:
        """Whether rows of a trial are strung together."""
        return self.encoder == "tcn" and not self.timed

    def arranged(self, values: np.ndarray) -> np.ndarray:
        """Return rows, (n, ...), with their axes as networks read them."""
        if self.form.kind == "picture":
            return np.moveaxis(values, -1, 1)
        if self.encoder in SIGNAL_ENCODERS:
            return values
        if self.timed:
            values = np.moveaxis(values, 1 + self.form.axes.index("time"), 1)
            return values.reshape(len(values), values.shape[1], -1)
        return values.reshape(len(values), -1)

    def cells(self, samples: Samples) -> Cells:
        """Return which rows can be used and, of features, their values; signals and pictures stay where they are."""
        if self.form.kind == "features":
            given = {"shape": self.shape, "describe": self.arranged}
            return read_cells(samples, self.modality, self.called, form=self.form, **given)  # type: ignore[arg-type]
        return read_cells(samples, self.modality, self.called, form=self.form, describe=_sums)


def _sums(rows: np.ndarray) -> np.ndarray:
    """Return one number a row, which is finite where all of the row is."""
    return rows.reshape(len(rows), -1).sum(axis=1, dtype=np.float32, keepdims=True)


class Items:
    """What a network reads at a time: rows, or sequences of rows; NaN stands for what cannot be used.

    Parameters
    ----------
    reader : Reader
        How.
    samples : Samples
        The rows.
    cells : Cells
        What `reader.cells` returned for them.
    places : int tensor, shape (items,) or (items, steps)
        Places of rows among the samples; -1 for none.
    """

    def __init__(self, reader: Reader, samples: Samples, cells: Cells, places: torch.Tensor) -> None:
        self.reader, self.samples, self.cells, self.places = reader, samples, cells, places

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, chosen: torch.Tensor) -> torch.Tensor:
        """Return float32 (items, ...) or (items, steps, ...) of the items at these places."""
        places = self.places[chosen]
        return self._rows(places.reshape(-1).numpy()).reshape(*places.shape, *self.reader.shape)

    def _rows(self, places: np.ndarray) -> torch.Tensor:
        reader, there = self.reader, (places >= 0) & self.cells.usable[places]
        values = np.full((len(places), *reader.shape), np.nan, np.float32)
        if there.any():
            values[there] = self._read(places[there])
        return torch.from_numpy(values)

    def _read(self, places: np.ndarray) -> np.ndarray:
        reader = self.reader
        if reader.form.kind == "features":
            return self.cells.values[places]
        some = self.samples.select(places)
        form, values = some.store(reader.modality).description, some.read(reader.modality)
        if form.channels != reader.form.channels:  # all of them are there: `cells` has looked
            order = [form.channels.index(name) for name in reader.form.channels]
            values = np.take(values, order, 1 + form.axes.index("channel"))
        values = reader.arranged(values)
        if values.shape[1:] != reader.shape or form.rate != reader.form.rate:
            what = (
                f"rows of {values.shape[1:]} at {form.rate} Hz are not those of the training data, "
                f"{reader.shape} at {reader.form.rate} Hz"
            )
            raise DataError(what, where=reader.modality, do="make them alike")
        return values

    def batches(self) -> Iterator[torch.Tensor]:
        """Yield all items in their order, some at a time."""
        for chosen in self._some():
            yield self[chosen]

    def _some(self) -> tuple[torch.Tensor, ...]:
        size = max(1, _ROWS // (1 if self.places.ndim == 1 else self.places.shape[1]))
        return torch.arange(len(self)).split(size)

    def targets_of(self, targets: torch.Tensor, none: torch.Tensor) -> torch.Tensor:
        """Return the targets of items, (items, ...) or (items, steps, ...), from those of all rows; `none` for none."""
        return torch.cat([targets, none[None]])[self.places]

    def each(self, say: Callable[[torch.Tensor], torch.Tensor], width: int) -> torch.Tensor:
        """Return what is said of all rows, (n, width), averaged over the items a row is in; zeros if in none."""
        sums, counts = torch.zeros(len(self.samples) + 1, width), torch.zeros(len(self.samples) + 1, 1)
        with torch.inference_mode():
            for chosen in self._some():
                places = self.places[chosen].reshape(-1)
                places = torch.where(places < 0, len(self.samples), places)
                sums.index_add_(0, places, say(self[chosen]).reshape(-1, width).float())
                counts.index_add_(0, places, torch.ones(len(places), 1))
        return (sums / counts.clamp(min=1))[:-1]


def items_of(reader: Reader, samples: Samples, cells: Cells, wanted: np.ndarray, steps: int, hop: int) -> Items:
    """Return the items in which the wanted rows are.

    Parameters
    ----------
    reader, samples, cells
        See `Items`.
    wanted : bool array, shape (n,)
        Which rows; others of their trial come along where rows are strung together.
    steps, hop : int
        Rows a sequence has at most, and how many rows after the last one the next begins.
    """
    if not reader.strung:
        return Items(reader, samples, cells, torch.from_numpy(np.flatnonzero(wanted)))
    places = sequences(samples, steps, hop)
    some = ((places >= 0) & wanted[places]).any(axis=1) if len(samples) else np.zeros(0, bool)
    return Items(reader, samples, cells, torch.from_numpy(places[some]))


def sequences(samples: Samples, steps: int, hop: int) -> np.ndarray:
    """Return rows of each trial in the order of time, cut into overlapping sequences, int64 (sequences, steps).

    Places of rows among the samples, -1 after the end of a trial. A row of no known trial is one by itself.

    Examples
    --------
    >>> from insula.samples import provenance
    >>> table = provenance(corpus="c", subject="S1", session="1", trial=list("aabaaa"), start=[1, 0, 0, 2, 3, 4])
    >>> sequences(Samples(table, {}), steps=3, hop=2).tolist()
    [[1, 0, 3], [3, 4, 5], [2, -1, -1]]
    """
    trials = samples.units("subject+session+trial")
    trials = np.where([trial is None for trial in trials], np.arange(len(trials)).astype(object), trials)
    codes = {trial: code for code, trial in enumerate(dict.fromkeys(trials))}
    code = np.array([codes[trial] for trial in trials], np.int64)
    order = np.lexsort((samples.table["start"].to_numpy(float), code))
    lengths = np.bincount(code, minlength=len(codes))
    ends = np.cumsum(lengths)
    sequences = []
    for end, length in zip(ends, lengths, strict=True):
        for begin in range(0, max(length - steps, 0) + hop, hop):
            rows = order[end - length + begin : min(end, end - length + begin + steps)]
            sequences.append(np.pad(rows, (0, steps - len(rows)), constant_values=-1))
    return np.stack(sequences) if sequences else np.empty((0, steps), np.int64)

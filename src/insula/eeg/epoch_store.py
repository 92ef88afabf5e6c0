"""Epochs, windows and features of recordings on disk, memory-mapped, keyed by settings and data."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from math import ceil
from pathlib import Path

import numpy as np
import pandas as pd
from pydantic import PositiveFloat

from insula.eeg.artefacts import Cleaning, autoreject_epochs, peak_to_peak_marks
from insula.eeg.checks import check_events
from insula.eeg.features import BANDS, differential_entropy, samples_in
from insula.eeg.preprocessing import (
    Preprocessing,
    check_epochs,
    epochs,
    learn,
    low_edge_seconds,
    preprocess,
    resampling_ratio,
)
from insula.errors import DataError, SettingsError
from insula.samples import ArrayStore, Description, Recording, open_store
from insula.storage.cache import Cache
from insula.storage.settings import Settings

_BLOCK = 600.0  # seconds preprocessed at a time: a night of EEG never enters memory whole
_WHOLE = 5e7  # values: a recording of no more is preprocessed at once for its epochs (200 MB in float32)
_NOTCH_REACH = 7.0  # seconds: MNE's default notch filter is 6.6 s long
_GENERATION = 2  # of epochs on disk; raised when the same settings and data are stored or described otherwise
_ROWS = 64  # windows copied at a time: those that overlap are views of one signal until then


class Windows(Settings):
    """How a continuous recording is cut into windows of one length.

    Parameters
    ----------
    seconds : float
        Length of a window.
    hop : float, optional
        Seconds from one start to the next; by default windows adjoin.
    """

    seconds: PositiveFloat = 2.0
    hop: PositiveFloat | None = None


def epoch_store(recording: Recording, preprocessing: Preprocessing, cache: Cache) -> ArrayStore:
    """Return the epochs around a recording's events; row `i` is event `i`.

    They are written once for these settings, this content and these onsets, and memory-mapped from then on. A long
    recording is preprocessed in blocks, as in `window_store`; autoreject alone takes all its epochs into memory.

    Returns
    -------
    ArrayStore
        Float32 microvolts, (events, channels, times), with the axes channel and time.

    Raises
    ------
    DataError
        If a check of the signal or of the events fails, an epoch leaves the recording, or there is no event.
    """
    return _open(_epoch_folder(recording, preprocessing, cache) / "epochs")


def epoch_quality(recording: Recording, preprocessing: Preprocessing, cache: Cache) -> np.ndarray:
    """Return text (events,): what was noticed about each epoch of `epoch_store`, "" where nothing.

    It says "autoreject" of an epoch beyond repair, and names the widest channel where it spans more than
    `peak_to_peak`; without these settings nothing is looked for.
    """
    return quality_in(_epoch_folder(recording, preprocessing, cache), len(recording.events))


def cleaning_columns(recording: Recording, preprocessing: Preprocessing, cache: Cache) -> dict[str, np.ndarray]:
    """Return the columns that samples of a recording's epochs have where the settings clean or mark them.

    `eeg_quality` is `epoch_quality`; `eeg_cleaned_on` names the recording that cleaning learnt from, which an audit
    takes for access to the inputs of the test part (`insula.eeg.artefacts`).
    """
    columns = {}
    if preprocessing.marks:
        columns["eeg_quality"] = epoch_quality(recording, preprocessing, cache)
    return columns | learnt_from(recording, preprocessing, len(recording.events))


def learnt_from(recording: Recording, preprocessing: Preprocessing, n: int) -> dict[str, np.ndarray]:
    """Return the column `eeg_cleaned_on` of `n` samples of a recording, or none where nothing is learnt."""
    name = f"{recording.subject}/{recording.session}"
    return {"eeg_cleaned_on": np.full(n, name, object)} if preprocessing.learns else {}


def cleaning_of(recording: Recording, preprocessing: Preprocessing, cache: Cache) -> Cleaning | None:
    """Return what cleaning learnt from a recording (`insula.eeg.preprocessing.learn`), None where nothing is learnt.

    It is learnt once for a recording's content; band, rate and epochs play no part in it.
    """
    artefacts = preprocessing.artefacts
    if artefacts is None or not artefacts.spatial:
        return None
    steps = artefacts.model_copy(update={"peak_to_peak": None, "autoreject": False})

    def build(folder: Path) -> None:
        learnt = learn(recording, preprocessing)
        assert learnt is not None
        np.save(folder / "matrix.npy", learnt.matrix)
        about = {"bad": learnt.bad, "dropped": learnt.dropped, "components": learnt.components}
        (folder / "cleaning.json").write_text(json.dumps(about))

    folder = cache.folder("cleaning", [steps.digest(), preprocessing.notch, recording.fingerprint], build)
    about = json.loads((folder / "cleaning.json").read_text())
    dropped = tuple((kind, probability) for kind, probability in about["dropped"])
    matrix = np.load(folder / "matrix.npy", allow_pickle=False)
    return Cleaning(matrix, tuple(about["bad"]), dropped, about["components"])


def _epoch_folder(recording: Recording, preprocessing: Preprocessing, cache: Cache) -> Path:
    where = f"{recording.corpus} {recording.subject} {recording.session}"
    check_events(recording.events, recording.n_times, recording.rate, where=where)
    if recording.events.empty:
        raise DataError("no events to cut epochs around", where=where, do="give the recording's events")

    def build(folder: Path) -> None:
        cleaning = cleaning_of(recording, preprocessing, cache)
        form = Description(
            kind="signal",
            axes=("channel", "time"),
            rate=preprocessing.rate or recording.rate,
            channels=recording.channels,
            units=recording.units,
            start=preprocessing.epoch[0],
        )
        _write_rows(folder / "epochs", form, _epochs_in_blocks(recording, preprocessing, cleaning))
        mark_epochs(folder, "epochs", preprocessing, where)

    onsets = recording.events["onset"].astype(float).tolist()  # a reader's fingerprint is the file's: events may differ
    return cache.folder("epochs", [_GENERATION, preprocessing.digest(), recording.fingerprint, onsets], build)


def _epochs_in_blocks(
    recording: Recording, preprocessing: Preprocessing, cleaning: Cleaning | None
) -> Iterator[np.ndarray]:
    """Yield the epochs of one event after the other, of all at once where the recording is not large."""
    events = recording.events
    if recording.n_times * len(recording.channels) <= _WHOLE:
        signal, rate = preprocess(recording, preprocessing, cleaning)
        yield epochs(signal, rate, events, preprocessing)
        return
    rate = preprocessing.rate or recording.rate
    ratio = resampling_ratio(recording.rate, rate)
    check_epochs(events, ceil(recording.n_times * ratio), rate, preprocessing)
    spans = [span for span in (preprocessing.epoch, preprocessing.baseline) if span]
    margin = low_edge_seconds(preprocessing.band[0]) + _NOTCH_REACH
    before, after = margin - min(span[0] for span in spans), margin + max(span[1] for span in spans)
    for some in _neighbours(events):
        units = max(0, int((some["onset"].min() - before) * rate)) // ratio.numerator
        begin = units * ratio.denominator  # a sample before resampling that is a sample after it
        end = min(ceil((some["onset"].max() + after) * recording.rate), recording.n_times)
        signal, rate = preprocess(_part(recording, begin, end), preprocessing, cleaning)
        moved = some.assign(onset=some["onset"] - units * ratio.numerator / rate)
        yield epochs(signal, rate, moved, preprocessing)


def _neighbours(events: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """Yield consecutive events that lie within one block."""
    onset = events["onset"].to_numpy(float)
    first = 0
    for row in range(1, len(events) + 1):
        if row == len(events) or np.ptp(onset[first : row + 1]) > _BLOCK:
            yield events.iloc[first:row]
            first = row


def mark_epochs(folder: Path, name: str, preprocessing: Preprocessing, where: object) -> None:
    """Repair the epochs of a store by autoreject, and write what is noticed about each, as far as the settings ask."""
    artefacts = preprocessing.artefacts
    if artefacts is None or not artefacts.marks:
        return
    store = _open(folder / name)
    beyond = np.zeros(len(store), bool)
    form = store.description
    if artefacts.autoreject:
        values = np.asarray(store.values)
        repaired, beyond = autoreject_epochs(values, form.channels, form.rate or 0.0, artefacts.seed, where=where)
        store = ArrayStore(repaired, form)
        store.save(folder / name)
    notes = np.where(beyond, "autoreject", "").astype(object)
    if artefacts.peak_to_peak:
        wide = peak_to_peak_marks(store.values, form.channels, artefacts.peak_to_peak)
        notes = np.array([", ".join(filter(None, pair)) for pair in zip(notes, wide, strict=True)], object)
    (folder / "quality.json").write_text(json.dumps(notes.tolist()))


def quality_in(folder: Path, n: int) -> np.ndarray:
    """Return what `mark_epochs` wrote, text (n,)."""
    path = folder / "quality.json"
    return np.array(json.loads(path.read_text()) if path.exists() else [""] * n, object)


def window_store(
    recordings: Sequence[Recording], preprocessing: Preprocessing, windows: Windows, cache: Cache
) -> tuple[ArrayStore, pd.DataFrame]:
    """Return the windows of continuous recordings, one after the other.

    Recordings are preprocessed whole or, where long, in blocks that overlap by the reach of the filters; memory depends
    neither on their number nor on their length. `preprocessing.epoch` and `preprocessing.baseline` are not used.

    Returns
    -------
    store : ArrayStore
        Float32 microvolts, (windows, channels, times), with the axes channel and time.
    table : DataFrame
        One row a window: `recording` (its place in `recordings`), `start` and `stop` (seconds on its clock), and
        `quality`, text as of `epoch_quality`.

    Raises
    ------
    DataError
        If a recording fails its checks or is shorter than a window, or if channels or rates differ.
    SettingsError
        If autoreject is asked for: it repairs epochs.
    """

    def cut(signal: np.ndarray, rate: float) -> np.ndarray:
        step, length = samples_in(windows.hop or windows.seconds, rate), samples_in(windows.seconds, rate)
        view = np.lib.stride_tricks.sliding_window_view(signal, length, axis=-1)[:, ::step]
        return view.swapaxes(0, 1)

    form = Description(kind="signal", axes=("channel", "time"), units="uV")
    return _windowed("windows", recordings, preprocessing, windows, cache, form, cut)


def feature_store(
    recordings: Sequence[Recording],
    preprocessing: Preprocessing,
    windows: Windows,
    cache: Cache,
    bands: Mapping[str, tuple[float, float]] = BANDS,
) -> tuple[ArrayStore, pd.DataFrame]:
    """Return the spectral differential entropy of each window of continuous recordings.

    The windows are those of `window_store`, and so are the errors; see there for memory.

    Returns
    -------
    store : ArrayStore
        Float32 nats, (windows, channels, bands), with the axes channel and band.
    table : DataFrame
        As of `window_store`, without `quality`.
    """

    def entropy(signal: np.ndarray, rate: float) -> np.ndarray:
        return differential_entropy(signal, rate, bands, windows.seconds, windows.hop)

    form = Description(kind="features", axes=("channel", "band"), units="nats")
    edges = {name: list(band) for name, band in bands.items()}
    return _windowed("features", recordings, preprocessing, windows, cache, form, entropy, list(edges.items()))


def _windowed(
    kind: str,
    recordings: Sequence[Recording],
    preprocessing: Preprocessing,
    windows: Windows,
    cache: Cache,
    form: Description,
    take: Callable[[np.ndarray, float], np.ndarray],
    *further_key: object,
) -> tuple[ArrayStore, pd.DataFrame]:
    """Store what `take` makes of every block of windows, and their clock."""
    if not recordings:
        raise DataError("no recordings to cut windows from")
    if preprocessing.artefacts and preprocessing.artefacts.autoreject:
        raise SettingsError("autoreject is for epochs around events", where="artefacts", do="set autoreject to false")

    def build(folder: Path) -> None:
        clock: list[np.ndarray] = []

        def rows() -> Iterator[np.ndarray]:
            for place, recording in enumerate(recordings):
                cleaning = cleaning_of(recording, preprocessing, cache)
                for signal, start, stop in _blocks(recording, recordings[0], preprocessing, windows, cleaning):
                    clock.append(np.column_stack([np.full(len(start), place), start, stop]))
                    yield take(signal, rate)

        rate = preprocessing.rate or recordings[0].rate
        full = Description(
            kind=form.kind,
            axes=form.axes,
            units=form.units,
            channels=recordings[0].channels,
            rate=rate if "time" in form.axes else None,
        )
        _write_rows(folder / "values", full, rows())
        np.save(folder / "clock.npy", np.concatenate(clock))
        if form.kind == "signal":
            mark_epochs(folder, "values", preprocessing, recordings[0].corpus)

    key = [preprocessing.digest(), windows.digest(), [recording.fingerprint for recording in recordings], *further_key]
    folder = cache.folder(kind, key, build)
    place, start, stop = np.load(folder / "clock.npy", allow_pickle=False).T
    table = pd.DataFrame({"recording": place.astype(np.int64), "start": start, "stop": stop})
    if form.kind == "signal":
        table["quality"] = pd.array(quality_in(folder, len(table)), dtype="str")
    return _open(folder / "values"), table


def _blocks(
    recording: Recording, first: Recording, preprocessing: Preprocessing, windows: Windows, cleaning: Cleaning | None
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Yield preprocessed signal, channels in the order of `first`, and start and stop (s) of the windows it holds."""
    where = f"{recording.corpus} {recording.subject} {recording.session}"
    differ = sorted(set(recording.channels) ^ set(first.channels))
    if differ:
        raise DataError(
            f"channel {differ[0]} is not in every recording", where=where, do="harmonise the montages first"
        )
    rate = preprocessing.rate or recording.rate
    if rate != (preprocessing.rate or first.rate):
        raise DataError(f"{rate:g} Hz, others have {first.rate:g} Hz", where=where, do="set preprocessing.rate")
    ratio = resampling_ratio(recording.rate, rate)
    length, step = samples_in(windows.seconds, rate), samples_in(windows.hop or windows.seconds, rate)
    count = count_windows(recording, preprocessing, windows, where=where)
    order = [recording.channels.index(name) for name in first.channels]
    margin = ceil((low_edge_seconds(preprocessing.band[0]) + _NOTCH_REACH) * rate)
    at_once = max(1, int(_BLOCK * rate) // step)
    for i in range(0, count, at_once):
        start = np.arange(i, min(i + at_once, count)) * step
        # A block begins where a sample before resampling is a sample after it.
        units = max(0, start[0] - margin) // ratio.numerator
        begin, end = units * ratio.denominator, ceil((start[-1] + length + margin) / ratio)
        part = _part(recording, int(begin), min(end, recording.n_times))
        signal, _ = preprocess(part, preprocessing, cleaning)
        offset = start[0] - units * ratio.numerator
        yield signal[order, offset : offset + start[-1] - start[0] + length], start / rate, (start + length) / rate


def count_windows(recording: Recording, preprocessing: Preprocessing, windows: Windows, *, where: object) -> int:
    """Return how many windows a recording holds.

    Raises
    ------
    DataError
        If it holds none, or a window or hop is shorter than a sample.
    """
    rate = preprocessing.rate or recording.rate
    length, step = samples_in(windows.seconds, rate), samples_in(windows.hop or windows.seconds, rate)
    if length < 1 or step < 1:
        raise DataError(f"a window or hop of less than a sample at {rate:g} Hz", do="give longer ones, in seconds")
    count = 1 + (ceil(recording.n_times * resampling_ratio(recording.rate, rate)) - length) // step
    if count < 1:
        what = f"{recording.n_times / recording.rate:.1f} s are shorter than a window of {windows.seconds:g} s"
        raise DataError(what, where=where, do="leave the recording out or shorten the window")
    return count


def _part(recording: Recording, begin: int, end: int) -> Recording:
    def reader(start: int, stop: int) -> np.ndarray:
        return recording.reader(begin + start, begin + stop)

    return replace(recording, n_times=end - begin, reader=reader)


def _write_rows(folder: Path, form: Description, blocks: Iterator[np.ndarray]) -> None:
    """Write a store block by block; numpy leaves room in the header for the number of rows."""
    rows = 0
    for block in blocks:
        if not rows:
            ArrayStore(np.empty((0, *block.shape[1:]), np.float32), form).save(folder)
        with open(folder / "values.npy", "ab") as file:
            for first in range(0, len(block), _ROWS):
                np.ascontiguousarray(block[first : first + _ROWS], np.float32).tofile(file)
        rows += len(block)
        shape = (rows, *block.shape[1:])
    with open(folder / "values.npy", "r+b") as file:
        header = {"descr": "<f4", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)


def _open(folder: Path) -> ArrayStore:
    store = open_store(folder)
    assert isinstance(store, ArrayStore)
    return store

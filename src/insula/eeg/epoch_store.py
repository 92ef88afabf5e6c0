"""Epochs, windows and features of recordings on disk, memory-mapped, keyed by settings and data."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from math import ceil
from pathlib import Path

import numpy as np
import pandas as pd
from pydantic import PositiveFloat

from insula.eeg.artefacts import Cleaning, autoreject_epochs, peak_to_peak_marks
from insula.eeg.checks import check_events
from insula.eeg.features import BANDS, differential_entropy, samples_in
from insula.eeg.filters import resampling_ratio
from insula.eeg.preprocessing import (
    BLOCK,
    Preprocessing,
    check_epochs,
    epochs,
    learn,
    preprocess,
    preprocess_part,
)
from insula.errors import DataError, SettingsError
from insula.samples import ArrayStore, Description, Recording, open_store
from insula.storage.cache import Cache
from insula.storage.settings import Settings

_WHOLE = 5e7  # values: a recording of no more is preprocessed at once for its epochs (200 MB in float32)
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

    It is learnt once for a recording's content; epochs play no part in it, band and rate only for loud channels.
    """
    artefacts = preprocessing.artefacts
    if artefacts is None or not artefacts.spatial:
        return None
    steps = artefacts.model_copy(update={"peak_to_peak": None, "autoreject": False})

    def build(folder: Path) -> None:
        learnt = learn(recording, preprocessing)
        assert learnt is not None
        np.save(folder / "matrix.npy", learnt.matrix)
        about = {name: getattr(learnt, name) for name in ("bad", "dropped", "components", "loud")}
        (folder / "cleaning.json").write_text(json.dumps(about))

    key: list[object] = [steps.digest(), preprocessing.notch, recording.fingerprint]
    if artefacts.loud_channels:
        key += [preprocessing.band, preprocessing.rate]
    folder = cache.folder("cleaning", key, build)
    about = json.loads((folder / "cleaning.json").read_text())
    dropped = tuple((kind, probability) for kind, probability in about["dropped"])
    matrix = np.load(folder / "matrix.npy", allow_pickle=False)
    loud = tuple(about.get("loud", ()))  # older entries say nothing of it
    return Cleaning(matrix, tuple(about["bad"]), dropped, about["components"], loud)


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
    n_times = ceil(recording.n_times * resampling_ratio(recording.rate, rate))
    check_epochs(events, n_times, rate, preprocessing)
    spans = [span for span in (preprocessing.epoch, preprocessing.baseline) if span]
    before, after = min(span[0] for span in spans), max(span[1] for span in spans)
    for some in _neighbours(events):
        first = max(0, int((some["onset"].min() + before) * rate) - 1)  # a sample more than rounding may need
        stop = min(ceil((some["onset"].max() + after) * rate) + 1, n_times)
        signal = preprocess_part(recording, preprocessing, cleaning, first, stop)
        yield epochs(signal, rate, some.assign(onset=some["onset"] - first / rate), preprocessing)


def _neighbours(events: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """Yield consecutive events that lie within one block."""
    onset = events["onset"].to_numpy(float)
    first = 0
    for row in range(1, len(events) + 1):
        if row == len(events) or np.ptp(onset[first : row + 1]) > BLOCK:
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
    if not recordings:
        raise DataError("no recordings to cut windows from")
    if preprocessing.artefacts and preprocessing.artefacts.autoreject:
        raise SettingsError("autoreject is for epochs around events", where="artefacts", do="set autoreject to false")
    rate = preprocessing.rate or recordings[0].rate
    step, length = samples_in(windows.hop or windows.seconds, rate), samples_in(windows.seconds, rate)

    def build(folder: Path) -> None:
        clock: list[np.ndarray] = []

        def rows() -> Iterator[np.ndarray]:
            for place, recording in enumerate(recordings):
                cleaning = cleaning_of(recording, preprocessing, cache)
                for signal, start, stop in _blocks(recording, recordings[0], preprocessing, windows, cleaning):
                    clock.append(np.column_stack([np.full(len(start), place), start, stop]))
                    view = np.lib.stride_tricks.sliding_window_view(signal, length, axis=-1)[:, ::step]
                    yield view.swapaxes(0, 1)

        channels = recordings[0].channels
        form = Description(kind="signal", axes=("channel", "time"), units="uV", channels=channels, rate=rate)
        _write_rows(folder / "values", form, rows())
        np.save(folder / "clock.npy", np.concatenate(clock))
        mark_epochs(folder, "values", preprocessing, recordings[0].corpus)

    folder = cache.folder("windows", _key(recordings, preprocessing, windows), build)
    place, start, stop = np.load(folder / "clock.npy", allow_pickle=False).T
    table = pd.DataFrame({"recording": place.astype(np.int64), "start": start, "stop": stop})
    table["quality"] = pd.array(quality_in(folder, len(table)), dtype="str")
    return _open(folder / "values"), table


def feature_store(
    recordings: Sequence[Recording],
    preprocessing: Preprocessing,
    windows: Windows,
    cache: Cache,
    bands: Mapping[str, tuple[float, float]] = BANDS,
) -> tuple[ArrayStore, pd.DataFrame]:
    """Return the spectral differential entropy of each window of continuous recordings.

    The windows are those of `window_store`, which are made where they are not yet, and so are the errors.

    Returns
    -------
    store : ArrayStore
        Float32 nats, (windows, channels, bands), with the axes channel and band.
    table : DataFrame
        As of `window_store`, without `quality`.
    """
    signals, table = window_store(recordings, preprocessing, windows, cache)
    rate = signals.description.rate
    assert rate is not None

    def build(folder: Path) -> None:
        form = Description(kind="features", axes=("channel", "band"), units="nats", channels=recordings[0].channels)
        blocks = (signals.values[first : first + _ROWS] for first in range(0, len(signals), _ROWS))
        entropies = (differential_entropy(block, rate, bands, windows.seconds)[:, 0] for block in blocks)
        _write_rows(folder / "values", form, entropies)

    edges = {name: list(band) for name, band in bands.items()}
    folder = cache.folder("features", [*_key(recordings, preprocessing, windows), list(edges.items())], build)
    return _open(folder / "values"), table.drop(columns="quality")


def _key(recordings: Sequence[Recording], preprocessing: Preprocessing, windows: Windows) -> list[object]:
    return [preprocessing.digest(), windows.digest(), [recording.fingerprint for recording in recordings]]


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
    length, step = samples_in(windows.seconds, rate), samples_in(windows.hop or windows.seconds, rate)
    count = count_windows(recording, preprocessing, windows, where=where)
    order = [recording.channels.index(name) for name in first.channels]
    at_once = max(1, int(BLOCK * rate) // step)
    for i in range(0, count, at_once):
        start = np.arange(i, min(i + at_once, count)) * step
        signal = preprocess_part(recording, preprocessing, cleaning, int(start[0]), int(start[-1]) + length)
        yield signal[order], start / rate, (start + length) / rate


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

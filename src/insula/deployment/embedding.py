"""From recordings of EEG to a table of vectors, one a window; without torch."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from insula.deployment.encoder import Encoder, check_normalise, open_encoder
from insula.deployment.inputs import shown
from insula.deployment.preparation import Preparation
from insula.deployment.recordings import heard, recordings_in
from insula.eeg.montage import canonical, some
from insula.errors import DataError, InsulaError, SettingsError, printable
from insula.samples import ArrayStore, Description, Recording, Samples, provenance
from insula.storage.atomic import write_file
from insula.tiers import naming_tier

_ENDINGS = (".csv", ".parquet", ".json")


@naming_tier()
def embed(
    bundle: str | Path | Encoder,
    recordings: Any,
    channels: Sequence[str] | None = None,
    rate: float | None = None,
    *,
    normalise: str = "session",
    calibration: float | None = None,
) -> pd.DataFrame:
    """Return what the encoder of a bundle makes of recordings: a vector for each window.

    A recording is one person's session: it is resampled, filtered, scaled by the person's own loudness, cut into
    windows, brought to the bundle's electrodes by name, and normalised.

    Parameters
    ----------
    bundle : str, Path or Encoder
        What `insula fit` wrote of a system that embeds, such as `mdjpt`, or the same opened by `insula.load`.
    recordings : path, sequence of paths, or array
        Files, folders, patterns; or one session in microvolts, (channels, times), at any rate; or its windows, (n,
        channels, times), as the bundle has them.
    channels : sequence of str, optional
        Electrodes of an array.
    rate : float, optional
        Samples per second of an array.
    normalise : {"session", "calibration", "source"}
        Whose moments normalise: of all windows of the recording, without labels; of its first `calibration` seconds
        (the loudness is that of all of it); or those of pre-training.
    calibration : float, optional
        Seconds.

    Returns
    -------
    DataFrame
        `recording`, `start` and `stop` (seconds), `e0001` and so on.

    Raises
    ------
    DataError
        Where a recording cannot be read, has no electrode of the bundle's, or is shorter than a window.
    SettingsError
        Where the bundle does not embed, for another way to normalise, or an array without channels or rate.

    Warns
    -----
    UserWarning
        Where there were too few windows for moments of their own: those of pre-training normalise.
    """
    encoder = bundle if isinstance(bundle, Encoder) else open_encoder(Path(bundle))
    if isinstance(recordings, np.ndarray):
        check_normalise(normalise, calibration)
        with _of_array(encoder, recordings, channels, rate) as samples:
            table, enough = _vectors(encoder, samples, "array", normalise, calibration)
        _tell(encoder, int(not enough))
        return table
    files = [recordings] if isinstance(recordings, str | Path) else recordings
    parts = list(embedded(encoder, files, normalise, calibration))
    for name, part in parts:
        if isinstance(part, InsulaError):
            raise type(part)(part.what, where=part.where or name, do=part.do)
    return pd.concat([part for _, part in parts], ignore_index=True)


@naming_tier()
def embedded(
    encoder: Encoder, inputs: Iterable[str | Path], normalise: str = "session", calibration: float | None = None
) -> Iterator[tuple[str, pd.DataFrame | InsulaError]]:
    """Yield of each recording its name, and its vectors or why there are none: one after the other, none is kept.

    Parameters
    ----------
    encoder : Encoder
        Opened.
    inputs : iterable of str or Path
        Recordings, folders of them, or patterns.
    normalise, calibration
        As of `embed`.
    """
    check_normalise(normalise, calibration)
    preparation = Preparation.parse(encoder.manifest["recording"], where="the manifest's recording")
    short, odd = 0, dict[str, list[str]]()
    for path in recordings_in(list(inputs)):
        name = shown(path)
        try:
            with heard(path, odd), preparation.samples(path) as samples:
                table, enough = _vectors(encoder, samples, name, normalise, calibration)
            short += not enough
            yield name, table
        except InsulaError as error:
            yield name, error
    for note, names in odd.items():
        warnings.warn(f"{note} ({some(names, 3)})", stacklevel=2)
    _tell(encoder, short)


def write_vectors(parts: Iterable[tuple[str, pd.DataFrame | InsulaError]], output: Path) -> pd.DataFrame:
    """Write vectors to a table as they come, CSV, Parquet or JSON (a row a line) by the ending of its name.

    Returns
    -------
    DataFrame
        Of each recording `recording`, `windows`, and `reason`, why there are none.

    Raises
    ------
    SettingsError
        For another ending.
    DataError
        Where no recording could be read; nothing is written then.
    """
    kind = output.suffix.lower()
    if kind not in _ENDINGS or output.is_dir():
        raise SettingsError("no table could be written so", where=output, do=f"end its name on {', '.join(_ENDINGS)}")
    rows: list[tuple[str, int, str]] = []
    with write_file(output) as temporary, _writer(temporary, kind) as write:
        for name, part in parts:
            if isinstance(part, InsulaError):
                rows.append((name, 0, reason_of(part)))
            else:
                write(part)
                rows.append((name, len(part), ""))
        if not any(windows for _, windows, _ in rows):
            raise DataError(f"nothing could be read: {rows[0][2]}", where=rows[0][0])
    return pd.DataFrame(rows, columns=["recording", "windows", "reason"])


def reason_of(error: InsulaError) -> str:
    """Return in a line why a recording gave nothing."""
    return printable(": ".join(part for part in (error.what, error.do) if part))


@contextmanager
def _writer(path: Path, kind: str) -> Iterator[Any]:
    """Lend what appends a part of a table to a file."""
    if kind == ".parquet":
        with naming_tier():
            import pyarrow  # type: ignore[import-untyped]
            from pyarrow import parquet
        opened: list[Any] = []

        def append(part: pd.DataFrame) -> None:
            rows = pyarrow.Table.from_pandas(part, preserve_index=False)
            if not opened:
                opened.append(parquet.ParquetWriter(path, rows.schema))
            opened[0].write_table(rows)

        try:
            yield append
        finally:
            for one in opened:
                one.close()
        return
    from insula.storage.tables import as_csv

    with path.open("w", encoding="utf-8") as file:

        def write(part: pd.DataFrame) -> None:
            if kind == ".csv":
                file.write(as_csv(part, header=not file.tell()))
            else:
                file.writelines(json.dumps(row) + "\n" for row in part.to_dict("records"))

        yield write


def _vectors(
    encoder: Encoder, samples: Samples, name: str, normalise: str, calibration: float | None
) -> tuple[pd.DataFrame, bool]:
    rows, start = samples.rows("eeg"), samples.table["start"].to_numpy(float)
    first = rows if calibration is None else rows[start - start[0] < calibration]
    vectors, enough = encoder.vectors(samples.store("eeg"), rows, normalise, first)
    columns = [f"e{number:04d}" for number in range(1, encoder.width + 1)]
    place = {"recording": name, "start": start, "stop": samples.table["stop"].to_numpy(float)}
    return pd.concat([pd.DataFrame(place), pd.DataFrame(vectors, columns=columns)], axis=1), enough


def _tell(encoder: Encoder, short: int) -> None:
    if short:
        what = f"{short} {'recording' if short == 1 else 'recordings'} of fewer than {encoder.about['fewest']} windows"
        warnings.warn(f"{what}: normalised by the moments of pre-training (source)", stacklevel=3)


@contextmanager
def _of_array(
    encoder: Encoder, values: np.ndarray, channels: Sequence[str] | None, rate: float | None
) -> Iterator[Samples]:
    """Lend an array of a session, or its windows, as samples."""
    if channels is None or rate is None or values.ndim not in (2, 3) or values.shape[-2] != len(channels):
        count, given = "no" if channels is None else len(channels), "no" if rate is None else "a"
        what = f"an array of shape {values.shape} with {count} channels and {given} rate"
        raise SettingsError(what, do="give (channels, times) or (windows, channels, times), channels= and rate=")
    names, signal = tuple(canonical(channels)), np.ascontiguousarray(values, np.float32)
    how = Preparation.parse(encoder.manifest["recording"], where="the manifest's recording")
    if signal.ndim == 3:
        form = Description(kind="signal", axes=("channel", "time"), rate=rate, channels=names, units="uV")
        hop = how.windows.hop or how.windows.seconds
        start = hop * np.arange(len(signal))
        table = provenance(
            len(signal), corpus="recording", subject="array", start=start, stop=start + signal.shape[2] / rate
        )
        yield Samples(table, {}).with_modality("eeg", "eeg", ArrayStore(signal, form), range(len(signal)))
        return
    recording = Recording(
        corpus="recording",
        subject="array",
        session="1",
        channels=names,
        rate=float(rate),
        n_times=signal.shape[1],
        reader=lambda start, stop: signal[:, start:stop],
        events=pd.DataFrame(),
        fingerprint="array",
    )
    with how.windows_of(recording) as samples:
        yield samples

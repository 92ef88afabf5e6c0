"""EEG files (EDF, BDF, BrainVision, EEGLAB, FIF) as recordings: electrodes by 10-05 name, microvolts, read lazily."""

from __future__ import annotations

import re
import textwrap
import warnings
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from insula.eeg.checks import check_rate
from insula.eeg.montage import canonical
from insula.errors import DataError
from insula.samples import Recording
from insula.storage.hashing import digest, sha256_of

SUFFIXES = (".edf", ".bdf", ".vhdr", ".set", ".fif", ".fif.gz")
_FIF = (".fif", ".fif.gz")

# No electrode of the 10-05 system is named so; files say "EEG" of nearly everything that they hold.
_OTHER = re.compile(
    r"e[ck]g|eog|emg|^exg|gsr|eda\b|\berg|resp|pleth?|temp|status|trig|stim|marker|event|photo|battery|acc|gyro"
    r"|\b[am][12]-[am][12]$",
    re.IGNORECASE,
)
_AT_ONCE = 4e6  # values read together: MNE gives float64, twice as large and slow where it is very large
_VOLTAGES = ("uV", "µV", "μV", "mV", "V")
_RENAMED = re.compile(r"not unique.*\{(.*)\}", re.DOTALL)  # MNE would call them


def suffix_of(path: Path) -> str:
    """Return the ending of a file's name that says its format, in lower case; `.fif.gz` is one.

    Examples
    --------
    >>> suffix_of(Path("S01.run-1_raw.FIF.gz")), suffix_of(Path("S01.edf"))
    ('.fif.gz', '.edf')
    """
    return ".fif.gz" if path.name.lower().endswith(".fif.gz") else path.suffix.lower()


def channel_table(path: Path, rename: Mapping[str, str | None] | None = None) -> pd.DataFrame:
    """Return what becomes of each channel of a file.

    Parameters
    ----------
    path : Path
        The file.
    rename : mapping of str to str, optional
        As of `read_recording`.

    Returns
    -------
    DataFrame
        One row a channel of the file: `channel` (as the file spells it), `unit`, `rate` (Hz), `dropped`: why
        `read_recording` leaves it out, or missing where it is kept; `name`, as renamed, and `electrode`: its 10-05
        name, or missing where `name` is none.

    Raises
    ------
    DataError
        As `read_recording`, but for the names of electrodes.
    """
    _check_file(path)
    table = _edf_channels(path) if suffix_of(path) in (".edf", ".bdf") else _mne_channels(path)
    twice = table["channel"][table["channel"].duplicated()]
    if len(twice):
        raise DataError(f"duplicate channel {twice.iloc[0]!r}", where=path, do="rename or remove one of them")
    new = dict(rename or {})
    reasons = table["dropped"].astype("str")
    other = table["channel"].str.contains(_OTHER) & ~table["channel"].isin(list(new))
    reasons = reasons.mask(reasons.isna() & other, "no electrode")
    unwanted = table["channel"].isin([channel for channel, name in new.items() if name is None])
    reasons = reasons.mask(reasons.isna() & unwanted, "left out by rename")
    names = [new.get(channel) or channel for channel in table["channel"]]
    electrodes = pd.array([_electrode(name) for name in names], dtype="str")
    return table.assign(dropped=reasons, name=names, electrode=electrodes)


def _electrode(name: str) -> str | None:
    try:
        return canonical([name])[0]
    except DataError:
        return None


def read_recording(
    path: Path,
    corpus: str,
    subject: str,
    session: str,
    events: pd.DataFrame | None = None,
    expected_rate: float | None = None,
    rename: Mapping[str, str | None] | None = None,
    channels: Sequence[str] | None = None,
) -> Recording:
    """Return the EEG of a file; nothing but its header is read until `Recording.read` asks.

    Channels that are no EEG by type, unit or name are left out; `channel_table` says which and why.

    Parameters
    ----------
    path : Path
        A file with one of `SUFFIXES`: EDF, BDF, BrainVision's header, EEGLAB, or FIF (of a split one the first part).
    corpus, subject, session : str
        Whose brain, and when.
    events : DataFrame, optional
        Columns as of `Recording.events`; by default the file's annotations, each a trial with its text as stimulus.
    expected_rate : float, optional
        Samples per second; refused where the header says otherwise.
    rename : mapping of str to str, optional
        From a channel's name in the file to the 10-05 electrode that it is, or to None, which leaves it out.
    channels : sequence of str, optional
        10-05 names to read, in this order, whatever else the file holds; by default all, in the file's order.

    Raises
    ------
    DataError
        For a file that is absent, of another kind, corrupt or truncated; for duplicate or unknown channel names, uneven
        sampling rates, an EDF channel without a unit, a discontinuous recording, another rate than expected, or a
        channel that is asked for and not there.
    """
    table = channel_table(path, rename)
    kept = table[table["dropped"].isna()]
    if kept.empty:
        dropped = ", ".join(f"{row.channel} ({row.dropped})" for row in table.head(3).itertuples())
        do = f"the file has {dropped} and the like" if dropped else "give a file with EEG: it has no channel at all"
        raise DataError("no EEG channel", where=path, do=do)
    if channels is not None:
        kept = _chosen(kept, canonical(channels), path)
    rates = kept["rate"].to_numpy()
    if (rates != rates[0]).any():
        other = int(np.argmax(rates != rates[0]))
        names = kept["channel"].iloc
        what = f"uneven sampling rates: {names[0]!r} at {rates[0]:g} Hz, {names[other]!r} at {rates[other]:g} Hz"
        raise DataError(what, where=path, do="resample the channels to one rate and export again")
    try:
        electrodes = canonical(kept["name"].tolist(), where=path)
    except DataError as error:
        raise DataError(error.what, where=path, do=f"{error.do}; rename says what a channel is") from None
    if expected_rate is not None:
        check_rate(expected_rate, rates[0], where=path)
    raw = _open(path, tuple(kept["channel"]))
    files = [path, *(Path(name) for name in raw.filenames if name)]
    if suffix_of(path) == ".vhdr":
        _check_brainvision(path, files[-1])
    if events is None:
        events = _annotations(raw)
        events["trial"] = [str(number) for number in range(len(events))]
    return Recording(
        corpus=corpus,
        subject=subject,
        session=session,
        channels=electrodes,
        rate=float(rates[0]),
        n_times=raw.n_times,
        reader=partial(_read, path, tuple(kept["channel"])),
        events=events,
        bad=tuple(kept["electrode"][kept["channel"].isin(raw.info["bads"])]),
        fingerprint=digest([*(sha256_of(file) for file in dict.fromkeys(files)), electrodes]),
    )


def outline(path: Path) -> tuple[float, float, pd.DataFrame]:
    """Return rate (Hz), length (s) and annotations of a file, its signal unread.

    Annotations have the columns `onset` and `duration` (s) and `stimulus`, which is their text.

    Raises
    ------
    DataError
        For a file that cannot be read.
    """
    raw = _open(path)
    table = channel_table(path)
    rates = table["rate"][table["dropped"].isna()]
    rate = float(rates.iloc[0]) if len(rates) else float(raw.info["sfreq"])
    return rate, raw.n_times / raw.info["sfreq"], _annotations(raw)


def _annotations(raw: Any) -> pd.DataFrame:
    marks = raw.annotations
    onset = marks.onset - raw.first_time  # which is not 0 where a FIF was cut out of a longer recording
    return pd.DataFrame({"onset": onset, "duration": marks.duration, "stimulus": marks.description})


def _chosen(kept: pd.DataFrame, channels: Sequence[str], path: Path) -> pd.DataFrame:
    """Return the rows of these electrodes, in this order."""
    chosen = kept[kept["electrode"].isin(list(channels))]
    canonical(chosen["name"].tolist(), where=path)  # refuses two that are one electrode
    lacking = [name for name in channels if name not in set(chosen["electrode"])]
    if lacking:
        more = f" and {len(lacking) - 1} more" if len(lacking) > 1 else ""
        names = kept["name"].tolist()
        there = ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
        what = f"no channel {lacking[0]}{more}: the file has {there}"
        raise DataError(what, where=path, do="ask for fewer channels, or rename its own")
    return chosen.set_index("electrode").loc[list(channels)].reset_index()


def _read(path: Path, names: tuple[str, ...], start: int, stop: int) -> np.ndarray:
    """Return float32 microvolts; the file is opened anew, so that a thousand recordings hold no thousand headers."""
    raw = _open(path, names)
    stop, step = min(stop, raw.n_times), int(_AT_ONCE // len(names))
    values = np.empty((len(names), stop - start), np.float32)
    try:
        for first in range(start, stop, step):
            last = min(first + step, stop)
            volts = raw.get_data(picks=list(names), start=first, stop=last, verbose="error")
            values[:, first - start : last - start] = 1e6 * volts
    except Exception as error:
        raise _unreadable(path, error) from None
    return values


def _check_file(path: Path) -> None:
    if not path.is_file():
        raise DataError("no such file", where=path, do="correct the path")
    if suffix_of(path) not in SUFFIXES:
        raise DataError("not a kind of EEG file that is read", where=path, do=f"give one of {', '.join(SUFFIXES)}")


def _edf_channels(path: Path) -> pd.DataFrame:
    """Read the header: MNE resamples uneven channels, renames duplicates and forgives truncation, all in silence.

    Its fields are those of Kemp et al. 1992, A simple format for exchange of digitized polygraphic recordings; BDF has
    three bytes a value where EDF has two.
    """
    try:
        with open(path, "rb") as file:
            fixed = file.read(256).decode("latin-1")
            size, kind, records = int(fixed[184:192]), fixed[192:236].strip(), int(fixed[236:244])
            seconds, n = float(fixed[244:252]), int(fixed[252:])
            fields = file.read(256 * n).decode("latin-1")

        def column(offset: int, width: int) -> list[str]:
            return [fields[offset * n + width * i :][:width].strip() for i in range(n)]

        lengths = [int(text) for text in column(216, 8)]
        rates = [length / seconds for length in lengths]
    except (ValueError, ZeroDivisionError):
        raise _unreadable(path, "its header is cut off or of another kind") from None
    width = 2 if path.suffix.lower() == ".edf" else 3
    expected = size + records * sum(lengths) * width
    if path.stat().st_size != expected:
        what = f"the file has {path.stat().st_size} bytes, its header says {expected}"
        raise DataError(what, where=path, do="it is truncated or was never closed: copy or export it again")
    if kind.endswith("+D"):
        raise DataError("the recording has gaps (EDF+D)", where=path, do="export it as one continuous recording")
    table = pd.DataFrame({"channel": column(0, 16), "unit": column(96, 8), "rate": rates})
    table = table[~table["channel"].isin(["EDF Annotations", "BDF Annotations"])].reset_index(drop=True)
    blank = table[(table["unit"] == "") & ~table["channel"].str.contains(_OTHER)]
    if len(blank):
        raise DataError(f"channel {blank['channel'].iloc[0]!r} has no unit", where=path, do="export it in uV")
    return table.assign(dropped=[None if unit in _VOLTAGES else f"unit {unit!r}" for unit in table["unit"]])


def _check_brainvision(path: Path, data: Path) -> None:
    """Compare the size of the data with header and markers: MNE drops half a sample and late markers in silence."""
    text = path.read_bytes().decode("latin-1").partition("[Comment]")[0]  # only keys and numbers are looked for
    entries = re.findall(r"^(\w+)[ \t]*=[ \t]*([^\r\n]*)", text, re.MULTILINE)
    header = {key.lower(): value for key, value in entries}
    width = {"INT_16": 2, "UINT_16": 2, "INT_32": 4, "IEEE_FLOAT_32": 4}.get(header.get("binaryformat", "").upper())
    if width is None or header.get("dataformat", "BINARY").upper() != "BINARY":
        return
    size, sample = data.stat().st_size, width * int(header["numberofchannels"])
    points = header.get("datapoints", "")
    wanted = int(points) if points.isdigit() else None
    marks = path.parent / header.get("markerfile", "").replace("$b", path.stem)  # the folder, where none is named
    last = 0
    if marks.is_file():
        samples = re.findall(r"^Mk\d+=[^,\r\n]*,[^,\r\n]*,(\d+)", marks.read_bytes().decode("latin-1"), re.MULTILINE)
        last = max(map(int, samples), default=0)
    if size % sample or (wanted is not None and size != wanted * sample) or last > size // sample + 1:
        says = f"{sample} bytes a sample and markers to sample {last}" if wanted is None else f"{wanted * sample} bytes"
        what = f"{data.name} has {size} bytes, its header says {says}"
        raise DataError(what, where=path, do="it is truncated: copy or export it again")


def _mne_channels(path: Path) -> pd.DataFrame:
    raw = _open(path)
    unnamed = "V" if suffix_of(path) in _FIF else "uV"  # EEGLAB names none: microvolts by convention
    units = [raw._orig_units.get(name, unnamed) for name in raw.ch_names]
    types = raw.get_channel_types()
    return pd.DataFrame(
        {
            "channel": raw.ch_names,
            "unit": units,
            "rate": raw.info["sfreq"],
            "dropped": [None if kind == "eeg" else f"type {kind}" for kind in types],
        }
    )


def _open(path: Path, names: tuple[str, ...] = ()) -> Any:
    """Return MNE's lazy reader."""
    import mne

    only = {"include": list(names)} if names and suffix_of(path) in (".edf", ".bdf") else {}
    raw, failure = None, None
    with warnings.catch_warnings(), mne.utils.catch_logging(verbose="warning") as log:
        warnings.simplefilter("ignore")  # the log says the same
        try:
            raw = mne.io.read_raw(path, preload=False, **only)
        except Exception as error:
            failure = error
    renamed = _RENAMED.search(log.getvalue())
    if renamed:
        raise DataError(f"duplicate channel {renamed[1]}", where=path, do="rename or remove one of them")
    if failure is not None and suffix_of(path) in _FIF and str(failure).startswith("No raw data"):
        do = "save what it was cut from: raw.save('S01_raw.fif'), with its events in a table or as annotations"
        raise DataError("this FIF file holds no continuous recording (epochs, averages)", where=path, do=do)
    if failure is not None:
        raise _unreadable(path, failure) from None
    return raw


def _unreadable(path: Path, error: object) -> DataError:
    message = textwrap.shorten(str(error), 400, placeholder=" ...")  # a parser may quote half a broken file
    return DataError(f"this {suffix_of(path)} file cannot be read: {message}", where=path, do="copy or export it again")

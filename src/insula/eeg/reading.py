"""EEG files (EDF, BDF, BrainVision, EEGLAB, FIF, GDF, CNT, XDF) as recordings: 10-05 names, microvolts, read lazily."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from insula.eeg.brainvision import check_size
from insula.eeg.checks import check_rate
from insula.eeg.montage import as_rename, biosemi_names, canonical, electrode_of, some, without_reference
from insula.eeg.opening import SUFFIXES, open_raw, stored_channels, suffix_of, unreadable
from insula.eeg.triggers import TRIGGERS, code_changes
from insula.eeg.units import unit_in_microvolts
from insula.errors import DataError, SettingsError
from insula.samples import Recording
from insula.storage.hashing import digest, sha256_of

__all__ = ["SUFFIXES", "annotations_of", "channel_table", "outline", "read_recording", "suffix_of", "trigger_events"]

# No electrode of the 10-05 system is named so; files say "EEG" of nearly everything that they hold.
_OTHER = re.compile(
    r"e[ck]g|eog|emg|^exg|^pol\b|gsr|eda\b|\berg|resp|pleth?|temp|photo|battery|acc|gyro|^dc ?\d|\b[am][12]-[am][12]$|"
    + TRIGGERS,
    re.IGNORECASE,
)
_AS_UNIT = "as in --set corpus.unit=uV"
_AT_ONCE = 4e6  # values read together: MNE gives float64, twice as large and slow where it is very large


def channel_table(path: Path, rename: Mapping[str, str | None] | None = None, unit: str | None = None) -> pd.DataFrame:
    """Return what becomes of each channel of a file.

    Parameters
    ----------
    path : Path
        The file.
    rename : mapping of str to str, optional
        As of `read_recording`.
    unit : str, optional
        As of `read_recording`.

    Returns
    -------
    DataFrame
        One row a channel of the file: `channel` and `unit` (as the file spells them), `rate` (Hz), `dropped`: why
        `read_recording` leaves it out, or missing where it is kept; `name`, as renamed and without a reference that all
        names share, `electrode`: its 10-05 name, or missing where `name` is none; `factor`, from volts as MNE reads
        them to microvolts.

    Raises
    ------
    DataError
        As `read_recording`, but for the names of electrodes.
    """
    return _channels(path, rename, unit)[0]


def _channels(path: Path, rename: Mapping[str, str | None] | None, unit: str | None) -> tuple[pd.DataFrame, list[str]]:
    """Return the table of channels, and what is odd about the file."""
    if unit is not None and unit_in_microvolts(unit) is None:
        raise SettingsError(f"{unit!r} is no unit of voltage", where="unit", do="set unit=uV, mV or V")
    table, notes = stored_channels(path)
    new, channels = dict(rename or {}), table["channel"]
    reasons = table["dropped"].astype("str")
    own = ~channels.isin(list(new))
    reasons = reasons.mask(reasons.isna() & channels.str.contains(_OTHER) & own, "no electrode")
    unwanted = channels.isin([channel for channel, name in new.items() if name is None])
    reasons = reasons.mask(reasons.isna() & unwanted, "left out by rename or channels.tsv")
    plain = without_reference(channels[own & reasons.isna()].tolist())
    names = channels.map(new).where(~own, channels).fillna(channels)
    names[own & reasons.isna()] = plain
    electrodes = pd.array([electrode_of(name) for name in names], dtype="str")
    table = table.assign(dropped=reasons, name=names, electrode=electrodes)
    table = _without_biosemi(table, own, path)
    microvolts = table["unit"].map(unit_in_microvolts).astype(float)
    strange = table["dropped"].isna() & microvolts.isna()
    electrodes = strange & (table["electrode"].notna() | (table["unit"] == ""))
    if unit is not None:
        microvolts = microvolts.mask(microvolts.notna() | electrodes, unit_in_microvolts(unit))
    left = strange & microvolts.isna()
    blank = table["channel"][left & (table["unit"] == "") & table["electrode"].notna()]
    if len(blank):
        raise DataError(f"channel {some(map(repr, blank))} has no unit", where=path, do=f"say it, {_AS_UNIT}")
    table["dropped"] = table["dropped"].mask(left, "unit '" + table["unit"] + "'")
    cure = f"; of electrodes say the unit, {_AS_UNIT}" if (left & electrodes).any() else ""
    unscaled = table["dropped"].str.contains(" range from ", na=False)
    out = table[left | unscaled | (channels.str.contains(r"(?i)^pol\b") & (table["dropped"] == "no electrode"))]
    if len(out):
        notes = [
            *notes,
            f"channels left out: {some(f'{one.channel} ({one.dropped})' for one in out.itertuples())}{cure}",
        ]
    return table.assign(factor=microvolts / table.pop("presumed")), notes


def _without_biosemi(table: pd.DataFrame, own: pd.Series, path: Path) -> pd.DataFrame:
    """Return the table without electrodes that only seem to be named: BioSemi's A1 and C3 are other sites."""
    cap = biosemi_names(table["channel"][table["dropped"].isna()].tolist())
    mistaken = own & table["channel"].isin(cap) & table["electrode"].notna()
    if mistaken.any() and own[table["channel"].isin(cap)].all():
        what = f"{some(table['channel'][mistaken])} are sites of BioSemi's own system here, not of the 10-20 system"
        do = f"say which electrodes they are, as in {as_rename({cap[0]: 'Cz'})}, or null for none"
        raise DataError(what, where=path, do=do)
    name = table["name"].mask(mistaken, table["channel"] + " (BioSemi)")
    return table.assign(name=name, electrode=table["electrode"].mask(mistaken))


def read_recording(
    path: Path,
    corpus: str,
    subject: str,
    session: str,
    events: pd.DataFrame | None = None,
    expected_rate: float | None = None,
    rename: Mapping[str, str | None] | None = None,
    channels: Sequence[str] | None = None,
    unit: str | None = None,
) -> Recording:
    """Return the EEG of a file; nothing but its header is read until `Recording.read` asks.

    Channels that are no EEG by type, unit or name are left out; `channel_table` says which and why, and the recording's
    `notes` say it where a name alone does not.

    Parameters
    ----------
    path : Path
        A file with one of `SUFFIXES`: EDF, BDF, BrainVision's header, EEGLAB, FIF (of a split one the first part), GDF,
        Neuroscan's CNT, or XDF.
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
    unit : str, optional
        The unit of the values that are stored, whatever the header says: `uV`, `mV` or `V`.

    Raises
    ------
    DataError
        For a file that is absent, of another kind, corrupt or truncated; for duplicate or unknown channel names, uneven
        sampling rates, a channel without a unit, a discontinuous recording, another rate than expected, or a channel
        that is asked for and not there.
    SettingsError
        If `unit` is no unit of voltage.
    """
    table, notes = _channels(path, rename, unit)
    kept = table[table["dropped"].isna()]
    if kept.empty:
        dropped = some((f"{row.channel} ({row.dropped})" for row in table.itertuples()), 3)
        do = f"the file has {dropped}" if dropped else "give a file with EEG: it has no channel at all"
        cure = f"; if they are electrodes, say the unit, {_AS_UNIT}" if "(unit '" in dropped else ""
        for name in table["channel"][table["dropped"] == "no electrode"].iloc[:1]:
            cure += f"; name those that are, as in {as_rename({name: electrode_of(name.split()[-1]) or 'Cz'})}"
        raise DataError("no EEG channel", where=path, do=f"{do}{cure}")
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
        wrong = kept["channel"][kept["electrode"].isna() | kept["electrode"].duplicated()]
        do = f"{error.do}, as in {as_rename(dict.fromkeys(wrong))}"
        raise DataError(error.what, where=path, do=do) from None
    if expected_rate is not None:
        check_rate(expected_rate, rates[0], where=path)
    names, factors = tuple(kept["channel"]), tuple(kept["factor"])
    raw, warned = open_raw(path, names)
    files = [path, *(Path(name) for name in raw.filenames if name)]
    if suffix_of(path) == ".vhdr":
        check_size(path, files[-1])
    if events is None:
        events = _annotations(raw)
        events["trial"] = [str(number) for number in range(len(events))]
    scaled = [factors] if any(factor != 1 for factor in factors) else []
    return Recording(
        corpus=corpus,
        subject=subject,
        session=session,
        channels=electrodes,
        rate=float(rates[0]),
        n_times=raw.n_times,
        reader=partial(_read, path, names, factors),
        events=events,
        bad=tuple(kept["electrode"][kept["channel"].isin(raw.info["bads"])]),
        fingerprint=digest([*(sha256_of(file) for file in dict.fromkeys(files)), electrodes, *scaled]),
        declared=tuple((name, unit or said) for name, said in zip(names, kept["unit"], strict=True)),
        notes=tuple(dict.fromkeys([*notes, *warned])),
    )


def outline(path: Path) -> tuple[float, float, pd.DataFrame]:
    """Return rate (Hz), length (s) and annotations of a file, its signal unread.

    Annotations have the columns `onset` and `duration` (s) and `stimulus`, which is their text.

    Raises
    ------
    DataError
        For a file that cannot be read.
    """
    table, _ = stored_channels(path)  # which says better than MNE what is wrong
    raw, _ = open_raw(path)
    kept = table[table["dropped"].isna() & ~table["channel"].str.contains(_OTHER)]
    rate = float(kept["rate"].iloc[0]) if len(kept) else float(raw.info["sfreq"])
    marks = _annotations(raw)
    return rate, raw.n_times / raw.info["sfreq"], marks if len(marks) else trigger_events(path)


def annotations_of(path: Path) -> pd.DataFrame:
    """Return the annotations of a file, as `outline` does.

    Raises
    ------
    DataError
        For a file that cannot be read.
    """
    return _annotations(open_raw(path)[0])


def trigger_events(path: Path) -> pd.DataFrame:
    """Return events from a file's channel of triggers, such as BioSemi's Status: where its code changes, but to 0.

    All of that channel is read. Of several channels the first that holds codes is taken.

    Returns
    -------
    DataFrame
        `onset` and `duration` (s; 0) and `stimulus`, which is the code; empty where there is no such channel.

    Raises
    ------
    DataError
        For a file that cannot be read.
    """
    table, _ = stored_channels(path)
    for row in table[
        table["channel"].str.contains(TRIGGERS, case=False) | (table["dropped"] == "type stim")
    ].itertuples():
        raw, _ = open_raw(path, (row.channel,))
        codes = raw.get_data(picks=[row.channel])[0]
        if raw.get_channel_types(picks=[row.channel]) != ["stim"]:
            codes = codes * 1e6 / row.presumed
        if suffix_of(path) == ".bdf":  # of its 24 bits the lower 16 are triggers, the others tell of the amplifier
            codes = np.rint(codes).astype(np.int64) & 0xFFFF
            codes &= ~np.bitwise_and.reduce(codes)  # what is always set says nothing
            if np.isin(codes >> 8, (0, 0xFF)).all():  # nor does a second port that is not connected, or was only late
                codes &= 0xFF
        events = code_changes(codes, raw.info["sfreq"])
        if len(events):
            return events
    return code_changes(np.zeros(1), 1.0)


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
        what = f"no channel {lacking[0]}{more}: the file has {some(names)}"
        raise DataError(what, where=path, do="ask for fewer channels, or rename its own")
    return chosen.set_index("electrode").loc[list(channels)].reset_index()


def _read(path: Path, names: tuple[str, ...], factors: tuple[float, ...], start: int, stop: int) -> np.ndarray:
    """Return float32 microvolts; the file is opened anew, so that a thousand recordings hold no thousand headers."""
    raw, _ = open_raw(path, names)
    stop, step = min(stop, raw.n_times), int(_AT_ONCE // len(names))
    values, to_microvolts = np.empty((len(names), stop - start), np.float32), np.array(factors)[:, None]
    try:
        for first in range(start, stop, step):
            last = min(first + step, stop)
            volts = raw.get_data(picks=list(names), start=first, stop=last, verbose="error")
            values[:, first - start : last - start] = 1e6 * volts * to_microvolts
    except Exception as error:
        raise unreadable(path, error) from None
    return values

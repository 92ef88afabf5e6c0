"""EEG files of every format opened by MNE or pyxdf: channels and units as they are stored, and what was warned of."""

from __future__ import annotations

import re
import textwrap
import warnings
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from insula.eeg.brainvision import check_files, units_of
from insula.eeg.edf import DURATION, edf_channels
from insula.eeg.units import unit_in_microvolts
from insula.eeg.xdf import open_xdf
from insula.errors import DataError, InsulaError
from insula.storage.below import not_fetched
from insula.storage.child import read_in_child
from insula.storage.hashing import sha256_of
from insula.tiers import naming_tier

SUFFIXES = (".edf", ".bdf", ".vhdr", ".set", ".fif", ".fif.gz", ".gdf", ".cnt", ".xdf", ".xdfz")
"""Endings of the files that are read."""

UNREAD = (
    ".edf.gz", ".bdf.gz", ".mff", ".egi", ".nwb", ".mat", ".ahdr", ".lay", ".trc", ".nedf", ".easy", ".poly5", ".acq",
    ".mefd", ".snirf", ".cdt", ".smr", ".rec", ".ns3",
)  # fmt: skip
"""Endings of files, and of folders, that may hold EEG and are not read."""

_EDF, _FIF, _XDF = (".edf", ".bdf"), (".fif", ".fif.gz"), (".xdf", ".xdfz")
_RENAMED = re.compile(r"not unique.*\{(.*)\}", re.DOTALL)  # MNE would call them
_FOR_PROGRAMMERS = re.compile(r"[.,;]? (You might want|Please|[Pp]ass [^ ]*=).*", re.DOTALL)  # who call the library
_SETTLED = re.compile(r"Setting channel types to misc")  # what MNE warns of and the table of channels settles


def suffix_of(path: Path) -> str:
    """Return the ending of a file's name that says its format, in lower case; `.fif.gz` is one.

    Examples
    --------
    >>> suffix_of(Path("S01.run-1_raw.FIF.gz")), suffix_of(Path("S01.edf"))
    ('.fif.gz', '.edf')
    """
    return ".fif.gz" if path.name.lower().endswith(".fif.gz") else path.suffix.lower()


def stored_channels(path: Path) -> tuple[pd.DataFrame, list[str]]:
    """Return the channels of a file as it stores them, and what is odd about its header.

    Returns
    -------
    table : DataFrame
        One row a channel: `channel`, `unit` (as the file spells it, or what its format means; "" where it says none),
        `rate` (Hz), `presumed` (how many microvolts a stored 1 is as `open_raw` reads it), and `dropped`: its type,
        where the file says one that is not EEG.
    notes : list of str
        One line each.

    Raises
    ------
    DataError
        For a file that is absent, of another kind or broken, or that names a channel twice.
    """
    if not path.is_file():
        raise DataError("no such file", where=path, do="correct the path")
    if not path.stat().st_size:
        raise DataError("the file is empty (0 bytes)", where=path, do="copy or export it again")
    absent = not_fetched(path)
    if absent:
        raise DataError(absent, where=path)
    if suffix_of(path) not in SUFFIXES:
        raise DataError("not a kind of EEG file that is read", where=path, do=f"give one of {', '.join(SUFFIXES)}")
    if suffix_of(path) in _EDF:
        table, notes = edf_channels(path)
        volts = table["unit"].map({"uV": 1.0, "µV": 1.0, "μV": 1.0, "\x83\xcaV": 1.0, "mV": 1e3})
        table = table.assign(presumed=volts.fillna(1e6))  # what MNE does not know is a volt
    else:
        raw, notes = open_raw(path)
        try:
            table = _mne_channels(path, raw)
        except Exception as error:  # of a type or unit that is no number the format has
            raise unreadable(path, error) from None
    twice = table["channel"][table["channel"].duplicated()]
    if len(twice):
        raise DataError(f"duplicate channel {twice.iloc[0]!r}", where=path, do="rename or remove one of them")
    return table, notes


def _mne_channels(path: Path, raw: Any) -> pd.DataFrame:
    rates, kinds, suffix = np.full(len(raw.ch_names), raw.info["sfreq"]), raw.get_channel_types(), suffix_of(path)
    units, presumed = ["uV"] * len(kinds), np.ones(len(kinds))  # by convention of EEGLAB and of Neuroscan
    if suffix in _FIF:
        units, presumed = ["V"] * len(kinds), 1e6 * presumed
    elif suffix == ".vhdr":  # what MNE calls misc for its unit or for a position that is not known may well be EEG
        presumed = np.array([1e6 * one["range"] for one in raw.info["chs"]])
        units = (units_of(path) + [""] * len(kinds))[: len(kinds)]
        kinds = ["eeg" if kind == "misc" else kind for kind in kinds]
    elif suffix == ".gdf":
        about = raw._raw_extras[0]
        presumed = 1e6 * np.asarray(about["units"], float)
        units = [{1.0: "uV", 1e3: "mV"}.get(round(one, 6), "") for one in presumed]
        lengths = np.asarray(about["n_samps"], float)[about["sel"]]
        rates = rates * lengths / lengths.max()
    elif suffix in _XDF:
        _, units, _ = open_xdf(path)
        presumed = np.array([unit_in_microvolts(unit) or 1e6 for unit in units])
    dropped = [None if kind == "eeg" else f"type {kind}" for kind in kinds]
    return pd.DataFrame(
        {"channel": raw.ch_names, "unit": units, "rate": rates, "presumed": presumed, "dropped": dropped}
    )


@naming_tier()
def open_raw(path: Path, names: tuple[str, ...] = ()) -> tuple[Any, list[str]]:
    """Return MNE's lazy reader, and what it warned of, a line each.

    Parameters
    ----------
    path : Path
        The file.
    names : tuple of str
        Channels to read of EDF and BDF, where others may have another rate; by default all.

    Raises
    ------
    DataError
        Where it cannot be read.
    """
    import mne

    if suffix_of(path) == ".vhdr" and path.is_file():
        check_files(path)
    only = {"include": list(names)} if names and suffix_of(path) in _EDF else {}
    raw, failure, own = None, None, list[str]()
    if suffix_of(path) in (".set", ".gdf", ".cnt", *_FIF):
        _survive(path, sha256_of(path))
    with warnings.catch_warnings(), mne.utils.catch_logging(verbose="warning") as log:
        warnings.simplefilter("ignore")  # the log says the same
        try:
            if suffix_of(path) in _XDF:
                raw = open_xdf(path)[0]
            elif suffix_of(path) == ".cnt":
                raw = mne.io.read_raw_cnt(path, preload=False)
            else:
                raw = mne.io.read_raw(path, preload=False, **only)
        except InsulaError:
            raise
        except Exception as error:
            failure = error.__context__ or error if suffix_of(path) == ".cnt" else error  # MNE quotes its traceback
            if suffix_of(path) in _EDF:
                raw, own = _in_spite_of(error, path, only)
    warned = re.sub(r":\n", ": ", log.getvalue())
    renamed = _RENAMED.search(warned)
    if renamed:
        raise DataError(f"duplicate channel {renamed[1]}", where=path, do="rename or remove one of them")
    if failure is not None and suffix_of(path) in _FIF and str(failure).startswith("No raw data"):
        do = "save what it was cut from: raw.save('S01_raw.fif'), with its events in a table or as annotations"
        raise DataError("this FIF file holds no continuous recording (epochs, averages)", where=path, do=do)
    if raw is None:
        raise unreadable(path, failure) from None
    if suffix_of(path) in _XDF:
        warned = "\n".join(open_xdf(path)[2])
    lines = [textwrap.shorten(line.replace(str(path), path.name), 200) for line in warned.splitlines()]
    library = "pyxdf" if suffix_of(path) in _XDF else "MNE"
    notes = [f"{library} says: {line}" for line in dict.fromkeys(lines) if line and not _SETTLED.search(line)]
    return raw, own + notes


@lru_cache(maxsize=4096)
def _survive(path: Path, _content: str) -> None:
    """Refuse a file on which the library crashes, or never ends."""
    read_in_child("insula.eeg.first_try:openable", path, suffix_of(path))


def _in_spite_of(error: Exception, path: Path, only: dict[str, Any]) -> tuple[Any, list[str]]:
    """Return MNE's reader of an EDF file that it does not read as it is, and what is odd of it; None for neither.

    Annotations may be no UTF-8; where records last `0,5` seconds, the file is read whole.
    """
    import mne

    if "invalid byte" in str(error):
        note = "annotations that are no UTF-8 are read as Latin-1: where letters are wrong, export it again"
        return mne.io.read_raw(path, preload=False, encoding="latin1", **only), [note]
    content = bytearray(path.read_bytes()) if isinstance(error, ValueError) else bytearray()
    if b"," not in content[DURATION]:
        return None, []
    content[DURATION] = content[DURATION].replace(b",", b".")
    read = mne.io.read_raw_edf if suffix_of(path) == ".edf" else mne.io.read_raw_bdf
    return read(BytesIO(content), preload=True, **only), []


def unreadable(path: Path, error: object) -> DataError:
    """Return what says that a file cannot be read, and why."""
    message = _FOR_PROGRAMMERS.sub("", str(error).replace(str(path), path.name))
    message = textwrap.shorten(message, 400, placeholder=" ...")  # a parser may quote half a broken file
    return DataError(f"this {suffix_of(path)} file cannot be read: {message}", where=path, do="copy or export it again")

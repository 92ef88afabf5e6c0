"""Files of the formats that MNE opens without a look at their size, tried in a process beside this one.

SciPy, by which MNE reads EEGLAB's, crashes on some broken ones, and a broken FIF may never end. Only that process
imports this module, all it needs at once: what a file may cost is counted from then on.
"""

from __future__ import annotations

from pathlib import Path

from mne.io import read_raw_cnt, read_raw_eeglab, read_raw_fif, read_raw_gdf

FORMATS = {
    ".set": read_raw_eeglab, ".fif": read_raw_fif, ".fif.gz": read_raw_fif, ".gdf": read_raw_gdf, ".cnt": read_raw_cnt,
}  # fmt: skip


def openable(path: Path, suffix: str) -> bool:
    """Open a file as `insula.eeg.opening` does; what MNE says of a broken one, it says there again."""
    try:
        FORMATS[suffix](path, preload=False, verbose="error")
    except Exception:  # which is no crash
        return False
    return True

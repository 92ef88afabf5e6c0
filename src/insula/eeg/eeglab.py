"""EEGLAB's files, tried in a process beside this one: SciPy, which MNE reads them by, crashes on some broken ones.

Only that process imports this module, all it needs at once: what a file may cost is counted from then on.
"""

from __future__ import annotations

from pathlib import Path

from mne.io import read_raw_eeglab


def openable(path: Path) -> bool:
    """Open a file as `insula.eeg.opening` does; what MNE says of a broken one, it says there again."""
    try:
        read_raw_eeglab(path, preload=False, verbose="error")
    except Exception:  # which is no crash
        return False
    return True

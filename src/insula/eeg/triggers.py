"""Triggers: events that a recording holds as codes in a channel of its own, as BioSemi's Status."""

from __future__ import annotations

import numpy as np
import pandas as pd

TRIGGERS = "status|trig|stim|marker|^marks?$|event|photic|^sti\\b|^din ?\\d|digital"
"""Names of channels that hold codes; capitals do not matter."""

_MOST_CODES = 256  # of a channel with more different values, something else was recorded


def code_changes(values: np.ndarray, rate: float) -> pd.DataFrame:
    """Return an event where the codes of a channel change, but for a change to 0, or to the first where none is 0.

    Parameters
    ----------
    values : ndarray, (times,)
        Codes.
    rate : float
        Samples per second.

    Returns
    -------
    DataFrame
        `onset` (s), `duration` (0) and `stimulus`, the code as text; empty where the channel holds no codes.

    Examples
    --------
    >>> code_changes(np.array([0, 0, 11, 11, 0, 0, 12, 0, 0]), rate=2)
       onset  duration stimulus
    0    1.0       0.0       11
    1    3.0       0.0       12
    """
    codes = np.rint(values).astype(np.int64)
    kinds = np.unique(codes)
    idle = 0 if 0 in kinds else codes[0]
    begins = 1 + np.flatnonzero((np.diff(codes) != 0) & (codes[1:] != idle))
    if len(kinds) > _MOST_CODES:
        begins = begins[:0]
    texts = pd.array([str(code) for code in codes[begins]], dtype="str")
    return pd.DataFrame({"onset": begins / rate, "duration": 0.0, "stimulus": texts})

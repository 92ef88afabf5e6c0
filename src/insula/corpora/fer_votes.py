"""FER+: ten people's votes on each picture of FER2013, and the labels that are made of them.

The rules are those of the authors' reader (Barsoum et al. 2016, https://github.com/microsoft/FERPlus), and two simpler
ones that publications use without saying so: how many pictures are kept differs by a tenth between them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from insula.emotions import LABEL_SPACES
from insula.errors import DataError
from insula.storage.tables import read_csv

CLASSES = LABEL_SPACES["ferplus8"]
"""What a vote may name; two further columns count `unknown` and `NF`, no face."""

PARTS = {"Training": "train", "PublicTest": "validation", "PrivateTest": "test"}
"""What FER2013's column Usage calls the official parts."""

LabelMode = Literal["majority", "argmax", "argmax8", "crossentropy", "probability", "multi_target"]
"""How votes become labels, as in `labels_of`."""

COLUMNS = [*CLASSES, "unknown", "NF"]
"""The columns of votes, as FER+ calls them."""


def read_votes(path: Path) -> pd.DataFrame:
    """Read `fer2013new.csv`: a row a picture, in the order of FER2013.

    Returns
    -------
    DataFrame
        `name` (missing where the authors left the picture out; four names stand for two rows each, of which the
        authors' own script keeps the later), `part`, and ten columns of votes.

    Raises
    ------
    DataError
        Where a column is missing, or a row is none of FER+'s.
    """
    table = read_csv(path, dtype={"Usage": str, "Image name": str})
    missing = [name for name in ("Usage", "Image name", *COLUMNS) if name not in table]
    if missing:
        raise DataError(f"no column {missing[0]!r}", where=path, do="give the file fer2013new.csv of FER+")
    votes = table[COLUMNS].apply(pd.to_numeric, errors="coerce")
    wrong = ~((votes >= 0) & (votes <= 10)).all(axis=1) | ~table["Usage"].isin(list(PARTS))
    if wrong.any():
        raise DataError(f"row {wrong.idxmax() + 2} has no ten counts of votes, or an unknown Usage", where=path,
                        do="give the file as the authors published it")  # fmt: skip
    return votes.astype(float).assign(name=table["Image name"], part=table["Usage"].map(PARTS))


def labels_of(votes: np.ndarray, mode: LabelMode, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return each picture's label and its votes for a `Votes` task.

    Parameters
    ----------
    votes : float array, shape (n, 10)
        Counts, in the order of `CLASSES`, then `unknown` and `NF`.
    mode : str
        `majority`: the class of more than half of the votes, single votes not counted. `argmax`: the class that no
        other, `unknown` and `NF` among them, has more votes than. `argmax8`: the same among the eight classes alone.
        `crossentropy`: the classes with the most votes, one to three of them, that hold three quarters of the votes, in
        proportion; single votes not counted, and nothing where they hold half or less. `probability`: one class drawn
        from these. `multi_target`: all classes with 30 % of the votes or more, alike.
    seed : int
        Of the draw.

    Returns
    -------
    labels : object array, shape (n,)
        A class, the one with most votes, or None: the picture is left out.
    shares : float array, shape (n, 8)
        The counts as they are for `majority`, `argmax` and `argmax8`; otherwise what the mode makes of them.

    Examples
    --------
    >>> votes = np.array([[4, 0, 0, 1, 3, 2, 0, 0, 0, 0], [9, 1, 0, 0, 0, 0, 0, 0, 0, 0]], float)
    >>> labels_of(votes, "majority")[0].tolist(), labels_of(votes, "argmax")[0].tolist()
    ([None, 'neutral'], ['neutral', 'neutral'])
    >>> labels_of(votes, "crossentropy")[1][0].tolist()
    [4.0, 0.0, 0.0, 0.0, 3.0, 0.0, 0.0, 0.0]
    """
    counts = votes[:, :8]
    if mode in ("argmax", "argmax8"):
        seen = votes if mode == "argmax" else counts
        best = seen.argmax(axis=1)
        return _named(best, (best < 8) & (seen.max(axis=1) > 0)), counts
    agreed = np.where(votes > 1, votes, 0.0)
    total = agreed.sum(axis=1)
    best = agreed.argmax(axis=1)
    if mode == "majority":
        return _named(best, (best < 8) & (agreed.max(axis=1) > total / 2)), counts
    if mode == "multi_target":
        # `unknown` and `NF` may reach 30 %, too: they count for what is kept, and are no target
        shared = np.where(agreed >= 0.3 * total[:, None], agreed, 0.0)
        kept = (shared.argmax(axis=1) < 8) & (shared.sum(axis=1) > total / 2)
        return _named(best, kept), np.where(kept[:, None], shared[:, :8] > 0, 0.0).astype(float)
    shares, kept = _leading(agreed, total)
    if mode == "probability":
        best = _drawn(shares, seed)
        return _named(best, kept), np.eye(8)[best] * kept[:, None]
    return _named(shares.argmax(axis=1), kept), shares


def _named(best: np.ndarray, kept: np.ndarray) -> np.ndarray:
    names = np.array([*CLASSES, None, None], object)[best]
    names[~kept] = None
    return names


def _leading(agreed: np.ndarray, total: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the votes (n, 8) of the classes with the most, and where they are enough (n,).

    Classes are taken in order of their votes, equal ones together, until they hold three quarters; `unknown` or `NF`
    ends the row where it is reached.
    """
    left, shares = agreed.copy(), np.zeros((len(agreed), 8))
    going = total > 0
    for _ in range(3):
        going = going & (shares.sum(axis=1) < 0.75 * total) & ((shares > 0).sum(axis=1) < 3)
        most = left.max(axis=1, keepdims=True)
        reached = (left == most) & (most > 0) & going[:, None]
        shares += np.where(reached, left, 0.0)[:, :8]
        left[reached] = 0.0
        going = going & ~reached[:, 8:].any(axis=1)
    kept = (shares.sum(axis=1) > total / 2) & ((shares > 0).sum(axis=1) <= 3)
    return shares * kept[:, None], kept


def _drawn(shares: np.ndarray, seed: int) -> np.ndarray:
    """Return int (n,): a class drawn in proportion to each row's votes."""
    reach = shares.cumsum(axis=1)
    throw = np.random.default_rng(seed).random(len(shares)) * reach[:, -1]
    return np.minimum((reach <= throw[:, None]).sum(axis=1), 7)

"""Copies of a picture in a folder of one's own: kept together, and on one side where parts are made or given."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd

from insula.protocols.duplicates import duplicates_between, linked
from insula.protocols.split import PARTS
from insula.samples import Samples
from insula.storage.hashing import digest


def joined_copies(samples: Samples, label: str) -> Samples:
    """Return the samples with copies and near copies of a picture as one stimulus, named as the first of them.

    Copies under two labels have none, and those of a picture in a later part are in no part: a test part stays whole.

    Parameters
    ----------
    samples : Samples
        One row a picture.
    label : str
        The label column.

    Warns
    -----
    UserWarning
        Saying how many there are.
    """
    table = samples.table.copy()
    everywhere = np.ones(len(table), bool)
    first = linked(duplicates_between(samples, "picture", everywhere, everywhere), len(table))
    table["stimulus"] = table["stimulus"].to_numpy(object)[first]
    copies = int((first != np.arange(len(first))).sum())
    if not copies:
        return samples
    doubtful = table.groupby("stimulus")[label].transform("nunique") > 1
    table.loc[doubtful, label] = np.nan
    message = f"{copies:,} of {len(table):,} pictures are copies of others and stay with them"
    if doubtful.any():
        message += f"; {doubtful.sum():,} of them are under two labels and count as unlabelled"
    if "part" in table:
        place = pd.Series(pd.Index(PARTS).get_indexer(table["part"]), table.index)
        repeating = (place >= 0) & (place < place.groupby(table["stimulus"]).transform("max"))
        table.loc[repeating, "part"] = np.nan
        if repeating.any():
            message += f"; {repeating.sum():,} repeat one of a later part and are left out"
    warnings.warn(message, stacklevel=4)
    return Samples(table, samples.stores)


def set_aside(table: pd.DataFrame, label: str, validation: float, test: float) -> np.ndarray:
    """Return the part of each row: shares are set aside by a hash of names, so that they stay what they are.

    Where all people are known, these are shares of the people, whole; else of each class's stimuli. Of each class, or
    of the people, one at least is tested where there are three or more.

    Parameters
    ----------
    table : DataFrame
        With `stimulus`, `identity` and the label.
    label : str
        The label column.
    validation, test : float
        The shares.

    Examples
    --------
    >>> table = pd.DataFrame({"stimulus": [*"abcdefgh"], "identity": None, "emotion": ["fear", "anger"] * 4})
    >>> set_aside(table, "emotion", 0, 0.25).tolist()
    ['train', 'train', 'test', 'train', 'train', 'test', 'train', 'train']
    """
    if table["identity"].notna().all():
        names, classes = table["identity"], pd.Series("all", table.index)
    else:
        names, classes = table["stimulus"], table[label]
    units = pd.DataFrame({"name": names, "class": classes}).drop_duplicates("name")
    order = units.assign(hash=[digest(name) for name in units["name"]]).sort_values("hash")
    grouped = order.groupby("class", dropna=False)["hash"]
    rank, count = grouped.cumcount(), grouped.transform("size")
    place = (rank + 0.5) / count
    tested = (place < test) | ((test > 0) & (rank == 0) & (count >= 3))
    part = np.where(tested, "test", np.where(place < test + validation, "validation", "train"))
    return names.map(dict(zip(order["name"], part, strict=True))).to_numpy(object)

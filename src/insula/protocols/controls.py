"""Controls: what a brain or a label adds, by handing out the same cells or labels at random.

Samples point into stores, so a control moves pointers and copies no data. Give the training part alone: what is not in
the samples given is not touched.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from insula.emotions import Task
from insula.errors import DataError, LabelError
from insula.protocols.units import unit_codes, unit_names
from insula.samples import Samples


def shuffle_modality(samples: Samples, modality: str, seed: int, within: str | None = None) -> Samples:
    """Return the samples with a modality's cells handed out anew inside each store and subject.

    Parameters
    ----------
    samples : Samples
        The training part.
    modality : str
        For example `eeg`: every subject keeps the same trials, now paired with other pictures.
    seed : int
        Of the shuffle.
    within : str, optional
        A column; cells are exchanged between rows of equal value alone (`emotion`: the class stays right, the
        picture does not).

    Examples
    --------
    >>> from insula.samples import ArrayStore, Description, provenance
    >>> store = ArrayStore(np.arange(4.0)[:, None], Description(kind="features", axes=("feature",)))
    >>> table = provenance(corpus="c", subject="S1", stimulus=list("abcd")).assign(emotion=["fear", "anger"] * 2)
    >>> samples = Samples(table, {}).with_modality("eeg", "S1", store, range(4))
    >>> sorted(shuffle_modality(samples, "eeg", 0, within="emotion").rows("eeg")[::2])
    [np.int64(0), np.int64(2)]
    """
    if not samples.has(modality).any():
        raise DataError(f"no sample has the modality {modality}", do="shuffle one that is there")
    if within is not None and within not in samples.table.columns:
        raise DataError(f"no column named {within!r} to shuffle within", do="name a label column")
    columns = [f"{modality}_store", "corpus", "subject", *([within] if within else [])]
    groups = samples.table.groupby(columns, dropna=False, sort=False).ngroup().to_numpy()
    rows = samples.rows(modality)
    present = np.flatnonzero(rows >= 0)
    order = present[np.argsort(groups[present], kind="stable")]
    dealt = present[np.lexsort((np.random.default_rng(seed).random(len(present)), groups[present]))]
    shuffled = rows.copy()
    shuffled[order] = rows[dealt]
    return samples.with_columns(**{f"{modality}_row": shuffled})


def permute_labels(samples: Samples, task: Task, unit: str, seed: int) -> Samples:
    """Return the samples with the task's labels handed out anew over units.

    Parameters
    ----------
    samples : Samples
        The training part.
    task : Task
        Whose label columns are permuted.
    unit : str
        Rows of one unit (`stimulus`, `trial`, ...; or `sample`) get one label; unlabelled units stay so.
    seed : int
        Of the permutation.

    Raises
    ------
    LabelError
        Where rows of one unit have different labels, or a labelled row has no unit.

    Examples
    --------
    >>> from insula.emotions import Categorical
    >>> from insula.samples import provenance
    >>> table = provenance(corpus="c", stimulus=list("aabbcc")).assign(emotion=["fear"] * 4 + ["anger"] * 2)
    >>> task = Categorical(label="emotion", classes=("fear", "anger"))
    >>> permute_labels(Samples(table, {}), task, "stimulus", 0).table["emotion"].tolist()
    ['anger', 'anger', 'fear', 'fear', 'fear', 'fear']
    """
    columns = list(task.columns)
    labelled = task.labelled(samples.table)
    units = unit_codes(samples, unit)
    lost = np.flatnonzero(labelled & (units < 0))
    if len(lost):
        raise LabelError(f"{len(lost)} labelled samples have no {unit}", where=f"first: sample {samples.ids[lost[0]]}",
                         do="permute over a unit that they have")  # fmt: skip
    table = samples.table.loc[labelled, columns].assign(_unit=units[labelled]).drop_duplicates()
    twice = table["_unit"].duplicated()
    if twice.any():
        row = np.flatnonzero(labelled & (units == table.loc[twice, "_unit"].iloc[0]))[:1]
        raise LabelError(f"{unit} {unit_names(samples.select(row), unit)[0]} has several labels", where=task.label,
                         do="permute over a smaller unit")  # fmt: skip
    dealt = np.random.default_rng(seed).permutation(len(table))
    place = pd.Index(table["_unit"]).get_indexer(units[labelled])
    changed = {}
    for column in columns:
        values = samples.table[column].copy()
        values[labelled] = table[column].iloc[dealt].iloc[place].to_numpy()
        changed[column] = values
    return samples.with_columns(**changed)

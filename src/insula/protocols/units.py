"""Units as numbers: which rows belong together, which do not say, and which touch in time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from insula.errors import DataError
from insula.protocols.split import PARTS
from insula.samples import PROVENANCE, Samples
from insula.samples.table import ALL_NAMES

SAMPLE = "sample"
"""The unit that is the row itself."""

_PEOPLE = {"subject", "identity", "person"}
_SHOWN_BY = {
    "subject": ("eeg",), "session": ("eeg",), "trial": ("eeg",), "person": ("eeg", "picture", "face", "clip", "video"),
    "stimulus": ("picture", "face", "clip", "video"), "identity": ("picture", "face", "clip", "video"),
}  # fmt: skip
# a row that has one of these modalities (by the beginning of its name) has such a unit, known or not


def unit_codes(samples: Samples, name: str) -> np.ndarray:
    """Return int64 (n,): a number for the unit each sample belongs to, -1 where it is unknown.

    Units are those of `Samples.units`, and the row itself under the name `sample`. A session counts as its subject's,
    and a trial as its subject's and session's, so that corpora may number them anew for everybody.

    Examples
    --------
    >>> from insula.samples import provenance
    >>> table = provenance(corpus="c", subject=["S1", None, "S1", "S2"], trial=["1", "1", "2", "1"])
    >>> unit_codes(Samples(table, {}), "subject"), unit_codes(Samples(table, {}), "trial")
    (array([ 0, -1,  0,  1]), array([0, 1, 2, 3]))
    """
    if name == SAMPLE:
        return np.arange(len(samples))
    if name == "person":
        return pd.factorize(samples.units(name))[0].astype(np.int64)
    samples.select(slice(0)).units(name)  # says which units there are, where this is none
    parts = name.split("+")
    codes = np.zeros(len(samples), np.int64)
    for column in _columns(parts):
        values = pd.factorize(_column(samples, column, parts))[0].astype(np.int64)
        if column not in (*parts, "corpus"):
            values += 1  # a qualifier may be missing
        pairs = codes * (values.max(initial=0) + 1) + values
        codes = _compact(np.where((codes < 0) | (values < 0), -1, pairs))
    if ALL_NAMES.get(name) in samples.table:
        people = pd.factorize(samples.table[ALL_NAMES[name]])[0]
        codes = _compact(np.where(people >= 0, codes.max(initial=-1) + 1 + people, codes))
    return codes


def unit_names(samples: Samples, name: str) -> np.ndarray:
    """Return text (n,): the names of the units that `unit_codes` numbers, None where unknown."""
    if name == SAMPLE:
        return samples.ids.astype(str).astype(object)
    names = samples.units(name)
    parts = name.split("+")
    columns = _columns(parts)
    if set(columns) == {"corpus", *parts} or name == "person":
        return names
    text = samples.table["corpus"].astype(str)
    for column in columns[1:]:
        text = text + ("/" + _column(samples, column, parts)).fillna("")
    result = text.to_numpy(object)
    result[pd.isna(names)] = None
    return result


def _columns(parts: list[str]) -> list[str]:
    """Return the columns that tell units apart: those of the name, and the qualifiers of a session or a trial."""
    wanted = {"corpus", *parts}
    if "trial" in parts:
        wanted |= {"subject", "session"}
    if "session" in parts:
        wanted |= {"subject"}
    return [column for column in PROVENANCE[:6] if column in wanted]


def _column(samples: Samples, column: str, parts: Iterable[str] = ()) -> pd.Series:
    """Return a column; a subject that only qualifies is the identity where a corpus says that they are one person."""
    values = samples.table[column]
    if column == "subject" and column not in parts and samples.one_person:
        one = samples.table["corpus"].isin(samples.one_person)
        values = values.where(values.notna() | ~one, samples.table["identity"])
    return values


def given_parts(samples: Samples, column: str, test_corpora: Sequence[str] = ()) -> np.ndarray:
    """Return int64 (n,): the part that the corpus gives each sample, its place in `PARTS`, -1 where it gives none.

    Parameters
    ----------
    samples : Samples
        All of them.
    column : str
        That says so.
    test_corpora : sequence of str
        Corpora that are tested, and the others are not, as `Protocol` has it.

    Raises
    ------
    DataError
        Where the column is missing, or says something else; where a corpus to test is not there, or no other is.
    """
    if test_corpora:
        return _between_corpora(samples, column, test_corpora)
    if column not in samples.table:
        raise DataError(f"the samples have no column {column!r}", do="choose a protocol that makes the parts itself")
    parts = samples.table[column]
    codes = pd.Index(PARTS).get_indexer(parts)
    strange = (codes < 0) & parts.notna().to_numpy()
    if strange.any():
        row = np.flatnonzero(strange)[0]
        raise DataError(f"the part of sample {samples.ids[row]} is {parts.iloc[row]!r}", where=f"column {column}",
                        do=f"parts are {', '.join(PARTS)}")  # fmt: skip
    return codes.astype(np.int64)


def _between_corpora(samples: Samples, column: str, tested: Sequence[str]) -> np.ndarray:
    names = samples.table["corpus"].to_numpy(object)
    absent = [name for name in tested if name not in names]
    if absent:
        raise DataError(f"no sample is of a corpus {absent[0]!r}", where="test_corpora",
                        do=f"there are {', '.join(sorted(set(names)))}")  # fmt: skip
    to_test = np.isin(names, list(tested))
    if to_test.all():
        raise DataError("no corpus is left to train on", where="test_corpora", do="join another one (corpus joined)")
    train, test = PARTS.index("train"), PARTS.index("test")
    codes = given_parts(samples, column) if column in samples.table else np.full(len(samples), train)
    splits = np.isin(names, list(set(names[codes == test])))  # the corpora that say what of them is to be tested
    own = np.where((codes == test) | ~splits, test, -1)
    return np.where(to_test, own, np.where(codes == test, -1, codes)).astype(np.int64)


def person_codes(samples: Samples) -> np.ndarray:
    """Return int64 (2, n): the person of the EEG and the person of the face, -1 where unknown or not comparable.

    Only corpora that declare subject and identity one person count, and people whose several names are known; there the
    two share their numbers.
    """
    table = samples.table
    names = pd.concat([table["subject"], table["identity"]], ignore_index=True)
    corpus = np.tile(pd.factorize(table["corpus"])[0], 2)
    values = pd.factorize(names)[0].astype(np.int64)
    comparable = np.tile(table["corpus"].isin(samples.one_person).to_numpy(bool), 2)
    pairs = np.where(comparable & (values >= 0), corpus * (values.max(initial=0) + 1) + values, -1)
    nobody = pd.Series(None, index=table.index, dtype="str")
    people = pd.factorize(pd.concat([table.get(column, nobody) for column in ALL_NAMES.values()]))[0]
    return _compact(np.where(people >= 0, pairs.max(initial=-1) + 1 + people, pairs)).reshape(2, -1)


def has_several_names(samples: Samples) -> bool:
    """Say whether somebody is known to have several names."""
    return not set(ALL_NAMES.values()).isdisjoint(samples.table.columns)


def is_about_people(name: str) -> bool:
    """Say whether a unit is a person."""
    return name in _PEOPLE


def unknown_rows(samples: Samples, name: str) -> np.ndarray:
    """Return bool (n,): rows that must have this unit, by the modality they hold, and do not say which."""
    if name == SAMPLE:
        return np.zeros(len(samples), bool)
    shown = np.zeros(len(samples), bool)
    for part in name.split("+"):
        if part != "corpus":
            missing = unit_codes(samples, part) < 0
            for modality in samples.modalities:
                if modality.startswith(_SHOWN_BY[part]):
                    shown |= missing & samples.has(modality)
    return shown


def joined(keys: Iterable[np.ndarray]) -> np.ndarray:
    """Return int64 (n,): rows that share a value of any key, directly or through other rows, get one number.

    Parameters
    ----------
    keys : iterable of int arrays, shape (n,) or (k, n)
        Values, -1 where unknown; the rows of a two-dimensional key share their values.

    Examples
    --------
    >>> joined([np.array([0, 0, 1, -1]), np.array([5, 6, 6, -1])])
    array([ 0,  0,  0, -1])
    """
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    tables = [np.atleast_2d(key) for key in keys]
    rows, values, nodes = [], [], tables[0].shape[1]
    n = nodes
    for table in tables:
        for key in table:
            named = np.flatnonzero(key >= 0)
            rows.append(named)
            values.append(key[named] + nodes)
        nodes += int(table.max(initial=-1)) + 1
    row, value = np.concatenate(rows), np.concatenate(values)
    graph = coo_matrix((np.ones(len(row), bool), (row, value)), shape=(nodes, nodes))
    label = connected_components(graph, directed=False)[1][:n]
    linked = np.zeros(n, bool)
    linked[row] = True
    return _compact(np.where(linked, label, -1))


def clock_codes(samples: Samples) -> np.ndarray:
    """Return int64 (n,): a number for the recording whose clock times a row, -1 where the row has no time.

    Rows of one corpus, subject and session share a clock; a row with neither subject nor session has none.
    """
    table = samples.table
    subject, session = _column(samples, "subject"), table["session"]
    timed = (table["start"].notna() & table["stop"].notna() & (subject.notna() | session.notna())).to_numpy()
    clock = np.zeros(len(table), np.int64)
    for column in (table["corpus"], subject, session):
        values = pd.factorize(column)[0].astype(np.int64) + 1
        clock = _compact(clock * (values.max(initial=0) + 1) + values)
    refuse_backwards(table[timed])
    return np.where(timed, clock, -1)


def refuse_backwards(table: pd.DataFrame) -> None:
    """Refuse rows that stop before they start; raises DataError."""
    backwards = (table["stop"] < table["start"]).to_numpy()
    if backwards.any():
        row = table.index[backwards][0]
        raise DataError("a window stops before it starts", where=f"row {row}", do="correct start and stop")


def _compact(codes: np.ndarray) -> np.ndarray:
    named = codes >= 0
    result = np.full(codes.shape, -1, np.int64)
    result[named] = pd.factorize(codes[named])[0]
    return result


def lies_within(inner: np.ndarray, outer: np.ndarray) -> bool:
    """Say whether each inner unit lies in one outer unit, where both are known."""
    both = (inner >= 0) & (outer >= 0)
    pairs = pd.DataFrame({"inner": inner[both], "outer": outer[both]}).drop_duplicates()
    return bool(len(pairs)) and not pairs["inner"].duplicated().any()

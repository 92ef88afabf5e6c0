"""People under several names: two spellings of one, or the names that a table says are one person's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from insula.errors import DataError, choices
from insula.protocols.settings import ProtocolSettings
from insula.protocols.spelling import spellings
from insula.protocols.units import has_several_names
from insula.samples import Samples
from insula.samples.table import ALL_NAMES
from insula.storage.tables import read_csv

_PAIR = ("corpus", "person"), ("other_corpus", "other_person")
_SHOWN = 3

Person = tuple[str, str, str]
"""A corpus, a column (`person` where subject and identity are one), and a name."""


def read_people(path: str | Path) -> pd.DataFrame:
    """Read a table of people under two names: `corpus`, `person`, `other_corpus`, `other_person`.

    Raises
    ------
    DataError
        Where it is no such table.
    """
    return _checked(read_csv(Path(path), dtype=str, keep_default_na=False, na_values=[""]), str(path))


def with_all_names(samples: Samples, spelt: str = "told", people: pd.DataFrame | str | Path | None = None) -> Samples:
    """Return the samples with columns in which a person whom they know under several names has all of them.

    Parameters
    ----------
    samples : Samples
        All of them.
    spelt : {"told", "joined"}
        Whether names of one spelling, such as `P001` and `p1`, are one person's.
    people : DataFrame or path of a CSV file, optional
        Columns `corpus, person, other_corpus, other_person`, those of corpora only where there are several: one row
        says that a person of a corpus is a person of another, or of the same.

    Raises
    ------
    DataError
        Where the table names nobody, or somebody as two people.

    Examples
    --------
    >>> from insula.samples import provenance
    >>> samples = Samples(provenance(corpus=["a", "b", "b"], subject=["S1", "7", "8"]), {})
    >>> people = pd.DataFrame({"corpus": ["a"], "person": ["S1"], "other_corpus": ["b"], "other_person": ["7"]})
    >>> with_all_names(samples, people=people).units("subject").tolist()
    ['a/S1 = b/7', 'a/S1 = b/7', 'b/8']
    """
    named = _people(samples)
    pairs = list(_spelt_alike(samples)) if spelt == "joined" else []
    if people is not None:
        table = _checked(people, "same_people") if isinstance(people, pd.DataFrame) else read_people(people)
        pairs += _listed(table, "same_people" if isinstance(people, pd.DataFrame) else str(people), named)
    classes = _classes(pairs)
    columns = {}
    for column, names in ALL_NAMES.items() if classes else ():
        table = samples.table[["corpus", column]]
        known = {key: classes[person] for key, person in named[column].items() if person in classes}
        corpora, people_there = table["corpus"].fillna("").to_numpy(object), table[column].to_numpy(object)
        values = [known.get(key) for key in zip(corpora, people_there, strict=True)]
        if any(values):
            columns[names] = pd.array(values, dtype="str")
    return samples.with_columns(**columns) if columns else samples


def as_one_person(samples: Samples, protocol: ProtocolSettings) -> Samples:
    """Return the samples with all names of each person whom a protocol joins; as they are where that is done."""
    asked = protocol.spellings == "joined" or protocol.same_people is not None
    if not asked or has_several_names(samples):
        return samples
    return with_all_names(samples, protocol.spellings, protocol.same_people)


def joined_people(samples: Samples) -> list[str]:
    """Return a line that says who is one person under several names, nothing where nobody is."""
    columns = [samples.table[column].dropna() for column in ALL_NAMES.values() if column in samples.table]
    people = pd.concat(columns).unique() if columns else ()
    more = f" and {len(people) - _SHOWN} more" if len(people) > _SHOWN else ""
    return [f"people: {', '.join(people[:_SHOWN])}{more} count as one person each, as asked"] if len(people) else []


def _checked(table: pd.DataFrame, where: str) -> pd.DataFrame:
    """Return the table of people as text; a column of corpora may be left out."""
    table = table.rename(columns=lambda name: str(name).strip())
    missing = [name for _, name in _PAIR if name not in table]
    if missing:
        columns = ",".join(name for pair in _PAIR for name in pair)
        raise DataError(f"the table of people has no column {missing[0]}", where=where, do=f"its columns are {columns}")
    table = table[[name for pair in _PAIR for name in pair if name in table]]
    table = table.apply(lambda values: values.astype("str").str.strip().replace("", None))
    for name in table:
        gaps = np.flatnonzero(table[name].isna())
        if len(gaps):
            raise DataError(f"{name} is empty", where=f"{where}, row {gaps[0] + 1}", do="fill it in, or drop the row")
    if table.empty:
        raise DataError("the table of people is empty", where=where, do="give a row for each person under two names")
    given = pd.DataFrame({name: table.get(name, "") for pair in _PAIR for name in pair}).drop_duplicates()
    swapped = given.rename(columns=dict(zip(_PAIR[0] + _PAIR[1], _PAIR[1] + _PAIR[0], strict=True)))
    both = pd.concat([given, swapped]).drop_duplicates()
    both = both[both["corpus"] != both["other_corpus"]]  # in one corpus somebody may have three names
    twice = both[both.duplicated(["corpus", "person", "other_corpus"], keep=False)]
    if len(twice):
        corpus, person, other, one = twice.iloc[0]
        two = twice.iloc[1]["other_person"]
        what = f"{person} of {corpus} is given as two people of {other}, {one} and {two}"
        raise DataError(what, where=where, do="correct one of the rows")
    return table


def _people(samples: Samples) -> dict[str, dict[tuple[str, str], Person]]:
    """Return, of each column, the people by corpus and name."""
    people: dict[str, dict[tuple[str, str], Person]] = {}
    for column in ALL_NAMES:
        named = samples.table[["corpus", column]].dropna(subset=[column]).drop_duplicates().fillna({"corpus": ""})
        people[column] = {
            (corpus, name): (corpus, "person" if corpus in samples.one_person else column, name)
            for corpus, name in named.itertuples(index=False, name=None)
        }
    return people


def _spelt_alike(samples: Samples) -> Iterator[tuple[Person, Person]]:
    for column, corpus, names in spellings(samples.table):
        kind = "person" if corpus in samples.one_person else column
        for name in names[1:]:
            yield (corpus, kind, names[0]), (corpus, kind, name)


def _listed(
    table: pd.DataFrame, where: str, named: dict[str, dict[tuple[str, str], Person]]
) -> Iterator[tuple[Person, Person]]:
    """Yield the pairs of a table of people; who is a subject in both corpora, or a face in both, is that person."""
    corpora = sorted({corpus for people in named.values() for corpus, _ in people})
    for number, row in enumerate(table.to_dict("records"), start=1):
        of = []
        for corpus_column, person_column in _PAIR:
            corpus, name = row.get(corpus_column, corpora[0] if len(corpora) == 1 else None), row[person_column]
            if corpus is None:
                do = f"there are {', '.join(corpora)}"
                raise DataError(f"the table of people has no column {corpus_column}", where=where, do=do)
            if corpus not in corpora:
                do = choices("corpora", corpus, corpora)
                raise DataError(f"there is no corpus {corpus!r}", where=f"{where}, row {number}", do=do)
            there = {column: people[corpus, name] for column, people in named.items() if (corpus, name) in people}
            if not there:
                names = sorted({one for people in named.values() for other, one in people if other == corpus})
                do = choices("its people", name, names)
                raise DataError(f"{corpus} has nobody called {name!r}", where=f"{where}, row {number}", do=do)
            of.append(there)
        alike = [column for column in of[0] if column in of[1]]
        yield from [(of[0][column], of[1][column]) for column in alike] or [
            (one, other) for one in of[0].values() for other in of[1].values()
        ]


def _classes(pairs: Iterable[tuple[Person, Person]]) -> dict[Person, str]:
    """Return all names of each person in a pair, such as `c/S01 = c/s01`; no two people have the same."""
    groups: dict[Person, list[Person]] = {}
    for one, other in pairs:
        first, second = groups.setdefault(one, [one]), groups.setdefault(other, [other])
        if first is not second:
            first += second
            groups.update(dict.fromkeys(second, first))
    names: dict[Person, str] = {}
    for members in {id(group): group for group in groups.values()}.values():
        text = " = ".join(dict.fromkeys(f"{corpus}/{name}".lstrip("/") for corpus, _, name in members))
        text += f" ({members[0][1]})" if text in names.values() else ""
        names.update(dict.fromkeys(members, text))
    return names

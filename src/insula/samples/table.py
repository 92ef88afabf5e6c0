"""Samples: one row a sample, with provenance, labels by name, and pointers into stores."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
import yaml

from insula.errors import DataError
from insula.samples.stores import ArrayStore, RaggedStore, Store, open_store, same_form
from insula.storage.atomic import write_folder
from insula.storage.hashing import digest

PROVENANCE = ("corpus", "subject", "session", "trial", "stimulus", "identity", "start", "stop")
"""Columns every table has: whose EEG, when, of what, whose face, from which to which second of the session."""

_IDS = PROVENANCE[:6]

ALL_NAMES = {"subject": "subject_names", "identity": "identity_names"}
"""Columns in which a person whom one knows under several names has all of them; missing for everybody else."""


class Samples:
    """A table of samples and the stores it points into.

    The table's index holds the sample ids, which survive every selection. A modality `m` is the pair of columns
    `m_store` (name of a store, missing where absent) and `m_row` (place in it, -1 where absent), so paired, partly
    paired and unpaired data are one type and a missing modality is an ordinary value.

    Parameters
    ----------
    table : DataFrame
        Has the columns of `PROVENANCE`; ids are text, `start` and `stop` seconds.
    stores : mapping of str to Store
        Stores by name.
    one_person : iterable of str
        Corpora in which a subject and an identity of the same name are the same person.

    Examples
    --------
    >>> from insula.samples import Description
    >>> pictures = ArrayStore(np.zeros((2, 8, 8, 3), np.uint8),
    ...                       Description(kind="picture", axes=("row", "column", "colour")))
    >>> table = provenance(corpus="demo", stimulus=["a", "b"], identity=["i", "j"])
    >>> samples = Samples(table.assign(emotion=["fear", "anger"]), {})
    >>> samples = samples.with_modality("picture", "pictures", pictures, [0, 1])
    >>> samples.modalities, samples.read("picture").shape
    (('picture',), (2, 8, 8, 3))
    """

    def __init__(self, table: pd.DataFrame, stores: Mapping[str, Store], one_person: Iterable[str] = ()) -> None:
        missing = [name for name in PROVENANCE if name not in table.columns]
        if missing:
            raise DataError(f"missing provenance column {', '.join(missing)}", do="every sample says where it is from")
        if not table.index.is_unique:
            raise DataError("two samples have one id", do="reset the index")
        self.table = table
        self.stores = dict(stores)
        self.one_person = frozenset(one_person)
        for modality in self.modalities:
            unknown = set(table[f"{modality}_store"].dropna()) - set(self.stores)
            if unknown:
                raise DataError(f"no store named {sorted(unknown)[0]!r}", where=f"column {modality}_store")

    def __len__(self) -> int:
        return len(self.table)

    def __repr__(self) -> str:
        counts = ", ".join(f"{name} {int(self.has(name).sum())}" for name in self.modalities)
        return f"Samples({len(self)}: {counts})"

    @property
    def ids(self) -> np.ndarray:
        """Sample ids, shape (n,)."""
        return self.table.index.to_numpy()

    @property
    def modalities(self) -> tuple[str, ...]:
        """Names of the modalities that the table has pointers for."""
        return tuple(name.removesuffix("_store") for name in self.table.columns if name.endswith("_store"))

    def has(self, modality: str) -> np.ndarray:
        """Return bool (n,): where the modality is present."""
        if modality not in self.modalities:
            return np.zeros(len(self), bool)
        return self.table[f"{modality}_row"].to_numpy() >= 0

    def rows(self, modality: str) -> np.ndarray:
        """Return int64 (n,): the row of each sample in its store, -1 where the modality is missing."""
        if modality not in self.modalities:
            return np.full(len(self), -1)
        return self.table[f"{modality}_row"].to_numpy(np.int64)

    def select(self, where: np.ndarray | slice | list[int]) -> Samples:
        """Return the samples at these positions, or where the mask is true; ids stay."""
        return Samples(self.table.iloc[where], self.stores, self.one_person)

    def by_id(self, ids: np.ndarray) -> Samples:
        """Return the samples with these ids, in this order."""
        return Samples(self.table.loc[ids], self.stores, self.one_person)

    def without(self, columns: Iterable[str]) -> Samples:
        """Return the samples without these columns: how labels are withheld."""
        return Samples(self.table.drop(columns=list(columns), errors="ignore"), self.stores, self.one_person)

    def with_columns(self, **columns: object) -> Samples:
        """Return the samples with these columns added or replaced."""
        return Samples(self.table.assign(**columns), self.stores, self.one_person)

    def with_modality(self, modality: str, name: str, store: Store, rows: Iterable[int]) -> Samples:
        """Return the samples pointing into a further store; a row of -1 leaves the sample's cell as it is.

        Parameters
        ----------
        modality : str
            For example `picture` or `eeg`.
        name : str
            Name of the store.
        store : Store
            The store.
        rows : iterable of int, length n
            Row in the store for each sample.
        """
        rows = np.asarray(list(rows), np.int64)
        if len(rows) and rows.max() >= len(store):
            raise DataError(f"row {rows.max()} is beyond the {len(store)} rows of the store", where=name)
        if modality in self.modalities:
            names, old = self.table[f"{modality}_store"].to_numpy(object), self.rows(modality)
        else:
            names, old = np.full(len(self), None, object), np.full(len(self), -1)
        columns = {
            f"{modality}_store": pd.array(np.where(rows >= 0, name, names), dtype="str"),
            f"{modality}_row": np.where(rows >= 0, rows, old),
        }
        return Samples(self.table.assign(**columns), {**self.stores, name: store}, self.one_person)

    def store(self, modality: str) -> Store:
        """Return the one store (or the first of several of one form) that the modality points into."""
        present = (
            self.table.loc[self.has(modality), f"{modality}_store"].unique() if modality in self.modalities else []
        )
        stores = [self.stores[name] for name in present]
        if not stores:
            raise DataError(f"no sample has the modality {modality}", do="check the corpus, or use a system without it")
        if not same_form(stores):
            where = ", ".join(present)
            raise DataError(f"{modality} differs in channels, rate or units", where=where, do="harmonise first")
        return stores[0]

    def read(self, modality: str) -> np.ndarray:
        """Return the modality of every sample, stacked, shape (n, ...); memory is that of the result."""
        present = self.has(modality)
        if not present.all():
            first = self.ids[~present][0]
            raise DataError(f"{int((~present).sum())} samples have no {modality}", where=f"first: sample {first}",
                            do="select those that have it")  # fmt: skip
        self.store(modality)
        rows, names = self.rows(modality), self.table[f"{modality}_store"].to_numpy(object)
        if len(set(names)) == 1:
            return _dense(self.stores[names[0]], rows)
        result: np.ndarray | None = None
        for name in dict.fromkeys(names):
            mine = names == name
            part = _dense(self.stores[name], rows[mine])
            if result is None:
                result = np.empty((len(self), *part.shape[1:]), part.dtype)
            if part.dtype.kind == "U":  # the longest text may lie in any store
                result = result.astype(np.promote_types(result.dtype, part.dtype), copy=False)
            result[mine] = part
        if result is None:
            raise DataError(f"no samples to read {modality} from")
        return result

    def units(self, name: str) -> np.ndarray:
        """Return text (n,): the unit each sample belongs to, qualified by corpus; None where it is unknown.

        Parameters
        ----------
        name : str
            A provenance column, or several joined by `+` (`subject+session`); `person` is the subject or, where
            there is none, the identity, in one name space for corpora that declare the two one person. Who has several
            names (`ALL_NAMES`) is one unit under all of them.
        """
        if name == "person":
            subject, identity = self.units("subject"), self.units("identity")
            return np.where([value is None for value in subject], identity, subject)
        parts = name.split("+")
        unknown = [part for part in parts if part not in _IDS]
        if unknown:
            raise DataError(f"no unit named {unknown[0]!r}", do=f"units are {', '.join(_IDS)}, or several joined by +")
        columns = list(dict.fromkeys(["corpus", *parts]))
        whole = self.table[columns].notna().all(axis=1).to_numpy()
        text = self.table[columns[0]].astype(str)
        for column in columns[1:]:
            text = text + "/" + self.table[column].astype(str)
        units = text.to_numpy(object)
        units[~whole] = None
        names = self.table.get(ALL_NAMES.get(name, ""))
        return units if names is None else np.where(names.notna(), names.to_numpy(object), units)

    def fingerprint(self) -> str:
        """Return the sha256 of the table and of every store it points into."""
        content = pd.util.hash_pandas_object(self.table, index=True).to_numpy().tobytes().hex()
        stores = {name: store.fingerprint() for name, store in sorted(self.stores.items())}
        return digest([list(map(str, self.table.columns)), content, stores, sorted(self.one_person)])

    def save(self, folder: Path) -> None:
        """Write the table and every store to a folder that `Samples.open` reads lazily."""
        with write_folder(folder) as temporary:
            self.table.to_parquet(temporary / "table.parquet")
            for name, store in self.stores.items():
                store.save(temporary / "stores" / name)
            about = {"stores": list(self.stores), "one_person": sorted(self.one_person)}
            (temporary / "samples.yaml").write_text(yaml.safe_dump(about))

    @classmethod
    def from_arrays(
        cls,
        X: Any,
        y: Any = None,
        *,
        groups: Any = None,
        modality: str | None = None,
        rate: float | None = None,
        channels: Sequence[str] | None = None,
        label: str = "label",
    ) -> Self:
        """Build samples from arrays: one row a sample.

        Parameters
        ----------
        X : array or DataFrame
            Features or vectors (n, d), EEG in microvolts (n, channels, times), pictures, uint8 (n, height, width, 3),
            audio, (n, times) or (n, channels, times), or n texts.
        y : array of n values, optional
            Labels: names or whole numbers, or ratings; missing where it is None, NaN or empty.
        groups : array of n values, DataFrame or mapping, optional
            Whose rows they are: the subject (of pictures, the identity); or columns by name, such as `subject`,
            `session`, `trial`, `stimulus`. Without `trial` each row is one.
        modality : str, optional
            `features`, `eeg` or `picture`, by default as the shape says; or `audio`, `text` or `vector`.
        rate : float, optional
            Samples of EEG or audio a second.
        channels : sequence of str, optional
            Names of the electrodes.
        label : str
            What the label's column is called.

        Raises
        ------
        DataError
            Where something is no number, or does not stand beside the rows of X.

        Examples
        --------
        >>> samples = Samples.from_arrays(np.zeros((4, 3)), ["calm", "calm", "fear", "fear"], groups=[1, 2, 1, 2])
        >>> samples, samples.units("subject").tolist()
        (Samples(4: features 4), ['arrays/1', 'arrays/2', 'arrays/1', 'arrays/2'])
        """
        from insula.samples.arrays import columns_of, stored, text_of

        modality, store = stored(X, modality, rate, channels)
        index = X.index if isinstance(X, pd.DataFrame) else None
        columns = columns_of(groups, "identity" if modality == "picture" else "subject", len(store), index)
        if y is not None:
            numbers = np.asarray(y)
            rated = numbers.dtype.kind == "f" and not np.all(np.isnan(numbers) | (numbers % 1 == 0))
            columns[label] = numbers if rated else pd.array(text_of(y, "y", len(store), index), dtype="str")
        names = np.arange(len(store)).astype(str).astype(object)
        own = {"corpus": "arrays", "trial": names, **({"stimulus": names} if modality == "picture" else {})}
        table = provenance(len(store), **{**own, **columns})
        pointers = {f"{modality}_store": modality, f"{modality}_row": range(len(store))}
        return cls(table.assign(**pointers), {modality: store})

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Open saved samples; stores are memory-mapped."""
        if not (folder / "samples.yaml").exists():
            raise DataError("no samples here", where=folder, do="give a folder that Samples.save wrote")
        about = yaml.safe_load((folder / "samples.yaml").read_text())
        stores: dict[str, ArrayStore | RaggedStore] = {
            name: open_store(folder / "stores" / name) for name in about["stores"]
        }
        return cls(pd.read_parquet(folder / "table.parquet"), stores, about["one_person"])


def _dense(store: Store, rows: np.ndarray) -> np.ndarray:
    values = store.read(rows)
    if isinstance(values, list):
        raise DataError("rows of different lengths cannot be stacked", do="read the store's rows one by one")
    return values


def provenance(n: int | None = None, **columns: object) -> pd.DataFrame:
    """Return a table with all provenance columns, those not given being missing.

    Examples
    --------
    >>> provenance(corpus="demo", subject=["S1", "S2"]).notna().sum().to_dict()["subject"]
    2
    """
    lengths = [len(value) for value in columns.values() if isinstance(value, (list, np.ndarray, pd.Series, pd.Index))]
    n = n if n is not None else (lengths[0] if lengths else 1)
    table = pd.DataFrame(index=pd.RangeIndex(n))
    for name in _IDS:
        value = columns.pop(name, None)
        table[name] = pd.array(np.broadcast_to(np.asarray(value, object), (n,)), dtype="str")
    for name in ("start", "stop"):
        table[name] = np.broadcast_to(np.asarray(columns.pop(name, np.nan), float), (n,))
    return table.assign(**columns)


def concat(parts: Iterable[Samples]) -> Samples:
    """Join samples of several corpora; stores stay apart and ids are numbered anew.

    Examples
    --------
    >>> one = Samples(provenance(corpus="a", subject=["S1"]), {})
    >>> two = Samples(provenance(corpus="b", subject=["S1"]), {})
    >>> concat([one, two]).units("subject").tolist()
    ['a/S1', 'b/S1']
    """
    parts = list(parts)
    stores: dict[str, Store] = {}
    tables = []
    for part in parts:
        names: dict[str, str] = {}
        for name, store in part.stores.items():
            new = name
            while new in stores and stores[new] is not store:
                new += "'"
            stores[new] = store
            names[name] = new
        pointers = {
            f"{modality}_store": part.table[f"{modality}_store"].map(names).astype("str")
            for modality in part.modalities
        }
        tables.append(part.table.assign(**pointers))
    table = pd.concat(tables, ignore_index=True)
    for column in table.columns:
        if str(column).endswith("_row") and f"{str(column).removesuffix('_row')}_store" in table.columns:
            table[column] = table[column].fillna(-1).astype(np.int64)
    return Samples(table, stores, frozenset().union(*(part.one_person for part in parts)))

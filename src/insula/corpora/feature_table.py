"""Features of EEG or of faces that somebody else computed: one CSV, TSV or Parquet file, a row a window or a trial."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import pandas as pd

from insula.corpora.contract import BaseCorpus, Card
from insula.corpora.own_names import about_labels, alike
from insula.corpora.places import corpus_folder
from insula.corpora.recording_files import OTHER_NAMES
from insula.corpora.recording_tables import seconds, text_of, usual_labels
from insula.eeg.montage import some
from insula.errors import DataError, SettingsError
from insula.samples import PROVENANCE, ArrayStore, Description, Samples, open_store, provenance
from insula.storage.cache import Cache
from insula.storage.hashing import digest, sha256_of
from insula.storage.settings import Settings, TextKeys
from insula.storage.tables import read_table

_FILES = ("features.csv", "features.tsv", "features.parquet")
_IDS = tuple(name for name in PROVENANCE if name not in ("corpus", "start", "stop"))


class FeatureTableSettings(Settings):
    """Where the table lies, and what its columns are.

    Parameters
    ----------
    root : Path, optional
        A CSV, TSV or Parquet file, or a folder that holds it as `features.csv`, `.tsv` or `.parquet`. Columns called
        `subject` (or as in `insula.corpora.recording_files.OTHER_NAMES`), `session`, `trial`, `stimulus`, `identity`,
        `start` and `stop` (seconds) say where a row is from; without `session` there is one, and without `trial` each
        row is a trial of its own.
    features : str or tuple of str
        What the names of feature columns begin with, or their names.
    modality : {"features", "face_features"}
        What they describe: EEG, or faces.
    label : str
        The column that is the label. Words get their usual names; numbers are ratings.
    codes : mapping of str to str, optional
        From values of the label to classes, as in `{1: anger}`; rows with another value have no label.
    """

    root: Path | None = None
    features: str | tuple[str, ...] = "feature"
    modality: Literal["features", "face_features"] = "features"
    label: str = "emotion"
    codes: TextKeys | None = None


class FeatureTable(BaseCorpus):
    r"""Rows of a table of features as samples, with where they are from.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "mine.csv"
    >>> rows = "participant,trial,emotion,alpha_O1,alpha_O2\nP1,1,Happy,0.1,0.2\nP2,1,sad,0.3,0.1\n"
    >>> _ = path.write_text(rows)
    >>> corpus = FeatureTable(FeatureTableSettings(root=path, features="alpha_"))
    >>> samples = corpus.samples(Cache(path.parent / "cache"))
    >>> samples, samples.table["emotion"].tolist()
    (Samples(2: features 2), ['happiness', 'sadness'])
    """

    card: ClassVar[Card] = Card(
        name="feature-table",
        title="Features of EEG or faces of one's own (CSV, TSV, Parquet)",
        licence="that of the data",
        access="on this computer: one table, a row a window or a trial; insula corpora check feature-table FILE "
        "--set features=PREFIX --set label=COLUMN says what it holds",
        size="as large as the table",
        citation="that of the data",
        labels="one column, by default emotion: words, or numbers, which are ratings",
        modalities=("features",),
        origin="data of one's own, taken for real",
        notes="Columns subject, session, trial, stimulus, identity, start and stop say where a row is from; feature "
        "columns are named by their prefix or one by one. Whether a feature was scaled over all people, test people "
        "included, no audit can see: give features as they were computed from a row alone.",
    )
    Settings: ClassVar[type[FeatureTableSettings]] = FeatureTableSettings
    settings: FeatureTableSettings

    def _lacks(self) -> list[str]:
        """Return the first thing that is broken; all of the table is read."""
        self._values()
        self._rows()
        return []

    def notes(self) -> list[str]:
        """Return what the table holds: how many people and features, labels and their counts, and odd ones."""
        try:
            rows, columns = self._rows(), self._columns
        except (DataError, SettingsError):
            return []  # which `check` says
        label, people, again = self.settings.label, sorted(rows["subject"].unique()), self._table.duplicated()
        twice = f"rows that are there twice: {again.sum():,} (first: row {again.idxmax()}); remove them"
        lines = about_labels(self._table[label] if self.settings.codes is None else rows[label], "rows", "codes")
        return [f"{len(columns)} features ({some(columns, 3)}) of {len(people)} people ({some(people, 3)})", *lines,
                *filter(None, [alike(people)]), *([twice] if again.any() else [])]  # fmt: skip

    def samples(self, cache: Cache) -> Samples:
        """Return one sample a row; features lie in the cache, memory-mapped.

        Raises
        ------
        DataError
            Where the file or a column is absent or cannot be used, naming it.
        """
        rows, form = self._rows(), Description(kind="features", axes=("channel",), channels=tuple(self._columns))
        key = digest([sha256_of(self._path), self._columns])
        folder = cache.folder(
            self.card.name, key, lambda target: ArrayStore(self._values(), form).save(target / "features")
        )
        modality = self.settings.modality
        return Samples(rows, {}).with_modality(modality, modality, open_store(folder / "features"), range(len(rows)))

    @cached_property
    def _path(self) -> Path:
        root = corpus_folder(self.settings.root, self.card.name)
        path = next((root / name for name in _FILES if (root / name).is_file()), root)
        if not path.is_file():
            raise DataError("no table of features", where=root, do=f"give a file, or a folder with {some(_FILES)}")
        return path

    @cached_property
    def _table(self) -> pd.DataFrame:
        """The table, with provenance columns under their names and as text."""
        if self._path.suffix.lower() == ".parquet":
            try:
                table = pd.read_parquet(self._path)
            except Exception as error:
                what = f"not a Parquet file: {error}".splitlines()[0]
                raise DataError(what, where=self._path, do="write it again, or as CSV") from None
            table = table.rename(columns=str).reset_index(drop=True)
        else:
            names = [*_IDS, *OTHER_NAMES["subject"]]
            table = read_table(self._path, [*names, *map(str.title, names), *map(str.upper, names)])
        ours = {*PROVENANCE, *OTHER_NAMES["subject"], self.settings.label}
        plain = {name: name.lower() for name in table if name.lower() in ours and name.lower() not in table}
        table = table.rename(columns=plain if len(set(plain.values())) == len(plain) else {})
        other = next((name for name in OTHER_NAMES["subject"] if name in table), None)
        if "subject" not in table and other:
            table = table.rename(columns={other: "subject"})
        if not len(table):
            raise DataError("the table has no rows", where=self._path, do="give one row a sample")
        lacking = [name for name in ("subject", self.settings.label) if name not in table]
        if lacking:
            do = "--set corpus.label=COLUMN names the label, a column subject says whose a row is"
            what = f"no column {' and '.join(lacking)}; there are {some(table.columns)}"
            raise DataError(what, where=self._path, do=do)
        if table["subject"].isna().any():
            row = table["subject"].isna().idxmax()
            raise DataError(f"row {row} is nobody's", where=self._path, do="fill in subject, or drop the row")
        return table

    @cached_property
    def _columns(self) -> list[str]:
        """The feature columns, in the order of the table or as they are named."""
        wanted = self.settings.features
        if isinstance(wanted, tuple):
            columns = [name for name in wanted if name in self._table]
            absent = [name for name in wanted if name not in columns]
        else:
            taken = {*PROVENANCE, self.settings.label}
            columns, absent = [name for name in self._table if name.startswith(wanted) and name not in taken], []
        if absent or not columns:
            what = f"no feature column {some(absent)}" if absent else f"no column begins with {wanted!r}"
            do = f"set features, as in --set corpus.features=PREFIX; columns are {some(self._table.columns)}"
            raise DataError(what, where=self._path, do=do)
        return columns

    def _values(self) -> np.ndarray:
        """Return the features, float32 (rows, features)."""
        table = self._table[self._columns]
        words = [name for name in table if not pd.api.types.is_numeric_dtype(table[name])]
        if words:
            column, do = table[words[0]], "leave it out of features, or write numbers"
            row = pd.to_numeric(column, errors="coerce").isna().idxmax()
            what = f"column {words[0]!r} holds no numbers, as {column[row]!r}"
            raise DataError(what, where=f"{self._path}, row {row}", do=do)
        values = table.to_numpy(np.float32)
        broken = ~np.isfinite(values)
        if broken.any():
            row, column = np.argwhere(broken)[0]
            what = f"{broken.any(axis=1).sum()} of {len(values)} rows lack a feature"
            first = f"{self._path}, row {row}, {table.columns[column]}"
            raise DataError(what, where=first, do="fill it in from the same trial, or drop the rows")
        return values

    def _rows(self) -> pd.DataFrame:
        """Return where rows are from, their labels, and whatever else the table says."""
        table, label = self._table, self.settings.label
        numbers = [str(number) for number in range(1, len(table) + 1)]
        ids = {name: text_of(table[name]).to_numpy(object) for name in _IDS if name in table}
        times = {name: seconds(table[name], self._path) for name in ("start", "stop") if name in table}
        if len(times) == 2 and (times["stop"] < times["start"]).any():
            row = (times["stop"] < times["start"]).idxmax()
            raise DataError("it ends before it starts", where=f"{self._path}, row {row}", do="correct start or stop")
        more = table.drop(columns=[*self._columns, *PROVENANCE], errors="ignore")
        if self.settings.codes is not None:
            more[label] = text_of(more[label]).map(self.settings.codes).astype("str")
        elif pd.api.types.is_numeric_dtype(more[label]):
            more[label] = more[label].astype(float)
        places = {"session": "1", "trial": numbers, **ids, **times}
        rows = provenance(len(table), corpus=self.card.name, **places)
        return usual_labels(rows.join(more), label, None)

"""Pictures of one's own: a folder for each class, or a manifest."""

from __future__ import annotations

import warnings
from functools import cached_property
from os.path import normpath
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import pandas as pd
from pydantic import BaseModel, Field, model_validator

from insula.corpora.class_folders import about_below, class_folders
from insula.corpora.contract import BaseCorpus, Card
from insula.corpora.copies import joined_copies, set_aside
from insula.corpora.face_store import Faces, store_faces
from insula.corpora.manifests import CODES, NAMES, PATHS, unnamed, usual_columns
from insula.corpora.own_names import about_names
from insula.emotions import label_map, normalise_label
from insula.errors import DataError, InsulaError
from insula.faces.crops import Framing
from insula.faces.pictures import list_pictures, passed_over, read_picture
from insula.faces.tight import Look, look
from insula.samples import Samples, open_store, provenance
from insula.storage.cache import Cache
from insula.storage.hashing import sha256_of
from insula.storage.settings import Settings
from insula.storage.tables import is_missing, read_table

_IDS = ("subject", "session", "trial", "stimulus", "identity")
_OURS = ("corpus", "start", "stop", "picture_store", "picture_row", "quality")
_BOX = ("box_left", "box_top", "box_right", "box_bottom")


class FolderSettings(Settings):
    """Where pictures lie, what they are called, and how faces are cut out.

    Parameters
    ----------
    root : Path
        The folder. Without a manifest its subfolders are the classes, `root/happiness/a.jpg`, with parts or people
        above them where the names say so (`insula.corpora.class_folders`).
    manifest : str, optional
        A CSV file in `root`: a column `path` (relative to `root`), the label, and any further columns, which are kept.
        Columns named as a provenance column (`stimulus`, `subject`, ...) are taken as such. Other names in use for
        path and label (`insula.corpora.manifests`) are known.
    label : str
        Name of the label column.
    codes : mapping, optional
        Name of each label, where the manifest has numbers, which are never guessed, or where a folder is misspelt.
    identity : str
        Name of the manifest's column that says whose face it is. Without one nothing is known of identities, and no
        protocol can keep them apart.
    classes : str or tuple of str, optional
        A label space, or its classes, that labels are mapped into; by default they are kept under their usual names.
    faces : {"auto", "detect", "cropped", "boxes"}
        Find the largest face and cut it out; take the whole picture as the face; or cut out the manifest's boxes, its
        columns `box_left`, `box_top`, `box_right` and `box_bottom` in pixels. `auto` looks at 64 of the pictures, and
        takes all whole where most of them are tight crops of faces already, no larger than they are.
    framing : {"eyes", "box"}
        How faces that are found are cut out, here and by a bundle: see `insula.faces.cut_faces`.
    size : int
        Pixels along an edge.
    validation_share, test_share : float
        Shares of each class, or of the people where all are known, that are set aside for good in the column `part`
        (for the protocol `as-given`), copies with their originals; not where the folder or manifest gives parts. They
        depend on the pictures' names alone.
    """

    root: Path
    manifest: str | None = None
    label: str = "emotion"
    codes: dict[int | str, str] | None = None
    identity: str = "identity"
    classes: str | tuple[str, ...] | None = None
    faces: Literal[Faces, "auto"] = "auto"
    framing: Framing = "eyes"
    size: int = Field(96, ge=16)
    validation_share: float = Field(0.0, ge=0, lt=0.5)
    test_share: float = Field(0.0, ge=0, lt=0.5)

    @model_validator(mode="after")
    def _boxes_stand_in_a_manifest(self) -> FolderSettings:
        if self.faces == "boxes" and self.manifest is None:
            raise ValueError("faces: boxes needs a manifest that has them")
        return self


class Folder(BaseCorpus):
    """Pictures in class folders or in a manifest.

    Samples have the modality `picture` (uint8 RGB) and the label column of the settings; `quality` holds what was
    noticed about the face ("" where nothing). Where neither identities nor stimuli are known, copies and near copies of
    a picture have the `stimulus` of the first of them, so that a protocol keeps them on one side; under two labels,
    they have none. A picture that shows no face is left out, with a warning that names it.

    Examples
    --------
    >>> import tempfile
    >>> from insula.corpora.fakes import fake_folder
    >>> root = Path(tempfile.mkdtemp())
    >>> fake_folder(root)
    >>> corpus = Folder(FolderSettings(root=root / "folder", faces="cropped", size=32))
    >>> samples = corpus.samples(Cache(root / "cache"))
    >>> samples, sorted(set(samples.table["emotion"]))
    (Samples(12: picture 12), ['anger', 'happiness', 'neutral'])
    """

    card: ClassVar[Card] = Card(
        name="folder",
        title="Pictures of one's own",
        licence="that of the pictures",
        access="on this computer: a folder for each class, or a CSV manifest with the column path",
        size="as large as the folder",
        citation="that of the pictures",
        labels="one column, by default emotion: names of folders or values of the manifest",
        modalities=("picture",),
        notes="Folders PERSON/CLASS, or a manifest with a column identity, allow an identity-disjoint split.",
    )
    Settings: ClassVar[type[Settings]] = FolderSettings
    settings: BaseModel

    @property
    def layout(self) -> FolderSettings:
        """The settings of the folder."""
        assert isinstance(self.settings, FolderSettings)
        return self.settings

    @property
    def pictures(self) -> str:
        """How a bundle reads a new picture: `detect` its faces, take the `whole`, or decide by the picture (`auto`)."""
        faces, _ = self._way
        return ("auto" if self.layout.faces == "auto" else "whole") if faces == "cropped" else "detect"

    @property
    def framing(self) -> Framing:
        """How a bundle cuts out a face that it finds."""
        return "box" if self.layout.faces == "boxes" else self.layout.framing

    @cached_property
    def _look(self) -> Look | None:
        """What a look at some of the pictures showed, where that decides how they are taken."""
        layout = self.layout
        return look([layout.root / path for path in self._table()["path"]]) if layout.faces == "auto" else None

    @property
    def _way(self) -> tuple[Faces, int]:
        """How faces are found, and the side of the crops."""
        layout = self.layout
        if layout.faces != "auto":
            return layout.faces, layout.size
        assert self._look is not None
        if not self._look.cropped:
            return "detect", layout.size
        return "cropped", min(layout.size, max(self._look.side or layout.size, 16))

    def _lacks(self) -> list[str]:
        """Return what is missing or broken, one line each; every picture is opened."""
        table = self._table()
        lacks = []
        for path in self._looked_at(table["path"]):
            try:
                read_picture(self.layout.root / path)
            except DataError as error:
                lacks.append(str(error))
        return lacks

    def notes(self) -> list[str]:
        """Return what one should know of this folder and what stops nothing, one line each.

        Classes, names that are not known, people, how faces are taken, files that are not read, rows without a label.
        A folder that cannot be read has none; `check` says why.
        """
        try:
            table = self._table()
        except InsulaError:
            return []
        bare = table["path"][table[self.layout.label].isna()]
        unlabelled = f"{len(bare):,} of {len(table):,} pictures have no label: the first is {bare.iloc[:1].squeeze()}"
        return [*(self._own_notes(table) if self._is_own else []), *([unlabelled] if len(bare) else [])]

    @property
    def _is_own(self) -> bool:
        """Whether nothing is known of the pictures but what lies here; a published corpus is what its makers say."""
        return type(self) is Folder

    def named(self) -> tuple[list[str], bool]:
        """Return the classes, and whether anybody's identity is known; nothing but names is read."""
        table = self._table()
        people = "identity" in table and bool(table["identity"].notna().any())
        return sorted(table[self.layout.label].dropna().unique()), people

    def _own_notes(self, table: pd.DataFrame) -> list[str]:
        label, folders = self.layout.label, self._folders()
        names = {} if folders is None else dict(zip(folders["folder"], table[label], strict=True))
        below = None if folders is None else about_below(folders)
        left = unnamed(self.layout.root, table["path"]) if folders is None else None
        others = (below, str(self._look or ""), left, passed_over(self.layout.root))
        return [*about_names(table, label, names), *filter(None, others)]

    def samples(self, cache: Cache) -> Samples:
        """Return one sample a picture; crops lie in the cache, keyed by the files' content.

        Raises
        ------
        DataError
            Where the folder or its manifest is not as the settings say, or no picture shows a face.

        Warns
        -----
        UserWarning
            Naming pictures that could not be read or show no face; they are left out.
        """
        return self._own_samples(cache) if self._is_own else _pictured(self.everything(cache))

    def _own_samples(self, cache: Cache) -> Samples:
        table, layout = self._table(), self.layout
        unknown = not {"stimulus", "identity"} & set(table)
        samples = _pictured(self._everything(table, cache))
        if unknown:
            samples = joined_copies(samples, layout.label)
        if "part" not in table and (layout.test_share or layout.validation_share):
            part = set_aside(samples.table, layout.label, layout.validation_share, layout.test_share)
            samples = Samples(samples.table.assign(part=part), samples.stores)
        return samples

    def everything(self, cache: Cache) -> Samples:
        """Return one sample a picture, as `samples` does, but without `picture` where that leaves one out."""
        return self._everything(self._table(), cache)

    def _everything(self, table: pd.DataFrame, cache: Cache) -> Samples:
        """Return one sample a row of the table."""
        layout = self.layout
        folder, notes = self._cut(table, cache)
        failed = np.flatnonzero(notes["problem"].notna())
        if len(failed):
            named = "; ".join(f"{table['path'].iloc[row]}: {notes['problem'].iloc[row]}" for row in failed[:3])
            more = f" and {len(failed) - 3} more" if len(failed) > 3 else ""
            if len(failed) == len(table):
                raise DataError(f"no picture is of use: {named}{more}", where=layout.root, do="give pictures of faces")
            warnings.warn(f"{len(failed)} of {len(table)} pictures are left out: {named}{more}", stacklevel=4)
        ids = {name: table.pop(name).to_numpy(object) for name in _IDS if name in table}
        frame = provenance(len(table), corpus=self.card.name, **{"stimulus": table["path"].to_numpy(object), **ids})
        frame = frame.assign(**table.drop(columns=[*_BOX], errors="ignore"), quality=notes["quality"].astype("str"))
        rows = np.where(notes["problem"].isna(), range(len(frame)), -1)
        return Samples(frame, {}).with_modality("picture", "pictures", open_store(folder), rows)

    def restyled(self, folder: Path, cache: Cache) -> tuple[Path, pd.Series]:
        """Return the faces as another folder shows them, cut out where the corpus's own pictures have them.

        Parameters
        ----------
        folder : Path
            As `counterparts` has it.
        cache : Cache
            Where the crops lie.

        Returns
        -------
        store : Path
            Folder of a store with the rows of that of `everything`.
        problems : Series
            Of each row, missing where there is none; indexed by the path of the picture.
        """
        table, pairs = self._table(), self.counterparts(folder)
        store, notes = self._cut(table, cache, [drawn for _, drawn in pairs])
        return store, notes["problem"].set_axis(table["path"])

    def counterparts(self, folder: Path) -> list[tuple[Path, Path]]:
        """Return each picture and its namesake, of any file type, in a folder laid out as the corpus is.

        Raises
        ------
        DataError
            Where a picture has none, or two of different types.
        """
        drawn = [path.relative_to(folder) for path in list_pictures(folder)]
        named: dict[str, list[Path]] = {}
        for path in drawn:
            named.setdefault(f"{path.with_suffix('')}.*", []).append(path)
        pairs: list[tuple[Path, Path]] = []
        lacking = []
        for name in map(Path, self._table()["path"]):
            matches = named.get(f"{name.with_suffix('')}.*", [])
            if len(matches) > 1:
                raise DataError(f"{len(matches)} pictures repeat {name}", where=folder / matches[0], do="keep one")
            lacking += [name] if not matches else []
            pairs += [(self.layout.root / name, folder / path) for path in matches]
        if lacking:
            what = f"{len(lacking)} of {len(lacking) + len(pairs)} pictures have no counterpart"
            raise DataError(what, where=folder / lacking[0], do="give one of the same name, of any file type")
        return pairs

    @property
    def names_stimuli(self) -> bool:
        """Whether the manifest says what each picture shows; otherwise a picture is called as its file."""
        return "stimulus" in self._table()

    def stimuli(self) -> list[str]:
        """Return what each picture is called; nothing but the folder's or manifest's names is read."""
        table = self._table()
        return list(table["stimulus" if "stimulus" in table else "path"])

    def _cut(self, table: pd.DataFrame, cache: Cache, shown: list[Path] | None = None) -> tuple[Path, pd.DataFrame]:
        """Return what `store_faces` does for the rows of the table."""
        layout, (faces, size) = self.layout, self._way
        paths = [layout.root / path for path in table["path"]]
        absent = [path for path in paths if not path.is_file()]
        if absent:
            raise DataError(f"{len(absent)} pictures are missing", where=absent[0], do="correct the manifest")
        boxes = table[list(_BOX)].apply(pd.to_numeric, errors="coerce").to_numpy(float) if faces == "boxes" else None
        contents = [*self._contents(paths), *(sha256_of(path) for path in shown or ())]
        framing = layout.framing if faces == "detect" else "eyes"  # what is not found is not framed
        return store_faces(paths, faces, size, cache, contents, boxes, shown, framing=framing)

    def _looked_at(self, paths: pd.Series) -> pd.Series:
        """Return the paths of the pictures that `check` opens."""
        return paths

    def _contents(self, paths: list[Path]) -> list[object]:
        """Return what tells the contents of files apart."""
        return [sha256_of(path) for path in paths]

    def _table(self) -> pd.DataFrame:
        """Return paths (relative), labels, and what else the manifest says; ids are text."""
        layout = self.layout
        if not layout.root.is_dir():
            raise DataError("no such folder", where=layout.root, do="correct root")
        folders = self._folders()
        if folders is None:
            table = self._manifest(layout.root / str(layout.manifest))
        else:
            table = folders.drop(columns=["folder", "below"]).rename(columns={"label": layout.label})
        codes = {normalise_label(code): name for code, name in self._codes.items()}
        names = table[layout.label].map(lambda name: codes.get(normalise_label(name), name), na_action="ignore")
        names = names.mask(is_missing(names))
        labels = names.dropna().unique().tolist()
        classes = (
            label_map(labels, layout.classes) if layout.classes else {name: normalise_label(name) for name in labels}
        )
        return table.assign(**{layout.label: names.map(classes).astype("str")})

    def _folders(self) -> pd.DataFrame | None:
        """Return what `class_folders` does; None where there is a manifest."""
        layout = self.layout
        if layout.manifest is not None:
            return None
        paths = [path.relative_to(layout.root) for path in list_pictures(layout.root)]
        return class_folders(layout.root, paths)

    @property
    def _codes(self) -> dict[str, str]:
        return {str(code): name for code, name in (self.layout.codes or {}).items()}

    def _manifest(self, path: Path) -> pd.DataFrame:
        layout = self.layout
        table = read_table(path, [*PATHS, *NAMES, *CODES, layout.label, layout.identity, *_IDS])
        table = usual_columns(table, layout.label, self._codes, path)
        needed = [*([layout.identity] if layout.identity != "identity" else []),
                  *(_BOX if layout.faces == "boxes" else [])]  # fmt: skip
        missing = [name for name in needed if name not in table]
        if missing:
            raise DataError(f"no column {missing[0]!r}", where=path, do=f"the columns are {', '.join(table.columns)}")
        if table.empty or table["path"].isna().any():
            raise DataError("no pictures named" if table.empty else "a row names no picture", where=path,
                            do="give each row a path")  # fmt: skip
        reserved = [name for name in table.columns if name in _OURS]
        if reserved:
            raise DataError(f"the column name {reserved[0]!r} is taken", where=path, do="rename the column")
        twice = table["path"][table["path"].map(normpath).duplicated()]
        if len(twice):
            raise DataError(f"{twice.iloc[0]} is named twice", where=path, do="keep one row a picture")
        return table.assign(identity=table.pop(layout.identity)) if layout.identity in table else table


def _pictured(every: Samples) -> Samples:
    """Return the rows that have a picture, numbered anew."""
    kept = every.select(every.has("picture"))
    return Samples(kept.table.reset_index(drop=True), kept.stores)

"""CK+: posed expressions from neutral to their peak, as sequences or as their last three pictures."""

from __future__ import annotations

import re
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import pandas as pd
from pydantic import Field

from insula.corpora.contract import Card
from insula.corpora.folder import FolderSettings
from insula.corpora.places import corpus_folder
from insula.corpora.published import Counts, PublishedFaces
from insula.emotions import normalise_label
from insula.errors import DataError
from insula.faces.pictures import list_pictures
from insula.storage.settings import Settings
from insula.storage.tables import encoding_of

CODES = ("neutral", "anger", "contempt", "disgust", "fear", "happiness", "sadness", "surprise")
"""What the codes 0 to 7 of the files `*_emotion.txt` mean; no sequence of the corpus has the code 0."""

_SEQUENCES = {"anger": 45, "contempt": 18, "disgust": 59, "fear": 25, "happiness": 69, "sadness": 28, "surprise": 83}
_NAME = re.compile(r"(S\d{3})_(\d{3})")


class CkPlusSettings(Settings):
    """Where the pictures lie, and which are read.

    Parameters
    ----------
    root : Path, optional
        The folder, or the folder above it; by default in `INSULA_DATA`. It holds `cohn-kanade-images` and `Emotion`
        (the corpus), or a folder for each class (the 981 pictures that are in circulation), or a manifest.
    manifest : str, optional
        A CSV file in `root`, as the corpus `folder` reads it.
    codes : mapping, optional
        Name of each label, where the manifest has numbers; numbers are never guessed.
    last : int
        How many pictures of a sequence, from its end, show the expression.
    faces : {"detect", "cropped"}
        Find and align the face, or take the whole picture.
    size : int
        Pixels along an edge.
    """

    root: Path | None = None
    manifest: str | None = None
    codes: dict[int | str, str] | None = None
    last: int = Field(3, ge=1)
    faces: Literal["detect", "cropped"] = "detect"
    size: int = Field(96, ge=16)


class CkPlus(PublishedFaces):
    """Pictures with the label `emotion`: seven classes, contempt among them and neutral not.

    `identity` is the person and `trial` the sequence that the file's name tells (`S010_004_00000019.png`), so that
    pictures of one sequence stay together under every protocol.
    """

    card: ClassVar[Card] = Card(
        name="ck-plus",
        title="Extended Cohn-Kanade, labelled sequences",
        licence="for non-commercial research alone, by agreement with the authors",
        access="by request, http://www.jeffcohn.net/Resources/: cohn-kanade-images and Emotion; class folders with the "
        "981 pictures that are in circulation, or a manifest, are read, too",
        size="327 labelled sequences of 118 people; with the last three pictures of each, 981",
        citation="Lucey et al. (2010), The Extended Cohn-Kanade Dataset (CK+), CVPR Workshops, "
        "10.1109/CVPRW.2010.5543262",
        labels="emotion: anger, contempt, disgust, fear, happiness, sadness, surprise; posed; no neutral",
        modalities=("picture",),
        notes="There are no official parts: keep people apart (protocol identity-disjoint). Three pictures of one "
        "sequence are nearly one picture.",
    )
    Settings: ClassVar[type[Settings]] = CkPlusSettings

    @property
    def _chosen(self) -> CkPlusSettings:
        assert isinstance(self.settings, CkPlusSettings)
        return self.settings

    @property
    def published(self) -> Counts:
        """How many pictures of each class there are."""
        return {"all": {name: self._chosen.last * count for name, count in _SEQUENCES.items()}}

    @property
    def layout(self) -> FolderSettings:
        """The same, said as a folder."""
        chosen = self._chosen
        root = corpus_folder(chosen.root, self.card.name)
        return FolderSettings(
            root=root, manifest=chosen.manifest, codes=chosen.codes, faces=chosen.faces, size=chosen.size
        )

    def _table(self) -> pd.DataFrame:
        root = self.layout.root
        sequences = self._chosen.manifest is None and (root / "cohn-kanade-images").is_dir()
        table = self._sequences(root) if sequences else super()._table()
        labels = table["emotion"].map(normalise_label)
        strange = ~labels.isin(list(_SEQUENCES))
        if strange.any():
            row = int(strange.to_numpy().argmax())
            raise DataError(f"{labels.iloc[row]!r} is no emotion of CK+", where=root / table["path"].iloc[row],
                            do=f"there are {', '.join(_SEQUENCES)}")  # fmt: skip
        names = table["path"].map(lambda path: _NAME.search(Path(path).name))
        nameless = names.isna()
        if nameless.any():
            raise DataError("the name does not say who it is", where=root / table["path"][nameless].iloc[0],
                            do="names are as S010_004_00000019.png")  # fmt: skip
        table = table.assign(
            emotion=labels.astype("str"),
            identity=names.map(lambda name: name[1]).astype("str"),
            trial=names.map(lambda name: f"{name[1]}_{name[2]}").astype("str"),
        )
        return _last(table, self._chosen.last)

    def _sequences(self, root: Path) -> pd.DataFrame:
        labels = sorted((root / "Emotion").glob("S*/*/*_emotion.txt"))
        if not labels:
            raise DataError("no label is here", where=root / "Emotion", do="restore Emotion/S005/001/*_emotion.txt")
        rows = []
        for file in labels:
            emotion = _emotion(file)
            person, sequence = file.parts[-3:-1]
            folder = root / "cohn-kanade-images" / person / sequence
            shown = list_pictures(folder)
            peak = f"{file.name.removesuffix('_emotion.txt')}{shown[-1].suffix}"
            if shown[-1].name != peak:
                raise DataError(f"the sequence does not end with {peak}, which its label is of", where=folder,
                                do="restore it from the archive")  # fmt: skip
            rows += [(path.relative_to(root).as_posix(), emotion) for path in shown]
        return pd.DataFrame(rows, columns=["path", "emotion"])


def _emotion(file: Path) -> str:
    """Return the emotion of a sequence; the file holds one number, as in `3.0000000e+00`."""
    try:
        code = float(file.read_text(encoding=encoding_of(file)))
    except (ValueError, UnicodeError):
        code = np.nan
    if code not in range(len(CODES)):
        raise DataError("no code from 0 to 7 can be read here", where=file, do="restore it from the archive")
    return CODES[int(code)]


def _last(table: pd.DataFrame, count: int) -> pd.DataFrame:
    """Return the last pictures of every sequence, by the number that ends their names."""
    table = table.sort_values(["trial", "path"], kind="stable")
    return table.groupby("trial").tail(count).sort_index().reset_index(drop=True)

"""FER2013, as one table of pixels or as folders, with its own labels or those that FER+ votes make."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import pandas as pd
from pydantic import Field

from insula.corpora.contract import Card
from insula.corpora.face_store import PICTURES, shrink
from insula.corpora.fer_votes import CLASSES, COLUMNS, PARTS, LabelMode, labels_of, read_votes
from insula.corpora.folder import FolderSettings
from insula.corpora.places import corpus_folder
from insula.corpora.published import Counts, PublishedFaces
from insula.emotions import LABEL_SPACES, normalise_label
from insula.errors import DataError, InsulaError
from insula.faces.pictures import list_pictures
from insula.samples import Samples, open_store, provenance
from insula.samples.stores import new_store
from insula.storage.cache import Cache
from insula.storage.hashing import sha256_of
from insula.storage.settings import Settings
from insula.storage.tables import read_csv

CODES = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
"""What the numbers 0 to 6 of the column `emotion` mean."""

_TABLES = ("fer2013.csv", "icml_face_data.csv")  # one table: of the challenge's end, and as Kaggle gives it since
_EDGE = 48
_FOLDERS = {"train": "train", "training": "train", "publictest": "validation", "privatetest": "test",
            "validation": "validation", "valid": "validation", "val": "validation", "test": "test",
            "fer2013train": "train", "fer2013valid": "validation", "fer2013test": "test"}  # fmt: skip
_PUBLISHED: dict[str, Counts] = {
    "fer2013": {
        part: dict(zip(CODES, counts, strict=True))
        for part, counts in {
            "train": (3995, 436, 4097, 7215, 4830, 3171, 4965),
            "validation": (467, 56, 496, 895, 653, 415, 607),
            "test": (491, 55, 528, 879, 594, 416, 626),
        }.items()
    },
    "majority": {"train": 25060, "validation": 3199, "test": 3153},
    "argmax": {"train": 28389, "validation": 3553, "test": 3546},
    "argmax8": {"train": 28559, "validation": 3579, "test": 3573},
    "crossentropy": {"train": 27956, "validation": 3505, "test": 3505},
    "probability": {"train": 27956, "validation": 3505, "test": 3505},
    "multi_target": {"train": 27671, "validation": 3472, "test": 3472},
}  # those of a label mode are what the mode keeps of the published votes


class Fer2013Settings(Settings):
    """Where the pictures and the votes lie, and which label is read.

    Parameters
    ----------
    root : Path, optional
        The folder with `fer2013.csv` or `icml_face_data.csv`, or with `train` and `test`, or the folder above it; by
        default in `INSULA_DATA`.
    label_mode : str
        `fer2013`, the labels of FER2013 itself (basic7); or what `insula.corpora.fer_votes.labels_of` makes of FER+
        votes (ferplus8): `majority`, `argmax`, `argmax8`, `crossentropy`, `probability` or `multi_target`.
    votes : Path, optional
        The file `fer2013new.csv` of FER+; by default beside the pictures, or in a folder `ferplus` in or beside theirs.
    size : int
        Pixels along an edge; the pictures have 48.
    seed : int
        Of the draw of `probability`.
    """

    root: Path | None = None
    label_mode: Literal["fer2013"] | LabelMode = "fer2013"
    votes: Path | None = None
    size: int = Field(_EDGE, ge=16)
    seed: int = Field(0, ge=0)


class Fer2013(PublishedFaces):
    """Pictures with the label `emotion` and the official `part`, train, validation (PublicTest) or test (PrivateTest).

    With FER+ votes there are columns `votes_neutral` to `votes_contempt`, too, for a task of the kind `votes`: what the
    label mode makes of them. `stimulus` is a picture's row in `fer2013.csv`, the header being row 1, or its file.
    """

    card: ClassVar[Card] = Card(
        name="fer2013",
        title="Facial Expression Recognition 2013, with FER+ votes",
        licence="FER2013: none was given, photographs from the internet; FER+ votes: MIT",
        access="pictures: Kaggle, an account and the rules of the challenge, "
        "https://www.kaggle.com/c/challenges-in-representation-learning-facial-expression-recognition-challenge "
        "(fer2013.csv or icml_face_data.csv, which have emotion, pixels and Usage), or copies of it as folders "
        "train/angry to test/surprise; votes: "
        "https://github.com/microsoft/FERPlus (fer2013new.csv)",
        size="35,887 grey pictures of 48 x 48: train 28,709, validation 3,589, test 3,589",
        citation="Goodfellow et al. (2013), Challenges in Representation Learning, arXiv:1307.0414; votes: Barsoum et "
        "al. (2016), Training Deep Networks for Facial Expression Recognition with Crowd-Sourced Label Distribution, "
        "ICMI, 10.1145/2993148.2993165",
        labels="emotion: basic7 of FER2013, or ferplus8 of ten votes by a stated rule (label_mode), and the votes",
        modalities=("picture",),
        notes="The official parts are the column part (protocol as-given); they are known to hold copies of one "
        "picture in two parts, which that protocol takes out of training. How many pictures a score is of depends on "
        "the label mode. Copies as folders lose the order of rows that FER+ goes by: with their names changed they "
        "have FER2013's labels alone.",
    )
    Settings: ClassVar[type[Settings]] = Fer2013Settings

    @property
    def fer(self) -> Fer2013Settings:
        """The settings."""
        assert isinstance(self.settings, Fer2013Settings)
        return self.settings

    @property
    def published(self) -> Counts:
        """How many pictures there are under this label mode."""
        return _PUBLISHED[self.fer.label_mode]

    @property
    def layout(self) -> FolderSettings:
        """The same, said as a folder."""
        return FolderSettings(root=corpus_folder(self.fer.root, self.card.name), faces="cropped", size=self.fer.size)

    def check(self) -> list[str]:
        """Return what is missing or broken, one line each; every picture is read."""
        if not self._csv.is_file():
            return super().check()
        lacks = []
        try:
            if self._table().empty:
                lacks.append(f"no picture is listed ({self._csv}): fetch it again")
        except InsulaError as error:
            lacks.append(str(error))
        try:
            for _ in self._pixels():
                pass
        except InsulaError as error:
            lacks.append(str(error))
        return list(dict.fromkeys(lacks))

    def notes(self) -> list[str]:
        """Return what the folder lacks in number, and how many pictures the votes leave out, one line each."""
        lines, mode = super().notes(), self.fer.label_mode
        if mode == "fer2013":
            return lines
        try:
            votes = self._votes
        except InsulaError:
            return lines  # check says why
        named = votes["name"].notna()
        unlabelled = sum(label is None for label in labels_of(votes.loc[named, COLUMNS].to_numpy(), mode)[0])
        nameless = f"{(~named).sum():,} rows of FER+ name no picture and are left out"
        return [*lines, f"{nameless}; so are {unlabelled:,} whose votes give no label by {mode}"]

    def everything(self, cache: Cache) -> Samples:
        """Return one sample a picture that has a label."""
        if not self._csv.is_file():
            return super().everything(cache)
        table = self._table()
        key = ["fer2013.csv", self.fer.size, sha256_of(self._csv)]
        folder = cache.folder("pictures", key, self._write)
        frame = provenance(len(table), corpus=self.card.name, stimulus=table["path"].to_numpy(object))
        frame = frame.assign(**table.drop(columns=["path", "row"]), quality=pd.array([""] * len(table), dtype="str"))
        return Samples(frame, {}).with_modality("picture", "pictures", open_store(folder / "crops"), table["row"])

    @property
    def _csv(self) -> Path:
        places = [self.layout.root / name for name in _TABLES]
        return next((place for place in places if place.is_file()), places[0])

    @cached_property
    def _votes(self) -> pd.DataFrame:
        """The votes, a row a picture."""
        root, name = self.layout.root, "fer2013new.csv"
        own = [root / name, root / "ferplus" / name, root.parent / "ferplus" / name]
        places = [self.fer.votes] if self.fer.votes else own
        return read_votes(next((place for place in places if place.is_file()), places[0]))

    def _table(self) -> pd.DataFrame:
        """Return a row a picture that has a label: `path` (or its row), `emotion`, `part`, votes."""
        table = self._rows() if self._csv.is_file() else self._folders()
        if self.fer.label_mode != "fer2013":
            return self._voted(table, self.fer.label_mode)
        if table["emotion"].isna().any():
            what = "these folders have no labels but those of FER+"
            raise DataError(what, where=self.layout.root, do="set label_mode, for example to majority")
        return table

    def _voted(self, table: pd.DataFrame, mode: LabelMode) -> pd.DataFrame:
        """Return the rows that the label mode keeps, with its labels and votes."""
        joined = self._with_votes(table)
        joined = joined[joined["name"].notna()]
        labels, shares = labels_of(joined[COLUMNS].to_numpy(), mode, self.fer.seed)
        joined = joined.assign(emotion=labels, **{f"votes_{name}": shares[:, n] for n, name in enumerate(CLASSES)})
        kept = joined[joined["emotion"].notna()].drop(columns=["name", *COLUMNS]).reset_index(drop=True)
        return kept.assign(emotion=kept["emotion"].astype("str"))

    def _with_votes(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return the rows with the ten columns of votes and `name`, joined by row or, of folders, by file name."""
        votes = self._votes
        if "row" in table:
            if len(votes) != len(table) or (votes["part"].to_numpy() != table["part"].to_numpy()).any():
                what = f"the {len(votes):,} rows of votes are not those of {len(table):,} pictures"
                raise DataError(what, where=self._csv, do="FER+ goes by the order of fer2013.csv; give both whole")
            return table.join(votes.drop(columns="part"))
        named = votes.drop(columns="part").drop_duplicates("name", keep="last").set_index("name", drop=False)
        names = table["path"].map(lambda path: Path(path).name)
        strange = ~names.isin(named.index)
        if strange.any():
            do = "give fer2013.csv or names such as fer0000000.png, or set label_mode to fer2013"
            raise DataError(f"FER+ knows no picture {names[strange].iloc[0]}", where=self.layout.root, do=do)
        return table.join(named.loc[names].reset_index(drop=True))

    # the table of pixels

    def _rows(self) -> pd.DataFrame:
        table = self._columns
        wrong = ~table["emotion"].isin(list(map(str, range(len(CODES))))) | ~table["Usage"].isin(list(PARTS))
        if wrong.any():
            row = int(wrong.idxmax())
            values = f"emotion {table['emotion'][row]} and Usage {table['Usage'][row]}"
            raise DataError(f"row {row + 2} has {values}", where=self._csv, do=f"0 to 6, and one of {', '.join(PARTS)}")
        return pd.DataFrame({
            "path": [f"row {row + 2}" for row in range(len(table))], "row": range(len(table)),
            "emotion": pd.array([CODES[int(code)] for code in table["emotion"]], dtype="str"),
            "part": table["Usage"].map(PARTS).astype("str"),
        })  # fmt: skip

    @cached_property
    def _columns(self) -> pd.DataFrame:
        table = read_csv(self._csv, usecols=lambda name: name.strip().lower() != "pixels", dtype=str)
        return self._plain(table, "emotion", "Usage").apply(lambda column: column.str.strip())

    def _plain(self, table: pd.DataFrame, *names: str) -> pd.DataFrame:
        """Return columns of the table; their names have blanks about them in one of its forms, and other capitals."""
        table = table.rename(columns=lambda name: name.strip().lower()).rename(columns={"usage": "Usage"})
        missing = [name for name in names if name not in table]
        if missing:
            raise DataError(f"no column {missing[0]!r}", where=self._csv,
                            do=f"give {' or '.join(_TABLES)}, which have emotion, pixels and Usage")  # fmt: skip
        return table[list(names)]

    def _pixels(self) -> Iterator[tuple[int, np.ndarray]]:
        """Yield each row's number and picture, uint8 (48, 48); a piece of the table is in memory at a time."""
        pieces = read_csv(self._csv, usecols=lambda name: name.strip().lower() == "pixels", dtype=str, chunksize=1024)
        for piece in pieces:
            for row, text in self._plain(piece, "pixels")["pixels"].items():
                yield row, self._picture(row, text)

    def _picture(self, row: int, text: object) -> np.ndarray:
        try:
            values = np.array(str(text).split(), dtype=np.int64)
        except ValueError:
            values = np.empty(0, np.int64)
        if values.size != _EDGE**2 or values.min() < 0 or values.max() > 255:
            raise DataError(f"row {row + 2} has not {_EDGE**2} pixels from 0 to 255", where=self._csv,
                            do="restore the file")  # fmt: skip
        return values.astype(np.uint8).reshape(_EDGE, _EDGE)

    def _write(self, folder: Path) -> None:
        shape = (len(self._columns), self.fer.size, self.fer.size, 3)
        crops = new_store(folder / "crops", shape, np.uint8, PICTURES)
        for row, grey in self._pixels():
            crops[row] = shrink(np.stack([grey] * 3, axis=-1), self.fer.size)
        crops.flush()

    # folders

    def _folders(self) -> pd.DataFrame:
        root = self.layout.root
        if not root.is_dir() or not any(path.name.lower() in _FOLDERS for path in root.iterdir()):
            raise DataError(
                "no such file", where=self._csv, do=f"give {' or '.join(_TABLES)}, or folders train and test"
            )
        rows = []
        for path in list_pictures(root):
            within = path.relative_to(root).parts
            part = _FOLDERS.get(within[0].lower())
            emotion = normalise_label(within[1]) if len(within) == 3 else None
            bare = within[0].lower().startswith("fer2013") and len(within) == 2  # as FER+'s own script writes them
            if part is None or not (bare or emotion in LABEL_SPACES["basic7"]):
                raise DataError(
                    "this is no folder of FER2013", where=path, do="folders are train/angry to test/surprise"
                )
            part = PARTS.get(path.name.split("_")[0], part)  # copies with two parts keep the third in their names
            rows.append((path.relative_to(root).as_posix(), emotion, part))
        table = pd.DataFrame(rows, columns=["path", "emotion", "part"])
        return table.astype({"emotion": "str", "part": "str"})

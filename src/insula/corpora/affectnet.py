"""AffectNet: a quarter of a million faces from the internet with an emotion, valence and arousal."""

from __future__ import annotations

import re
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import pandas as pd
from pydantic import Field

from insula.corpora.contract import Card
from insula.corpora.folder import FolderSettings
from insula.corpora.places import corpus_folder
from insula.corpora.published import Counts, PublishedFaces
from insula.errors import DataError
from insula.storage.settings import Settings
from insula.storage.tables import read_csv

CODES = ("neutral", "happiness", "sadness", "surprise", "fear", "disgust", "anger", "contempt")
"""What the codes 0 to 7 mean; 8 is none of these, 9 uncertain and 10 no face, which are left out."""

_TRAINING = (74874, 134415, 25459, 14090, 6378, 3803, 24882, 3750)
_PARTS = {"training.csv": "train", "validation.csv": "test"}
_SETS = {"train_set": "train", "val_set": "test"}
_BOX = {"face_x": "box_left", "face_y": "box_top", "face_width": "box_right", "face_height": "box_bottom"}
_NUMBERED = re.compile(r"(class)?0*[0-8]").fullmatch
_OPENED = 2000  # pictures that check opens


class AffectNetSettings(Settings):
    """Where the pictures lie, and which are read.

    Parameters
    ----------
    root : Path, optional
        The folder with `Manually_Annotated_Images`, `training.csv` and `validation.csv` (the older release), or with
        `train_set` and `val_set` (the newer), or the folder above it; by default in `INSULA_DATA`.
    contempt : bool
        Whether contempt is a class; left out otherwise.
    faces : {"given", "detect"}
        The face that the release gives (the older a box, the newer a picture that is cut), or find and align it.
    size : int
        Pixels along an edge.
    """

    root: Path | None = None
    contempt: bool = False
    faces: Literal["given", "detect"] = "given"
    size: int = Field(96, ge=16)


class AffectNet(PublishedFaces):
    """Pictures with the label `emotion` (basic7, or with contempt), `valence` and `arousal` from -1 to 1, and `part`.

    The part `test` is the release's validation set, 500 pictures a class: its test set was never released. Crops are
    made once, one picture at a time, and go on where they were interrupted; they are kept by the files' names, sizes
    and times, since reading all of the older release to tell that nothing has changed would take as long as training.
    """

    card: ClassVar[Card] = Card(
        name="affectnet",
        title="AffectNet, manually annotated",
        licence="for research alone, by agreement with the authors",
        access="by request, http://mohammadmahoor.com/affectnet/: Manually_Annotated_Images with training.csv and "
        "validation.csv, or train_set and val_set with images and annotations",
        size="seven classes: train 283,901, test 3,500 (the validation set); with contempt 287,651 and 4,000",
        citation="Mollahosseini, Hasani and Mahoor (2019), AffectNet: A Database for Facial Expression, Valence, and "
        "Arousal Computing in the Wild, IEEE TAC 10(1), 18-31, 10.1109/TAFFC.2017.2740923",
        labels="emotion: basic7, or ferplus8 with contempt; valence and arousal from -1 to 1; most by one annotator",
        modalities=("picture",),
        notes="The official parts are the column part (protocol as-given). Whose face it is is not known. Copies with "
        "numbered folders are refused: some are numbered in alphabetical order, some as AffectNet does, and nothing in "
        "them says which.",
    )
    Settings: ClassVar[type[Settings]] = AffectNetSettings

    @property
    def _chosen(self) -> AffectNetSettings:
        assert isinstance(self.settings, AffectNetSettings)
        return self.settings

    @property
    def _classes(self) -> tuple[str, ...]:
        return CODES if self._chosen.contempt else CODES[:7]

    @property
    def published(self) -> Counts:
        """How many pictures of each class there are."""
        train = dict(zip(self._classes, _TRAINING, strict=False))
        return {"train": train, "test": dict.fromkeys(self._classes, 500)}

    @property
    def layout(self) -> FolderSettings:
        """The same, said as a folder; the older release's tables are its manifest."""
        root = corpus_folder(self._chosen.root, self.card.name)
        if self._chosen.faces == "detect":
            return FolderSettings(root=root, faces="detect", size=self._chosen.size)
        if self._is_newer(root):
            return FolderSettings(root=root, faces="cropped", size=self._chosen.size)
        return FolderSettings(root=root, faces="boxes", manifest="training.csv", size=self._chosen.size)

    @staticmethod
    def _is_newer(root: Path) -> bool:
        return (root / "train_set").is_dir()

    def _table(self) -> pd.DataFrame:
        return self._annotated.copy()

    @cached_property
    def _annotated(self) -> pd.DataFrame:
        root = self.layout.root
        if self._is_newer(root):
            parts = [self._newer(root, name, part) for name, part in _SETS.items()]
        elif (root / "training.csv").is_file() or (root / "validation.csv").is_file():
            parts = [self._older(root, name, part) for name, part in _PARTS.items()]
        else:
            raise _refusal(root)
        table = pd.concat(parts, ignore_index=True)
        expressions = table["code"].isin(range(11))
        if not expressions.all():
            first = table[~expressions].iloc[0]
            raise DataError(
                f"the expression of {first['path']} is {first['code']:g}", where=root, do="codes are 0 to 10"
            )
        table = table[table["code"] < len(self._classes)].reset_index(drop=True)
        for name in ("valence", "arousal"):
            table[name] = table[name].mask(table[name] == -2)  # as the release says that there is none
            off = table[name].abs() > 1
            if off.any():
                first = table[off].iloc[0]
                raise DataError(
                    f"the {name} of {first['path']} is {first[name]:g}", where=root, do="it is -1 to 1, or -2"
                )
        emotions = np.array(CODES, object)[table.pop("code").to_numpy(int)]
        return table.assign(emotion=pd.array(emotions, dtype="str"))

    def _older(self, root: Path, name: str, part: str) -> pd.DataFrame:
        columns = ["subDirectory_filePath", *_BOX, "expression", "valence", "arousal"]
        try:
            table = read_csv(root / name, usecols=columns, low_memory=False)
        except DataError as error:
            if not (root / name).is_file():
                raise
            what = f"not the table of AffectNet: {error.what.removeprefix('not a CSV file: ')}"
            raise DataError(what, where=root / name, do=f"its columns are {', '.join(columns)}") from None
        numbers = table[columns[1:]].apply(pd.to_numeric, errors="coerce")
        if numbers["expression"].isna().any():
            row = int(numbers["expression"].isna().idxmax())
            raise DataError(f"row {row + 2} has no expression", where=root / name, do="codes are 0 to 10")
        box = numbers[list(_BOX)].rename(columns=_BOX)
        box["box_right"] += box["box_left"]
        box["box_bottom"] += box["box_top"]
        paths = "Manually_Annotated_Images/" + table["subDirectory_filePath"].astype("str")
        ratings = numbers[["valence", "arousal"]].astype(float)
        return pd.DataFrame({"path": paths, "code": numbers["expression"], "part": part}).join([ratings, box])

    def _newer(self, root: Path, name: str, part: str) -> pd.DataFrame:
        folder = root / name
        if not (folder / "images").is_dir():
            raise DataError("no such folder", where=folder / "images", do="restore it from the archive")
        images = sorted(path for path in (folder / "images").iterdir() if path.suffix.lower() in (".jpg", ".png"))
        rows = []
        for image in images:
            files = [folder / "annotations" / f"{image.stem}_{kind}.npy" for kind in ("exp", "val", "aro")]
            rows.append((f"{name}/images/{image.name}", *map(_number, files), part))
        return pd.DataFrame(rows, columns=["path", "code", "valence", "arousal", "part"])

    def _looked_at(self, paths: pd.Series) -> pd.Series:
        """Return the pictures that `check` opens: those that are missing, and 2000 of the others, evenly spaced."""
        present = np.array([(self.layout.root / path).is_file() for path in paths], bool)
        some = np.flatnonzero(present)
        some = some[np.unique(np.linspace(0, len(some) - 1, min(_OPENED, len(some))).astype(int))]
        return paths.iloc[np.sort([*np.flatnonzero(~present), *some]).astype(int)]

    def _contents(self, paths: list[Path]) -> list[object]:
        root = self.layout.root
        stats = [(path.relative_to(root).as_posix(), path.stat()) for path in paths]
        return [[name, stat.st_size, stat.st_mtime_ns] for name, stat in stats]


def _number(path: Path) -> float:
    """Return the number in a file of the newer release, where it stands as text; no file can run code."""
    try:
        return float(np.load(path, allow_pickle=False).item())
    except FileNotFoundError:
        raise DataError("no such file", where=path, do="restore it from the archive") from None
    except (ValueError, EOFError, OSError):
        raise DataError("no number can be read here", where=path, do="restore it from the archive") from None


def _refusal(root: Path) -> DataError:
    """Return the error for a folder that is neither release."""
    numbered = [path for depth in ("*", "*/*") for path in root.glob(depth) if path.is_dir() and _NUMBERED(path.name)]
    if numbered:
        return DataError(
            "a copy with numbered folders: alphabetical order and AffectNet's own order are both in use, and nothing "
            "says which this is", where=numbered[0], do="get a release from the authors, or name the folders as their "
            "emotions once you know them and read them as the corpus folder",
        )  # fmt: skip
    do = "give the folder of a release; class folders with names are read as the corpus folder"
    return DataError("neither training.csv nor train_set is here", where=root, do=do)

"""RAF-DB: faces from the internet, each labelled by some forty people."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

import pandas as pd
from pydantic import Field

from insula.corpora.contract import Card
from insula.corpora.folder import FolderSettings
from insula.corpora.places import corpus_folder
from insula.corpora.published import Counts, PublishedFaces
from insula.errors import DataError
from insula.faces.pictures import list_pictures
from insula.storage.settings import Settings
from insula.storage.tables import encoding_of

CODES = {
    "1": "surprise", "2": "fear", "3": "disgust", "4": "happiness", "5": "sadness", "6": "anger", "7": "neutral",
}  # fmt: skip
"""What the numbers of the list, and of the folders of mirrors, mean."""

_LIST = "EmoLabel/list_patition_label.txt"  # the file is spelt so


class RafDbSettings(Settings):
    """Where the pictures lie, and which of them are read.

    Parameters
    ----------
    root : Path, optional
        The folder `basic` or `DATASET`, or a folder above it; by default in `INSULA_DATA`.
    pictures : {"aligned", "original"}
        The faces as the authors aligned them (100 x 100), or the photographs, in which the face is found. A mirror has
        the first alone.
    size : int
        Pixels along an edge.
    """

    root: Path | None = None
    pictures: Literal["aligned", "original"] = "aligned"
    size: int = Field(100, ge=16)


class RafDb(PublishedFaces):
    """Pictures with the label `emotion` (basic7) and the official `part`, train or test."""

    card: ClassVar[Card] = Card(
        name="raf-db",
        title="Real-world Affective Faces Database, basic emotions",
        licence="for non-commercial research alone, by agreement with the authors",
        access="by request, http://www.whdeng.cn/RAF/model1.html: the folder basic with Image/aligned or "
        "Image/original, and EmoLabel/list_patition_label.txt; mirrors with DATASET/{train,test}/{1..7} are read, too",
        size="15,339 photographs: train 12,271, test 3,068",
        citation="Li, Deng and Du (2017), Reliable Crowdsourcing and Deep Locality-Preserving Learning for Expression "
        "Recognition in the Wild, CVPR, 10.1109/CVPR.2017.277",
        labels="emotion: basic7, what most of some forty people saw",
        modalities=("picture",),
        notes="The official parts are the column part (protocol as-given). Whose face it is is not known.",
    )
    Settings: ClassVar[type[Settings]] = RafDbSettings
    published: ClassVar[Counts] = {
        "train": {"surprise": 1290, "fear": 281, "disgust": 717, "happiness": 4772, "sadness": 1982, "anger": 705,
                  "neutral": 2524},
        "test": {"surprise": 329, "fear": 74, "disgust": 160, "happiness": 1185, "sadness": 478, "anger": 162,
                 "neutral": 680},
    }  # fmt: skip

    @property
    def layout(self) -> FolderSettings:
        """The same, said as a folder."""
        settings = self.settings
        assert isinstance(settings, RafDbSettings)
        above = corpus_folder(settings.root, self.card.name)
        places = [above, above / "basic", above / "DATASET"]
        root = next((place for place in places if (place / _LIST).is_file() or (place / "train").is_dir()), above)
        return FolderSettings(root=root, faces="cropped" if self._aligned else "detect", size=settings.size)

    @property
    def _aligned(self) -> bool:
        assert isinstance(self.settings, RafDbSettings)
        return self.settings.pictures == "aligned"

    def _table(self) -> pd.DataFrame:
        root = self.layout.root
        if (root / _LIST).is_file():
            return self._listed(root)
        if (root / "train").is_dir():
            return self._mirrored(root)
        raise DataError(
            "no such file", where=root / _LIST, do="give the folder basic, or a mirror's DATASET/train/1..7"
        )

    def _listed(self, root: Path) -> pd.DataFrame:
        text = (root / _LIST).read_text(encoding=encoding_of(root / _LIST), errors="replace")
        lines = [line.replace(",", " ").replace(";", " ").split() for line in text.splitlines()]
        rows = []
        for number, words in enumerate(lines, 1):
            if not words:
                continue
            name, code = words if len(words) == 2 else ("", "")
            part = name.split("_")[0]
            if code not in CODES or part not in ("train", "test"):
                raise DataError(f"line {number} is {' '.join(words)!r}", where=root / _LIST,
                                do="lines are as train_00001.jpg 5, with labels 1 to 7")  # fmt: skip
            stem = Path(name).stem.removesuffix("_aligned")
            path = f"Image/aligned/{stem}_aligned.jpg" if self._aligned else f"Image/original/{stem}{Path(name).suffix}"
            rows.append((path, CODES[code], part, stem))
        table = pd.DataFrame(rows, columns=["path", "emotion", "part", "stimulus"])
        twice = table["stimulus"][table["stimulus"].duplicated()]
        if len(twice):
            raise DataError(f"{twice.iloc[0]} is listed twice", where=root / _LIST, do="keep one line a picture")
        return table

    def _mirrored(self, root: Path) -> pd.DataFrame:
        if not self._aligned:
            raise DataError("a mirror has no original pictures", where=root, do="set pictures to aligned")
        rows = []
        for part in ("train", "test"):
            for path in list_pictures(root / part):
                code = path.parent.name
                if code not in CODES or path.parent.parent != root / part:
                    raise DataError(f"{code} is no label of RAF-DB", where=path, do="folders are train/1 to train/7")
                rows.append((path.relative_to(root).as_posix(), CODES[code], part))
        return pd.DataFrame(rows, columns=["path", "emotion", "part"])

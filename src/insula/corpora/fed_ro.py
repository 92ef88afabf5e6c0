"""FED-RO: faces with real occlusions, to test on."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

import pandas as pd
from pydantic import Field

from insula.corpora.contract import Card
from insula.corpora.folder import FolderSettings
from insula.corpora.places import corpus_folder
from insula.corpora.published import Counts, PublishedFaces
from insula.emotions import LABEL_SPACES, normalise_label
from insula.errors import DataError
from insula.faces.pictures import list_pictures
from insula.storage.settings import Settings


class FedRoSettings(Settings):
    """Where the pictures lie, and how faces are cut out.

    Parameters
    ----------
    root : Path, optional
        The folder with the seven folders of classes, or the folder above it; by default in `INSULA_DATA`.
    faces : {"detect", "cropped"}
        Find and align the face, or take the whole picture. A detector may miss an occluded face: the picture is then
        left out, with a warning, and the score is of fewer pictures.
    size : int
        Pixels along an edge.
    """

    root: Path | None = None
    faces: Literal["detect", "cropped"] = "detect"
    size: int = Field(96, ge=16)


class FedRo(PublishedFaces):
    """Pictures with the label `emotion` (basic7); all are of the part `test`."""

    card: ClassVar[Card] = Card(
        name="fed-ro",
        title="Facial Expression Dataset with Real Occlusions",
        licence="unclear: photographs from the internet, shared for research without a licence",
        access="a link shared by the authors, https://github.com/mysee1989/PG-CNN, which is reported to hold 381 of "
        "the 400 pictures (issue 8 there): folders anger disgust fear happy neural sad surprise with occ_img_N.jpg",
        size="400 photographs",
        citation="Li, Zeng, Shan and Chen (2019), Occlusion Aware Facial Expression Recognition Using CNN With "
        "Attention Mechanism, IEEE TIP 28(5), 2439-2450, 10.1109/TIP.2018.2886767",
        labels="emotion: basic7",
        modalities=("picture",),
        notes="A set to test on. Say of how many pictures a score is: a warning does where 400 are not there. The "
        "folder neural is read as neutral.",
    )
    Settings: ClassVar[type[Settings]] = FedRoSettings
    published: ClassVar[Counts] = {"test": 400}

    @property
    def layout(self) -> FolderSettings:
        """The same, said as a folder."""
        settings = self.settings
        assert isinstance(settings, FedRoSettings)
        root = corpus_folder(settings.root, self.card.name)
        return FolderSettings(root=root, faces=settings.faces, size=settings.size)

    def _table(self) -> pd.DataFrame:
        root = self.layout.root
        rows = []
        for path in list_pictures(root):
            folder = path.parent.name.lower()
            emotion = "neutral" if folder == "neural" else normalise_label(folder)
            if emotion not in LABEL_SPACES["basic7"] or path.parent.parent != root:
                raise DataError(f"{path.parent.name} is no class of FED-RO", where=path,
                                do="folders are anger disgust fear happy neural sad surprise")  # fmt: skip
            rows.append((path.relative_to(root).as_posix(), emotion))
        table = pd.DataFrame(rows, columns=["path", "emotion"])
        lacking = [name for name in LABEL_SPACES["basic7"] if name not in set(table["emotion"])]
        if lacking:
            raise DataError(f"no picture of {', '.join(lacking)}", where=root, do="restore the folder of that class")
        return table.assign(part="test")

"""The Face Research Lab London Set: neutral and smiling photographs of 102 adults."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from insula.corpora.contract import Card
from insula.corpora.folder import Folder, FolderSettings
from insula.corpora.places import corpus_folder
from insula.storage.settings import Settings


class LondonFacesSettings(Settings):
    """Where the photographs lie, and how faces are cut out.

    Parameters
    ----------
    root : Path, optional
        The folder with `manifest.csv`, or the folder above it; by default in `INSULA_DATA`.
    faces : {"detect", "cropped"}
        Find and align the face, or take the whole picture.
    size : int
        Pixels along an edge.
    """

    root: Path | None = None
    faces: Literal["detect", "cropped"] = "detect"
    size: int = Field(96, ge=16)


class LondonFaces(Folder):
    """Photographs with the label `emotion` (london2) and identities.

    The columns `face_age`, `face_gender` and `face_eth` are kept, for errors by group.
    """

    card: ClassVar[Card] = Card(
        name="london-faces",
        title="Face Research Lab London Set (neutral and smiling front views)",
        licence="CC BY 4.0",
        access="open: https://doi.org/10.6084/m9.figshare.5047666; manifest.csv: path, identity, emotion, and groups",
        size="204 photographs of 102 adults (384 x 384, 4 MB; 1350 x 1350 as published)",
        citation="DeBruine and Jones (2017), Face Research Lab London Set, figshare, 10.6084/m9.figshare.5047666",
        labels="emotion: neutral or happiness (a closed-mouth smile), posed",
        modalities=("picture",),
        notes="Grouping columns: face_age, face_gender, face_eth.",
    )
    pictures: ClassVar[str] = "detect"
    Settings: ClassVar[type[Settings]] = LondonFacesSettings

    @property
    def layout(self) -> FolderSettings:
        """The same, said as a folder with a manifest."""
        settings = self.settings
        assert isinstance(settings, LondonFacesSettings)
        return FolderSettings(
            root=corpus_folder(settings.root, "london-faces"),
            manifest="manifest.csv",
            classes="london2",
            faces=settings.faces,
            size=settings.size,
        )

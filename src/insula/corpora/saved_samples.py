"""Samples that were saved before: arrays of one's own, or what another program prepared."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from insula.corpora.contract import BaseCorpus, Card
from insula.errors import InsulaError
from insula.samples import Samples
from insula.storage.cache import Cache
from insula.storage.settings import Settings


class SavedSamplesSettings(Settings):
    """Where the samples lie.

    Parameters
    ----------
    root : Path
        A folder that `Samples.save` wrote.
    """

    root: Path


class SavedSamples(BaseCorpus):
    """A folder of saved samples as a corpus.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> folder = Path(tempfile.mkdtemp()) / "mine"
    >>> Samples.from_arrays(np.zeros((2, 3)), ["calm", "fear"], groups=["S1", "S2"]).save(folder)
    >>> SavedSamples(SavedSamplesSettings(root=folder)).samples(Cache())
    Samples(2: features 2)
    """

    card: ClassVar[Card] = Card(
        name="samples",
        title="Saved samples: arrays of one's own",
        licence="that of the data",
        access="on this computer: a folder that Samples.save wrote, see Samples.from_arrays",
        size="as large as the arrays",
        citation="that of the data",
        labels="the columns of the table",
        modalities=("any",),
        origin="data of one's own, taken for real",
    )
    Settings: ClassVar[type[Settings]] = SavedSamplesSettings
    settings: SavedSamplesSettings
    pictures: ClassVar = "whole"

    def check(self) -> list[str]:
        """Return what is wrong with the folder."""
        try:
            Samples.open(self.settings.root)
        except (InsulaError, OSError, ValueError) as error:
            return [str(error)]
        return []

    def samples(self, cache: Cache) -> Samples:
        """Return the samples, memory-mapped."""
        return Samples.open(self.settings.root)

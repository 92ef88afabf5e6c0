"""Pictures to features: gradients or a frozen backbone, each stored picture once."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from insula.errors import DataError
from insula.samples import ArrayStore, Samples
from insula.storage.cache import Cache
from insula.systems.bmci.settings import BMCISettings

if TYPE_CHECKING:
    from torch import nn


class PictureReader:
    """Reads the features of samples' pictures.

    Features of pictures that lie in the cache on disk are cached beside them; pictures in memory (a user's own, at
    prediction) leave no trace.
    """

    def __init__(self, settings: BMCISettings, weights: Path | None = None) -> None:
        self.settings, self.weights = settings, weights

    @cached_property
    def network(self) -> nn.Module | None:
        """The frozen backbone; None for gradients, which have no weights."""
        if self.settings.backbone == "gradients":
            return None
        from insula.networks.backbones import load_backbone

        return load_backbone(self.settings.backbone, self.weights or self.settings.weights)

    def _extract(self, pictures: np.ndarray) -> np.ndarray:
        if self.network is None:
            from insula.faces.gradients import gradient_features

            return gradient_features(pictures)
        from insula.networks.backbones import picture_features

        return picture_features(self.network, pictures, self.settings.picture_size, self.settings.grid)

    def _key(self, store: ArrayStore) -> dict[str, object]:
        from insula.storage.hashing import digest, digest_array

        weights = self.network.state_dict() if self.network else {}
        state = {name: digest_array(value.numpy()) for name, value in weights.items()}
        about = self.settings.model_dump(include={"backbone", "grid", "picture_size"})
        return {"weights": digest(state), "pictures": store.fingerprint(), **about}

    def features(self, samples: Samples) -> np.ndarray:
        """Return float32 (n, d), one row a sample; every sample must have a picture."""
        store = samples.store("picture")
        if not samples.has("picture").all():
            raise DataError("a sample has no picture", where=f"sample {samples.ids[~samples.has('picture')][0]}")
        same = len(set(samples.table["picture_store"])) == 1
        if same and isinstance(store, ArrayStore) and isinstance(store.values, np.memmap):

            def build(folder: Path) -> None:
                np.save(folder / "features.npy", self._extract(np.asarray(store.values)))

            folder = Cache().folder("picture-features", self._key(store), build)
            return np.load(folder / "features.npy", mmap_mode="r")[samples.rows("picture")]
        unique, place = unique_pictures(samples)
        return self._extract(unique.read("picture"))[place]


def unique_pictures(samples: Samples) -> tuple[Samples, np.ndarray]:
    """Return one sample a picture, and for each sample the place of its picture among them."""
    keys = pd.MultiIndex.from_frame(samples.table[["picture_store", "picture_row"]])
    codes, unique = pd.factorize(keys)
    first = np.full(len(unique), -1)
    first[codes[::-1]] = np.arange(len(codes))[::-1]
    return samples.select(first), codes

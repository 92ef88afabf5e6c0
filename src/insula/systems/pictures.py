"""What systems that read faces share: which features of a picture, each stored picture once, whose face it shows."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from insula.errors import DataError
from insula.samples import ArrayStore, Samples
from insula.storage.cache import Cache
from insula.storage.hashing import digest, digest_array
from insula.storage.settings import Settings

if TYPE_CHECKING:
    from torch import nn

_GRADIENTS = 2  # their definition, counted up where it changes: what was cached before is then made anew


class PictureSettings(Settings):
    """How pictures are read; the settings of a system that reads them begin with these.

    Parameters
    ----------
    backbone : str
        `gradients` (histograms of oriented gradients, which need no weights), or any timm architecture, frozen.
    weights : str or None
        A safetensors file of the architecture, `download`, or `efficientnet-lite0-imagenet` for the backbone
        `tf_efficientnet_lite0`; None leaves a timm network untrained, with a warning.
    grid, picture_size : int, int or None
        How a timm network is read: see `insula.networks.backbones.picture_features`.
    """

    backbone: str = "gradients"
    weights: str | None = None
    grid: int = 1
    picture_size: int | None = None


class PictureReader:
    """Reads the features of samples' pictures.

    Features of pictures that lie in the cache on disk are cached beside them; pictures in memory (a user's own, at
    prediction) leave no trace.

    Parameters
    ----------
    settings : PictureSettings
        Which features.
    weights : Path, optional
        The file that `save` wrote.
    """

    def __init__(self, settings: PictureSettings, weights: Path | None = None) -> None:
        self.settings, self.weights = settings, weights

    @cached_property
    def network(self) -> Any:
        """The backbone; None for gradients, which have no weights."""
        if self.settings.backbone == "gradients":
            return None
        from insula.networks.backbones import load_backbone

        return load_backbone(self.settings.backbone, self.weights or self.settings.weights)

    def features(self, samples: Samples) -> np.ndarray:
        """Return float32 (n, d), one row a sample; every sample must have a picture."""
        store = self._cached_beside(samples)
        if not samples.has("picture").all():
            raise DataError("a sample has no picture", where=f"sample {samples.ids[~samples.has('picture')][0]}")
        if store is None:
            unique, place = unique_pictures(samples)
            return self._extract(unique.read("picture"))[place]

        def build(folder: Path) -> None:
            np.save(folder / "features.npy", self._extract(np.asarray(store.values)))

        folder = Cache().folder("picture-features", self._key(store), build)
        return np.load(folder / "features.npy", mmap_mode="r")[samples.rows("picture")]

    def _cached_beside(self, samples: Samples) -> ArrayStore | None:
        return stored_pictures(samples)

    def _extract(self, pictures: np.ndarray) -> np.ndarray:
        if self.network is None:
            from insula.faces.gradients import gradient_features

            return gradient_features(pictures)
        from insula.networks.backbones import picture_features

        return picture_features(self.network, pictures, self.settings.picture_size, self.settings.grid)

    def _key(self, store: ArrayStore) -> dict[str, object]:
        weights = self.network.state_dict() if self.network else {}
        state = {name: digest_array(value.numpy()) for name, value in weights.items()}
        about = self.settings.model_dump(include={"backbone", "grid", "picture_size"})
        definition = {} if self.network else {"gradients": _GRADIENTS}
        return {"weights": digest(state), "pictures": store.fingerprint(), **about, **definition}

    def as_module(self) -> nn.Module:
        """Return the same in torch: pictures, uint8 (n, height, width, 3), to features, float32 (n, d)."""
        if self.network is None:
            from insula.networks.gradient_histograms import GradientHistograms

            return GradientHistograms()
        from insula.networks.backbones import PooledFeatures

        return PooledFeatures(self.network, self.settings.picture_size, self.settings.grid)

    def save(self, folder: Path) -> None:
        """Write the network's weights to `backbone.safetensors`; gradients have none."""
        if self.network is not None:
            from safetensors.torch import save_file

            save_file(self.network.state_dict(), folder / "backbone.safetensors")


def stored_pictures(samples: Samples) -> ArrayStore | None:
    """Return the store in the cache on disk in which all the pictures lie; None where there is no such store."""
    store = samples.store("picture")
    one = len(set(samples.table["picture_store"])) == 1
    return store if one and isinstance(store, ArrayStore) and isinstance(store.values, np.memmap) else None


def pictures_digest(samples: Samples) -> list[object]:
    """Return what tells the pictures of these samples, and their order, from others: a part of cache keys."""
    names = samples.table["picture_store"].astype(str).tolist()
    stores = {name: samples.stores[name].fingerprint() for name in sorted(set(names))}
    return [stores, digest_array(samples.rows("picture")), names if len(stores) > 1 else None]


def unique_pictures(samples: Samples) -> tuple[Samples, np.ndarray]:
    """Return one sample a picture, and for each sample the place of its picture among them."""
    keys = pd.MultiIndex.from_frame(samples.table[["picture_store", "picture_row"]])
    codes, unique = pd.factorize(keys)
    first = np.full(len(unique), -1)
    first[codes[::-1]] = np.arange(len(codes))[::-1]
    return samples.select(first), codes


def picture_groups(samples: Samples) -> np.ndarray:
    """Pictures of one person are one group; a picture of nobody known is a group of its own."""
    persons, pictures = samples.units("identity"), samples.units("stimulus")
    own = np.array([f"sample {number}" for number in samples.ids], object)
    pictures = np.where([picture is None for picture in pictures], own, pictures)
    return np.where([person is None for person in persons], pictures, persons).astype(str)

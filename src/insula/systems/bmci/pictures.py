"""Pictures to features: gradients, a frozen backbone or one trained here; each stored picture once."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from insula.errors import DataError, SettingsError
from insula.samples import ArrayStore, Samples
from insula.storage.cache import Cache
from insula.systems.bmci.settings import BMCISettings, Vision


class PictureReader:
    """Reads the features of samples' pictures.

    Features of pictures that lie in the cache on disk are cached beside them, and so is a network trained on them;
    pictures in memory (a user's own, at prediction) leave no trace.

    Parameters
    ----------
    settings : BMCISettings
        Which features.
    weights : Path, optional
        The file that `save` wrote.
    """

    def __init__(self, settings: BMCISettings, weights: Path | None = None) -> None:
        self.settings, self.weights = settings, weights

    @property
    def trains(self) -> bool:
        """Whether features come from a backbone trained here; else they are those of the backbone as it came."""
        return self.settings.vision is not None and self.settings.vision.source != "frozen"

    @cached_property
    def network(self) -> Any:
        """The backbone, with its bottleneck where it is trained; None for gradients, which have no weights."""
        if self.settings.backbone == "gradients":
            return None
        if self.trains:
            from insula.networks.bottleneck import load_bottleneck

            if self.weights is None:
                raise DataError("the backbone has not been trained yet", do="fit first")
            return load_bottleneck(self.settings.backbone, self.weights, self.settings.picture_size)
        from insula.networks.backbones import load_backbone

        return load_backbone(self.settings.backbone, self.weights or self.settings.weights)

    def fit(
        self,
        pictures: Samples,
        labels: np.ndarray,
        held: Samples,
        held_labels: np.ndarray,
        classes: int,
        unlabelled: Samples | None,
    ) -> dict[str, Any]:
        """Train the backbone where the settings say so.

        Parameters
        ----------
        pictures, held : Samples
            One sample a picture: of the training part, and of the validation part, which chooses the epoch.
        labels, held_labels : int arrays
            Their class codes.
        classes : int
            How many there are.
        unlabelled : Samples or None
            Pictures that the network may adapt to, whose labels are not known.

        Returns
        -------
        dict
            What `insula.systems.bmci.vision.train_vision` measured; of frozen features their gap alone.

        Raises
        ------
        SettingsError
            Where there are no pictures to adapt to, though the settings want to.
        """
        vision = self.settings.vision
        if vision is None:
            return {}
        from insula.networks.backbones import load_backbone
        from insula.systems.bmci.vision import VisionLesson, feature_gap, train_vision, trained_once

        if not self.trains:
            unseen = self.features(held) if len(held) else np.empty((0, 0), np.float32)
            return {"gap": feature_gap(self.training_features(pictures), unseen, None)}
        values = pictures.read("picture")
        lesson = VisionLesson(
            values,
            labels,
            held.read("picture") if len(held) else values[:0],
            held_labels,
            classes,
            None if vision.adapt == "none" else _target(unlabelled, vision),
            load_backbone(self.settings.backbone, self.settings.weights),
            self.settings,
            vision,
        )
        self.network, facts = trained_once(lesson) if _on_disk(pictures) else train_vision(lesson)
        return facts

    def training_features(self, pictures: Samples) -> np.ndarray:
        """Return float32 (n, views, d): features of training pictures as those who learn from them should see them.

        There is one view of each, or several altered ones of the source `augmented`.
        """
        vision = self.settings.vision
        if vision is None or not self.trains:
            return self.features(pictures)[:, None]
        from insula.systems.bmci.vision import training_views

        return training_views(self.network, pictures.read("picture"), vision, self.settings.seed)

    def save(self, folder: Path) -> None:
        """Write the network's weights to `backbone.safetensors`; gradients have none."""
        if self.network is not None:
            from safetensors.torch import save_file

            save_file(self.network.state_dict(), folder / "backbone.safetensors")

    def _extract(self, pictures: np.ndarray) -> np.ndarray:
        if self.network is None:
            from insula.faces.gradients import gradient_features

            return gradient_features(pictures)
        if self.trains:
            from insula.networks.bottleneck import bottleneck_features

            return bottleneck_features(self.network, pictures)
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
        if not self.trains and _on_disk(samples) and isinstance(store, ArrayStore):

            def build(folder: Path) -> None:
                np.save(folder / "features.npy", self._extract(np.asarray(store.values)))

            folder = Cache().folder("picture-features", self._key(store), build)
            return np.load(folder / "features.npy", mmap_mode="r")[samples.rows("picture")]
        unique, place = unique_pictures(samples)
        return self._extract(unique.read("picture"))[place]


def _target(unlabelled: Samples | None, vision: Vision) -> np.ndarray:
    """Return the pictures to adapt to."""
    if unlabelled is not None:
        unique, _ = unique_pictures(unlabelled.select(unlabelled.has("picture")))
        if len(unique) > 1:
            return unique.read("picture")
    if vision.target == "test":
        needs = "use a protocol with target=unlabelled, or set vision.target=pool"
        raise SettingsError("the network adapts to the test pictures, and none were given", where="vision", do=needs)
    needs = "give pictures without a label, or set vision.adapt=none and vision.target=none"
    raise SettingsError("the network adapts to a pool of pictures, and none were given", where="vision", do=needs)


def _on_disk(samples: Samples) -> bool:
    """Say whether the pictures lie in one store in the cache on disk."""
    store = samples.store("picture")
    one = len(set(samples.table["picture_store"])) == 1
    return one and isinstance(store, ArrayStore) and isinstance(store.values, np.memmap)


def unique_pictures(samples: Samples) -> tuple[Samples, np.ndarray]:
    """Return one sample a picture, and for each sample the place of its picture among them."""
    keys = pd.MultiIndex.from_frame(samples.table[["picture_store", "picture_row"]])
    codes, unique = pd.factorize(keys)
    first = np.full(len(unique), -1)
    first[codes[::-1]] = np.arange(len(codes))[::-1]
    return samples.select(first), codes

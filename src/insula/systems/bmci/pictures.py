"""BMCI's reader of pictures: as every system's, or with a backbone trained here."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from insula.errors import DataError, SettingsError
from insula.samples import ArrayStore, Samples
from insula.systems.bmci.settings import BMCISettings, Vision
from insula.systems.pictures import PictureReader, stored_pictures, unique_pictures

if TYPE_CHECKING:
    from torch import nn


class TrainedReader(PictureReader):
    """Reads pictures with a backbone that is trained first, where the settings say so.

    A network trained on pictures that lie in the cache on disk is cached beside them; what it says of them is not.

    Parameters
    ----------
    settings : BMCISettings
        Which features.
    weights : Path, optional
        The file that `save` wrote.
    """

    settings: BMCISettings

    @property
    def trains(self) -> bool:
        """Whether features come from a backbone trained here; else they are those of the backbone as it came."""
        return self.settings.vision is not None and self.settings.vision.source != "frozen"

    @cached_property
    def network(self) -> Any:
        """The backbone, with its bottleneck where it is trained; None for gradients, which have no weights."""
        if not self.trains:
            return super().network
        from insula.networks.bottleneck import load_bottleneck

        if self.weights is None:
            raise DataError("the backbone has not been trained yet", do="fit first")
        return load_bottleneck(self.settings.backbone, self.weights, self.settings.picture_size)

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
        from insula.systems.bmci.vision import VisionData, feature_gap, train_vision, trained_once

        if not self.trains:
            unseen = self.features(held) if len(held) else np.empty((0, 0), np.float32)
            return {"gap": feature_gap(self.training_features(pictures), unseen, None)}
        values = pictures.read("picture")
        data = VisionData(
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
        self.network, facts = train_vision(data) if stored_pictures(pictures) is None else trained_once(data)
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

    def as_module(self) -> nn.Module:
        """Return the same in torch: pictures, uint8 (n, height, width, 3), to features, float32 (n, d)."""
        if not self.trains:
            return super().as_module()
        from insula.networks.bottleneck import Embedded

        return Embedded(self.network)

    def _cached_beside(self, samples: Samples) -> ArrayStore | None:
        store = super()._cached_beside(samples)
        return None if self.trains else store

    def _extract(self, pictures: np.ndarray) -> np.ndarray:
        if not self.trains:
            return super()._extract(pictures)
        from insula.networks.bottleneck import bottleneck_features

        return bottleneck_features(self.network, pictures)


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

"""Face recognisers to compare with: networks of timm with several losses, and a linear one on frozen features."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from pydantic import Field

from insula.emotions import Categorical, Votes
from insula.samples import Samples
from insula.systems.baselines.plain import PlainClassifier
from insula.systems.picture_network import PictureNetwork, PictureNetworkSettings
from insula.systems.pictures import PictureReader, PictureSettings

if TYPE_CHECKING:
    import torch
    from torch import nn

    from insula.training.engine import Loss


class FaceNetworkSettings(PictureNetworkSettings):
    """The settings of `PictureNetworkSettings`, and which loss is used beside the cross-entropy.

    Parameters
    ----------
    votes : str or None
        Learn the shares of raters' votes, from the columns `votes_CLASS` for `votes: votes`; a sample that nobody voted
        on is learnt by its label. Answers are still compared with labels.
    centre : float
        Weight of the centre loss; 0.003 in its source.
    contrast, temperature : float
        Weight of supervised contrast, of the features that the classifier reads, and its temperature.
    """

    votes: str | None = None
    centre: float = Field(0.0, ge=0)
    contrast: float = Field(0.0, ge=0)
    temperature: float = Field(0.1, gt=0)


class FaceNetwork(PictureNetwork):
    """A network of timm and a linear classifier, trained as a whole.

    Any architecture will do: `resnet18`, `resnet50`, `mobilenetv3_large_100`, `tf_efficientnet_lite0`,
    `efficientnet_b0`, `vit_tiny_patch16_224`. With the defaults the loss is the cross-entropy with the labels.

    References
    ----------
    Label smoothing: Szegedy et al., CVPR 2016. Votes: Barsoum et al., ICMI 2016 (cross-entropy with the shares).
    Centre loss: Wen et al., ECCV 2016. Supervised contrast: Khosla et al., NeurIPS 2020, here beside the cross-entropy
    and without a projection of its own.
    """

    Settings: ClassVar[type[PictureNetworkSettings]] = FaceNetworkSettings
    modes: ClassVar[Mapping[str, str]] = {"network": "face network"}
    warm_start: ClassVar = True

    def _network(self, classes: int, *, pretrained: bool = True) -> nn.Module:
        from insula.networks.face_classifiers import ShowsFeatures

        return self._of(ShowsFeatures, classes, pretrained)

    def _targets(self, pictures: Samples, task: Categorical) -> torch.Tensor:
        import torch

        shares = np.eye(len(task.classes))[task.targets(pictures.table)]
        if self.settings.votes is not None:
            voted = Votes(label=self.settings.votes, classes=task.classes).targets(pictures.table)
            shares = np.where(np.isnan(voted), shares, voted)
        return torch.from_numpy(shares.astype(np.float32))

    def _loss(self, pictures: Samples, task: Categorical) -> Loss:
        from insula.objectives.faces import FaceLoss

        network: Any = self.network
        chosen = self.settings.model_dump(include={"label_smoothing", "centre", "contrast", "temperature"})
        return FaceLoss(len(task.classes), network.head.in_features, **chosen)


class SelfCureSettings(PictureNetworkSettings):
    """The settings of `PictureNetworkSettings`, and what the Self-Cure Network adds, with its source's values.

    Parameters
    ----------
    share, margin : float
        Part of a batch that counts as confident, and the gap wanted between its mean confidence and that of the rest.
    ranking : float
        Weight of that demand; the cross-entropy has the rest of 1.
    relabel_from : int or None
        First epoch, from 0, in which doubtful labels are changed; None: never.
    relabel_margin : float
        By how much another class must be more probable than the label.
    """

    share: float = Field(0.7, gt=0, lt=1)
    margin: float = Field(0.15, ge=0)
    ranking: float = Field(0.5, ge=0, lt=1)
    relabel_from: int | None = 10
    relabel_margin: float = Field(0.2, ge=0)


class SelfCureNetwork(PictureNetwork):
    """SCN: doubtful pictures count less, and their labels may be changed.

    References
    ----------
    Wang, Peng, Yang, Lu, Qiao, "Suppressing uncertainties for large-scale facial expression recognition", CVPR 2020.
    """

    Settings: ClassVar[type[PictureNetworkSettings]] = SelfCureSettings
    modes: ClassVar[Mapping[str, str]] = {"network": "Self-Cure Network"}
    warm_start: ClassVar = True

    def _network(self, classes: int, *, pretrained: bool = True) -> nn.Module:
        from insula.networks.face_classifiers import Confident

        return self._of(Confident, classes, pretrained)

    def _targets(self, pictures: Samples, task: Categorical) -> torch.Tensor:
        import torch

        labels = task.targets(pictures.table)
        return torch.from_numpy(np.column_stack([labels, np.arange(len(labels))]))

    def _loss(self, pictures: Samples, task: Categorical) -> Loss:
        import torch

        from insula.objectives.faces import SelfCure

        chosen = self.settings.model_dump(include={"share", "margin", "ranking", "relabel_from", "relabel_margin"})
        self.cure = SelfCure(torch.from_numpy(task.targets(pictures.table)), **chosen)
        return self.cure

    def _train(self, pictures: Samples, held: Samples, before: Any = None) -> None:
        super()._train(pictures, held, before)
        self.facts["labels_changed"] = self.cure.changed


class FrozenFeaturesSettings(PictureSettings):
    """Which features are read, and how far the classifier is held back.

    Parameters
    ----------
    penalty : float
        `C` of the logistic regression: the smaller, the simpler.
    seed : int
        Of no consequence: nothing is drawn by lot.
    """

    modality: ClassVar = "picture"
    penalty: float = Field(0.01, gt=0)
    seed: int = 0


class FrozenFeatures(PlainClassifier):
    """Logistic regression on standardised features of a network that does not learn, or on gradients.

    Features are computed once and cached: any number of folds, seeds and labels costs no more.
    """

    Settings: ClassVar = FrozenFeaturesSettings
    trains_on: ClassVar[tuple[str, ...]] = ("picture",)
    modes: ClassVar[Mapping[str, str]] = {"frozen": "logistic regression on frozen features"}

    def __init__(self, settings: Any = None) -> None:
        super().__init__(settings)
        self.reader = PictureReader(self.settings)

    def _classifier(self, train: Samples, features: np.ndarray, targets: np.ndarray) -> Any:
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        return make_pipeline(StandardScaler(), LogisticRegression(C=self.settings.penalty, max_iter=2000))

    def _features(self, samples: Samples) -> np.ndarray:
        return self.reader.features(samples)

    def _features_module(self) -> nn.Module:
        return self.reader.as_module()

    def _save(self, folder: Path) -> dict[str, Any]:
        self.reader.save(folder)
        return super()._save(folder)

    def _load(self, folder: Path, about: dict[str, Any]) -> None:
        super()._load(folder, about)
        weights = folder / "backbone.safetensors"
        self.reader = PictureReader(self.settings, weights if weights.is_file() else None)

"""Settings of BMCI and its two presets."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from insula.errors import SettingsError
from insula.storage.settings import Settings
from insula.systems.pictures import PictureSettings
from insula.training.settings import Training

Brain = Literal["eeg", "class-code", "shuffled-within", "shuffled", "visual-logits"]
Regressor = Literal["forest", "extra-trees", "kernel-ridge", "ridge", "partial-least-squares", "perceptron"]


class VisionTraining(Training):
    """How the picture network is trained: the defaults are those usual for deep adaptation networks.

    Long et al. (2015), Learning transferable features with deep adaptation networks, ICML.

    Where the discrepancy is minimised its gradient grows as the features shrink: a network that is not pretrained, far
    from its target, may collapse unless `gradient_clip` is set.
    """

    epochs: int = 20
    patience: int = 20
    batch_size: int = 32
    learning_rate: float = 3e-3
    weight_decay: float = 5e-4
    optimiser: Literal["adamw", "sgd"] = "sgd"
    decay: float = Field(3e-4, ge=0)
    gradient_clip: float | None = None


class Vision(Settings):
    """How a timm backbone is trained on the pictures of the fold; without it the backbone stays frozen.

    Parameters
    ----------
    source : str
        Where the picture's features are read from: `bottleneck` (the source's way: training pictures look far cleaner
        than new ones), `augmented` (the bottleneck of several altered views of each training picture), or `frozen`
        (the backbone as it came: nothing is trained).
    width, views : int, int
        Of the bottleneck; altered views of a training picture.
    adapt : str
        `none`, `mmd` (DAN: multi-kernel maximum mean discrepancy) or `adversarial` (DANN) between training pictures and
        the target.
    target : str
        `none`; `pool`, the training rows without a label; or `test`, the test pictures without labels (transductive:
        the protocol must allow it, and every table says so).
    training : VisionTraining
        Of the network; a pretrained backbone learns at a tenth of the rate.
    """

    source: Literal["bottleneck", "augmented", "frozen"] = "augmented"
    width: int = 256
    views: int = 4
    adapt: Literal["none", "mmd", "adversarial"] = "none"
    target: Literal["none", "pool", "test"] = "none"
    training: VisionTraining = VisionTraining()

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if (self.adapt == "none") != (self.target == "none"):
            raise SettingsError("adapting needs a target, and a target a way to adapt", where="vision",
                                do="set adapt and target, or neither")  # fmt: skip
        if self.source == "frozen" and self.adapt != "none":
            raise SettingsError("frozen features cannot be adapted", where="vision.source", do="use augmented")
        return self


class BMCISettings(PictureSettings):
    """How BMCI learns; the defaults are the preset `quick`.

    Parameters
    ----------
    backbone, weights, grid, picture_size
        How pictures are read, as in `PictureSettings`.
    vision : Vision or None
        Training of the backbone; None leaves it frozen.
    encoder : str
        `gru`, the stacked recurrent network of the source, or `linear`, shrinkage discriminant analysis of the
        binned epoch: a fast stand-in for grids of many fits.
    time_bins : int or None
        The epoch is averaged into so many bins; None keeps every sample.
    training : Training
        Of the recurrent network.
    subjects : int or None
        At most so many subjects, those with the most pictures; None for all.
    folds : int
        Folds of the cross-fitted embeddings and of the out-of-fold virtual EEG.
    embeddings : str
        `out-of-fold`, or `in-fold` as in the source, where a network embeds the epochs it was trained on: the
        embedding is then close to the label itself.
    regressors : tuple of str
        Ways from picture features to embedding; for each subject the one with the best out-of-fold R2 on training
        pictures is taken.
    trees, max_features, min_samples_leaf : int, str or float, int
        Of the random forest.
    components : int or None
        The forest reads so many principal components of the picture features; None for all.
    target_dimensions : int or None
        So many principal components of the embedding are predicted; None for the standardised embedding whole.
    policy : str
        How subjects are used: `mean` (a classifier each, probabilities weighted by R2), `best` (that of the best
        out-of-fold R2) or `concat` (one classifier on the 32 main components of each subject's virtual EEG).
    classifier_reads : str
        What the fusion classifier is trained on: `virtual` EEG, out-of-fold, which is what it meets in use; or `real`
        EEG, an ablation.
    penalties : tuple of float
        Inverse strengths C tried for every classifier, picture-only and fused alike.
    brain : str
        What stands in for the embedding: `eeg`, or one of the placebos.
    refuse_above, silent_above : float, float
        Out-of-distribution scores (1 is stranger than 95 % of training pictures of people left out; about 1 in 50 of
        those should pass 1.25, and 1 in 150 pass 1.5). Above the first no virtual EEG is used: the prediction falls
        back to `visual`, and says so. Above the second the system says why it would rather not answer.
    coverage : float
        Share of new pictures whose prediction set must hold the label.
    seed : int
        Of everything random.
    """

    vision: Vision | None = None
    encoder: Literal["gru", "linear"] = "gru"
    time_bins: int | None = 25
    training: Training = Training()
    subjects: int | None = 3
    folds: int = 3
    embeddings: Literal["out-of-fold", "in-fold"] = "out-of-fold"
    regressors: tuple[Regressor, ...] = ("forest", "ridge")
    trees: int = 100
    max_features: Literal["sqrt"] | float = "sqrt"
    min_samples_leaf: int = 2
    components: int | None = 32
    target_dimensions: int | None = 16
    policy: Literal["mean", "best", "concat"] = "mean"
    classifier_reads: Literal["virtual", "real"] = "virtual"
    penalties: tuple[float, ...] = (0.001, 0.01, 0.1, 1.0, 10.0, 100.0)
    brain: Brain = "eeg"
    refuse_above: float = 1.25
    silent_above: float = 1.5
    coverage: float = Field(0.9, gt=0.5, lt=1)
    seed: int = 0

    @model_validator(mode="after")
    def _can_be_trained(self) -> Self:
        if self.vision is not None and (self.backbone == "gradients" or self.grid != 1):
            raise SettingsError("vision trains a timm backbone whose last map is averaged whole", where="vision",
                                do="name a backbone such as resnet18, with grid 1, or set vision to null")  # fmt: skip
        return self


PRESETS: dict[str, dict[str, object]] = {
    "quick": {},
    "paper": {
        "backbone": "resnet50",
        "weights": "download",
        "picture_size": 224,
        "vision": Vision(),
        "time_bins": None,
        "training": Training(epochs=100, patience=15),
        "subjects": None,
        "folds": 5,
        "regressors": ("forest",),
        "trees": 500,
        "max_features": 1 / 3,
        "components": None,
        "target_dimensions": None,
    },
    "tiny": {"encoder": "linear", "trees": 10, "folds": 2, "time_bins": 10, "penalties": (0.01, 1.0)},
}
"""`quick`: minutes on two cores. `paper`: the source's sizes, hours on two cores."""

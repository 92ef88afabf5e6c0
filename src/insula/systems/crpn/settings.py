"""Settings of CRPN and its presets."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from insula.errors import SettingsError
from insula.storage.settings import Settings
from insula.systems.picture_network import PictureNetworkSettings
from insula.training.settings import Training

Arm = Literal["crpn", "distillation", "percept-only", "teacher"]


class CRPNTraining(Training):
    """How the perceptual pathway is trained; the rate starts anew every five epochs, and the last weights are kept."""

    epochs: int = 40
    learning_rate: float = 1e-4
    weight_decay: float = 1e-5
    optimiser: Literal["adamw", "adam", "sgd"] = "adam"
    schedule: Literal["power", "cosine", "restarts", "triangle", "triangle-by-step"] = "restarts"
    gradient_clip: float | None = None
    keep: Literal["best", "last"] = "last"


class TeacherTraining(CRPNTraining):
    """How the conceptual pathway is trained."""

    epochs: int = 100


class Teacher(Settings):
    """The conceptual pathway and what it minimises.

    Parameters
    ----------
    backbone, weights
        Of both encoders, as in `PictureNetworkSettings`; `resnet50-caffe` is the graph of the published VGGFace2
        weights, whose pickle of arrays may be given.
    confidence : bool
        Whether a confidence multiplies the logits, under rank regularisation.
    truth : float
        Weight of what teaches the confidence how probable the label is by the logits alone
        (`insula.objectives.confidence.true_class_error`); the confidence then has a hidden layer. 0 as in the source,
        where only ranks and the weighted cross-entropy teach it.
    cosine_scale : float or None
        Logits are cosines with one direction a class, times this; None for a perceptron, as in the released code.
    task_loss : {"ce", "focal"}
        Of these logits.
    class_weights : dict
        Weights of classes in the focal loss, by name; 1 for a class that is not named.
    orthogonality, contrast : float
        Weights of what keeps emotion and other features apart, and of the supervised contrast; 0 leaves it out.
    reduction : str
        Scale of the first: see `insula.objectives.orthogonality.shared_directions`.
    positives, include_self
        Of the second: see `insula.objectives.contrast.supervised_contrast`.
    scalar_views : bool
        As in the released code, contrast every single number of the features with every other: 1 GB a batch, and no
        meaning.
    confident_share, margin : float
        Of the rank regularisation.
    training : TeacherTraining
        Epochs, optimiser, device.
    """

    backbone: str = "resnet50"
    weights: str | None = None
    confidence: bool = True
    truth: float = Field(0, ge=0)
    cosine_scale: float | None = Field(None, gt=0)
    task_loss: Literal["ce", "focal"] = "ce"
    class_weights: dict[str, float] = Field(default={})
    orthogonality: float = Field(0.1, ge=0)
    contrast: float = Field(0.01, ge=0)
    reduction: Literal["sum", "mean_pp", "mean_nn", "per_sample"] = "mean_pp"
    positives: Literal["mean", "sum"] = "mean"
    include_self: bool = False
    scalar_views: bool = False
    confident_share: float = Field(0.7, gt=0, lt=1)
    margin: float = Field(0.15, ge=0, le=1)
    training: TeacherTraining = TeacherTraining()


class Concepts(Settings):
    """What of the teacher the student imitates.

    Parameters
    ----------
    quantile : float
        This share of each class, the least confident, is doubtful.
    strict : bool
        Whether a sample at the threshold is doubtful, too.
    altered : bool
        Whether confidences are those of altered pictures, as in the released code, instead of the pictures as they are.
    gate : {"stored", "online"}
        Which confidence tells the sure from the doubtful: that of the statistics, or of the altered view at hand.
    pool : {"cached", "online"}
        Whether features of sure samples are those of the statistics, or of pictures read and altered anew.
    count : int
        A doubtful sample's target is the mean of so many sure ones of its class.
    renormalise : bool
        Whether that mean is scaled to length 1.
    similarity : {"mse", "mmd"}
        Squared distance to the target, summed over features; or multi-kernel discrepancy between the batches of both.
    logits : {"scaled", "unscaled"}
        Whether the teacher's logits are multiplied by its confidence.
    temperature : float
        Of the distillation.
    stand_in : str
        A placebo: `shuffled-confidence` opens the gate at random, to the same share of each class; `random-classes`
        fills each pool with sure samples of all classes.
    """

    quantile: float = Field(0.2, ge=0, lt=1)
    strict: bool = False
    altered: bool = False
    gate: Literal["stored", "online"] = "stored"
    pool: Literal["cached", "online"] = "cached"
    count: int = Field(8, ge=1)
    renormalise: bool = False
    similarity: Literal["mse", "mmd"] = "mse"
    logits: Literal["scaled", "unscaled"] = "scaled"
    temperature: float = Field(1.0, gt=0)
    stand_in: Literal["none", "shuffled-confidence", "random-classes"] = "none"

    @model_validator(mode="after")
    def _drawn_once(self) -> Self:
        if self.stand_in == "shuffled-confidence" and self.gate == "online":
            raise SettingsError("doubtful samples are drawn at random once, not for each view", where="concepts.gate",
                                do="set concepts.gate=stored")  # fmt: skip
        return self


class CRPNSettings(PictureNetworkSettings):
    """How CRPN learns; the defaults are the preset `default`.

    Parameters
    ----------
    arm : str
        What is trained: `crpn`; `distillation`, in which the student imitates the teacher on every sample;
        `percept-only`, the student from labels alone; or `teacher`, the conceptual pathway, which then predicts.
    backbone, weights, sizes, augment, label_smoothing, silent_above, coverage, seed
        Of the perceptual pathway, as in `PictureNetworkSettings`; sizes and augment hold for both pathways. Backbones
        that were pretrained learn as fast as the rest.
    width, dropout : int, float
        Of the features of both pathways; inside their perceptrons.
    label_weight, similarity_weight, distillation_weight : float
        Of the student's losses.
    training : CRPNTraining
        Of the perceptual pathway.
    teacher : Teacher
        The conceptual pathway.
    concepts : Concepts
        What the student takes from it.
    identity : CRPNTraining or None
        How a copy of the teacher's other encoder is then fine-tuned to tell the people of the training pictures apart:
        a probe of what its features can hold, of which nothing is saved. None for no probe.
    """

    arm: Arm = "crpn"
    width: int = Field(256, ge=1)
    dropout: float = Field(0.4, ge=0, lt=1)
    label_weight: float = Field(2.0, ge=0)
    similarity_weight: float = Field(1.0, ge=0)
    distillation_weight: float = Field(1.0, ge=0)
    training: CRPNTraining = CRPNTraining()
    teacher: Teacher = Teacher()
    concepts: Concepts = Concepts()
    identity: CRPNTraining | None = None

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.arm == "crpn" and not self.teacher.confidence:
            raise SettingsError("without a confidence there are no doubtful samples", where="teacher.confidence",
                                do="set arm=distillation, or teacher.confidence=true")  # fmt: skip
        if self.arm == "percept-only" and self.identity is not None:
            raise SettingsError("the probe is of the conceptual pathway, and this arm has none", where="identity",
                                do="leave it out, or set arm=teacher")  # fmt: skip
        return self


_RELEASED_WEIGHTS = {"anger": 0.7, "disgust": 0.8, "fear": 0.9, "happiness": 0.2, "neutral": 0.4, "sadness": 0.4,
                     "surprise": 0.6}  # fmt: skip
_RELEASED = {"betas": (0.5, 0.999), "schedule": "triangle-by-step"}
_NETWORKS = {"backbone": "resnet50-caffe"}
_TINY = {
    "backbone": "small-cnn",
    "training": {"epochs": 12, "patience": 12, "batch_size": 16, "learning_rate": 3e-3},
}

PRESETS: dict[str, dict[str, object]] = {
    "default": {},
    "paper": {
        "sizes": (224,),
        "teacher": Teacher(**_NETWORKS, reduction="sum", positives="sum", include_self=True),
        "concepts": Concepts(strict=True),
    },
    "code": {
        "sizes": (224,),
        "arm": "distillation",
        "training": CRPNTraining(**_RELEASED),
        "teacher": Teacher(
            **_NETWORKS, task_loss="focal", class_weights=_RELEASED_WEIGHTS, training=TeacherTraining(**_RELEASED)
        ),
        "concepts": Concepts(altered=True, pool="online", similarity="mmd"),
    },
    "tiny": {**_TINY, "teacher": _TINY, "width": 32, "augment": False},
}
"""`default`: as the source means it, on a scale that trains. `paper`: the formulas as printed, with the
released classifier of two layers. `code`: what was
released, but for its contrast of single numbers (`teacher.scalar_views`) and thresholds filed under wrong classes; its
command trains `distillation`, and `arm=crpn` the method with its other choices."""

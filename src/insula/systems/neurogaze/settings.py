"""Settings of NeuroGaze-Distill and its presets."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from insula.errors import SettingsError
from insula.storage.settings import Settings
from insula.systems.picture_network import TINY, PictureNetworkSettings
from insula.training.settings import Training

Arm = Literal["full", "prototypes", "distilled", "visual"]
Source = Literal["eeg", "random-prototypes", "shuffled-grid", "handmade", "shuffled-ratings"]

ARMS: dict[Arm, str] = {
    "full": "B3: distillation, EEG prototypes and geometry",
    "prototypes": "B2: distillation and EEG prototypes",
    "distilled": "B1: distillation",
    "visual": "B0: cross-entropy alone",
}
"""Students by what they learn from, the whole method first."""


class Ratings(Settings):
    """Where a corpus keeps what people felt.

    Parameters
    ----------
    valence, arousal : str
        Columns.
    scale : (low, high)
        Ends of both ratings.
    scales : mapping of str to (low, high)
        The ends in corpora that have other ones, by name of corpus.
    """

    valence: str = "valence"
    arousal: str = "arousal"
    scale: tuple[float, float] = (1.0, 5.0)
    scales: dict[str, tuple[float, float]] = Field({})


class Teacher(Settings):
    """The network on EEG, and the prototypes that it makes.

    Parameters
    ----------
    bands : tuple of str
        Of `insula.eeg.features.BANDS`; one map each.
    map_size : int
        Pixels along an edge of a map.
    widths, width, dropout
        Of `insula.networks.topographic.TopographicNetwork`.
    ratings : Ratings
        What it learns.
    validation_share : float
        Share of the people of whose EEG the prototypes are made, and on whom the epoch is chosen; nobody else is
        trained on.
    grid : int
        Cells along each axis of the plane of valence and arousal.
    key : str
        Whether a window's cell is that of its `rating` or of the teacher's `prediction`.
    centre_people : bool
        Whether each person's mean feature is subtracted before prototypes are averaged.
    support : str
        What is done with EEG without these ratings: `none`; `pseudo`, windows of which the teacher is surer than of
        half of them join the cell it says; `labels`, they join the cell of `support_ratings`.
    support_weight : float
        Of such a window, beside 1 of a rated one.
    support_ratings : Ratings
        Of such windows, for `labels`.
    training : Training
        Of the network.
    """

    bands: tuple[str, ...] = ("theta", "alpha", "beta", "gamma")
    map_size: int = Field(32, ge=8)
    widths: tuple[int, ...] = (32, 64, 128, 256)
    width: int = Field(256, ge=2)
    dropout: float = Field(0.2, ge=0, lt=1)
    ratings: Ratings = Ratings()
    validation_share: float = Field(0.2, gt=0, lt=1)
    grid: int = Field(5, ge=2)
    key: Literal["rating", "prediction"] = "rating"
    centre_people: bool = False
    support: Literal["none", "pseudo", "labels"] = "pseudo"
    support_weight: float = Field(0.5, gt=0)
    support_ratings: Ratings = Ratings(valence="felt_valence", arousal="felt_arousal", scale=(1.0, 9.0))
    training: Training = Training(epochs=60, patience=60, batch_size=256, learning_rate=1e-3)

    @model_validator(mode="after")
    def _maps_fit(self) -> Self:
        if self.map_size < 2 ** len(self.widths):
            what = f"maps of {self.map_size} pixels cannot be halved {len(self.widths)} times"
            raise SettingsError(what, where="teacher.widths", do="give fewer widths, or a larger map_size")
        return self


class Geometry(Settings):
    """The geometry of classes; see `insula.objectives.geometry.ClassGeometry`.

    Parameters
    ----------
    weight : float
        Of the loss.
    classes : tuple of str
        Classes whose spread is capped; one that the task lacks is passed over.
    start, end : int
        Epochs between which the loss grows from nothing to its whole weight.
    cap, margin, gate, momentum : float
        Of the geometry. The source names a `hard_gate` of 0.2 and no more; what it gates is our guess.
    """

    weight: float = Field(0.012, ge=0)
    classes: tuple[str, ...] = ("happiness", "surprise")
    start: int = Field(20, ge=0)
    end: int = Field(60, ge=1)
    cap: float = Field(0.8, gt=0)
    margin: float = Field(0.5, ge=0)
    gate: float = Field(0.2, ge=0, lt=1)
    momentum: float = Field(0.9, ge=0, lt=1)

    @model_validator(mode="after")
    def _forward(self) -> Self:
        if self.end <= self.start:
            raise SettingsError(f"the ramp ends at {self.end} and starts at {self.start}", where="geometry.end",
                                do="let it end later than it starts")  # fmt: skip
        return self


class NeuroGazeSettings(PictureNetworkSettings):
    """How the teacher, its prototypes and the students learn; the students' part is as in `PictureNetworkSettings`.

    Parameters
    ----------
    backbone, weights, sizes, augment, label_smoothing, silent_above, coverage, training, seed
        As in `PictureNetworkSettings`, but that a pretrained backbone learns at the whole rate, which is low. The last
        epoch is kept, as every loss has its whole weight in it.
    class_weights : bool
        Whether a class counts inversely to the root of its frequency, one on average.
    arms : tuple of str
        Students that are trained; the first is the answer, the others are for comparison and are not bundled.
    prototypes : str
        Where prototypes come from: `eeg`, or one of the placebos.
    teacher : Teacher
        The network on EEG.
    kd_teacher : str
        Whose logits are distilled: `votes` (the logarithm of the raters' shares, smoothed as labels are), `image` (a
        network trained here on the same pictures), `affect` (classes by how near their anchors are), `none`; `auto`
        takes votes where there are any, else the network.
    kd_loss, kd_weight, kd_temperature : str, float, float
        `mse` (`insula.objectives.logit_distillation.logit_distance`) or `kl` (`softened_divergence`).
    image_teacher : str
        The architecture of the network that teaches; it has the student's weight file where it is the same one, and
        downloads its own where the student does.
    votes : str
        Beginning of the columns of raters' votes, as in `insula.emotions.Votes`.
    anchors : mapping of str to (valence, arousal)
        Places of classes, over those of `insula.emotions.ANCHORS`.
    proto_weight, proto_tau, proto_temperature : float
        Of the loss on prototypes; cosines are divided by both. The source nests a temperature of 5 here in one place
        and under distillation in another.
    proto_target : str
        What is wanted of a picture's affinities: `self`, those of its class's own prototype; `gaussian`, a Gaussian
        around the class's anchor; `mixture`, as `self` at the mean anchor of its votes.
    proto_sigma : float
        Of that Gaussian.
    geometry : Geometry
        Of the classes.
    read_tau : float
        Sharpness of the readout of valence and arousal.
    """

    label_smoothing: float = Field(0.055, ge=0, lt=1)
    training: Training = Training(
        epochs=100, batch_size=128, learning_rate=2e-4, weight_decay=0.05, schedule="cosine", least_rate=1e-6,
        warm_up=5, channels_last=True, keep="last",
    )  # fmt: skip
    class_weights: bool = True
    arms: tuple[Arm, ...] = Field(tuple(ARMS), min_length=1)
    prototypes: Source = "eeg"
    teacher: Teacher = Teacher()
    kd_teacher: Literal["auto", "votes", "image", "affect", "none"] = "auto"
    kd_loss: Literal["mse", "kl"] = "mse"
    kd_weight: float = Field(0.3, ge=0)
    kd_temperature: float = Field(5.0, gt=0)
    image_teacher: str = "resnet50"
    votes: str = "votes"
    anchors: dict[str, tuple[float, float]] = Field({})
    proto_weight: float = Field(0.12, ge=0)
    proto_tau: float = Field(0.9, gt=0)
    proto_temperature: float = Field(1.0, gt=0)
    proto_target: Literal["self", "gaussian", "mixture"] = "self"
    proto_sigma: float = Field(0.4, gt=0)
    geometry: Geometry = Geometry()
    read_tau: float = Field(0.05, gt=0)

    def of_arm(self, arm: str) -> NeuroGazeSettings:
        """Return the settings with the weights of one of `ARMS`."""
        place = list(ARMS)[::-1].index(arm)  # type: ignore[arg-type]
        return self.model_copy(
            update={
                "kd_weight": self.kd_weight if place >= 1 else 0.0,
                "proto_weight": self.proto_weight if place >= 2 else 0.0,
                "geometry": self.geometry if place >= 3 else self.geometry.model_copy(update={"weight": 0.0}),
            }
        )


QUICK: dict[str, object] = {
    "backbone": "test_efficientnet",
    "image_teacher": "test_efficientnet",
    "training": Training(
        epochs=20, batch_size=32, learning_rate=2e-3, weight_decay=0.05, schedule="cosine", least_rate=1e-6,
        warm_up=1, keep="last",
    ),
    "geometry": Geometry(start=4, end=12),
    "teacher": Teacher(
        map_size=16,
        widths=(16, 32, 64),
        training=Training(epochs=15, patience=15, batch_size=128, learning_rate=1e-3),
    ),
}  # fmt: skip
"""Minutes on two cores: a tiny network, and the same ramp over a fifth of the epochs."""

PRESETS: dict[str, dict[str, object]] = {
    "quick": QUICK,
    "tiny": {
        **TINY,
        "backbone": "test_resnet",
        "image_teacher": "test_resnet",
        "training": {**TINY["training"], "keep": "last"},
        "geometry": {"start": 3, "end": 8},
        "teacher": {"map_size": 8, "widths": (8,), "width": 32, "training": {"epochs": 5}},
    },
}

"""Settings of UCMC."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from insula.errors import SettingsError
from insula.storage.settings import Settings
from insula.training.settings import Training


class StudentTraining(Training):
    """How the student is trained, in every arm."""

    epochs: int = 60
    patience: int = 10


class TeacherTraining(Training):
    """How the teacher is trained."""

    epochs: int = 30
    patience: int = 10
    optimiser: Literal["adamw", "adam", "sgd"] = "adam"


class Teacher(Settings):
    """The network on faces.

    Parameters
    ----------
    encoder : {"mlp", "tcn"}
        `mlp`: a row alone. `tcn`: rows of a trial as a sequence, as for the student.
    backbone, weights : str, str or None
        What reads a row that is a picture: `small-cnn` or any timm architecture, and its weights, as in
        `PictureNetworkSettings`. What was pretrained learns at a tenth of the learning rate.
    training : TeacherTraining
        Epochs, optimiser, device.
    """

    encoder: Literal["mlp", "tcn"] = "mlp"
    backbone: str = "small-cnn"
    weights: str | None = None
    training: Training = TeacherTraining()


class UCMCSettings(Settings):
    """How UCMC learns.

    Parameters
    ----------
    eeg, face : str
        Modalities of the student and of the teacher: `features` or `eeg`; `face_features` or `picture`.
    encoder : str
        Of the student. `mlp`: the features of a row alone. `tcn`: rows of a trial in the order of time, or, where a row
        has a time axis of its own, that row by itself. `eegnet`, `deep4net`, `tsception`: windows of signal.
    width : int
        Of the features of student and teacher.
    dropout : float
        In `mlp` and `tcn`.
    levels, kernel : int
        Of `tcn`.
    steps, hop : int
        A trial is cut into sequences of so many rows, one every `hop` rows; what is said of a row in several of them
        is averaged.
    similarity, uncertainty, distillation : bool
        Switches of the three objectives; without uncertainty there is no evidence and every row weighs the same.
    similarity_weight, uncertainty_weight, distillation_weight, contrast_weight : float
        What each objective counts beside the task; the last is that of the contrastive alignment of all pairs, with
        and without a label.
    sharpness : float
        Temperature of the affinities to prototypes and of the contrast.
    temperature : float
        At which outputs of student and teacher are compared.
    anneal : int
        Epochs in which evidence for wrong classes comes to count in full.
    equal_epochs : int
        Epochs in which every row weighs the same, because uncertainty means nothing yet.
    limit : float
        Uncertainty above which the teacher is not heard.
    guard : bool
        Whether a teacher that is worse than the student by itself on the validation part is not distilled from.
    imitation : {"outputs", "features"}
        What the arm `distillation` imitates: the teacher's outputs, or its features.
    evidential : bool
        For a continuous task: whether the student's head gives a Normal-Inverse-Gamma distribution.
    compare : bool
        Whether the arm `distillation` is trained, too.
    max_skew : float
        Seconds between face and EEG above which the face counts as absent.
    stand_in : str
        A placebo: `shuffled-faces` deals faces out anew across a subject's rows before the teacher is trained,
        `shuffled-within` does so within each class, `permuted-teacher` trains the teacher on permuted labels.
    training : StudentTraining
        Of the student.
    teacher : Teacher
        The network on faces.
    seed : int
        Of everything random.
    """

    eeg: str = "features"
    face: str = "face_features"
    encoder: Literal["mlp", "tcn", "eegnet", "deep4net", "tsception"] = "mlp"
    width: int = Field(128, ge=2)
    dropout: float = Field(0.1, ge=0, lt=1)
    levels: int = Field(2, ge=1)
    kernel: int = Field(3, ge=2)
    steps: int = Field(96, ge=1)
    hop: int = Field(32, ge=1)
    similarity: bool = True
    uncertainty: bool = True
    distillation: bool = True
    similarity_weight: float = Field(0.5, ge=0)
    uncertainty_weight: float = Field(1.0, ge=0)
    distillation_weight: float = Field(1.0, ge=0)
    contrast_weight: float = Field(0.1, ge=0)
    sharpness: float = Field(0.1, gt=0)
    temperature: float = Field(4.0, gt=0)
    anneal: int = Field(10, ge=1)
    equal_epochs: int = Field(3, ge=0)
    limit: float = Field(0.9, gt=0, le=1)
    guard: bool = True
    imitation: Literal["outputs", "features"] = "outputs"
    evidential: bool = False
    compare: bool = True
    max_skew: float = Field(0.5, ge=0)
    stand_in: Literal["none", "shuffled-faces", "shuffled-within", "permuted-teacher"] = "none"
    training: Training = StudentTraining()
    teacher: Teacher = Teacher()
    seed: int = 0

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.hop > self.steps:
            raise SettingsError(f"hop {self.hop} leaves rows out of sequences of {self.steps}", do="give hop <= steps")
        return self

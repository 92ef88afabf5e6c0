"""The bank of subjects: what each one taught, how they are used together, and who leaves it (BMCI)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.decomposition import PCA

from insula.errors import BundleError, DataError
from insula.storage.folder import load_estimator, save_estimator
from insula.systems.bmci.classification import BlockClassifier
from insula.systems.bmci.regression import VirtualEEG
from insula.systems.bmci.settings import BMCISettings

if TYPE_CHECKING:
    from insula.systems.bmci.brain import Encoder
    from insula.systems.bmci.readout import SensorReadout
    from insula.systems.bmci.training_pictures import TrainingPictures

_COMPONENTS = 32  # of each subject's virtual EEG under the policy `concat`: the specification's number


class PictureLogits:
    """Log-probabilities of the picture-only classifier: what the placebo of plain stacking has for a virtual EEG."""

    def __init__(self, classifier: BlockClassifier, classes: int) -> None:
        self.classifier, self.classes = classifier, classes

    def predict(self, visual: np.ndarray) -> np.ndarray:
        """Return float32 (n, classes)."""
        probabilities = self.classifier.predict_proba([visual], self.classes)
        return np.log(np.clip(probabilities, 1e-6, 1)).astype(np.float32)

    def spread(self, visual: np.ndarray) -> np.ndarray:
        """Return NaN, (n,): there are no trees to disagree."""
        return np.full(len(visual), np.nan)


@dataclass(frozen=True)
class MemberTraining:
    """What a member was fitted on; it stays in the process that fitted it.

    Parameters
    ----------
    visual, codes, groups : array, shape (n, d), (n, e), (n,)
        Of the pictures that the subject watched.
    virtual : array, shape (m, e)
        What classifiers read of all training pictures: virtual EEG, out-of-fold where the subject watched them; or, as
        an ablation, real EEG where there is some.
    views : int
        Rows that each picture has.
    """

    visual: np.ndarray
    codes: np.ndarray
    groups: np.ndarray
    virtual: np.ndarray
    views: int = 1


@dataclass(frozen=True)
class Member:
    """What one subject taught: the way from picture to virtual EEG, and classifiers that use it."""

    name: str
    regressor: VirtualEEG | PictureLogits
    classifiers: dict[str, BlockClassifier]  # fusion and virtual, save under `concat`; real
    r2: float  # out-of-fold, on training pictures
    encoder: Encoder | None = None  # these three only in the process that fitted: a bundle works without EEG
    fitted_on: MemberTraining | None = None
    readout: SensorReadout | None = None

    def predict_proba(self, mode: str, visual: np.ndarray, classes: int, code: np.ndarray | None = None) -> np.ndarray:
        """Return class probabilities, (n, classes), from pictures and this subject's virtual EEG, or another code."""
        code = self.regressor.predict(visual) if code is None else code
        return self.classifiers[mode].predict_proba([code] if mode == "virtual" else [visual, code], classes)


class Joint:
    """One classifier on the main components of every subject's virtual EEG, the subjects side by side.

    Embeddings of different subjects share no axes, so they are never averaged.

    Parameters
    ----------
    members : sequence of Member
        With what they were taught.
    training : TrainingPictures
        On which the classifiers are fitted.
    settings : BMCISettings
        As for every classifier.
    """

    def __init__(self, members: Sequence[Member], training: TrainingPictures, settings: BMCISettings) -> None:
        size = len(training.visual)  # a member that was added may know further pictures, behind these
        codes = {member.name: member.fitted_on.virtual[:size] for member in members if member.fitted_on is not None}
        self.reductions = {
            name: PCA(min(_COMPONENTS, *code.shape), svd_solver="full").fit(code) for name, code in codes.items()
        }
        reduced = [self.reductions[name].transform(code) for name, code in codes.items()]
        about = (training.labels, training.groups, settings)
        self.classifiers = {
            "virtual": BlockClassifier(reduced, *about),
            "fusion": BlockClassifier([training.visual, *reduced], *about),
        }

    def predict_proba(self, mode: str, visual: np.ndarray, codes: Mapping[str, np.ndarray], classes: int) -> np.ndarray:
        """Return class probabilities, (n, classes), from pictures and the virtual EEG of each subject."""
        reduced = [reduction.transform(codes[name]) for name, reduction in self.reductions.items()]
        return self.classifiers[mode].predict_proba(reduced if mode == "virtual" else [visual, *reduced], classes)

    def parts(self) -> dict[str, Any]:
        """Return what `of` rebuilds it from."""
        return {"reductions": self.reductions, **{name: made.parts() for name, made in self.classifiers.items()}}

    @classmethod
    def of(cls, parts: dict[str, Any]) -> Self:
        """Rebuild a saved one."""
        joint = cls.__new__(cls)
        joint.reductions = parts.pop("reductions")
        joint.classifiers = {name: BlockClassifier.of(part) for name, part in parts.items()}
        return joint


class Bank:
    """The members and the policy by which they answer together.

    `mean` averages the members' class probabilities, weighted by their out-of-fold R2 on training pictures (alike,
    where none is above 0); `best` takes the member of the best R2; `concat` is one classifier over all.

    Parameters
    ----------
    members : sequence of Member
        At least one.
    settings : BMCISettings
        The policy; and how `concat` fits its classifier.
    classes : int
        Classes of the task.
    training : TrainingPictures, optional
        Absent in a bundle.
    joint : Joint, optional
        Of a bundle; else fitted here where the policy is `concat`.
    """

    def __init__(
        self,
        members: Sequence[Member],
        settings: BMCISettings,
        classes: int,
        training: TrainingPictures | None = None,
        joint: Joint | None = None,
    ) -> None:
        self.members, self.settings, self.classes = tuple(members), settings, classes
        self.training, self.joint = training, joint
        if settings.policy == "concat" and training is not None:
            self.joint = Joint(self.members, training, settings)

    @property
    def names(self) -> tuple[str, ...]:
        """Subjects, in order."""
        return tuple(member.name for member in self.members)

    @property
    def weights(self) -> dict[str, float]:
        """Share of each member in a prediction; they add up to 1."""
        scores = np.array([member.r2 for member in self.members])
        if self.settings.policy == "best":
            scores = (np.arange(len(scores)) == scores.argmax()).astype(float)
        elif self.settings.policy == "concat" or scores.max() <= 0:
            scores = np.ones(len(scores))
        scores = np.maximum(scores, 0)
        return dict(zip(self.names, (scores / scores.sum()).tolist(), strict=True))

    def virtual_eeg(self, visual: np.ndarray) -> dict[str, np.ndarray]:
        """Return each member's virtual EEG, float32 (n, e)."""
        return {member.name: member.regressor.predict(visual) for member in self.members}

    def predict_proba(self, mode: str, visual: np.ndarray) -> np.ndarray:
        """Return class probabilities, (n, classes), for the mode `fusion` or `virtual`."""
        if self.joint is not None:
            return self.joint.predict_proba(mode, visual, self.virtual_eeg(visual), self.classes)
        average = np.zeros((len(visual), self.classes))
        for member, weight in zip(self.members, self.weights.values(), strict=True):
            if weight > 0:
                average += weight * member.predict_proba(mode, visual, self.classes)
        return average

    def epistemic(self, visual: np.ndarray) -> np.ndarray:
        """Return how far the trees disagree on each picture's virtual EEG, (n,); NaN where no member has trees.

        The mean over members that have trees, weighted as they are in a prediction.
        """
        spreads = np.array([member.regressor.spread(visual) for member in self.members])
        weights = np.array(list(self.weights.values()))[:, None] * np.isfinite(spreads)
        with np.errstate(invalid="ignore"):
            return (np.nan_to_num(spreads) * weights).sum(axis=0) / weights.sum(axis=0)

    def including(self, member: Member) -> Bank:
        """Return the bank with one member more, in order of name."""
        members = sorted((*self.members, member), key=lambda one: one.name)
        return Bank(members, self.settings, self.classes, self.training)

    def without(self, name: str) -> Bank:
        """Return the bank without a member.

        The others stay as they are, to the bit: each one's virtual EEG and its own class probabilities. Weights are
        shared out anew, and `concat` fits its one classifier again.

        Raises
        ------
        DataError
            Where there is no such member, or no other.
        BundleError
            Where the policy is `concat` and the training pictures are not at hand.
        """
        if name not in self.names:
            raise DataError(f"no subject {name!r}", do=f"subjects are {', '.join(self.names)}")
        if len(self.members) == 1:
            raise DataError(f"{name!r} is the last subject", do="predict in the mode `visual`, or fit another system")
        if self.joint is not None and self.training is None:
            raise BundleError(
                "one classifier of this bundle reads every subject and cannot be fitted again without the pictures",
                do="remove the subject from the fitted system, or fit with the policy mean or best",
            )
        members = [member for member in self.members if member.name != name]
        return Bank(members, self.settings, self.classes, self.training)

    def save(self, folder: Path) -> list[dict[str, Any]]:
        """Write what predicting from pictures needs; return facts about each member."""
        for number, member in enumerate(self.members):
            parts: dict[str, Any] = {name: made.parts() for name, made in member.classifiers.items() if name != "real"}
            if isinstance(member.regressor, VirtualEEG):
                parts["regressor"] = member.regressor.parts()
            save_estimator(folder / f"member{number}.skops", parts)
        if self.joint is not None:
            save_estimator(folder / "joint.skops", self.joint.parts())
        return [{"name": member.name, "r2": float(member.r2)} for member in self.members]

    @classmethod
    def load(
        cls,
        folder: Path,
        about: Sequence[Mapping[str, Any]],
        settings: BMCISettings,
        visual: BlockClassifier,
        classes: int,
    ) -> Bank:
        """Read what `save` wrote, given what it returned and the picture-only classifier."""
        members = []
        for number, fact in enumerate(about):
            parts = load_estimator(folder / f"member{number}.skops")
            regressor_parts = parts.pop("regressor", None)
            regressor = PictureLogits(visual, classes) if regressor_parts is None else VirtualEEG.of(regressor_parts)
            classifiers = {name: BlockClassifier.of(part) for name, part in parts.items()}
            members.append(Member(fact["name"], regressor, classifiers, fact["r2"]))
        joint = Joint.of(load_estimator(folder / "joint.skops")) if settings.policy == "concat" else None
        return cls(members, settings, classes, joint=joint)

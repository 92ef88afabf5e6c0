"""BMCI: brains that watched faces teach a face recogniser, which then works from the picture alone.

Source: Liu, Wang, Ling, Peng, Kong, "Emotion recognition based on brain and machine collaborative intelligence",
Chinese Journal of Intelligent Science and Technology 3(1), 65-75, 2021, doi 10.11959/j.issn.2096-6652.202107.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import yaml

from insula.emotions import Categorical, Task
from insula.errors import BundleError, DataError, SettingsError
from insula.protocols.controls import shuffle_modality
from insula.samples import FitLog, Predictions, Roles, Samples
from insula.storage.folder import load_estimator, save_estimator
from insula.systems.bmci.classification import BlockClassifier, Strangeness, visual_space
from insula.systems.bmci.estimate import estimate_seconds
from insula.systems.bmci.pictures import PictureReader, unique_pictures
from insula.systems.bmci.regression import VirtualEEG, explained_variance, out_of_fold
from insula.systems.bmci.settings import BMCISettings

log = logging.getLogger(__name__)


@dataclass
class Member:
    """What one subject taught: the way from picture to virtual EEG, and classifiers that use it."""

    name: str
    regressor: VirtualEEG | None  # None: the placebo of plain stacking, whose code is the picture-only logits
    classifiers: dict[str, BlockClassifier]  # virtual, fusion, real
    weight: float
    encoder: Any = None  # only in the process that fitted it; a bundle works without EEG


class BMCI:
    """Virtual EEG from pictures, fused with the pictures.

    Modes: `fusion` (picture and virtual EEG), `visual` (picture alone, tuned on the same grid), `virtual` (virtual EEG
    alone) and `real` (picture and real EEG: an upper bound, only where the EEG of the sample is at hand).

    Parameters
    ----------
    settings : BMCISettings
        See there; the defaults are the preset `quick`.
    """

    trains_on: ClassVar = ("picture", "eeg")
    predicts_from: ClassVar = ("picture",)
    target_access: ClassVar = "none"
    modes: ClassVar[Mapping[str, str]] = {
        "fusion": "picture and virtual EEG",
        "visual": "picture alone",
        "virtual": "virtual EEG alone",
        "real": "picture and real EEG at use",
    }
    placebos: ClassVar[Mapping[str, str]] = {
        "class-code": "c1: a random code per class in place of the EEG embedding",
        "shuffled-within": "c2: EEG shuffled within each class before the encoder is trained",
        "shuffled": "c3: EEG shuffled across all pictures before the encoder is trained",
        "visual-logits": "c4: out-of-fold logits of the picture-only model in place of the EEG (plain stacking)",
    }

    def __init__(self, settings: BMCISettings | None = None) -> None:
        self.settings = settings or BMCISettings()
        self.log = FitLog()
        self.reader = PictureReader(self.settings)
        self.members: list[Member] = []
        self.facts: dict[str, Any] = {"seconds": {}, "subjects": {}}

    def placebo(self, name: str) -> Self:
        """Return an unfitted twin in which `name` stands in for the brain."""
        if name not in self.placebos:
            raise SettingsError(f"unknown placebo {name!r}", do=f"placebos are {', '.join(self.placebos)}")
        return type(self)(self.settings.model_copy(update={"brain": name}))

    def summary(self) -> dict[str, Any]:
        """Return seconds by stage, and R2, alignment and weight of each subject."""
        return self.facts

    def estimate_seconds(self, train: Samples) -> float:
        """Return roughly how long one fit takes on one core."""
        return estimate_seconds(self.settings, train)

    # fitting ----------------------------------------------------------------------------------------------------------

    def fit(
        self,
        train: Roles,
        validation: Roles,
        task: Task | Mapping[str, Task],
        *,
        unlabelled: Samples | None = None,
        start_from: Path | None = None,
    ) -> Self:
        """Learn from pictures with labels and from the EEG of people who saw them.

        Parameters
        ----------
        train, validation : Samples
            Rows are (subject, picture); pictures without EEG and subjects who saw part of the pictures are welcome.
            Validation chooses the epoch of the EEG encoder and measures R2.
        task : Categorical
            The classes.
        """
        if not (isinstance(train, Samples) and isinstance(validation, Samples) and isinstance(task, Categorical)):
            raise DataError("BMCI learns one categorical task from one table of samples", do="see its card")
        self.log = FitLog()
        self.task = task
        train = _labelled(train, task)
        validation = _labelled(validation, task)
        pictured = train.select(train.has("picture"))
        pictures, place = unique_pictures(pictured)
        labels = task.targets(pictures.table)
        if len(np.unique(labels)) < 2:
            raise DataError("the training pictures show one class only", do="give pictures of at least two classes")
        groups = _groups(pictures)
        with self._stage("picture features"):
            features = self.reader.features(pictures)
            self.space = visual_space(features)
            self.log.record("visual space", pictured, "inputs")
            visual = self.space.transform(features).astype(np.float32)
            self.strangeness = Strangeness(self.space, features)
        with self._stage("picture-only classifier"):
            self.visual = BlockClassifier([visual], labels, groups, self.settings)
            self.log.record("picture-only classifier", pictured)
        self.members = list(
            self._stacking(visual, labels, groups, pictured)
            if self.settings.brain == "visual-logits"
            else self._teach(pictured, validation, place, visual, labels, groups)
        )
        total = sum(member.weight for member in self.members)
        for member in self.members:
            member.weight = member.weight / total if total > 0 else 1 / len(self.members)
            self.facts["subjects"].setdefault(member.name, {})["weight"] = member.weight
        return self

    def _stacking(
        self, visual: np.ndarray, labels: np.ndarray, groups: np.ndarray, pictured: Samples
    ) -> Iterator[Member]:
        from sklearn.model_selection import GroupKFold

        code = np.zeros((len(visual), len(self.task.classes)), np.float32)
        folds = GroupKFold(min(self.settings.folds, len(np.unique(groups))), shuffle=True, random_state=0)
        for inside, outside in folds.split(visual, groups=groups):
            part = BlockClassifier([visual[inside]], labels[inside], groups[inside], self.settings)
            code[outside] = self._logits(part, visual[outside])
        self.log.record("stacking", pictured)
        yield Member("stacking", None, self._classifiers(visual, code, labels, groups), 1.0)

    def _teach(
        self,
        pictured: Samples,
        validation: Samples,
        place: np.ndarray,
        visual: np.ndarray,
        labels: np.ndarray,
        groups: np.ndarray,
    ) -> Iterator[Member]:
        """Yield a member for each subject: encoder, virtual EEG of every training picture, classifiers."""
        seen = pictured.has("eeg")
        subjects = pictured.units("subject")
        names, counts = np.unique(subjects[seen].astype(str), return_counts=True)
        if not len(names):
            raise DataError("no training picture has EEG", do="give EEG, or train a picture-only system")
        order = np.argsort(-counts, kind="stable")[: self.settings.subjects]
        rng = np.random.default_rng(self.settings.seed)
        for name in sorted(map(str, names[order])):
            mine = np.flatnonzero(seen & (subjects == name))
            watched, first = np.unique(place[mine], return_index=True)  # repeats are averaged as embeddings
            held = validation.select(validation.has("eeg") & (validation.units("subject") == name))
            with self._stage("EEG encoder"):
                code, encoder, about = self._code(pictured.select(mine), held, groups[place[mine]], name, rng)
            if len(watched) < len(mine):
                sums = np.zeros((len(watched), code.shape[1]), np.float32)
                np.add.at(sums, np.searchsorted(watched, place[mine]), code)
                code = sums / np.bincount(np.searchsorted(watched, place[mine]))[:, None]
            else:
                code = code[first]
            with self._stage("virtual EEG"):
                virtual = np.empty((len(visual), code.shape[1]), np.float32)
                held_back, kind, scores = out_of_fold(visual[watched], code, groups[watched], self.settings)
                regressor = VirtualEEG(visual[watched], code, self.settings, kind)
                virtual[:] = regressor.predict(visual)  # pictures this subject did not see
                virtual[watched] = held_back
                self.log.record(f"virtual EEG of {name}", pictured.select(mine))
            about |= {"regressor": kind, "r2": scores[kind], "r2_by_regressor": scores}
            about["variance_ratio"] = float(virtual[watched].var(axis=0).sum() / max(code.var(axis=0).sum(), 1e-12))
            about["pictures"] = len(watched)
            if encoder is not None and len(held):
                self.log.record(f"R2 of {name}", held, "selection")
                predicted = regressor.predict(self._visual(held))
                about["r2_held_out"] = explained_variance(encoder.embed(held.read("eeg")), predicted)
            self.facts["subjects"][name] = about
            real = (visual[watched], code, labels[watched], groups[watched]) if encoder is not None else None
            with self._stage("fusion classifiers"):
                classifiers = self._classifiers(visual, virtual, labels, groups, real)
                self.log.record(f"fusion with {name}", pictured)
            yield Member(name, regressor, classifiers, max(about["r2"]["uniform"], 0.0), encoder)

    def _code(
        self, mine: Samples, held: Samples, groups: np.ndarray, name: str, rng: np.random.Generator
    ) -> tuple[np.ndarray, Any, dict[str, Any]]:
        """Return what stands for this subject's brain: one code a row, the encoder, and facts."""
        from insula.systems.bmci.brain import Epochs, brain_code, checkpoints

        labels = self.task.targets(mine.table)
        if self.settings.brain == "class-code":
            codes = rng.standard_normal((len(self.task.classes), 128)).astype(np.float32)
            return codes[labels], None, {}
        if self.settings.brain in ("shuffled", "shuffled-within"):
            within = self.task.label if self.settings.brain == "shuffled-within" else None
            mine = shuffle_modality(mine, "eeg", self.settings.seed, within)
            held = shuffle_modality(held, "eeg", self.settings.seed, within) if len(held) else held
        epochs = Epochs(mine.read("eeg"), labels, groups)
        watched = None
        if len(held):
            watched = Epochs(held.read("eeg"), self.task.targets(held.table), _groups(held))
            self.log.record(f"epoch of the EEG encoder of {name}", held, "selection")
        with checkpoints(self.settings, epochs, name) as folder:
            code = brain_code(epochs, watched, len(self.task.classes), self.settings, name, folder)
        self.log.record(f"EEG encoder of {name}", mine)
        if code.alignment < 0.5:
            log.warning("%s: fold encoders disagree (alignment %.2f); its virtual EEG is weak", name, code.alignment)
        return code.targets, code.encoder, {"alignment": code.alignment}

    def _classifiers(
        self,
        visual: np.ndarray,
        code: np.ndarray,
        labels: np.ndarray,
        groups: np.ndarray,
        real: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray] | None = None,
    ) -> dict[str, BlockClassifier]:
        found = {
            "virtual": BlockClassifier([code], labels, groups, self.settings),
            "fusion": BlockClassifier([visual, code], labels, groups, self.settings),
        }
        if real is not None:
            found["real"] = BlockClassifier(list(real[:2]), real[2], real[3], self.settings)
        return found

    @contextmanager
    def _stage(self, name: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.facts["seconds"][name] = self.facts["seconds"].get(name, 0.0) + time.perf_counter() - start

    # predicting -------------------------------------------------------------------------------------------------------

    def _visual(self, samples: Samples) -> np.ndarray:
        return self.space.transform(self.reader.features(samples)).astype(np.float32)

    def _logits(self, classifier: BlockClassifier, visual: np.ndarray) -> np.ndarray:
        return np.log(np.clip(classifier.predict_proba([visual], len(self.task.classes)), 1e-6, 1)).astype(np.float32)

    def _virtual(self, member: Member, visual: np.ndarray) -> np.ndarray:
        return self._logits(self.visual, visual) if member.regressor is None else member.regressor.predict(visual)

    def virtual_eeg(self, samples: Samples) -> dict[str, np.ndarray]:
        """Return the virtual EEG of each subject, (n, 128): a statistical proxy computed from the picture.

        Parameters
        ----------
        samples : Samples
            With pictures.
        """
        visual = self._visual(samples)
        return {member.name: self._virtual(member, visual) for member in self.members}

    def features(self, samples: Samples) -> dict[str, np.ndarray]:
        """Return what the report draws: coordinates of the pictures, and the virtual EEG of all subjects."""
        virtual = self.virtual_eeg(samples)
        return {"visual": self._visual(samples), "virtual": np.concatenate(list(virtual.values()), axis=1)}

    def predict(self, samples: Samples, mode: str | None = None) -> Predictions:
        """Return class probabilities for each sample.

        Parameters
        ----------
        samples : Samples
            With pictures; EEG too for the mode `real`, which uses `fusion` where a sample has none and says so.
        mode : str, optional
            One of `modes`.
        """
        mode = mode or next(iter(self.modes))
        if mode not in self.modes:
            raise SettingsError(f"unknown mode {mode!r}", do=f"modes are {', '.join(self.modes)}")
        if mode == "real" and not any(member.encoder for member in self.members):
            raise BundleError(
                "no EEG encoder here", do="a bundle predicts from pictures; `real` needs the fitted system"
            )
        unique, place = unique_pictures(samples)
        features = self.reader.features(unique)
        visual = self.space.transform(features).astype(np.float32)
        classes = len(self.task.classes)
        used = np.full(len(samples), mode, object)
        if mode == "visual":
            probabilities = self.visual.predict_proba([visual], classes)[place]
        else:
            base = "fusion" if mode == "real" else mode
            average = np.zeros((len(visual), classes))
            for member in self.members:
                code = self._virtual(member, visual)
                blocks = [code] if base == "virtual" else [visual, code]
                average += member.weight * member.classifiers[base].predict_proba(blocks, classes)
            probabilities = average[place]
            if mode == "real":
                used[:] = base
                self._real(samples, visual[place], probabilities, used)
        entropy = -(probabilities * np.log(np.clip(probabilities, 1e-12, 1))).sum(axis=1) / np.log(classes)
        strange = self.strangeness(self.space, features)[place]
        return Predictions.of(
            self.task.classes, probabilities, samples.ids, uncertainty=entropy, out_of_distribution=strange, mode=used
        )

    def _real(self, samples: Samples, visual: np.ndarray, probabilities: np.ndarray, used: np.ndarray) -> None:
        subjects, present = samples.units("subject"), samples.has("eeg")
        for member in self.members:
            mine = np.flatnonzero(present & (subjects == member.name))
            if len(mine) and member.encoder is not None:
                blocks = [visual[mine], member.encoder.embed(samples.select(mine).read("eeg"))]
                probabilities[mine] = member.classifiers["real"].predict_proba(blocks, len(self.task.classes))
                used[mine] = "real"

    # saving -----------------------------------------------------------------------------------------------------------

    def save(self, folder: Path) -> None:
        """Write what predicting from pictures needs; EEG encoders stay behind."""
        from safetensors.torch import save_file

        folder.mkdir(parents=True, exist_ok=True)
        if self.reader.network is not None:
            save_file(self.reader.network.state_dict(), folder / "backbone.safetensors")
        save_estimator(folder / "space.skops", self.space)
        save_estimator(folder / "strangeness.skops", vars(self.strangeness))
        save_estimator(folder / "visual.skops", self.visual.parts())
        for number, member in enumerate(self.members):
            parts: dict[str, Any] = {
                name: classifier.parts() for name, classifier in member.classifiers.items() if name != "real"
            }
            if member.regressor is not None:
                parts["regressor"] = member.regressor.parts()
            save_estimator(folder / f"member{number}.skops", parts)
        about = {
            "settings": self.settings.model_dump(mode="json"),
            "task": self.task.model_dump(mode="json"),
            "members": [{"name": member.name, "weight": float(member.weight)} for member in self.members],
        }
        (folder / "system.yaml").write_text(yaml.safe_dump(about, sort_keys=False))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read a saved folder; it predicts in the modes `fusion`, `visual` and `virtual`."""
        about = yaml.safe_load((folder / "system.yaml").read_text())
        system = cls(BMCISettings.parse(about["settings"], where="system.yaml"))
        system.task = Categorical(**about["task"])
        system.reader = PictureReader(system.settings, folder / "backbone.safetensors")
        system.space = load_estimator(folder / "space.skops")
        system.visual = BlockClassifier.of(load_estimator(folder / "visual.skops"))
        system.strangeness = Strangeness.__new__(Strangeness)
        system.strangeness.__dict__.update(load_estimator(folder / "strangeness.skops"))
        for number, member in enumerate(about["members"]):
            parts = load_estimator(folder / f"member{number}.skops")
            regressor = VirtualEEG.of(parts.pop("regressor")) if "regressor" in parts else None
            classifiers = {name: BlockClassifier.of(part) for name, part in parts.items()}
            system.members.append(Member(member["name"], regressor, classifiers, member["weight"]))
        return system


def _labelled(samples: Samples, task: Categorical) -> Samples:
    return samples.select(task.targets(samples.table) >= 0)


def _groups(samples: Samples) -> np.ndarray:
    """Pictures of one person are one group; a picture of nobody known is a group of its own."""
    persons, pictures = samples.units("identity"), samples.units("stimulus")
    own = np.array([f"sample {number}" for number in samples.ids], object)
    pictures = np.where([picture is None for picture in pictures], own, pictures)
    return np.where([person is None for person in persons], pictures, persons).astype(str)

"""NeuroGaze-Distill: what brains say of valence and arousal shapes a face recogniser, which then works alone.

Source: Li, Xu, Zhao, Zhu, "NeuroGaze-Distill", arXiv:2509.11916, 2025.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from insula.errors import BundleError
from insula.samples import Samples
from insula.storage.folder import load_estimator, save_estimator
from insula.systems.base import TrainingData
from insula.systems.fitting import stage
from insula.systems.neurogaze.settings import ARMS, PRESETS, NeuroGazeSettings
from insula.systems.picture_network import PictureNetwork
from insula.systems.pictures import unique_pictures
from insula.systems.selective_prediction import SelectivePrediction

if TYPE_CHECKING:
    import pandas as pd
    import torch
    from torch import nn

    from insula.networks.projected import ProjectedClassifier
    from insula.systems.neurogaze.bank import PrototypeBank


class NeuroGaze(PictureNetwork):
    """A network on EEG makes prototypes of valence and arousal; a network on pictures learns to stand among them.

    Brains and faces are not paired: rows with `features` and ratings teach the teacher, rows with a picture and a label
    the students. Modes are students by what they learn from (`insula.systems.neurogaze.settings.ARMS`), the whole
    method first; a bundle holds that one alone.

    Parameters
    ----------
    settings : NeuroGazeSettings, optional
        See there; the defaults are the source's sizes, the preset `quick` takes minutes on two cores.
    """

    Settings: ClassVar = NeuroGazeSettings
    presets: ClassVar = PRESETS
    comparators: ClassVar = ("visual",)
    trains_on: ClassVar[tuple[str, ...]] = ("picture", "features")
    placebos: ClassVar[Mapping[str, str]] = {
        "random-prototypes": "p1: random orthonormal prototypes",
        "shuffled-grid": "p2: EEG prototypes dealt out anew over valence and arousal",
        "handmade": "p3: hand-made prototypes of valence and arousal, no EEG",
        "shuffled-ratings": "p4: prototypes of a teacher trained on shuffled ratings",
    }

    def __init__(self, settings: NeuroGazeSettings | None = None) -> None:
        super().__init__(settings)
        self.students: dict[str, ProjectedClassifier] = {}
        self.bank: PrototypeBank | None = None  # only in the process that fitted

    @property
    def modes(self) -> Mapping[str, str]:  # type: ignore[override]
        """The students that are trained, and what they learn from."""
        return {arm: ARMS[arm] for arm in self.settings.arms}

    @property
    def network(self) -> nn.Module:  # type: ignore[override]
        """The classifier of the first student: what answers."""
        return self.students[next(iter(self.modes))].classifier

    @property
    def not_bundled(self) -> tuple[str, ...]:  # type: ignore[override]
        """All students but the first."""
        return tuple(self.modes)[1:]

    def _settings_of(self, placebo: str) -> NeuroGazeSettings:
        """Return the settings with the prototypes of the placebo, for the first student alone."""
        return self.alone().settings.model_copy(update={"prototypes": placebo})

    def alone(self) -> Self:
        """Return an unfitted twin that trains the first student alone."""
        return type(self)(self.settings.model_copy(update={"arms": self.settings.arms[:1]}))

    # fitting ----------------------------------------------------------------------------------------------------------

    def _fit(self, data: TrainingData) -> None:
        """Learn from EEG with ratings and from pictures with labels, rows of one table.

        Validation pictures choose the epoch of a teacher on pictures and calibrate probabilities and sets. EEG of the
        validation part is not used: the teacher holds out people of the training part.

        Raises
        ------
        DataError
            Where there are no labelled pictures of two classes, or no rated EEG of two people.
        """
        import torch

        from insula.systems.neurogaze.lessons import teacher_logits, wanted_affinities
        from insula.systems.neurogaze.loss import packed

        seconds = self.facts["seconds"] = {}
        pictures, held = self._pictures(data)
        settings = [self.settings.of_arm(arm) for arm in self.modes]
        with stage(seconds, "teacher on EEG"):
            self.bank = self._prototypes(data.train) if any(one.proto_weight for one in settings) else None
        logits, wanted = torch.zeros(len(pictures), len(self.task.classes)), torch.zeros(len(pictures), 0)
        if any(one.kd_weight for one in settings):
            with stage(seconds, "teacher on pictures"):
                taught, logits = teacher_logits(pictures, held, self.task, self.settings)
            self.facts |= taught
            self.log.record("teacher on pictures", pictures)
            self.log.record("epoch of the teacher on pictures", held, "selection")
        if self.bank is not None:
            wanted = wanted_affinities(pictures, self.task, self.bank, self.settings)
        targets = packed(torch.from_numpy(self.task.targets(pictures.table)), logits, wanted)
        self.facts["fingerprint"] = self._fingerprint()
        self.students, self.facts["student"] = {}, {}
        for arm, one in zip(self.modes, settings, strict=True):
            with stage(seconds, f"student {arm}"):
                self.students[arm], self.facts["student"][arm] = self._student(one, pictures, targets, held)
            self.log.record(f"student {arm}", pictures)
            self.log.record(f"epoch of student {arm}", held, "selection")
        self.facts["spread of high valence"] = {arm: self._spread(one, held) for arm, one in self.students.items()}
        self._look(pictures, held, {mode: self._answers(mode, held)[0] for mode in self.modes})
        if len(held):
            self.log.record("temperatures and sets", held, "selection")

    def _prototypes(self, train: Samples) -> PrototypeBank:
        """Return the bank of prototypes that the settings name."""
        from insula.systems.neurogaze import bank
        from insula.systems.neurogaze.recordings import read_recordings
        from insula.systems.neurogaze.teacher import prototypes_once

        settings, seed = self.settings, self.settings.seed
        if settings.prototypes == "handmade":
            return bank.handmade_prototypes(settings.teacher.grid, settings.teacher.width)
        shuffled = seed if settings.prototypes == "shuffled-ratings" else None
        taught = prototypes_once(read_recordings(train, settings.teacher, shuffled), settings.teacher, seed)
        self.log.record("teacher on EEG", train.select(train.has("features")))
        self.facts["teacher on EEG"] = taught.facts
        if settings.prototypes == "random-prototypes":
            return bank.random_prototypes(taught.bank, seed)
        return bank.shuffled_grid(taught.bank, seed) if settings.prototypes == "shuffled-grid" else taught.bank

    def _fingerprint(self) -> dict[str, Any]:
        """Return what tells one ablation from another: hashes of bank and teacher, and each student's weights."""
        bank = {"prototypes": self.settings.prototypes}
        if self.bank is not None:
            about = self.bank.about.get("instead of", self.bank.about)
            bank |= {"bank": self.bank.sha256, "teacher on EEG": about.get("teacher", "none")}
        weights = {
            arm: {"distillation": one.kd_weight, "prototypes": one.proto_weight, "geometry": one.geometry.weight}
            for arm, one in ((arm, self.settings.of_arm(arm)) for arm in self.modes)
        }
        return {**bank, "weights": weights}

    def _untaught(self, cells: int, width: int, *, pretrained: bool = True) -> ProjectedClassifier:
        """Return a student before training; the seed decides its weights, whatever it is going to learn from."""
        import torch

        from insula.networks.projected import ProjectedClassifier

        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.settings.seed)
            classifier: Any = self._network(len(self.task.classes), pretrained=pretrained)
            student = ProjectedClassifier(classifier, torch.zeros(cells, width), torch.zeros(cells, 2))
        return student

    def _student(
        self, settings: NeuroGazeSettings, pictures: Samples, targets: torch.Tensor, held: Samples
    ) -> tuple[ProjectedClassifier, dict[str, Any]]:
        """Return one student, trained, and what its training did."""
        import torch

        from insula.networks.alterations import alter_pictures
        from insula.systems.neurogaze.loss import StudentLoss, packed
        from insula.training.engine import train
        from insula.training.rows import PictureRows

        classes = self.task.classes
        cells = 0 if self.bank is None else len(self.bank.centres)
        student = self._untaught(cells, settings.teacher.width)
        if self.bank is not None:
            student.prototypes.copy_(torch.from_numpy(self.bank.prototypes))
            student.centres.copy_(torch.from_numpy(self.bank.centres))
        counts = torch.bincount(targets[:, 0].long(), minlength=len(classes))
        watched = None
        if len(held):
            nothing = torch.zeros(len(held), targets.shape[1] - 1)
            labels = torch.from_numpy(self.task.targets(held.table))
            watched = PictureRows(held), packed(labels, nothing, nothing[:, :0])
        trained = train(
            student,
            StudentLoss(settings, classes, counts, student.prototypes),
            PictureRows(pictures),
            targets,
            watched,
            settings.training,
            settings.seed,
            alter=alter_pictures if settings.augment else None,
        )
        return student, trained.facts()

    def _spread(self, student: ProjectedClassifier, held: Samples) -> float | None:
        """Return the mean square distance of validation pictures of capped classes from their class's mean."""
        features = self._each(held, lambda batch: student(batch)[1], self.settings.teacher.width)
        codes = self.task.targets(held.table)
        mine = [codes == self.task.classes.index(name) for name in self.settings.geometry.classes
                if name in self.task.classes]  # fmt: skip
        parts = [features[one].var(axis=0).sum() for one in mine if one.sum() > 1]
        return float(np.mean(parts)) if parts else None

    # predicting -------------------------------------------------------------------------------------------------------

    def _answers(self, mode: str, pictures: Samples) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Return probabilities, (n, classes), and, of a student that learnt prototypes, `valence` and `arousal`.

        These say where a picture stands among the prototypes: a readout of the network and no measurement.

        Raises
        ------
        BundleError
            Where the student of this mode was not saved.
        """
        import torch

        from insula.objectives.prototypes import read_affect

        if mode not in self.students:
            do = f"a saved system answers in the mode `{next(iter(self.modes))}`"
            raise BundleError(f"no student {mode!r} here", do=do)
        student, classes = self.students[mode], len(self.task.classes)

        def answer(batch: torch.Tensor) -> torch.Tensor:
            logits, unit = student(batch)
            affect = read_affect(unit, student.prototypes, student.centres, self.settings.read_tau)
            return torch.cat([logits.double().softmax(dim=1), affect.double()], dim=1)

        answers = self._each(pictures, answer, classes + 2)
        affect = {"valence": answers[:, classes], "arousal": answers[:, classes + 1]}
        return answers[:, :classes], affect if self.settings.of_arm(mode).proto_weight else {}

    def _saying(self, mode: str) -> tuple[nn.Module, tuple[str, ...]]:
        from insula.systems.neurogaze.readout import Affect

        if not self.settings.of_arm(mode).proto_weight:
            return super()._saying(mode)
        return Affect(self.students[mode], self.settings.read_tau), ("valence", "arousal")

    def features(self, samples: Samples) -> dict[str, np.ndarray]:
        """Return what the report draws: where pictures stand, from B0 to B3."""
        unique, place = unique_pictures(samples)
        return {
            f"student {arm}": self._each(unique, student.classifier.embed, student.classifier.head.in_features)[place]
            for arm, student in reversed(self.students.items())
        }

    @staticmethod
    def tables(facts: Sequence[Mapping[str, Any]]) -> dict[str, pd.DataFrame]:
        """Return tables for the report from the facts of many fits."""
        from insula.systems.neurogaze.tables import fit_tables

        return fit_tables(facts)

    # saving -----------------------------------------------------------------------------------------------------------

    def _save(self, folder: Path) -> dict[str, Any]:
        """Write the first student, which needs pictures alone, and where its prototypes came from."""
        from safetensors.torch import save_model

        student = self.students[next(iter(self.modes))]
        save_model(student, str(folder / "student.safetensors"))
        save_estimator(folder / "selective.safetensors", self.selective.parts())
        about = {} if self.bank is None else {"sha256": self.bank.sha256, **self.bank.about}
        return {"shape": list(student.prototypes.shape), "bank": about}

    def _load(self, folder: Path, about: dict[str, Any]) -> None:
        """Read what answers in the mode of the first student."""
        from safetensors.torch import load_model

        student = self._untaught(*about["shape"], pretrained=False)
        load_model(student, folder / "student.safetensors")
        self.students = {next(iter(self.modes)): student.eval()}
        self.selective = SelectivePrediction.of(load_estimator(folder / "selective.safetensors"), self.settings)

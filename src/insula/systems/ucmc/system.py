"""UCMC: a face teaches the EEG what the face shows, and where both are there they decide together.

Source: H.-J. Jang, "Uncertainty-resilient multimodal learning via consistency-guided cross-modal transfer", arXiv
2511.15741, with Jang, Shin and Lee, arXiv 2507.13092, and Jang, Shin and Yin, arXiv 2511.15138.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from insula.emotions import Continuous, LabelTask
from insula.errors import DataError, SettingsError
from insula.samples import Description, Predictions, Samples, concat
from insula.systems.base import System, TrainingData
from insula.systems.fitting import stage
from insula.systems.signal_network import TINY
from insula.systems.ucmc.settings import UCMCSettings

if TYPE_CHECKING:
    from insula.systems.two_modalities import Cells
    from insula.systems.ucmc.answering import Side
    from insula.systems.ucmc.networks import Bridge, Network
    from insula.systems.ucmc.reading import Reader
    from insula.systems.ucmc.teaching import Trainer

log = logging.getLogger(__name__)

_FORM = {"width", "levels", "kernel", "evidential"}  # settings that weights depend on, beside readers and backbone


class UCMC(System):
    """A student that reads EEG, taught by a network that reads the face, and the two together.

    Rows may have both, one of them, or neither, in training and in use. Predictions say in `mode` what a row was
    predicted from and in `reason` why not from more; they never fail for what is missing, not finite or late.

    Parameters
    ----------
    settings : UCMCSettings, optional
        See there.
    """

    Settings: ClassVar = UCMCSettings
    learns: ClassVar = LabelTask | Continuous
    warm_start: ClassVar = True
    comparators: ClassVar = ("alone", "distillation")
    presets: ClassVar = {"tiny": {"width": 32, "training": TINY, "teacher": {"training": TINY}}}
    modes: ClassVar[Mapping[str, str]] = {
        "eeg": "UCMC: EEG alone, taught by the face",
        "alone": "the same student without a teacher",
        "distillation": "plain distillation from the face",
        "face": "the teacher: face alone",
        "both": "EEG and face, each as far as it is certain",
    }
    placebos: ClassVar[Mapping[str, str]] = {
        "shuffled-faces": "faces dealt out anew before the teacher is trained",
        "shuffled-within": "faces dealt out anew within each class before the teacher is trained",
        "permuted-teacher": "a teacher trained on permuted labels",
    }

    def __init__(self, settings: UCMCSettings | None = None) -> None:
        super().__init__(settings)
        self.networks: dict[str, Network] = {}
        self.bridge: Bridge | None = None

    @property
    def trains_on(self) -> tuple[str, ...]:  # type: ignore[override]
        """The modalities of student and teacher."""
        return (self.settings.eeg, self.settings.face)

    @property
    def predicts_from(self) -> tuple[str, ...]:
        """The modality of the student: the first mode needs no other."""
        return (self.settings.eeg,)

    def _settings_of(self, placebo: str) -> UCMCSettings:
        """Return the settings whose teacher learns nothing of the faces that go with the EEG."""
        return self.settings.model_copy(update={"stand_in": placebo})

    def alone(self) -> Self:
        """Return an unfitted twin without the arm `distillation`, which no other needs."""
        return type(self)(self.settings.model_copy(update={"compare": False}))

    # fitting ----------------------------------------------------------------------------------------------------------

    def _fit(self, data: TrainingData) -> None:
        """Train teacher and students.

        Rows have EEG, a face, or both; rows without a label serve to align the two, and so do further `unlabelled`
        ones. Epochs are chosen on the validation part, where it has labels. Networks begin with the weights of a saved
        UCMC of the same form, where there is one.

        Raises
        ------
        DataError
            Where fewer than two classes are there to learn, or no labelled row has either modality.
        """
        from insula.systems.ucmc.guards import absent_classes
        from insula.systems.ucmc.task_head import TaskHead

        self.networks, self.bridge = {}, None
        self.task_head = TaskHead.of(self.task, data.train.table)
        self.facts = {
            "seconds": {}, "epochs": {}, "figure": self.task_head.figure, "validation": {}, "warnings": [],
        }  # fmt: skip
        self._warn(absent_classes(self.task_head))
        trainer = self._trainer(data)
        if data.before:
            self._check_form(data.before)
        self._learn(trainer, data.before)
        self._record(trainer, data)

    def _check_form(self, before: Self) -> None:
        """Refuse a saved system that has another form than this one."""
        about = [system.settings.model_dump(include=_FORM) for system in (before, self)]
        backbones = [system.settings.teacher.backbone for system in (before, self)]
        rows = zip(vars(before.readers).values(), vars(self.readers).values(), strict=True)
        if about[0] != about[1] or backbones[0] != backbones[1] or any(a and b and a != b for a, b in rows):
            do = "keep its networks and modalities"
            raise SettingsError("the saved system is of another form", where="start_from", do=do)

    def _warn(self, warnings: list[str]) -> None:
        for warning in warnings:
            log.warning(warning)
        self.facts["warnings"] += warnings

    def _trainer(self, data: TrainingData) -> Trainer:
        from insula.systems.ucmc.reading import Reader
        from insula.systems.ucmc.teaching import PairedRows, Readers, Trainer, stand_in

        settings, train, unlabelled = self.settings, data.train, data.unlabelled
        labelled = train.select(~np.isnan(self.task_head.values(train.table)))
        if not (labelled.has(settings.eeg) | labelled.has(settings.face)).any():
            what = f"no labelled training row has {settings.eeg} or {settings.face}"
            raise DataError(what, do="correct the settings eeg and face")
        sides = (settings.eeg, "EEG", settings.encoder), (settings.face, "face", settings.teacher.encoder)
        self.readers = Readers(
            *(
                Reader.of(labelled, name, called, encoder) if labelled.has(name).any() else None
                for name, called, encoder in sides
            )
        )
        whole = stand_in(train, self.task_head, settings)
        if unlabelled is not None and settings.contrast_weight:
            whole = concat([whole, unlabelled.with_columns(**dict.fromkeys(self.task.columns))])
        paired = PairedRows.of(whole, self.task_head, self.readers, settings.max_skew)
        self.readers = Readers(
            *(
                reader if (cells.usable & paired.labelled).any() else None
                for reader, cells in ((self.readers.eeg, paired.eeg), (self.readers.face, paired.face))
            )
        )
        paired, held = (
            PairedRows.of(part, self.task_head, self.readers, settings.max_skew) for part in (whole, data.validation)
        )
        return Trainer(paired, held, self.task_head, self.readers, settings)

    def _learn(self, trainer: Trainer, before: UCMC | None) -> None:
        """Train the student by itself, the teacher, and the students that it teaches."""
        from insula.systems.ucmc.guards import teacher_is_worse

        facts, seconds = self.facts, self.facts["seconds"]
        starts = {name: network.state_dict() for name, network in before.networks.items()} if before else {}
        eeg, face = trainer.readers.eeg, trainer.readers.face
        paired = trainer.held.eeg.usable & trainer.held.face.usable & trainer.held.labelled

        def note(arm: str, trained: tuple[Network, dict[str, Any]]) -> None:
            self.networks[arm], facts["epochs"][arm] = trained

        if eeg is not None:
            with stage(seconds, "student alone"):
                note("alone", trainer.student("alone", None, None, False, starts.get("alone")))
        if face is None:
            self._warn(["no labelled training row has a face to use, so the student learns alone: check `face`"])
            self.networks |= dict.fromkeys(("eeg", "distillation"), self.networks["alone"])
            return
        with stage(seconds, "teacher"):
            note("face", trainer.teacher(starts.get("face")))
            targets = trainer.taught_by(self.networks["face"])
        if eeg is None:
            self._warn(["no labelled training row has EEG to use, so there is a teacher alone: check `eeg`"])
            return
        facts["validation"] = {
            "student alone": trainer.score(self.networks["alone"], eeg, paired),
            "teacher": trainer.score(self.networks["face"], face, paired),
            "rows": int(paired.sum()),
        }
        worse = teacher_is_worse(facts["validation"]["teacher"], facts["validation"]["student alone"], self.task_head)
        heard = not (self.settings.guard and worse)
        if self.settings.distillation and not heard:
            self._warn(worse)
        if self.settings.compare:
            with stage(seconds, "plain distillation"):
                note("distillation", trainer.student("distillation", targets, None, True, starts.get("distillation")))
        with stage(seconds, "student"):
            self.bridge = trainer.bridge(self.networks["face"], targets)
            if before is not None and before.bridge is not None:
                kept = {name: value for name, value in before.bridge.state_dict().items() if "injection" not in name}
                self.bridge.load_state_dict(kept, strict=False)
            note("eeg", trainer.student("eeg", targets, self.bridge, heard, starts.get("eeg")))
        facts["validation"]["student"] = trainer.score(self.networks["eeg"], eeg, paired)
        self._measure(trainer, targets)

    def _measure(self, trainer: Trainer, targets: Any) -> None:
        from insula.systems.ucmc.guards import measured
        from insula.systems.ucmc.losses import RowTargets

        assert self.bridge is not None and trainer.readers.eeg is not None
        features = trainer.says(self.networks["eeg"], trainer.train, trainer.readers.eeg, trainer.train.eeg.usable)
        rows = RowTargets.of(targets, self.settings.width)
        measured_facts, warnings = measured(self.bridge, rows, self.bridge.of_eeg(features), self.settings)
        self.facts["bridge"] = measured_facts
        self._warn(warnings)

    def _record(self, trainer: Trainer, data: TrainingData) -> None:
        """Note which rows each step saw, for the audit."""
        train, validation, unlabelled, _ = data
        part, held = trainer.train, trainer.held
        own = slice(0, len(train))  # before those of `unlabelled`
        face, eeg = (cells.usable[own] for cells in (part.face, part.eeg))
        labelled = part.labelled[own]
        steps = {"teacher": (face & labelled, held.face), "student": (trainer.rows("eeg")[own], held.eeg)}
        if not eeg.any():
            del steps["student"]
        for name, (rows, checked) in steps.items():
            if rows.any():
                self.log.record(name, train.select(rows))
            if (checked.usable & held.labelled).any():
                self.log.record(f"epoch of the {name}", validation.select(checked.usable & held.labelled), "selection")
        if unlabelled is not None and self.bridge is not None and self.settings.contrast_weight:
            self.log.record("alignment", unlabelled, "inputs")

    # predicting -------------------------------------------------------------------------------------------------------

    def _predict(self, samples: Samples, mode: str) -> Predictions:
        """Say what each row shows, from what it has of what the mode asks for.

        Rows may lack either modality, or both. In the mode `both`, a row with one of the two is predicted from that.

        Returns
        -------
        Predictions
            With `mode` and `reason` of each row, and `uncertainty`: that of the Dirichlet distribution where there is
            evidence, of the rating where the head is evidential, else the entropy of the probabilities; 1 for a row
            with nothing to go by, which gets the shares of the training classes, or their mean rating.
        """
        from insula.systems.ucmc.answering import answer

        if mode == "distillation" and mode not in self.networks and not self.settings.compare:
            raise SettingsError("this system has no arm 'distillation'", where="compare", do="fit with compare=true")
        asked = mode if mode in ("face", "both") else "eeg"
        eeg, face = self._sides(samples, mode)
        return answer(self.task_head, samples.ids, eeg, face, asked)

    def _sides(self, samples: Samples, mode: str) -> tuple[Side, Side]:
        """Return what is said from either modality, in a mode; only modalities that the mode needs are read."""
        from insula.systems.two_modalities import without_late
        from insula.systems.ucmc.answering import listen
        from insula.systems.ucmc.teaching import cells_of, unread

        arm = "eeg" if mode in ("both", "face") else mode
        bridge = self.bridge if arm == "eeg" else None

        def hear(reader: Reader | None, cells: Cells, name: str) -> Side:
            return listen(self.task_head, self.settings, samples, reader, cells, self.networks.get(name), bridge)

        nothing, readers = unread(samples), self.readers
        eeg = hear(readers.eeg, cells_of(samples, readers.eeg, "EEG"), arm)
        if mode not in ("both", "face"):
            return eeg, hear(None, nothing, "face")
        seen = cells_of(samples, readers.face, "face")
        face = hear(readers.face, without_late(seen, eeg.cells, samples, self.settings.max_skew), "face")
        return (eeg if mode == "both" else hear(None, nothing, arm)), face

    def embed(self, samples: Samples) -> np.ndarray:
        """Return features of both modalities together, or of the one there is, float32 (n, width).

        Rows have the length 1; those that have neither modality are zeros.
        """
        from insula.systems.ucmc.answering import together

        return together(*self._sides(samples, "both"))

    def features(self, samples: Samples) -> dict[str, np.ndarray]:
        """Return what the report draws: features of the student, taught and by itself."""
        arms = {"EEG, taught": "eeg", "EEG alone": "alone"}
        return {name: self._sides(samples, arm)[0].features.numpy() for name, arm in arms.items()}

    # saving -----------------------------------------------------------------------------------------------------------

    def _save(self, folder: Path) -> dict[str, Any]:
        """Write students, teacher and bridge: predicting from EEG needs no face."""
        from safetensors.torch import save_file

        parts = {**self.networks, **({"bridge": self.bridge} if self.bridge is not None else {})}
        for name, part in parts.items():
            save_file(part.state_dict(), folder / f"{name}.safetensors")
        sides = {"eeg": self.readers.eeg, "face": self.readers.face}
        readers = {
            name: {"form": reader.form.model_dump(mode="json"), "shape": list(reader.shape)}
            for name, reader in sides.items() if reader is not None
        }  # fmt: skip
        return {"task_head": self.task_head.plain(), "readers": readers, "parts": sorted(parts)}

    def _load(self, folder: Path, about: dict[str, Any]) -> None:
        from safetensors.torch import load_file

        from insula.systems.ucmc.networks import bridge_of, student_of, teacher_of
        from insula.systems.ucmc.reading import Reader
        from insula.systems.ucmc.task_head import TaskHead
        from insula.systems.ucmc.teaching import Readers

        settings = self.settings
        self.task_head = TaskHead.read(self.task, about["task_head"])
        sides = (
            ("eeg", settings.eeg, "EEG", settings.encoder),
            ("face", settings.face, "face", settings.teacher.encoder),
        )
        self.readers = Readers(
            *(
                Reader(name, called, encoder, Description(**form["form"]), tuple(form["shape"]))
                if (form := about["readers"].get(side)) else None
                for side, name, called, encoder in sides
            )
        )  # fmt: skip
        for name in (name for name in about["parts"] if name != "bridge"):
            if name == "face":
                assert self.readers.face is not None
                network = teacher_of(settings, self.readers.face, self.task_head, pretrained=False)
            else:
                assert self.readers.eeg is not None
                network = student_of(settings, self.readers.eeg, self.task_head)
            network.load_state_dict(load_file(folder / f"{name}.safetensors"))
            self.networks[name] = network.requires_grad_(False).eval()
        if "bridge" in about["parts"]:
            self.bridge = bridge_of(settings, self.networks["face"], self.task_head)
            self.bridge.load_state_dict(load_file(folder / "bridge.safetensors"))
            self.bridge.requires_grad_(False).eval()

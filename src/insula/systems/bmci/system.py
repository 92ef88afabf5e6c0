"""BMCI: brains that watched faces teach a face recogniser, which then works from the picture alone.

Source: Liu, Wang, Ling, Peng, Kong, "Emotion recognition based on brain and machine collaborative intelligence",
Chinese Journal of Intelligent Science and Technology 3(1), 65-75, 2021, doi 10.11959/j.issn.2096-6652.202107.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from insula.errors import BundleError
from insula.samples import Predictions, Samples, normalised_entropy
from insula.storage.folder import load_estimator, save_estimator
from insula.systems.base import System, TrainingData
from insula.systems.bmci.bank import Bank
from insula.systems.bmci.classification import BlockClassifier
from insula.systems.bmci.estimate import estimate_seconds
from insula.systems.bmci.regression import explained_variance
from insula.systems.bmci.settings import PRESETS, BMCISettings
from insula.systems.bmci.space import PictureSpace
from insula.systems.fitting import labelled, stage, training_pictures
from insula.systems.pictures import picture_groups, unique_pictures
from insula.systems.selective_prediction import SelectivePrediction

if TYPE_CHECKING:
    import pandas as pd

    from insula.eeg.maps import Signals
    from insula.networks.answer import Answer
    from insula.systems.bmci.teaching import SubjectFit
    from insula.systems.bmci.training_pictures import TrainingPictures

log = logging.getLogger(__name__)

_SHRUNK = "subjects whose virtual EEG shrank to the mean"


class BMCI(System):
    """Virtual EEG from pictures, fused with the pictures.

    Modes: `fusion` (picture and virtual EEG), `visual` (picture alone, tuned on the same grid), `virtual` (virtual EEG
    alone) and, only where the EEG of the sample is at hand, `real` (picture and real EEG: an upper bound) and `eeg`
    (real EEG alone: a baseline).

    Parameters
    ----------
    settings : BMCISettings
        See there; the defaults are the preset `quick`.
    """

    Settings: ClassVar = BMCISettings
    presets: ClassVar = PRESETS
    trains_on: ClassVar = ("picture", "eeg")
    predicts_from: ClassVar = ("picture",)
    comparators: ClassVar = ("visual",)
    modes: ClassVar[Mapping[str, str]] = {
        "fusion": "picture and virtual EEG",
        "visual": "picture alone",
        "virtual": "virtual EEG alone",
        "real": "picture and real EEG at use",
        "eeg": "real EEG alone",
    }
    not_bundled: ClassVar = ("real", "eeg")
    placebos: ClassVar[Mapping[str, str]] = {
        "class-code": "c1: a random code per class in place of the EEG embedding",
        "shuffled-within": "c2: EEG shuffled within each class before the encoder is trained",
        "shuffled": "c3: EEG shuffled across all pictures before the encoder is trained",
        "visual-logits": "c4: out-of-fold logits of the picture-only model in place of the EEG (plain stacking)",
    }

    def __init__(self, settings: BMCISettings | None = None) -> None:
        super().__init__(settings)
        self.space = PictureSpace(self.settings)
        self.training: TrainingPictures | None = None  # this and the next only in the process that fitted
        self.held: Samples | None = None

    @property
    def target_access(self) -> str:
        """`unlabelled` where the picture network adapts to the test pictures, else `none`."""
        vision = self.settings.vision
        return "unlabelled" if vision is not None and vision.target == "test" else "none"

    def _settings_of(self, placebo: str) -> BMCISettings:
        """Return the settings by which the placebo stands in for the brain."""
        return self.settings.model_copy(update={"brain": placebo})

    def estimate_seconds(self, train: Samples) -> float:
        """Return roughly how long one fit takes on one core."""
        return estimate_seconds(self.settings, train)

    # fitting ----------------------------------------------------------------------------------------------------------

    def _fit(self, data: TrainingData) -> None:
        """Learn from pictures with labels and from the EEG of people who saw them.

        Rows are (subject, picture); pictures without EEG and subjects who saw part of the pictures are welcome.
        Validation chooses the epoch of the EEG encoder, measures R2, and calibrates probabilities and sets. A picture
        network may adapt to the unlabelled test inputs.
        """
        from insula.systems.bmci.teaching import shrunk, stacking, teach_all
        from insula.systems.bmci.training_pictures import TrainingPictures

        train, task = data.train, self.task
        self.facts = {"seconds": {}, "subjects": {}}
        pictured, validation = training_pictures(train, task), labelled(data.validation, task)
        if self.settings.vision is not None:
            with stage(self.facts["seconds"], "picture network"):
                self.facts["vision"] = self.space.train_network(train, validation, task, data.unlabelled, self.log)
        with stage(self.facts["seconds"], "picture features"):
            pictures, place = unique_pictures(pictured)
            training = TrainingPictures.of(pictured, pictures, self.space.fit(pictures), task)
            self.log.record("visual space", pictured, "inputs")
            self.selective = SelectivePrediction(self.settings, pictures, picture_groups(pictures))
            self.log.record("strangeness", pictured, "inputs")
        self.held, _ = unique_pictures(validation.select(validation.has("picture")))
        self.training, self.shares = training, np.bincount(training.labels, minlength=len(task.classes))
        with stage(self.facts["seconds"], "picture-only classifier"):
            self.visual = BlockClassifier([training.visual], training.labels, training.groups, self.settings)
            self.log.record("picture-only classifier", pictured)
        if self.settings.brain == "visual-logits":
            subject_fits = [stacking(training, self.visual, task, self.settings)]
            self.log.record("stacking", pictured)
        else:
            subject_fits = teach_all(pictured, validation, place, training, task, self.settings)
        for subject_fit in subject_fits:
            self._note(subject_fit, pictured, validation)
        self.facts[_SHRUNK] = shrunk(subject_fits)
        with stage(self.facts["seconds"], "fusion classifiers"):
            members = [subject_fit.member for subject_fit in subject_fits]
            self._open(Bank(members, self.settings, len(task.classes), training))
        self._calibrate()

    def _note(self, subject_fit: SubjectFit, pictured: Samples, validation: Samples) -> None:
        """Keep what a subject_fit measured and what its steps saw."""
        from insula.systems.bmci.measure import compare

        name, facts, seconds = subject_fit.member.name, dict(subject_fit.facts), self.facts["seconds"]
        for part, spent in subject_fit.seconds.items():
            seconds[part] = seconds.get(part, 0.0) + spent
        self.log.fits += subject_fit.log.fits
        self.log.record(f"fusion with {name}", pictured)
        measured = compare(subject_fit.member, validation, self.space.coordinates)
        if measured is not None:
            visual, real = measured
            facts["r2_validation"] = explained_variance(real, subject_fit.member.regressor.predict(visual))
            self.log.record(f"R2 of {name}", validation, "selection")
        self.facts["subjects"][name] = facts

    def _open(self, bank: Bank) -> None:
        """Answer from this bank of subjects."""
        self.bank = bank
        subjects = self.facts["subjects"]
        self.facts["subjects"] = {name: {**subjects.get(name, {}), "weight": w} for name, w in bank.weights.items()}

    def _calibrate(self) -> None:
        """Fit a temperature and sets for each mode to the bank as it is now, on the validation pictures."""
        if self.held is None:
            self.selective.forget("fusion", "virtual")  # a saved system that lost a subject promised nothing
            return
        probabilities = {mode: np.empty((0, len(self.task.classes))) for mode in ("fusion", "visual", "virtual")}
        if len(self.held):
            visual, strange = self.space.coordinates(self.held), self.selective.strange(self.held)
            probabilities = {mode: self._answer(mode, visual, strange)[0] for mode in probabilities}
        self.selective.calibrate(probabilities, self.task.targets(self.held.table))
        self.log.record("temperatures and sets", self.held, "selection")
        self.facts["temperature"] = {name: one.temperature for name, one in self.selective.calibrations.items()}

    def add_subject(self, samples: Samples, validation: Samples | None = None) -> Self:
        """Let one more subject teach; neither the reading of pictures nor any other subject is fitted again.

        Pictures that the subject watched and that were not in training are read by the fitted system; this subject's
        classifiers learn from them, too. Weights are shared out anew, and the policy `concat` fits its one classifier
        again.

        Parameters
        ----------
        samples, validation : Samples
            Rows of one subject, with pictures, EEG and labels; pictures are told apart by `stimulus`. Validation
            chooses the epoch of the EEG encoder.

        Raises
        ------
        BundleError
            Where the system was loaded: it has no training pictures then, and can only lose a subject.
        DataError
            Where the rows are not those of one new subject.
        """
        from insula.systems.bmci.teaching import one_subject, shrunk, teach

        if self.training is None or self.settings.brain == "visual-logits":
            raise BundleError("nobody can teach here", do="add the subject to a system fitted on EEG in this process")
        mine, held = one_subject(samples, validation, self.task, self.bank.names)
        training, place = self.training.extended(mine, self.task, self.space.training_coordinates)
        subject_fit = teach(mine, held, place, len(self.bank.members), training, self.task, self.settings)
        self._note(subject_fit, self.training.samples, held)
        self.facts[_SHRUNK] += shrunk([subject_fit])
        self._open(self.bank.including(subject_fit.member))
        self._calibrate()
        return self

    def remove_subject(self, name: str) -> Self:
        """Forget what a subject taught; see `insula.systems.bmci.bank.Bank.without` for what stays the same.

        Works on a loaded system, too; save it again, or write a bundle of it, to have one without the subject.

        Parameters
        ----------
        name : str
            As in `bank.names`.
        """
        self._open(self.bank.without(name))
        self._calibrate()
        return self

    def measure(self, samples: Samples) -> dict[str, Any]:
        """Return how well the virtual EEG of held-out pictures agrees with real EEG, by subject and regressor.

        Parameters
        ----------
        samples : Samples
            With pictures and EEG; see `insula.systems.bmci.measure.held_out_agreement`.
        """
        from insula.systems.bmci.measure import held_out_agreement

        return held_out_agreement(self.bank, samples, self.space.coordinates, self.settings)

    @staticmethod
    def tables(facts: Sequence[Mapping[str, Any]]) -> dict[str, pd.DataFrame]:
        """Return tables for the report from the facts of many fits: held-out R2 by regressor and subject."""
        from insula.systems.bmci.measure import r2_table

        return r2_table(facts)

    # predicting -------------------------------------------------------------------------------------------------------

    def virtual_eeg(self, samples: Samples) -> dict[str, np.ndarray]:
        """Return the virtual EEG of each subject, (n, 128): a statistical proxy computed from the picture.

        Parameters
        ----------
        samples : Samples
            With pictures.
        """
        return self.bank.virtual_eeg(self.space.coordinates(samples))

    def features(self, samples: Samples) -> dict[str, np.ndarray]:
        """Return what the report draws: coordinates of the pictures, and the virtual EEG of all subjects."""
        visual = self.space.coordinates(samples)
        return {"visual": visual, "virtual": np.concatenate(list(self.bank.virtual_eeg(visual).values()), axis=1)}

    def signals(self, samples: Samples) -> Signals:
        """Return the EEG of samples and, in its place, what the virtual EEG would look like at the electrodes.

        The virtual signal is a statistical proxy computed from the picture: the readout of a regression, fitted on
        training epochs, and no measurement. A bundle has none.

        Parameters
        ----------
        samples : Samples
            With pictures, and EEG cut around events.
        """
        from insula.systems.bmci.measure import sensor_signals

        return sensor_signals(self.bank, self.space.coordinates(samples), samples)

    def _predict(self, samples: Samples, mode: str) -> Predictions:
        """Return class probabilities for each sample.

        The modes `real` and `eeg` need EEG, too. Where a sample has none, or that of a stranger, they use `fusion` and
        the class shares of the training pictures (`prior`), and say so.
        """
        if mode in self.not_bundled and not any(member.encoder for member in self.bank.members):
            raise BundleError("no EEG encoder here", do=f"`{mode}` needs the system that was fitted in this process")
        unique, place = unique_pictures(samples)
        visual, strange = self.space.coordinates(unique), self.selective.strange(unique)
        base = {"real": "fusion", "eeg": "prior"}.get(mode, mode)
        probabilities, used, epistemic = self._answer(base, visual, strange)
        probabilities, about = self.selective.speak(mode, probabilities, strange, self.task.classes)
        probabilities, used = probabilities[place], used[place]
        if mode != base:
            self._read_eeg(mode, samples, visual[place], probabilities, used)
        return Predictions.of(
            self.task.classes,
            probabilities,
            samples.ids,
            uncertainty=normalised_entropy(probabilities),
            **{name: values[place] for name, values in about.items()},
            epistemic=np.where(used == base, epistemic[place], np.nan),
            mode=used,
        )

    def _answer(self, mode: str, visual: np.ndarray, strange: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return probabilities before calibration, the mode that each picture is answered in, and the trees' spread.

        The virtual EEG of a strange picture is meaningless: it is answered in the mode `visual`.
        """
        unknown = np.full(len(visual), np.nan)
        if mode == "prior":
            shares = self.shares / self.shares.sum()
            return np.tile(shares, (len(visual), 1)), np.full(len(visual), mode, object), unknown
        alone = self.visual.predict_proba([visual], len(self.task.classes))
        if mode == "visual":
            return alone, np.full(len(visual), mode, object), unknown
        trusted = strange <= self.settings.refuse_above
        return (
            np.where(trusted[:, None], self.bank.predict_proba(mode, visual), alone),
            np.where(trusted, mode, "visual").astype(object),
            np.where(trusted, self.bank.epistemic(visual), np.nan),
        )

    def _read_eeg(
        self, mode: str, samples: Samples, visual: np.ndarray, probabilities: np.ndarray, used: np.ndarray
    ) -> None:
        """Replace the probabilities of those samples whose EEG is at hand and whose subject is known."""
        subjects, present, classes = samples.units("subject"), samples.has("eeg"), len(self.task.classes)
        for member in self.bank.members:
            mine = np.flatnonzero(present & (subjects == member.name))
            if len(mine) and member.encoder is not None:
                epochs = samples.select(mine).read("eeg")
                if mode == "eeg":
                    probabilities[mine] = member.encoder.predict_proba(epochs)
                else:
                    code = member.encoder.embed(epochs)
                    probabilities[mine] = member.predict_proba("real", visual[mine], classes, code)
                used[mine] = mode

    def _answering(self, mode: str) -> Answer:
        """Return what a bundle holds of a mode: pictures, uint8 (n, height, width, 3), to what is answered."""
        from insula.systems.bmci.twin import Banked, Blocks, CautiousAnswer, Fused, Visual

        coordinates, visual = self.space.as_module(), Blocks(self.visual, len(self.task.classes))
        if mode == "visual":
            return self.selective.answering(mode, Visual(coordinates, visual))
        banked = Banked(self.bank, mode)
        says = Fused(coordinates, visual, banked, self.settings.refuse_above)
        answer = self.selective.answering(mode, says, ["epistemic"] if banked.forests else [], CautiousAnswer)
        answer.jumps = banked.forests is not None and self.space.reader.network is not None
        return answer

    # saving -----------------------------------------------------------------------------------------------------------

    def _save(self, folder: Path) -> dict[str, Any]:
        """Write what predicting from pictures needs; EEG encoders and training pictures stay behind."""
        self.space.save(folder)
        save_estimator(folder / "selective.safetensors", self.selective.parts())
        save_estimator(folder / "visual.safetensors", self.visual.parts())
        return {"members": self.bank.save(folder)}

    def _load(self, folder: Path, about: dict[str, Any]) -> None:
        """Read what predicts in the modes `fusion`, `visual` and `virtual`."""
        self.facts = {"subjects": {}}
        self.space = PictureSpace.load(folder, self.settings)
        self.selective = SelectivePrediction.of(load_estimator(folder / "selective.safetensors"), self.settings)
        self.visual = BlockClassifier.of(load_estimator(folder / "visual.safetensors"))
        self._open(Bank.load(folder, about["members"], self.settings, self.visual, len(self.task.classes)))

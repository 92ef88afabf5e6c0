"""What the baselines of two modalities share: rows that may lack either, and what is said where both are lacking."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from pydantic import Field

from insula.emotions import Continuous, LabelTask, Task, parse_task
from insula.errors import DataError, SettingsError
from insula.samples import Description, FitLog, Predictions, Roles, Samples, check_placebo, mode_of, normalised_entropy
from insula.samples.system import bundled_mode
from insula.storage.folder import load_system, save_system
from insula.storage.settings import Settings
from insula.systems.baselines.plain import plain_values
from insula.systems.two_modalities import Cells, modes_used, read_cells, without_late

if TYPE_CHECKING:
    from torch import nn

    from insula.networks.answer import Answer

SIDES = {"eeg": "EEG", "face": "face"}


class PairSettings(Settings):
    """What a baseline of two modalities reads.

    Parameters
    ----------
    eeg, face : str
        Modalities of the two sides: `features` and `face_features` (as stored), `eeg` (log variance of each channel) or
        `picture` (a grey thumbnail of 24 by 24).
    max_skew : float
        Seconds between a face and its EEG above which the face is left out.
    seed : int
        Of everything random.
    """

    eeg: str = "features"
    face: str = "face_features"
    max_skew: float = Field(0.5, ge=0)
    seed: int = 0


class PairSystem:
    """Fit, predict, save and load, each row from what it has; a subclass learns and says.

    A row of which both sides can be used is predicted in the way `both`, else from the side there is, else by what is
    usual: the shares of the training classes, or the mean of the training ratings.

    Parameters
    ----------
    settings : Settings
        A `PairSettings`.
    """

    Settings: ClassVar[type[PairSettings]] = PairSettings
    trains_on: ClassVar[tuple[str, ...]] = ()
    target_access: ClassVar = "none"
    modes: ClassVar[Mapping[str, str]] = {}
    placebos: ClassVar[Mapping[str, str]] = {}
    rates: ClassVar = True  # whether it learns ratings, too

    def __init__(self, settings: Any = None) -> None:
        self.settings: Any = settings or self.Settings()
        self.log = FitLog()
        self.task: Any = None
        self.facts: dict[str, Any] = {}

    @property
    def predicts_from(self) -> tuple[str, ...]:
        """The EEG's modality: rows that have it are scored, with or without a face; others can be predicted, too."""
        return (self.settings.eeg,)

    def placebo(self, name: str) -> Self:
        """Refuse any name: there is no placebo."""
        check_placebo(self.placebos, name)
        return self

    def summary(self) -> dict[str, Any]:
        """Return measured facts of the fit: rows that each way was learnt from, and more."""
        return self.facts

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
        """Learn from rows with a label, each way from the rows that have what it needs.

        Raises
        ------
        DataError
            Where there is no label, or no side from which two classes could be told.
        SettingsError
            Where the task is of a kind that the system does not learn.
        """
        name = type(self).__name__
        if not (
            isinstance(train, Samples) and isinstance(validation, Samples) and isinstance(task, LabelTask | Continuous)
        ):
            raise DataError(f"{name} learns one task from one table of samples", do="see its card")
        if isinstance(task, Continuous) and not self.rates:
            raise SettingsError(f"{name} learns no ratings", do="use feature-fusion, or a task of classes")
        self.task, self.log, self.facts = task, FitLog(), {}
        train, validation = _known(train, task), _known(validation, task)
        if not len(train):
            raise DataError("no training sample has a label", where=task.label, do="check the label column")
        targets = task.targets(train.table)
        self.usual = np.atleast_1d(targets.mean())
        if isinstance(task, LabelTask):
            self.usual = np.bincount(targets, minlength=len(task.classes)) / len(targets)
        self.forms: dict[str, Description] = {}
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.learnt: list[str] = list(SIDES)  # until it is seen which ways can be
        cells = self._cells(train)
        for side, modality in self._modalities.items():
            if cells[side].usable.any():
                self.forms[side] = train.store(modality).description
                self.shapes[side] = cells[side].values.shape[1:]
        rows = {way: where for way, where in _ways(cells).items() if len(np.unique(targets[where])) > 1}
        if not {"eeg", "face"} & set(rows):
            names = " or ".join(self._modalities.values())
            what = f"nothing to tell apart among training samples with {names}"
            raise DataError(what, where=task.label, do="give samples of at least two classes, or of several ratings")
        self.learnt = list(rows)
        cells = {side: cells[side] if side in rows else _unlearnt(side, len(train)) for side in SIDES}
        self.learnt = self._learn(train, validation, cells, targets, rows)
        self.facts["training rows"] = {way: int(rows[way].sum()) for way in rows}
        return self

    @property
    def _modalities(self) -> dict[str, str]:
        return {side: getattr(self.settings, side) for side in SIDES}

    def _learn(
        self,
        train: Samples,
        validation: Samples,
        cells: dict[str, Cells],
        targets: np.ndarray,
        rows: dict[str, np.ndarray],
    ) -> list[str]:
        """Learn and record it; return the ways that can be predicted in.

        Parameters
        ----------
        train, validation : Samples
            With labels.
        cells : dict of str to Cells
            Of `eeg` and `face`, of the training samples.
        targets : array, shape (n,)
            Of the training samples.
        rows : dict of str to bool array
            For each way that can be learnt, the training samples that it can be learnt from.
        """
        raise SettingsError(f"{type(self).__name__} learns nothing", do="use one of its subclasses")

    # predicting -------------------------------------------------------------------------------------------------------

    def _cells(self, samples: Samples) -> dict[str, Cells]:
        """Return both sides of samples, (n, numbers) each, those left out that cannot be used."""
        cells = {}
        for side, modality in self._modalities.items():
            form, called = self.forms.get(side), SIDES[side]
            if side not in self.learnt:
                cells[side] = _unlearnt(side, len(samples))
                continue
            kind = samples.store(modality).description.kind if samples.has(modality).any() else ""
            describe = partial(plain_values, kind=kind)
            cells[side] = read_cells(
                samples, modality, called, form=form, shape=self.shapes.get(side), describe=describe
            )
        return {**cells, "face": without_late(cells["face"], cells["eeg"], samples, self.settings.max_skew)}

    def predict(self, samples: Samples, mode: str | None = None) -> Predictions:
        """Return probabilities or ratings, and what each was said from; a row that lacks a side is no error.

        Parameters
        ----------
        samples : Samples
            With one side, both or none.
        mode : str, optional
            One of `modes`: `both` says each row from whatever it has.
        """
        mode = mode_of(self.modes, mode)
        cells = self._cells(samples)
        used, reasons = modes_used(cells["eeg"], cells["face"], mode)  # type: ignore[arg-type]
        if "both" not in self.learnt:
            apart = used == "both"
            used[apart], reasons[apart] = "eeg", "EEG and face not learnt together"
        said = np.tile(self.usual, (len(samples), 1))
        for way in ("both", "eeg", "face"):
            if (rows := used == way).any():
                said[rows] = self._say(way, cells["eeg"].values[rows], cells["face"].values[rows])
        if isinstance(self.task, Continuous):
            return Predictions.rate(self.task.ratings(said[:, 0]), samples.ids, mode=used, reason=reasons)
        columns = {"uncertainty": np.where(used == "none", 1.0, normalised_entropy(said))}
        for side in SIDES:
            rows = (used == "both") | (used == side)
            columns[f"uncertainty_{side}"] = np.full(len(samples), np.nan)
            if rows.any():
                columns[f"uncertainty_{side}"][rows] = self._doubt(side, cells[side].values[rows])
        return Predictions.of(self.task.classes, said, samples.ids, mode=used, reason=reasons, **columns)

    def _say(self, way: str, eeg: np.ndarray, face: np.ndarray) -> np.ndarray:
        """Return probabilities, (n, classes), or ratings on [-1, 1], (n, 1), of rows that have what the way needs."""
        raise SettingsError(f"{type(self).__name__} says nothing", do="use one of its subclasses")

    @property
    def not_bundled(self) -> tuple[str, ...]:
        """Modes of a side that there was nothing to learn from."""
        return tuple(side for side in SIDES if side not in self.learnt)

    def answering(self, mode: str | None = None) -> Answer:
        """Return what a bundle holds of a mode: rows of the modalities that it reads, NaN for what is lacking."""
        from insula.networks.answer import Answer
        from insula.systems.baselines.plain import THUMB
        from insula.systems.baselines.twin import Rating, plain_module
        from insula.systems.fusion.twin import Pair

        mode = bundled_mode(self, mode)
        sides = [side for side in SIDES if side in self.learnt and mode in (side, "both")]
        numbers = {side: plain_module(self.forms[side].kind, THUMB) for side in sides}
        rating = Rating(*self.task.scale) if isinstance(self.task, Continuous) else None
        says = Pair(numbers, self._module(), self.usual, "both" in self.learnt, rating)
        inputs = [self._modalities[side] for side in sides]
        return Answer(says, inputs=inputs, columns=says.columns, rates=rating is not None)

    def _module(self) -> nn.Module:
        """Return what was learnt in torch, as `insula.systems.fusion.twin.Models` is."""
        raise SettingsError(f"{type(self).__name__} says nothing", do="use one of its subclasses")

    def _doubt(self, side: str, values: np.ndarray) -> np.ndarray:
        """Return how uncertain one side alone is, (n,)."""
        return normalised_entropy(self._say(side, values, values))

    # saving -----------------------------------------------------------------------------------------------------------

    def save(self, folder: Path) -> None:
        """Write settings, task, and what rows it reads; a subclass writes what it learnt."""
        folder.mkdir(parents=True, exist_ok=True)
        save_system(
            folder,
            self.settings,
            self.task,
            forms={side: form.model_dump(mode="json") for side, form in self.forms.items()},
            shapes={side: list(shape) for side, shape in self.shapes.items()},
            usual=self.usual.tolist(),
            learnt=self.learnt,
        )

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read a saved folder; a subclass reads what it learnt."""
        about = load_system(folder)
        system = cls(cls.Settings.parse(about["settings"], where="system.yaml"))
        system.task = parse_task(about["task"])
        system.forms = {side: Description(**form) for side, form in about["forms"].items()}
        system.shapes = {side: tuple(shape) for side, shape in about["shapes"].items()}
        system.usual, system.learnt = np.array(about["usual"]), about["learnt"]
        return system


def _known(samples: Samples, task: LabelTask | Continuous) -> Samples:
    """Return the samples that have a label."""
    targets = task.targets(samples.table)
    return samples.select(~np.isnan(targets) if isinstance(task, Continuous) else targets >= 0)


def _unlearnt(side: str, count: int) -> Cells:
    """Return cells of a side that there was nothing to learn from, of one number each: none can be used."""
    return Cells(np.zeros((count, 1), np.float32), np.full(count, f"{SIDES[side]} not learnt", object))


def _ways(cells: Mapping[str, Cells]) -> dict[str, np.ndarray]:
    """Return the rows that have what each way needs."""
    eeg, face = cells["eeg"].usable, cells["face"].usable
    return {"both": eeg & face, "eeg": eeg, "face": face}

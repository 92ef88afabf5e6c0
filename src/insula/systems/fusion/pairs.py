"""What the baselines of two modalities share: rows that may lack either, and what is said where both are lacking."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np
from pydantic import Field

from insula.emotions import Continuous, LabelTask
from insula.errors import DataError
from insula.samples import Description, Predictions, Samples, normalised_entropy
from insula.storage.settings import Settings
from insula.systems.base import System, TrainingData
from insula.systems.baselines.plain import plain_values
from insula.systems.fitting import labelled
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


class Pairs(NamedTuple):
    """What is learnt from.

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

    train: Samples
    validation: Samples
    cells: dict[str, Cells]
    targets: np.ndarray
    rows: dict[str, np.ndarray]


class PairSystem(System):
    """Learns and predicts each row from what it has; a subclass says how.

    A row of which both sides can be used is predicted in the way `both`, else from the side there is, else by what is
    usual: the shares of the training classes, or the mean of the training ratings.

    Parameters
    ----------
    settings : Settings
        A `PairSettings`.
    """

    Settings: ClassVar[type[PairSettings]] = PairSettings
    learns: ClassVar = LabelTask | Continuous

    @property
    def predicts_from(self) -> tuple[str, ...]:
        """The EEG's modality: rows that have it are scored, with or without a face; others can be predicted, too."""
        return (self.settings.eeg,)

    # fitting ----------------------------------------------------------------------------------------------------------

    def _fit(self, data: TrainingData) -> None:
        """Learn from rows with a label, each way from the rows that have what it needs.

        Raises
        ------
        DataError
            Where there is no label, or no side from which two classes could be told.
        """
        task = self.task
        train, validation = labelled(data.train, task), labelled(data.validation, task)
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
        self.learnt = self._learn(Pairs(train, validation, cells, targets, rows))
        self.facts["training rows"] = {way: int(rows[way].sum()) for way in rows}

    @property
    def _modalities(self) -> dict[str, str]:
        return {side: getattr(self.settings, side) for side in SIDES}

    @abstractmethod
    def _learn(self, pairs: Pairs) -> list[str]:
        """Learn and record it; return the ways that can be predicted in."""

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

    def _predict(self, samples: Samples, mode: str) -> Predictions:
        """Return probabilities or ratings, and what each is predicted from; a row that lacks a side is no error.

        The mode `both` predicts each row from whatever it has.
        """
        cells = self._cells(samples)
        used, reasons = modes_used(cells["eeg"], cells["face"], mode)  # type: ignore[arg-type]
        if "both" not in self.learnt:
            apart = used == "both"
            used[apart], reasons[apart] = "eeg", "EEG and face not learnt together"
        outputs = np.tile(self.usual, (len(samples), 1))
        for way in ("both", "eeg", "face"):
            if (rows := used == way).any():
                outputs[rows] = self._outputs(way, cells["eeg"].values[rows], cells["face"].values[rows])
        if isinstance(self.task, Continuous):
            return Predictions.rate(self.task.ratings(outputs[:, 0]), samples.ids, mode=used, reason=reasons)
        columns = {"uncertainty": np.where(used == "none", 1.0, normalised_entropy(outputs))}
        for side in SIDES:
            rows = (used == "both") | (used == side)
            columns[f"uncertainty_{side}"] = np.full(len(samples), np.nan)
            if rows.any():
                columns[f"uncertainty_{side}"][rows] = self._doubt(side, cells[side].values[rows])
        return Predictions.of(self.task.classes, outputs, samples.ids, mode=used, reason=reasons, **columns)

    @abstractmethod
    def _outputs(self, way: str, eeg: np.ndarray, face: np.ndarray) -> np.ndarray:
        """Return probabilities, (n, classes), or ratings on [-1, 1], (n, 1), of rows that have what the way needs."""

    @property
    def not_bundled(self) -> tuple[str, ...]:  # type: ignore[override]
        """Modes of a side that there was nothing to learn from."""
        return tuple(side for side in SIDES if side not in getattr(self, "learnt", SIDES))

    def _answering(self, mode: str) -> Answer:
        """Return what a bundle holds of a mode: rows of the modalities that it reads, NaN for what is lacking."""
        from insula.networks.answer import Answer
        from insula.systems.baselines.plain import THUMB
        from insula.systems.baselines.twin import Rating, plain_module
        from insula.systems.fusion.twin import Pair

        sides = [side for side in SIDES if side in self.learnt and mode in (side, "both")]
        numbers = {side: plain_module(self.forms[side].kind, THUMB) for side in sides}
        rating = Rating(*self.task.scale) if isinstance(self.task, Continuous) else None
        says = Pair(numbers, self._module(), self.usual, "both" in self.learnt, rating)
        inputs = [self._modalities[side] for side in sides]
        return Answer(says, inputs=inputs, columns=says.columns, rates=rating is not None)

    @abstractmethod
    def _module(self) -> nn.Module:
        """Return what was learnt in torch, as `insula.systems.fusion.twin.Models` is."""

    def _doubt(self, side: str, values: np.ndarray) -> np.ndarray:
        """Return how uncertain one side alone is, (n,)."""
        return normalised_entropy(self._outputs(side, values, values))

    # saving -----------------------------------------------------------------------------------------------------------

    def _save(self, folder: Path) -> dict[str, Any]:
        """Return what rows it reads; a subclass writes what it learnt."""
        return {
            "forms": {side: form.model_dump(mode="json") for side, form in self.forms.items()},
            "shapes": {side: list(shape) for side, shape in self.shapes.items()},
            "usual": self.usual.tolist(),
            "learnt": self.learnt,
        }

    def _load(self, folder: Path, about: dict[str, Any]) -> None:
        self.forms = {side: Description(**form) for side, form in about["forms"].items()}
        self.shapes = {side: tuple(shape) for side, shape in about["shapes"].items()}
        self.usual, self.learnt = np.array(about["usual"]), about["learnt"]


def _unlearnt(side: str, count: int) -> Cells:
    """Return cells of a side that there was nothing to learn from, of one number each: none can be used."""
    return Cells(np.zeros((count, 1), np.float32), np.full(count, f"{SIDES[side]} not learnt", object))


def _ways(cells: Mapping[str, Cells]) -> dict[str, np.ndarray]:
    """Return the rows that have what each way needs."""
    eeg, face = cells["eeg"].usable, cells["face"].usable
    return {"both": eeg & face, "eeg": eeg, "face": face}

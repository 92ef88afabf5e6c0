"""Training: the teacher, what it says of the training rows, and the student of each arm."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from insula.networks.picture_classifier import PictureClassifier
from insula.networks.standardised import Standardised, moments
from insula.objectives.prototypes import class_means
from insula.protocols.controls import permute_labels, shuffle_modality
from insula.samples import Samples
from insula.systems.two_modalities import Cells, without_late
from insula.systems.ucmc.losses import Arm, RowTargets, StudentLoss, TaskLoss, TeacherLoss
from insula.systems.ucmc.networks import Bridge, Network, StudentWithBridge, bridge_of, student_of, teacher_of
from insula.systems.ucmc.reading import SIGNAL_ENCODERS, Items, Reader, items_of
from insula.systems.ucmc.settings import UCMCSettings
from insula.systems.ucmc.task_head import TaskHead
from insula.training.engine import train
from insula.training.settings import Training

_SLOW = 0.1  # of the learning rate, for what a pretrained backbone already knows
_FACES_DEALT = {"shuffled-faces": None, "shuffled-within": "_class"}


@dataclass(frozen=True)
class Readers:
    """How each modality is read; None where no training row has it."""

    eeg: Reader | None
    face: Reader | None


@dataclass(frozen=True)
class PairedRows:
    """Rows of one part of the data, as student and teacher find them.

    Parameters
    ----------
    samples : Samples
        The rows.
    value : float32 array, shape (n,)
        What `TaskHead.values` returned for them.
    code : int array, shape (n,)
        What `TaskHead.codes` made of it.
    eeg, face : Cells
        Which rows can be used.
    """

    samples: Samples
    value: np.ndarray
    code: np.ndarray
    eeg: Cells
    face: Cells

    @classmethod
    def of(cls, samples: Samples, task_head: TaskHead, readers: Readers, limit: float) -> PairedRows:
        """Return the rows as they are, faces left out that are more than `limit` seconds from their EEG."""
        value = task_head.values(samples.table)
        eeg = cells_of(samples, readers.eeg, "EEG")
        face = without_late(cells_of(samples, readers.face, "face"), eeg, samples, limit)
        return cls(samples, value, task_head.codes(value), eeg, face)

    @property
    def labelled(self) -> np.ndarray:
        """Bool (n,): which rows have a label."""
        return self.code >= 0

    def targets(self, outputs: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
        """Return what is known of each row beside the teacher's outputs and features, packed."""
        return RowTargets(
            torch.from_numpy(self.value),
            torch.from_numpy(self.code),
            torch.from_numpy(self.eeg.usable),
            torch.from_numpy(self.face.usable),
            outputs,
            features,
        ).packed()


def cells_of(samples: Samples, reader: Reader | None, called: str) -> Cells:
    """Return which rows a reader can use: none without a reader."""
    if reader is None:
        reasons = np.full(len(samples), f"{called} not learnt in training", object)
        return Cells(np.zeros((len(samples), 0), np.float32), reasons)
    return reader.cells(samples)


def unread(samples: Samples) -> Cells:
    """Return cells of a modality that is not asked for."""
    return Cells(np.zeros((len(samples), 0), np.float32), np.full(len(samples), "not asked for", object))


def stand_in(samples: Samples, task_head: TaskHead, settings: UCMCSettings) -> Samples:
    """Return the training rows as the placebo of the settings gives them to the teacher, else as they are."""
    if settings.stand_in in _FACES_DEALT and samples.has(settings.face).any():
        classes = samples.with_columns(_class=task_head.codes(task_head.values(samples.table)))
        return shuffle_modality(classes, settings.face, settings.seed, _FACES_DEALT[settings.stand_in])
    return samples


@dataclass
class Trainer:
    """What is learnt from, and how.

    Parameters
    ----------
    train, held : PairedRows
        Of the training part, and of the validation part, which may be empty.
    task_head : TaskHead
        What is to be said.
    readers : Readers
        How rows are read.
    settings : UCMCSettings
        How.
    """

    train: PairedRows
    held: PairedRows
    task_head: TaskHead
    readers: Readers
    settings: UCMCSettings

    def _items(self, part: PairedRows, reader: Reader, wanted: np.ndarray) -> Items:
        cells = part.eeg if reader is self.readers.eeg else part.face
        return items_of(reader, part.samples, cells, wanted, self.settings.steps, self.settings.hop)

    def _none(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Return outputs and features of a row without a teacher."""
        return torch.zeros(self.task_head.outputs), torch.zeros(self.settings.width)

    def _plain(self, part: PairedRows) -> torch.Tensor:
        outputs, features = self._none()
        return part.targets(outputs.expand(len(part.samples), -1), features.expand(len(part.samples), -1))

    def _targets_of(self, items: Items, targets: torch.Tensor) -> torch.Tensor:
        nothing = torch.cat([torch.tensor([float("nan"), -1.0, 0.0, 0.0]), *self._none()])
        return items.targets_of(targets, nothing)

    # the teacher ------------------------------------------------------------------------------------------------------

    def teacher(self, start: dict[str, torch.Tensor] | None = None) -> tuple[Network, dict[str, Any]]:
        """Train the teacher on labelled rows that have a face."""
        settings, reader, part = self.settings, self.readers.face, self.train
        assert reader is not None
        if settings.stand_in == "permuted-teacher":
            dealt = permute_labels(part.samples, self.task_head.task, "sample", settings.seed)
            value = self.task_head.values(dealt.table)
            part = PairedRows(dealt, value, self.task_head.codes(value), part.eeg, part.face)
        network = teacher_of(settings, reader, self.task_head)
        wanted = part.face.usable & part.labelled
        begin(network, start, rows_of(reader, part, wanted))
        loss = TeacherLoss(TaskLoss(self.task_head), settings.width)
        held = self._held(reader, self.held.face.usable)
        items, about = self._items(part, reader, wanted), settings.teacher
        facts = self._train(network, loss, items, self._plain(part), held, about.training, about.weights is not None)
        return network.requires_grad_(False), facts

    def says(self, network: Network, part: PairedRows, reader: Reader, wanted: np.ndarray) -> torch.Tensor:
        """Return a network's features of the wanted rows, (n, width); zeros of the others."""
        features = self._items(part, reader, wanted).each(lambda batch: network(batch).features, self.settings.width)
        return torch.where(torch.from_numpy(wanted)[:, None], features, 0)

    def taught_by(self, teacher: Network) -> torch.Tensor:
        """Return what is known of each training row with the teacher's outputs and features, packed."""
        assert self.readers.face is not None
        features = self.says(teacher, self.train, self.readers.face, self.train.face.usable)
        with torch.inference_mode():
            outputs = torch.where(torch.from_numpy(self.train.face.usable)[:, None], teacher.head(features), 0)
        return self.train.targets(outputs.clone(), features.clone())

    def score(self, network: Network, reader: Reader, wanted: np.ndarray) -> float:
        """Return how well a network does on some labelled rows of the validation part; NaN where there are none."""
        if not wanted.any():
            return float("nan")
        with torch.inference_mode():
            outputs = network.head(self.says(network, self.held, reader, wanted)).numpy()
        return self.task_head.score(outputs[wanted], self.held.value[wanted])

    # the student ------------------------------------------------------------------------------------------------------

    def bridge(self, teacher: Network, targets: torch.Tensor) -> Bridge:
        """Return the bridge before training: prototypes are the classes' mean directions of the teacher's features.

        Features are centred first: those that follow a ReLU lie in one corner, where all means point the same way.
        """
        bridge = bridge_of(self.settings, teacher, self.task_head)
        rows = RowTargets.of(targets, self.settings.width)
        faces = rows.face & rows.labelled
        with torch.no_grad():
            bridge.face.bias.copy_(-bridge.face.weight @ rows.features[faces].mean(dim=0))
            embedded = bridge.face(rows.features[faces])
            bridge.prototypes.copy_(class_means(embedded, rows.code[faces], bridge.prototypes))
        return bridge

    def student(
        self, arm: Arm, targets: torch.Tensor | None, bridge: Bridge | None, heard: bool, start: dict | None = None
    ) -> tuple[Network, dict[str, Any]]:
        """Train the student of an arm; the bridge, where the arm has one, is trained in place.

        Parameters
        ----------
        arm : {"alone", "distillation", "eeg"}
            Which.
        targets : tensor or None
            What `taught_by` returned; None without a teacher.
        bridge : Bridge or None
            For the arm `eeg` with a teacher.
        heard : bool
            Whether the teacher is distilled from.
        start : dict, optional
            Weights to begin with.
        """
        settings, reader = self.settings, self.readers.eeg
        assert reader is not None
        network = student_of(settings, reader, self.task_head)
        begin(network, start, rows_of(reader, self.train, self.train.eeg.usable & self.train.labelled))
        whole: nn.Module = network if bridge is None else StudentWithBridge(network, bridge)
        loss = StudentLoss(self.task_head, settings, whole, arm, heard)
        items = self._items(self.train, reader, self.rows(arm if bridge is not None else "alone"))
        targets = self._plain(self.train) if targets is None else targets
        held = self._held(reader, self.held.eeg.usable)
        facts = self._train(whole, loss, items, targets, held, settings.training)
        whole.requires_grad_(False)
        return network, facts

    def rows(self, arm: Arm) -> np.ndarray:
        """Return the rows that a student learns from, bool (n,).

        Those with EEG and a label; in the arm `eeg` also pairs without a label, where these are aligned, and labelled
        faces without EEG, where prototypes and evidence learn from them.
        """
        part, settings = self.train, self.settings
        wanted = part.eeg.usable & part.labelled
        if arm == "eeg" and settings.contrast_weight:
            wanted = wanted | (part.eeg.usable & part.face.usable)
        if arm == "eeg" and (settings.similarity or settings.uncertainty):
            wanted = wanted | (part.face.usable & part.labelled)
        return wanted

    def _held(self, reader: Reader, usable: np.ndarray) -> tuple[Items, torch.Tensor] | None:
        wanted = usable & self.held.labelled
        if not wanted.any():
            return None
        items = self._items(self.held, reader, wanted)
        return items, self._targets_of(items, self._plain(self.held))

    def _train(
        self,
        network: nn.Module,
        loss: Any,
        items: Items,
        targets: torch.Tensor,
        held: tuple[Items, torch.Tensor] | None,
        training: Training,
        pretrained: bool = False,
    ) -> dict[str, Any]:
        rates = dict.fromkeys(_backbones(network), _SLOW) if pretrained else {}
        trained = train(
            network, loss, items, self._targets_of(items, targets), held, training, self.settings.seed, rates=rates
        )
        return {**trained.facts(), "epochs": len(trained.train_losses)}


def _backbones(network: nn.Module) -> list[str]:
    """Return where the weights of picture backbones are."""
    return [f"{name}.backbone." for name, part in network.named_modules() if isinstance(part, PictureClassifier)]


def rows_of(reader: Reader, part: PairedRows, wanted: np.ndarray) -> Items:
    """Return the wanted rows of a part, each once and by itself."""
    cells = part.face if reader.called == "face" else part.eeg
    return Items(reader, part.samples, cells, torch.from_numpy(np.flatnonzero(wanted)))


def begin(network: Network, start: dict[str, torch.Tensor] | None, rows: Items) -> None:
    """Set the weights that a network begins with, and by what its inputs are standardised: what these rows are like."""
    if start is not None:
        network.load_state_dict(start)
    encoder = network.encoder
    if not isinstance(encoder, Standardised):
        return
    mean, deviation = moments(_steps(rows), over_time=rows.reader.encoder in SIGNAL_ENCODERS)
    encoder.mean.copy_(mean)
    encoder.deviation.copy_(deviation)


def _steps(rows: Items) -> Iterator[torch.Tensor]:
    """Yield rows as they are standardised: one that is a sequence by itself as its steps."""
    for batch in rows.batches():
        yield batch.flatten(0, 1) if rows.reader.timed else batch

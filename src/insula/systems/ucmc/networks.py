"""The networks of UCMC: an encoder and a head for each modality, and the bridge between the two while training."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import nn

from insula.networks.adapter import UnitProjection, adapter
from insula.networks.backbones import create_backbone, load_backbone
from insula.networks.picture_classifier import PictureClassifier
from insula.networks.standardised import Standardised
from insula.networks.temporal_convolution import TemporalConvolution, mean_over_time
from insula.objectives.evidential import evidence
from insula.objectives.head_injection import HeadInjection
from insula.objectives.prototypes import similarities
from insula.systems.ucmc.reading import SIGNAL_ENCODERS, Reader
from insula.systems.ucmc.settings import UCMCSettings
from insula.systems.ucmc.task_head import TaskHead

_BRAINDECODE = {"eegnet": "EEGNet", "deep4net": "Deep4Net", "tsception": "TSception"}
_GAIN, _BIAS = 10.0, -5.0  # of evidence, to begin with


class NetworkOutput(NamedTuple):
    """What a network says: features (..., width) and outputs (..., outputs), rows or steps of sequences first."""

    features: torch.Tensor
    outputs: torch.Tensor


class RowEncoder(nn.Module):
    """Features of rows, (n, ...), of which some may be NaN: these get zeros, and the network does not see them.

    Parameters
    ----------
    network : Module
        Rows to features.
    width : int
        Of the features.
    """

    def __init__(self, network: nn.Module, width: int) -> None:
        super().__init__()
        self.network, self.width = network, width

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """Return features, (n, width)."""
        there = ~rows.flatten(1).isnan().any(dim=1)
        if there.all():
            return self.network(rows)
        features = rows.new_zeros(len(rows), self.width)
        if there.any():
            features[there] = self.network(rows[there]).to(features)
        return features


class SequenceEncoder(nn.Module):
    """Features of the steps of sequences, (n, steps, ...), of which some may be NaN: these count for nothing.

    Parameters
    ----------
    rows : Module
        What each step is read by: a `RowEncoder`, or Identity.
    network : TemporalConvolution
        What follows.
    pooled : bool
        Whether steps are averaged, so that a sequence has one feature.
    """

    def __init__(self, rows: nn.Module, network: TemporalConvolution, pooled: bool) -> None:
        super().__init__()
        self.rows, self.network, self.pooled = rows, network, pooled

    def forward(self, steps: torch.Tensor) -> torch.Tensor:
        """Return features, (n, steps, width), or (n, width) where they are pooled."""
        there = ~steps.flatten(2).isnan().any(dim=2)
        if isinstance(self.rows, RowEncoder):
            steps = self.rows(steps.flatten(0, 1)).unflatten(0, there.shape)
        made = self.network(steps.nan_to_num(0.0), there)
        return mean_over_time(made, there) if self.pooled else made


class Network(nn.Module):
    """An encoder and a linear head.

    Parameters
    ----------
    encoder : Module
        Rows or sequences to features.
    width, outputs : int
        Features, and numbers that the head makes of them.
    """

    def __init__(self, encoder: nn.Module, width: int, outputs: int) -> None:
        super().__init__()
        self.encoder, self.head = encoder, nn.Linear(width, outputs)

    def forward(self, inputs: torch.Tensor) -> NetworkOutput:
        """Return features and outputs."""
        features = self.encoder(inputs)
        return NetworkOutput(features, self.head(features))


class Bridge(nn.Module):
    """What holds a student's features and a teacher's together, beside either's head.

    Parameters
    ----------
    head : Linear
        The teacher's, which is copied and stays as it is.
    task_head : TaskHead
        Whose classes, or parts, have a prototype each.
    temperature : float
        At which outputs of the teacher's head are compared.
    """

    def __init__(self, head: nn.Linear, task_head: TaskHead, temperature: float) -> None:
        super().__init__()
        width = head.in_features
        self.adapter = adapter(width, width)
        self.eeg, self.face = UnitProjection(width, width), UnitProjection(width, width)
        self.prototypes = nn.Parameter(torch.nn.functional.normalize(torch.randn(task_head.parts, width), dim=1))
        self.gain, self.bias = nn.Parameter(torch.tensor(_GAIN)), nn.Parameter(torch.tensor(_BIAS))
        self.injection = HeadInjection(head, task_head.kind, temperature)

    def evidence(self, embedded: torch.Tensor) -> torch.Tensor:
        """Return the evidence for each class, (n, parts), of features of unit length."""
        return evidence(similarities(embedded, self.prototypes), self.gain, self.bias)

    def of_eeg(self, features: torch.Tensor) -> torch.Tensor:
        """Return the student's features, (n, width), as they lie beside the teacher's."""
        return self.eeg(self.adapter(features))


class StudentWithBridge(nn.Module):
    """A student and its bridge to a teacher, trained as one."""

    def __init__(self, student: Network, bridge: Bridge) -> None:
        super().__init__()
        self.student, self.bridge = student, bridge

    def forward(self, inputs: torch.Tensor) -> NetworkOutput:
        """Return what the student says."""
        return self.student(inputs)


def student_of(settings: UCMCSettings, reader: Reader, task_head: TaskHead) -> Network:
    """Return the untrained student, fixed by the seed."""
    evidential = settings.evidential and task_head.kind == "ratings"
    return _network(settings, reader, 4 if evidential else task_head.outputs, settings.seed)


def teacher_of(settings: UCMCSettings, reader: Reader, task_head: TaskHead, *, pretrained: bool = True) -> Network:
    """Return the untrained teacher, fixed by the seed; where not `pretrained` its weights are about to be loaded."""
    return _network(settings, reader, task_head.outputs, settings.seed + 1, pretrained=pretrained)


def bridge_of(settings: UCMCSettings, teacher: Network, task_head: TaskHead) -> Bridge:
    """Return the bridge before training, fixed by the seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed + 2)
        return Bridge(teacher.head, task_head, settings.temperature)


def _network(settings: UCMCSettings, reader: Reader, outputs: int, seed: int, *, pretrained: bool = True) -> Network:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Network(_encoder(settings, reader, pretrained), settings.width, outputs)


def _encoder(settings: UCMCSettings, reader: Reader, pretrained: bool) -> nn.Module:
    width, picture = settings.width, reader.form.kind == "picture"
    if reader.encoder == "tcn":
        rows = RowEncoder(_picture(settings, pretrained), width) if picture else nn.Identity()
        features = width if picture else reader.shape[-1]
        network = TemporalConvolution(features, width, settings.levels, settings.kernel, settings.dropout)
        encoder: nn.Module = SequenceEncoder(rows, network, reader.timed)
    elif picture:
        encoder = RowEncoder(_picture(settings, pretrained), width)
    elif reader.encoder in SIGNAL_ENCODERS:
        from insula.systems.baselines.deep import braindecode_network

        network_of_rows = braindecode_network(_BRAINDECODE[reader.encoder], reader.form, reader.shape, width)
        encoder = RowEncoder(network_of_rows, width)
    else:
        encoder = RowEncoder(_perceptron(reader.shape[0], settings), width)
    if picture:  # standardised inside, as its backbone wants it
        return encoder
    wide = (reader.shape[0], 1) if reader.encoder in SIGNAL_ENCODERS else (reader.shape[-1],)
    return Standardised(encoder, torch.zeros(wide), torch.ones(wide))


def _perceptron(features: int, settings: UCMCSettings) -> nn.Module:
    width = settings.width
    return nn.Sequential(
        nn.Linear(features, width), nn.ReLU(), nn.Dropout(settings.dropout), nn.Linear(width, width), nn.ReLU()
    )


def _picture(settings: UCMCSettings, pretrained: bool) -> nn.Module:
    about = settings.teacher
    begun = pretrained and about.weights is not None
    backbone = load_backbone(about.backbone, about.weights) if begun else create_backbone(about.backbone)
    return nn.Sequential(PictureClassifier(backbone, settings.width), nn.ReLU())

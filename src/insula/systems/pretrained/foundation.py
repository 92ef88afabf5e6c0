"""Foundation models of EEG as comparators: weights from a file that a user gives, a new last layer for the task."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from insula.errors import DataError
from insula.samples import Description
from insula.storage.hashing import sha256_of
from insula.systems.base import TrainingData
from insula.systems.signal_network import TINY, SignalNetwork, SignalNetworkSettings

if TYPE_CHECKING:
    import torch
    from torch import nn

    from insula.training.rows import Rows

log = logging.getLogger(__name__)


class FoundationSettings(SignalNetworkSettings):
    """Which model, with whose weights, and how much of it learns.

    Parameters
    ----------
    model : str
        `labram`, `cbramod`, `eegpt`, `biot` or `reve`.
    weights : Path or None
        Its file of weights, `.safetensors` or a state that torch wrote, of braindecode's class; nothing is fetched.
        None: random weights, the control that says what the pre-training is worth.
    arguments : mapping
        Of braindecode's class, where the weights are of a model of another size, as `embed_dim` and `depth` of REVE.
    tune : str
        `probe`: only the last layer learns, the rest stays as it was given; `fine-tune`: all of it.
    backbone_rate : float
        Factor on the learning rate of what was given, in `fine-tune`.
    """

    model: str = "labram"
    weights: Path | None = None
    arguments: Mapping[str, bool | int | float | str] = {}
    tune: Literal["probe", "fine-tune"] = "probe"
    backbone_rate: float = Field(0.1, gt=0, le=1)


class FoundationNetwork(SignalNetwork):
    """A foundation model on windows of EEG, in the units and at the rate that it was trained in."""

    Settings: ClassVar[type[SignalNetworkSettings]] = FoundationSettings
    trains_on: ClassVar = ("eeg",)
    modes: ClassVar[Mapping[str, str]] = {"network": "foundation model"}
    presets: ClassVar = {
        "tiny": {
            "model": "biot",
            "arguments": {"embed_dim": 32, "num_layers": 1, "hop_length": 10},
            "tune": "fine-tune",
            "training": {**TINY, "epochs": 60, "keep": "last"},
        }
    }
    head: tuple[str, ...] = ()

    @property
    def rates(self) -> Mapping[str, float]:  # type: ignore[override]
        """The factor on the learning rate of all but the head, where it was given."""
        slow = self.settings.weights is not None and self.settings.tune == "fine-tune"
        return {**dict.fromkeys(self.head, 1.0), "": self.settings.backbone_rate} if slow else {}

    def _fit(self, data: TrainingData) -> None:
        super()._fit(data)
        path = self.settings.weights
        self.facts["begins with"] = "random weights" if path is None else f"{path.name}, sha256 {sha256_of(path)}"

    def _network(self, form: Description, shape: tuple[int, ...], classes: int) -> nn.Module:
        from insula.networks.foundation import Foundation
        from insula.networks.probe import Probe

        if form.axes != ("channel", "time") or form.rate is None:
            what = f"a foundation model reads channels x times, not {' x '.join(form.axes)}"
            raise DataError(what, where=self.settings.modality, do="set modality to the EEG's windows")
        settings = self.settings
        network = Foundation(settings.model, form, shape, classes, settings.arguments)
        self.head = network.head
        return Probe(network, self.head) if settings.tune == "probe" else network

    def _moments(self, rows: Rows) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the units of the model, which learnt what amplitudes are, where it has any."""
        import torch

        from insula.networks.foundation import foundation_model

        unit = foundation_model(self.settings.model).microvolts
        if unit is None:
            return super()._moments(rows)
        if self.form.units != "uV":
            what = f"{self.settings.model} reads microvolts, and these are in {self.form.units}"
            raise DataError(what, where=self.settings.modality, do="use the model biot, which reads any units")
        return torch.zeros(self.shape[0], 1), torch.full((self.shape[0], 1), float(unit))

    def _begin(self, network: Any, before: Any) -> None:
        """Give the network the weights of `before`, or those of the file but the head's."""
        path = self.settings.weights
        if before:
            super()._begin(network, before)
        elif path is None:
            log.warning("%s has random weights: the control; for its own set system.weights", self.settings.model)
        else:
            (network.network if self.settings.tune == "probe" else network).take(path)

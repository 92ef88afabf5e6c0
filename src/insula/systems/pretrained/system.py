"""A network on EEG that begins with the weights of another task: its last layer is new, and the rest learns slowly."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from insula.errors import SettingsError
from insula.samples import Description
from insula.systems.catalogue import system_class
from insula.systems.signal_network import TINY, SignalNetwork, SignalNetworkSettings

if TYPE_CHECKING:
    from torch import nn


class PretrainedSettings(SignalNetworkSettings):
    """Whose network, whose weights, and how much of it learns.

    Parameters
    ----------
    backbone : str
        A system that is one network on one modality: `eegnet`, `deep4net`, `histn` and others.
    weights : Path or None
        A folder that such a system was saved to, of any task, on the same channels at the same rate; None: random
        weights, the control that says what the pretraining is worth.
    tune : str
        `probe`: only the last layer learns, the rest stays as it was saved; `fine-tune`: all of it.
    backbone_rate : float
        Factor on the learning rate of what was saved, in `fine-tune`.
    """

    backbone: str = "eegnet"
    weights: Path | None = None
    tune: Literal["probe", "fine-tune"] = "fine-tune"
    backbone_rate: float = Field(0.1, gt=0, le=1)

    @model_validator(mode="after")
    def _has_what_it_probes(self) -> Self:
        if self.tune == "probe" and self.weights is None:
            raise SettingsError("a probe of random weights", where="tune", do="set weights, or tune=fine-tune")
        return self


class Pretrained(SignalNetwork):
    """A network whose weights were learnt elsewhere, with a last layer for the task at hand.

    The last layer is what has another shape where there is another number of classes, whatever the network.
    """

    Settings: ClassVar[type[SignalNetworkSettings]] = PretrainedSettings
    trains_on: ClassVar = ("eeg",)
    modes: ClassVar[Mapping[str, str]] = {"network": "pretrained network"}
    presets: ClassVar = {"tiny": {"training": TINY}}
    head: tuple[str, ...] = ()

    @property
    def rates(self) -> Mapping[str, float]:  # type: ignore[override]
        """The factor on the learning rate of all but the head, where it was saved."""
        slow = self.settings.weights is not None and self.settings.tune == "fine-tune"
        return {**dict.fromkeys(self.head, 1.0), "": self.settings.backbone_rate} if slow else {}

    def _network(self, form: Description, shape: tuple[int, ...], classes: int) -> nn.Module:
        import torch

        from insula.networks.probe import Probe

        kind = system_class(self.settings.backbone)
        if not issubclass(kind, SignalNetwork) or kind is Pretrained:
            what = f"{self.settings.backbone} is not one network on one modality"
            raise SettingsError(what, where="backbone", do="use eegnet, deep4net, tsception or eeg-conformer")
        plain = kind(kind.Settings(modality=self.settings.modality))
        network = plain._network(form, shape, classes)
        with torch.random.fork_rng(devices=[]):
            other = plain._network(form, shape, classes + 1).state_dict()
        self.head = tuple(name for name, value in network.state_dict().items() if value.shape != other[name].shape)
        probing = self.settings.weights is not None and self.settings.tune == "probe"
        return Probe(network, self.head) if probing else network

    def _begin(self, network: Any, before: Any) -> None:
        """Give the network the weights of `before`, or all those that the settings name but the head's."""
        folder = self.settings.weights
        if before or folder is None:
            super()._begin(network, before)
            return
        inner = network.network if self.settings.tune == "probe" else network
        saved: Any = system_class(self.settings.backbone).load(folder)
        own = inner.state_dict()
        kept = {name: value for name, value in saved.network.network.state_dict().items() if name not in self.head}
        same = (saved.form.channels, saved.form.rate) == (self.form.channels, self.form.rate)
        if not same or any(name not in own or own[name].shape != value.shape for name, value in kept.items()):
            what = "the saved network is of another form"
            raise SettingsError(what, where=folder, do="keep its channels and its rate")
        inner.load_state_dict(own | kept)

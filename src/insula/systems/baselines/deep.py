"""Published EEG networks, as braindecode builds them, on windows of EEG; and a transformer on their band powers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from insula.errors import DataError
from insula.networks.braindecode import braindecode_network
from insula.systems.signal_network import SignalNetwork, SignalNetworkSettings

if TYPE_CHECKING:
    from torch import nn

    from insula.samples import Description


class BandPowerSettings(SignalNetworkSettings):
    """The settings of `SignalNetworkSettings`, on the differential entropy of bands."""

    modality: str = "features"


class _Braindecode(SignalNetwork):
    """A network of braindecode; a subclass names it."""

    architecture: ClassVar[str]
    trains_on: ClassVar = ("eeg",)

    def _network(self, form: Description, shape: tuple[int, ...], classes: int) -> nn.Module:
        if form.axes != ("channel", "time") or form.rate is None:
            what = f"{self.architecture} reads channels x times, not {' x '.join(form.axes)}"
            raise DataError(what, where=self.settings.modality, do="set modality to the EEG's windows")
        return braindecode_network(self.architecture, form, shape, classes)


class EEGNet(_Braindecode):
    """Lawhern et al. 2018: temporal filters, one spatial filter bank each, separable convolutions."""

    architecture: ClassVar = "EEGNet"
    modes: ClassVar[Mapping[str, str]] = {"network": "EEGNet"}


class Deep4Net(_Braindecode):
    """Schirrmeister et al. 2017: four blocks of convolution and pooling."""

    architecture: ClassVar = "Deep4Net"
    modes: ClassVar[Mapping[str, str]] = {"network": "Deep4Net"}


class TSception(_Braindecode):
    """Ding et al. 2022: temporal filters of several lengths, then both hemispheres."""

    architecture: ClassVar = "TSception"
    modes: ClassVar[Mapping[str, str]] = {"network": "TSception"}


class DGCNN(_Braindecode):
    """Song et al. 2018: a graph of electrodes that is learnt; braindecode's reads the signal itself."""

    architecture: ClassVar = "DGCNN"
    modes: ClassVar[Mapping[str, str]] = {"network": "DGCNN"}


class EEGConformer(_Braindecode):
    """Song et al. 2022: convolutions, then attention over time."""

    architecture: ClassVar = "EEGConformer"
    modes: ClassVar[Mapping[str, str]] = {"network": "EEG Conformer"}


class BandPowerTransformer(SignalNetwork):
    """Attention between electrodes, each a token of its band powers: the network of RBTransformer on plain features."""

    Settings: ClassVar = BandPowerSettings
    trains_on: ClassVar = ("features",)
    modes: ClassVar[Mapping[str, str]] = {"network": "transformer on band powers"}

    def _network(self, form: Description, shape: tuple[int, ...], classes: int) -> nn.Module:
        from insula.networks.rbtransformer import RBTransformer

        if len(shape) != 2:
            raise DataError(f"features of {len(shape)} axes are not channels x bands", where=self.settings.modality)
        return RBTransformer(electrodes=shape[0], bands=shape[1], classes=classes)

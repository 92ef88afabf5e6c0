"""RBTransformer: electrodes attend to each other, each a token of its band-wise differential entropy.

Source: the public description and trained sizes of RBTransformer (SEED, DEAP and DREAMER); see the card.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from insula.errors import DataError
from insula.samples import ArrayStore, Description, Samples
from insula.systems.rbtransformer.tokens import PUBLISHED, band_tokens, mean_second
from insula.systems.signal_network import SignalNetwork, SignalNetworkSettings
from insula.training.settings import Training

if TYPE_CHECKING:
    import torch
    from torch import nn

    from insula.training.rows import Rows

_BITS = "bits"  # of tokens made here, and of no stored features
_TRIALS = 16  # whose baselines are in memory at a time


class RBTransformerSettings(SignalNetworkSettings):
    """How RBTransformer reads EEG and is trained; the defaults are the preset `quick`.

    Parameters
    ----------
    modality : str
        `eeg`, whose windows become tokens, or `features`, which are taken as they are.
    bands : tuple of (low, high)
        Hz; the source's four.
    scale : str
        What a window is standardised by: `window` (the source's code) or `channel`.
    baseline : bool
        Whether the tokens of the time before a trial are subtracted (the source does on DEAP and DREAMER): the modality
        `baseline`, its seconds averaged to one as waveforms.
    label_smoothing : float
        Of the cross-entropy.
    width, heads, head_width, depth : int
        Of the network.
    """

    bands: tuple[tuple[float, float], ...] = PUBLISHED
    scale: Literal["window", "channel"] = "window"
    baseline: bool = False
    label_smoothing: float = Field(0.12, ge=0, lt=1)
    width: int = 128
    heads: int = 6
    head_width: int = 32
    depth: int = 4
    training: Training = Training(epochs=30, patience=8, batch_size=256, weight_decay=1e-3)


class RBTransformer(SignalNetwork):
    """Classify EEG windows by attention between electrodes.

    The preset `quick` takes minutes on two cores, `paper` has the source's number of epochs.
    """

    Settings: ClassVar = RBTransformerSettings
    trains_on: ClassVar = ("eeg",)
    modes: ClassVar[Mapping[str, str]] = {"network": "RBTransformer"}
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "quick": {},
        "paper": {"training": Training(epochs=300, patience=300, batch_size=256, weight_decay=1e-3)},
        **SignalNetwork.presets,
    }

    def _rows(self, samples: Samples, channels: Sequence[str] | None = None) -> Rows:
        from insula.training.rows import Rows

        rows, settings = super()._rows(samples, channels), self.settings
        form = rows.store.description
        if form.rate is None:
            return rows
        tokens = [band_tokens(batch.numpy(), form.rate, settings.bands, settings.scale) for batch in rows.batches()]
        names = tuple(channels or form.channels)
        made = Description(kind="features", axes=("channel", "band"), channels=names, units=_BITS)
        none = np.empty((0, len(names), len(settings.bands)), np.float32)
        values = np.concatenate([none, *tokens])
        if settings.baseline and len(samples):
            values -= self._before(samples, names)
        store = ArrayStore(values, made)
        return Rows(samples.with_modality("tokens", "tokens", store, range(len(samples))), "tokens")

    def _before(self, samples: Samples, channels: Sequence[str]) -> np.ndarray:
        """Return the tokens of each sample's baseline (n, channels, bands)."""
        from insula.training.rows import Rows

        lacking = ~samples.has("baseline") if "baseline" in samples.modalities else np.ones(len(samples), bool)
        if lacking.any():
            what = f"{int(lacking.sum())} of {len(samples)} samples have no baseline to subtract"
            raise DataError(what, where="system.baseline", do="set corpus.baseline, or leave it out")
        _, first, which = np.unique(samples.rows("baseline"), return_index=True, return_inverse=True)
        rows, settings = Rows(samples.select(first), "baseline", channels), self.settings
        rate = rows.store.description.rate or 0.0
        means = (mean_second(batch.numpy(), rate) for batch in rows.batches(_TRIALS))
        return np.concatenate([band_tokens(mean, rate, settings.bands, settings.scale) for mean in means])[which]

    def _network(self, form: Description, shape: tuple[int, ...], classes: int) -> nn.Module:
        from insula.networks.rbtransformer import RBTransformer as Network

        about = self.settings
        electrodes, bands = shape
        return Network(electrodes, bands, classes, about.width, about.heads, about.head_width, about.depth)

    def _loss(self, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        from torch.nn.functional import cross_entropy

        return cross_entropy(logits, targets, label_smoothing=self.settings.label_smoothing)

    @property
    def bands(self) -> tuple[str, ...]:
        """The bands of tokens made here, in Hz; features that were stored do not say theirs."""
        if self.form.units != _BITS:
            return super().bands
        return tuple(f"{low:g} to {high:g} Hz" for low, high in self.settings.bands)

    def attention(self, samples: Samples) -> np.ndarray:
        """Return how much each electrode (rows, as in `form.channels`) attends to each other one, on average.

        Parameters
        ----------
        samples : Samples
            With the modality that the system reads.
        """
        network: Any = self.network.network
        return self._each(samples, lambda batch: network.attention(self.network.standard(batch))).mean(axis=0)

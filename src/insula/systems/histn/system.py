"""HiSTN: a network of about a thousand weights over electrodes, regions and the head, for ordered ratings.

Source: the public description of HiSTN (DREAMER); see the card.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd
from pydantic import Field

from insula.errors import DataError
from insula.samples import Description, Samples
from insula.systems.histn.regions import graph_of
from insula.systems.signal_network import TINY, SignalNetwork, SignalNetworkSettings
from insula.training.settings import Training

if TYPE_CHECKING:
    import torch
    from torch import nn

    from insula.training.rows import Rows


class HiSTNSettings(SignalNetworkSettings):
    """How HiSTN is trained.

    Parameters
    ----------
    spread : float
        Of a target over the neighbours of its class, in classes; 0 for none, as for classes without an order.
    filters : int
        Temporal filters.
    seconds : float
        Their length: half a second in the source.
    dropout : float
        Before the messages, and before the classes.
    """

    spread: float = Field(0.5, ge=0)
    filters: int = 8
    seconds: float = Field(0.5, gt=0)
    dropout: float = Field(0.5, ge=0, lt=1)
    training: Training = Training(epochs=50, patience=50, batch_size=256, weight_decay=0.0)


class HiSTN(SignalNetwork):
    """Classify EEG windows through a hierarchy of graphs.

    Each trial is scaled channel by channel with its largest absolute value, as in the source; that looks at the whole
    trial, so it is not for use while a trial runs.
    """

    Settings: ClassVar = HiSTNSettings
    trains_on: ClassVar = ("eeg",)
    modes: ClassVar[Mapping[str, str]] = {"network": "HiSTN"}
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {"tiny": {"training": TINY, "spread": 0}}

    def _rows(self, samples: Samples, channels: Sequence[str] | None = None) -> Rows:
        from insula.training.rows import Rows

        rows = super()._rows(samples)
        if rows.store.description.rate is None or len(rows.store.description.axes) != 2:
            raise DataError("HiSTN reads windows of signal", where=self.settings.modality, do="set modality to the EEG")
        largest = np.concatenate(
            [np.empty((0, len(rows.store.description.channels)), np.float32)]
            + [batch.abs().amax(dim=2).numpy() for batch in rows.batches()]
        )
        trial = pd.MultiIndex.from_frame(samples.table[["corpus", "subject", "session", "trial"]]).factorize()[0]
        whole = pd.DataFrame(largest).groupby(trial).transform("max").to_numpy()
        return Rows(samples, self.settings.modality, channels, np.where(whole > 0, whole, 1).astype(np.float32))

    def _network(self, form: Description, shape: tuple[int, ...], classes: int) -> nn.Module:
        from insula.networks.histn import HiSTN as Network

        about, graph = self.settings, graph_of(form.channels)
        length = max(2, round(about.seconds * (form.rate or 0)))
        return Network(
            graph.regions,
            graph.edges,
            graph.region_edges,
            classes,
            about.filters,
            length,
            dropout=about.dropout,
        )

    def _loss(self, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        from torch.nn.functional import cross_entropy

        from insula.objectives.ordinal import neighbourly

        spread = self.settings.spread
        return cross_entropy(logits, neighbourly(targets, logits.shape[1], spread) if spread else targets)

"""Inputs that stay on disk until a batch asks for them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from insula.errors import DataError
from insula.samples import Samples, Store


class Rows:
    """The rows of a modality that samples point into, read batch by batch: memory is that of a batch.

    Parameters
    ----------
    samples : Samples
        All have the modality, in one store of rows of one shape.
    modality : str
        For example `eeg`.
    channels : sequence of str, optional
        Channels wanted, in this order; by default those of the store.
    divisors : array, shape (samples, channels), optional
        What each channel of each row is divided by, channels as in the store.

    Raises
    ------
    DataError
        Where the store lacks a channel.
    """

    def __init__(
        self,
        samples: Samples,
        modality: str,
        channels: Sequence[str] | None = None,
        divisors: np.ndarray | None = None,
    ) -> None:
        self.store: Store = samples.store(modality)
        self.rows, self.divisors = samples.rows(modality), divisors
        names = self.store.description.channels
        missing = [name for name in channels or () if name not in names]
        if missing:
            do = "harmonise the corpus to the channels of the training data"
            raise DataError(f"no channel {missing[0]}", where=f"{modality}, which has {', '.join(names)}", do=do)
        self.order = None if channels is None or tuple(channels) == names else [names.index(name) for name in channels]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, chosen: torch.Tensor) -> torch.Tensor:
        """Return float32 (batch, ...) of the rows at these places."""
        values = np.asarray(self.store.read(self.rows[chosen.numpy()]), np.float32)
        if self.divisors is not None:
            values = values / np.expand_dims(self.divisors[chosen.numpy()], tuple(range(2, values.ndim)))
        return torch.from_numpy(values if self.order is None else values[:, self.order])

    def batches(self, size: int = 256) -> Iterator[torch.Tensor]:
        """Yield all rows in their order, `size` at a time."""
        for start in range(0, len(self), size):
            yield self[torch.arange(start, min(start + size, len(self)))]

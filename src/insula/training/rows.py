"""Inputs that stay on disk until a batch asks for them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pandas as pd
import torch

from insula.errors import DataError
from insula.samples import Samples, Store


class Batches(ABC):
    """What is read in batches of places."""

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def __getitem__(self, chosen: torch.Tensor) -> torch.Tensor: ...

    def batches(self, size: int = 256) -> Iterator[torch.Tensor]:
        """Yield all rows in their order, `size` at a time."""
        for start in range(0, len(self), size):
            yield self[torch.arange(start, min(start + size, len(self)))]

    def each(self, say: Callable[[torch.Tensor], torch.Tensor], size: int = 256) -> np.ndarray:
        """Return what is said about all rows, of which there is at least one, `size` at a time: (n, ...).

        One array is filled: pieces kept from each batch would lie between the blocks that batches free, and the heap
        could give none of those back.
        """
        filled: np.ndarray | None = None
        done = 0
        with torch.inference_mode():
            for batch in self.batches(size):
                part = say(batch).numpy()
                if filled is None:
                    filled = np.empty((len(self), *part.shape[1:]), part.dtype)
                filled[done : done + len(part)] = part
                done += len(part)
        assert filled is not None
        return filled


class Rows(Batches):
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


class PictureRows(Batches):
    """The pictures that samples point into, read batch by batch: a corpus larger than memory trains, too.

    Parameters
    ----------
    samples : Samples
        All have a picture; they may lie in several stores, as joined corpora do.

    Raises
    ------
    DataError
        Where the pictures of two stores differ in size.
    """

    def __init__(self, samples: Samples) -> None:
        samples.store("picture")  # of one form
        self.rows = samples.rows("picture")
        self.place, names = pd.factorize(samples.table["picture_store"])
        self.stores: list[Store] = [samples.stores[name] for name in names]
        self.shapes = [tuple(store.read(np.arange(1))[0].shape) for store in self.stores]
        if len(set(self.shapes)) > 1:
            sizes = " and ".join(
                f"{name} {shape[0]} x {shape[1]}" for name, shape in zip(names, self.shapes, strict=True)
            )
            raise DataError(f"pictures of two sizes: {sizes}", where="picture", do="set one size for the corpora")

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, chosen: torch.Tensor) -> torch.Tensor:
        """Return uint8 (batch, 3, height, width) of the pictures at these places."""
        places = chosen.numpy()
        pictures = np.empty((len(places), *self.shapes[0]), np.uint8)
        for number, store in enumerate(self.stores):
            mine = self.place[places] == number
            if mine.any():
                pictures[mine] = store.read(self.rows[places[mine]])
        return torch.from_numpy(pictures).permute(0, 3, 1, 2)

"""How a network is trained; free of torch, so that reading settings stays cheap."""

from __future__ import annotations

from typing import Literal

from insula.storage.settings import Settings


class Training(Settings):
    """How a network is trained.

    Parameters
    ----------
    epochs, patience : int
        At most so many epochs; stop after `patience` without a better validation loss.
    batch_size, learning_rate, weight_decay, gradient_clip : number
        Of AdamW.
    device : str
        `cpu`, `gpu`, or `auto` for a GPU where there is one.
    """

    epochs: int = 15
    patience: int = 4
    batch_size: int = 64
    learning_rate: float = 1e-3
    weight_decay: float = 1e-4
    gradient_clip: float = 1.0
    device: Literal["cpu", "gpu", "auto"] = "cpu"

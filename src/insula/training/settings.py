"""How a network is trained; free of torch, so that reading settings stays cheap."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from insula.storage.settings import Settings


class Training(Settings):
    """How a network is trained.

    Parameters
    ----------
    epochs, patience : int
        At most so many epochs; stop after `patience` without a better validation loss.
    batch_size, learning_rate, weight_decay : number
        Of the optimiser.
    optimiser : str
        `adamw`, or `sgd`: stochastic gradient descent with Nesterov momentum 0.9.
    decay : float
        The learning rate of step t is `learning_rate * (1 + decay * t) ** -0.75`; 0 keeps it as it is.
    gradient_clip : float or None
        Largest norm of a step's gradient; None for no limit.
    device : str
        `cpu`, `gpu`, or `auto` for a GPU where there is one.
    """

    epochs: int = 15
    patience: int = 4
    batch_size: int = 64
    learning_rate: float = 1e-3
    weight_decay: float = 1e-4
    optimiser: Literal["adamw", "sgd"] = "adamw"
    decay: float = Field(0.0, ge=0)
    gradient_clip: float | None = 1.0
    device: Literal["cpu", "gpu", "auto"] = "cpu"

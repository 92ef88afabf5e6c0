"""How a network is trained; free of torch, so that reading settings stays cheap."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from insula.errors import SettingsError
from insula.storage.settings import Settings


class Descent(Settings):
    """How weights descend a loss, whatever it is made of.

    Parameters
    ----------
    epochs : int
        How long.
    learning_rate, weight_decay : number
        Of the optimiser.
    optimiser : str
        `adamw`; `adam`, whose weight decay is part of the gradient; or `sgd`: stochastic gradient descent with Nesterov
        momentum 0.9.
    betas : pair of float
        Of `adamw` and `adam`.
    schedule : str
        Of the learning rate: `power`, see `decay`; `cosine`, down to `least_rate` over all epochs; `restarts`, down in
        `period` epochs and up at once, again and again; `triangle`, down in `period` epochs and up in as many, one step
        an epoch; `triangle-by-step`, the same with `period` steps in place of epochs.
    decay : float
        With `power`, the learning rate of step t is `learning_rate * (1 + decay * t) ** -0.75`; 0 keeps it as it is.
    period : int
        Epochs (or steps) from the highest learning rate to the lowest.
    least_rate : float
        The lowest learning rate of the schedules that are cosines.
    warm_up : int
        Epochs in which the learning rate rises from almost 0, before the schedule begins.
    gradient_clip : float or None
        Largest norm of a step's gradient; None for no limit.
    device : str
        `cpu`, `gpu`, or `auto` for a GPU where there is one.
    precision : str
        `32`, or `bf16`: products in bfloat16, weights in float32.
    recompute : bool
        Whether blocks of the network make their activations again on the way back instead of keeping them (activation
        checkpointing): less memory, a third more time.
    devices : int
        Processes on one machine that share every step, each with a GPU of its own or, on a CPU, a thread
        (data-parallel training).
    """

    least: ClassVar[Mapping[str, float]] = {"epochs": 1, "weight_decay": 0}
    """What settings are at least."""

    epochs: int = 15
    learning_rate: float = 1e-3
    weight_decay: float = 1e-4
    optimiser: Literal["adamw", "adam", "sgd"] = "adamw"
    betas: tuple[float, float] = (0.9, 0.999)
    schedule: Literal["power", "cosine", "restarts", "triangle", "triangle-by-step"] = "power"
    decay: float = Field(0.0, ge=0)
    period: int = Field(5, ge=1)
    least_rate: float = Field(0.0, ge=0)
    warm_up: int = Field(0, ge=0)
    gradient_clip: float | None = 1.0
    device: Literal["cpu", "gpu", "auto"] = "cpu"
    precision: Literal["32", "bf16"] = "32"
    recompute: bool = False
    devices: int = Field(1, ge=1)

    @model_validator(mode="after")
    def _possible(self) -> Self:
        wrong = next((name for name, value in self.least.items() if getattr(self, name) < value), None)
        if wrong or not self.learning_rate > 0:
            name = wrong or "learning_rate"
            do = f"give at least {self.least[wrong]:g}" if wrong else "give a number above 0"
            raise SettingsError(f"{name} is {getattr(self, name)}", where="training", do=do)
        return self


class Training(Descent):
    """How a network is trained on rows with labels; beside the settings of `Descent` there are these.

    Parameters
    ----------
    epochs, patience : int
        At most so many epochs; stop after `patience` without a better validation loss.
    batch_size : int
        Rows of a batch. Several devices share it, and batch normalisation sees each one's own share.
    channels_last : bool
        Whether weights and pictures lie with colours last, which convolutions read faster on most machines.
    averaging : float
        Share of the old at each step in a running mean of the weights, which is what is judged and kept; 0: the weights
        themselves.
    keep : str
        The weights of the `best` validation epoch, or of the `last` one: then nothing is chosen or ends early.
    accumulate : int
        Batches a step of the optimiser: as many times `batch_size` for the gradient, in the memory of one.
    workers : int
        Processes that read batches ahead; 0 reads where the training runs.
    """

    least: ClassVar[Mapping[str, float]] = {"epochs": 1, "patience": 1, "batch_size": 1, "weight_decay": 0}

    patience: int = 4
    batch_size: int = 64
    channels_last: bool = False
    averaging: float = Field(0.0, ge=0, lt=1)
    keep: Literal["best", "last"] = "best"
    accumulate: int = Field(1, ge=1)
    workers: int = Field(0, ge=0)

    @model_validator(mode="after")
    def _shared(self) -> Self:
        if self.devices > 1 and self.batch_size < 2 * self.devices:
            do = f"set training.batch_size={2 * self.devices} or more"
            raise SettingsError(f"{self.devices} devices share {self.batch_size} rows", where="training", do=do)
        if self.averaging and self.keep == "best":
            do = "set training.keep=last: running means are judged at the end"
            raise SettingsError("averaged weights of the best epoch are not kept", where="training", do=do)
        return self


class Pretraining(Descent):
    """How a network is trained without labels, by steps; beside the settings of `Descent` there are these.

    Parameters
    ----------
    epochs, steps : int
        So many epochs of so many steps; without epochs the network stays as it began.
    draws : int
        Batches whose mean gradient is one step's. Several processes share them.
    keep_every : int
        Steps from which on an interrupted run goes on.
    """

    least: ClassVar[Mapping[str, float]] = {"epochs": 0, "weight_decay": 0}

    epochs: int = 20
    steps: int = Field(1024, ge=1)
    draws: int = Field(1, ge=1)
    keep_every: int = Field(100, ge=1)
    learning_rate: float = 5e-4
    optimiser: Literal["adamw", "adam", "sgd"] = "adam"
    gradient_clip: float | None = None

    @model_validator(mode="after")
    def _a_draw_each(self) -> Self:
        if self.devices > self.draws:
            do = f"set draws={self.devices} or more"
            raise SettingsError(f"{self.devices} devices share {self.draws} draws of a step", where="training", do=do)
        return self

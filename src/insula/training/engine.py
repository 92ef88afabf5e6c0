"""The one training engine: Lightning underneath; early stopping, resuming, determinism, any device by one setting."""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pytorch_lightning as lightning
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, Sampler

from insula.errors import SettingsError
from insula.storage.progress import tell
from insula.training.settings import Training

Loss = Callable[[Any, torch.Tensor], torch.Tensor]
Alter = Callable[[torch.Tensor], torch.Tensor]


class Inputs(Protocol):
    """A tensor, `Rows`, or whatever else hands out the rows at some places."""

    def __len__(self) -> int: ...

    def __getitem__(self, chosen: torch.Tensor, /) -> torch.Tensor: ...


@dataclass(frozen=True)
class Companions:
    """Inputs without targets, of which every batch gets as many as it has inputs with targets.

    Parameters
    ----------
    inputs : tensor, shape (m, ...)
        Like the inputs that have targets.
    loss : callable
        `loss(outputs, n, progress)` is added to the loss: the outputs of a mixed batch, how many rows at its head have
        targets, and the share of the training that is done, from 0 to 1.
    """

    inputs: torch.Tensor
    loss: Callable[[Any, int, float], torch.Tensor]


@dataclass(frozen=True)
class Trained:
    """What training did: the epoch that was kept (from 0) and the loss of each epoch run."""

    best_epoch: int
    train_losses: tuple[float, ...]
    validation_losses: tuple[float, ...]

    def facts(self) -> dict[str, Any]:
        """Return what the report of a run draws as a learning curve, JSON-like; the epoch is counted from 1.

        Examples
        --------
        >>> Trained(0, (1.5, 1.0), (1.25, 1.75)).facts()
        {'epoch': 1, 'train_losses': [1.5, 1.0], 'validation_losses': [1.25, 1.75]}
        """
        return {
            "epoch": self.best_epoch + 1,
            "train_losses": list(self.train_losses),
            "validation_losses": list(self.validation_losses),
        }


class _Pairs(Dataset[tuple[torch.Tensor, torch.Tensor]]):
    """Inputs and targets, a batch at a time: what lies on disk is read as batches need it."""

    def __init__(self, inputs: Inputs, targets: torch.Tensor) -> None:
        self.inputs, self.targets = inputs, targets

    def __len__(self) -> int:
        return len(self.targets)

    def __getitems__(self, chosen: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
        places = torch.tensor(chosen)
        return self.inputs[places], self.targets[places]


def _batches(inputs: Inputs, targets: torch.Tensor, **options: Any) -> DataLoader[Any]:
    return DataLoader(_Pairs(inputs, targets), collate_fn=lambda batch: batch, **options)


class _Shuffled(Sampler[int]):
    """An order that depends on the seed and the epoch alone, so that a resumed training repeats it."""

    def __init__(self, size: int, module: _Module) -> None:
        self.size, self.module = size, module

    def __iter__(self) -> Iterator[int]:
        generator = torch.Generator().manual_seed(self.module.epoch_seed)
        return iter(torch.randperm(self.size, generator=generator).tolist())

    def __len__(self) -> int:
        return self.size


class _Module(lightning.LightningModule):
    def __init__(
        self,
        network: nn.Module,
        loss: Loss,
        settings: Training,
        watched: bool,
        seed: int,
        companions: Companions | None,
        alter: Alter | None,
        rates: Mapping[str, float],
        by_epoch: int,
    ) -> None:
        super().__init__()
        self.network, self.loss, self.options, self.watched, self.seed = network, loss, settings, watched, seed
        self.layout = torch.channels_last if settings.channels_last else torch.contiguous_format
        self.companions, self.alter, self.rates, self.by_epoch = companions, alter, rates, by_epoch
        self.train_losses: list[float] = []
        self.validation_losses: list[float] = []
        self.best: tuple[float, int, dict[str, torch.Tensor]] = (float("inf"), -1, {})
        self._sums = {"train": (0.0, 0), "validation": (0.0, 0)}

    def configure_optimizers(self) -> Any:
        groups: dict[float, list[nn.Parameter]] = {}
        for name, weight in self.network.named_parameters():
            if weight.requires_grad:
                rate = next((rate for start, rate in self.rates.items() if name.startswith(start)), 1.0)
                groups.setdefault(rate, []).append(weight)
        options = self.options
        parameters = [{"params": weights, "lr": options.learning_rate * rate} for rate, weights in groups.items()]
        optimiser: torch.optim.Optimizer
        if options.optimiser == "sgd":
            optimiser = torch.optim.SGD(parameters, momentum=0.9, nesterov=True, weight_decay=options.weight_decay)
        else:
            adam = torch.optim.AdamW if options.optimiser == "adamw" else torch.optim.Adam
            optimiser = adam(parameters, betas=options.betas, weight_decay=options.weight_decay)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: rate_factor(options, step, self.by_epoch))
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def _note(self, loss: torch.Tensor, rows: int, part: str) -> None:
        total, count = self._sums[part]
        self._sums[part] = (total + float(loss.detach()) * rows, count + rows)

    def on_train_start(self) -> None:
        # A training that had ended early before it was interrupted has nothing left to do.
        ended = self.best[1] >= 0 and len(self.validation_losses) - 1 - self.best[1] >= self.options.patience
        if ended:
            self.trainer.should_stop = True

    def on_train_epoch_start(self) -> None:
        for part in (self.network, self.loss):
            told: Callable[[int], None] | None = getattr(part, "begin_epoch", None)
            if told:
                told(self.current_epoch)

    @property
    def epoch_seed(self) -> int:
        return 1_000_003 * self.seed + self.current_epoch

    def training_step(self, batch: tuple[torch.Tensor, torch.Tensor], index: int) -> torch.Tensor:
        inputs, targets = batch
        # Of alterations and dropout: they repeat after a resume, too. torch.manual_seed looks for a GPU at each call.
        seed = torch.manual_seed if targets.is_cuda else torch.default_generator.manual_seed
        seed(self.epoch_seed + 7919 * index)
        if self.companions:
            inputs = torch.cat([inputs, self._some(self.companions.inputs, len(inputs), index).to(inputs.device)])
        if self.alter:
            with torch.autocast(targets.device.type, enabled=False):  # products in bfloat16 are for the network
                inputs = self.alter(inputs)
        outputs = self.network(inputs.contiguous(memory_format=self.layout) if inputs.ndim == 4 else inputs)
        loss = self.loss(outputs, targets)
        if self.companions:
            progress = self.trainer.global_step / (self.options.epochs * self.trainer.num_training_batches)
            loss = loss + self.companions.loss(outputs, len(targets), progress)
        self._note(loss, len(targets), "train")
        return loss

    def _some(self, inputs: torch.Tensor, count: int, index: int) -> torch.Tensor:
        """Return the companions of a batch: the epoch's order of all of them, gone through again and again."""
        order = torch.randperm(len(inputs), generator=torch.Generator().manual_seed(~self.epoch_seed))
        start = index * self.options.batch_size
        return inputs[order[torch.arange(start, start + min(count, len(inputs))) % len(inputs)]]

    def validation_step(self, batch: tuple[torch.Tensor, torch.Tensor], _: int) -> None:
        self._note(self.loss(self.network(batch[0]), batch[1]), len(batch[1]), "validation")

    def _close(self, part: str) -> float:
        total, count = self._sums[part]
        self._sums[part] = (0.0, 0)
        return total / max(count, 1)

    def on_train_epoch_end(self) -> None:
        # Lightning ends the validation pass before the training epoch: both losses are complete here.
        self.train_losses.append(self._close("train"))
        if not math.isfinite(self.train_losses[-1]):
            raise SettingsError("the training diverged", where=f"epoch {self.current_epoch}", do="lower learning_rate")
        if not self.watched:
            return
        loss = self._close("validation")
        self.validation_losses.append(loss)
        epoch = len(self.validation_losses) - 1
        if self.options.keep == "last":
            return
        if loss < self.best[0]:
            state = {name: value.detach().cpu().clone() for name, value in self.network.state_dict().items()}
            self.best = (loss, epoch, state)
        elif epoch - self.best[1] >= self.options.patience:
            self.trainer.should_stop = True

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["history"] = (self.train_losses, self.validation_losses, self.best)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.train_losses, self.validation_losses, self.best = checkpoint["history"]


class _Telling(lightning.Callback):
    """Tells whoever follows how far the training is."""

    def on_train_batch_end(self, trainer: lightning.Trainer, *about: Any) -> None:
        tell(trainer.global_step, (trainer.max_epochs or 0) * int(trainer.num_training_batches), "training")


def train(
    network: nn.Module,
    loss: Loss,
    inputs: Inputs,
    targets: torch.Tensor,
    validation: tuple[Inputs, torch.Tensor] | None,
    settings: Training,
    seed: int,
    checkpoints: Path | None = None,
    *,
    companions: Companions | None = None,
    alter: Alter | None = None,
    rates: Mapping[str, float] | None = None,
) -> Trained:
    """Train a network in place and leave it with the weights of its best validation epoch, in evaluation mode.

    Parameters
    ----------
    network : Module
        Maps `inputs` to what `loss` compares with `targets`.
    loss : callable
        `loss(outputs, targets)` returns the mean loss of a batch. With companions, outputs have further rows after
        those that have targets. A Module's buffers are kept in checkpoints. A network or loss with a method
        `begin_epoch(epoch)` is told when an epoch begins, counted from 0.
    inputs : tensor, shape (n, ...), Rows or PictureRows
        Training data. They stay of the type they have (pictures: uint8) until the network or `alter` gets a batch.
    targets : tensor, shape (n, ...)
        What the loss compares outputs with.
    validation : pair of tensors or None
        Inputs and targets on which the epoch is chosen; without them every epoch is run and the last one kept.
    settings : Training
        Epochs, patience, optimiser, device.
    seed : int
        Of the shuffling, alterations and dropout: the same seed on the same device gives the same weights.
    checkpoints : Path, optional
        Folder in which the state is kept after every epoch; training resumes from there.
    companions : Companions, optional
        A second stream, of inputs without targets.
    alter : callable, optional
        Returns altered inputs of a training batch; draws from torch's random state, which is set for each batch.
    rates : mapping of str to float, optional
        Factors on the learning rate of weights whose name starts so.

    Raises
    ------
    SettingsError
        Where the training diverges.
    """
    on_gpu = settings.device == "gpu" or (settings.device == "auto" and torch.cuda.is_available())
    watched = validation is not None and len(validation[0]) > 0
    if settings.channels_last:
        network.to(memory_format=torch.channels_last)
    size = settings.batch_size
    alone = len(inputs) > size and len(inputs) % size == 1  # a batch of one has no spread to normalise by
    by_epoch = math.ceil(len(inputs) / size) - alone
    module = _Module(network, loss, settings, watched, seed, companions, alter, rates or {}, by_epoch)
    last = checkpoints / "last.ckpt" if checkpoints else None
    callbacks: list[lightning.Callback] = [_Telling()]
    if checkpoints:
        callbacks.append(
            lightning.callbacks.ModelCheckpoint(checkpoints, filename="last", enable_version_counter=False)
        )
    if settings.averaging:
        callbacks.append(lightning.callbacks.EMAWeightAveraging(decay=settings.averaging))
    with _quiet(), torch.random.fork_rng(devices=range(torch.cuda.device_count()) if on_gpu else []):
        order = _Shuffled(len(inputs), module)
        batches = _batches(inputs, targets, batch_size=size, sampler=order, drop_last=alone)
        held = _batches(*validation, batch_size=size) if watched and validation else None
        trainer = lightning.Trainer(
            accelerator="gpu" if on_gpu else "cpu",
            devices=1,
            max_epochs=settings.epochs,
            gradient_clip_val=settings.gradient_clip,
            precision="bf16-mixed" if settings.precision == "bf16" else "32-true",
            deterministic=True if on_gpu else None,
            callbacks=callbacks,
            enable_checkpointing=bool(checkpoints),
            logger=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
        )
        resume = str(last) if last and last.exists() else None
        trainer.fit(module, batches, held, ckpt_path=resume, weights_only=True)
    if module.best[2]:
        network.load_state_dict(module.best[2])
    network.cpu().eval()
    best = module.best[1] if module.best[2] else len(module.train_losses) - 1
    return Trained(best, tuple(module.train_losses), tuple(module.validation_losses))


def rate_factor(settings: Training, step: int, by_epoch: int) -> float:
    """Return the factor on the learning rate at a step, counted from 0, with `by_epoch` steps an epoch.

    Examples
    --------
    >>> released = Training(schedule="triangle-by-step", period=5)
    >>> [round(rate_factor(released, step, 100), 4) for step in range(7)]
    [1.0, 0.9045, 0.6545, 0.3455, 0.0955, 0.0, 0.0955]
    >>> restarts = Training(schedule="restarts", period=2)
    >>> [round(rate_factor(restarts, step, 2), 3) for step in range(6)]
    [1.0, 0.854, 0.5, 0.146, 1.0, 0.854]
    """
    before = settings.warm_up * by_epoch
    if step < before:
        return (step + 1) / (before + 1)
    step -= before
    epoch = step / by_epoch
    way = {  # from the highest rate, 0, to the lowest, 1, and on
        "cosine": epoch / max(settings.epochs - settings.warm_up, 1),
        "restarts": epoch % settings.period / settings.period,
        "triangle": epoch // 1 / settings.period,
        "triangle-by-step": step / settings.period,
    }
    if settings.schedule not in way:
        return float((1 + settings.decay * step) ** -0.75)
    least = settings.least_rate / settings.learning_rate
    return least + (1 - least) * (1 + math.cos(math.pi * way[settings.schedule])) / 2


class _quiet(warnings.catch_warnings):  # noqa: N801
    """Keep Lightning's advice on workers and loggers away from people who asked for a result."""

    def __enter__(self) -> None:
        super().__enter__()
        warnings.filterwarnings("ignore", module="pytorch_lightning")
        for name in ("pytorch_lightning.utilities.rank_zero", "pytorch_lightning.accelerators.cuda"):
            logging.getLogger(name).setLevel(logging.ERROR)

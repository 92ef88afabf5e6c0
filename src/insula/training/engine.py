"""The one training engine: early stopping, resuming, determinism, any device by one setting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from insula.storage.atomic import scratch_folder
from insula.training.devices import in_processes
from insula.training.loop import Alter, Companions, Inputs, Loop
from insula.training.optimisers import Loss, WeightGroup
from insula.training.samplers import Sampler, shuffled
from insula.training.settings import Training

__all__ = ["Alter", "Companions", "Inputs", "Loss", "Trained", "WeightGroup", "train"]


@dataclass(frozen=True)
class Trained:
    """What training did: the epoch that was kept (from 0), the loss of each epoch run, and its parts by name."""

    best_epoch: int
    train_losses: tuple[float, ...]
    validation_losses: tuple[float, ...]
    loss_parts: tuple[Mapping[str, float], ...] = ()

    def facts(self) -> dict[str, Any]:
        """Return what the report of a run draws as a learning curve, JSON-like; the epoch is counted from 1.

        Where the loss has parts with names, there is what each carried in training in the epoch that was kept.

        Examples
        --------
        >>> Trained(0, (1.5, 1.0), (1.25, 1.75)).facts()
        {'epoch': 1, 'train_losses': [1.5, 1.0], 'validation_losses': [1.25, 1.75]}
        """
        parts = self.loss_parts[self.best_epoch] if self.loss_parts else {}
        return {
            "epoch": self.best_epoch + 1,
            "train_losses": list(self.train_losses),
            "validation_losses": list(self.validation_losses),
            **({"loss_parts": dict(parts)} if parts else {}),
        }


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
    groups: Sequence[WeightGroup] = (),
    sampler: Sampler | None = None,
) -> Trained:
    """Train a network in place and leave it with the weights of its best validation epoch, in evaluation mode.

    Parameters
    ----------
    network : Module
        Maps `inputs` to what `loss` compares with `targets`.
    loss : callable
        `loss(outputs, targets)` returns the mean loss of a batch. With companions, outputs have further rows after
        those that have targets. A mapping from names to parts stands for their sum; what each carried is in the facts.
        A Module's buffers are kept in checkpoints. A network or loss with a method `begin_epoch(epoch)` is told when an
        epoch begins, counted from 0, and with `after_step(step)` when weights have changed, counted from 1: averaged
        teachers follow there.
    inputs : tensor, shape (n, ...), Rows or PictureRows
        Training data. They stay of the type they have (pictures: uint8) until the network or `alter` gets a batch.
    targets : tensor, shape (n, ...)
        What the loss compares outputs with.
    validation : pair of tensors or None
        Inputs and targets on which the epoch is chosen; without them every epoch is run and the last one kept.
    settings : Training
        Epochs, patience, optimiser, device.
    seed : int
        Of the order, alterations and dropout: the same seed on the same device gives the same weights.
    checkpoints : Path, optional
        Folder in which the state is kept after every epoch, in `training.pt`; training resumes from there.
    companions : Companions, optional
        A second stream, of inputs without targets.
    alter : callable, optional
        Returns altered inputs of a training batch; draws from torch's random state, which is set for each batch.
    rates : mapping of str to float, optional
        Factors on the learning rate of weights whose name starts so.
    groups : sequence of WeightGroup
        Weights with optimisers of their own, stepped together with the others or in turns: critics, adversaries.
    sampler : Sampler, optional
        The order of each epoch, of `insula.training.samplers`; by default every row once, shuffled.

    Raises
    ------
    SettingsError
        Where the training diverges, or a group has no weights.
    DataError
        Where the state in `checkpoints` is not one of this training.
    MachineError
        Where one of several processes fails.
    """
    if settings.channels_last:
        network.to(memory_format=torch.channels_last)
    held = validation if validation and len(validation[0]) else None
    given = companions, alter, rates or {}, groups, sampler or shuffled(len(inputs))
    loop = Loop(network, loss, inputs, targets, held, settings, seed, *given)
    if settings.devices == 1:
        loop.run(checkpoints=checkpoints)
    else:
        with scratch_folder() as folder:
            end = folder / "end.pt"
            in_processes(partial(loop.run, checkpoints=checkpoints, end=end), settings.devices, loop.on_gpu)
            loop.load(end)
    _, best, weights = loop.best
    if weights:
        network.load_state_dict(weights)
    network.eval()
    parts = tuple(loop.loss_parts) if any(loop.loss_parts) else ()
    epoch = best if weights else len(loop.train_losses) - 1
    return Trained(epoch, tuple(loop.train_losses), tuple(loop.validation_losses), parts)

"""Optimisers: weights by the start of their names, each with a rate, and how rates change with the steps."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Literal

import torch
from torch import nn

from insula.errors import SettingsError
from insula.training.settings import Descent, Training

Loss = Callable[[Any, torch.Tensor], torch.Tensor | Mapping[str, torch.Tensor]]


@dataclass(frozen=True)
class WeightGroup:
    """Weights that have an optimiser of their own, as a critic has against the network that deceives it.

    Parameters
    ----------
    starts : tuple of str
        What the names of its weights start with.
    learning_rate : float
        Schedule, weight decay, betas and clipping are those of all.
    optimiser : str
        `adamw`, `adam` or `sgd`.
    loss : callable, optional
        What these weights descend in a turn of their own, before the others take theirs on the same batch; without it
        they step together with the others, down the loss of all.
    """

    starts: tuple[str, ...]
    learning_rate: float
    optimiser: Literal["adamw", "adam", "sgd"] = "adamw"
    loss: Loss | None = None


@dataclass(frozen=True)
class Turn:
    """Who descends which loss."""

    loss: Loss
    optimisers: list[torch.optim.Optimizer]
    weights: list[nn.Parameter]


def take_turns(
    network: nn.Module, loss: Loss, settings: Training, rates: Mapping[str, float], groups: Sequence[WeightGroup]
) -> list[Turn]:
    """Return who descends which loss at each step: groups with a loss of their own, then all others.

    Raises
    ------
    SettingsError
        Where a group has no weights.
    """
    all_others = WeightGroup(("",), settings.learning_rate, settings.optimiser)
    members: dict[WeightGroup, dict[float, list[nn.Parameter]]] = {group: {} for group in (*groups, all_others)}
    for name, weight in network.named_parameters():
        if weight.requires_grad:
            group = next(group for group in members if name.startswith(group.starts))
            rate = next((rate for start, rate in rates.items() if name.startswith(start)), 1.0)
            members[group].setdefault(rate, []).append(weight)
    turns, together = [], Turn(loss, [], [])
    for group, by_rate in members.items():
        if by_rate:
            turn = Turn(group.loss, [], []) if group.loss else together
            turn.optimisers.append(_optimiser(group, by_rate, settings))
            turn.weights.extend(chain.from_iterable(by_rate.values()))
            turns += [turn] if group.loss else []
        elif group is not all_others:
            raise SettingsError(f"no weight to train is called {' or '.join(group.starts)}", where="training")
    return [*turns, together]


def one_optimiser(network: nn.Module, settings: Descent) -> torch.optim.Optimizer:
    """Return the optimiser of all weights of a network that learn."""
    weights = [weight for weight in network.parameters() if weight.requires_grad]
    return _optimiser(settings, {1.0: weights}, settings)


def _optimiser(
    group: WeightGroup | Descent, by_rate: Mapping[float, list[nn.Parameter]], settings: Descent
) -> torch.optim.Optimizer:
    highest = {rate: group.learning_rate * rate for rate in by_rate}
    parameters = [{"params": by_rate[rate], "lr": high, "initial_lr": high} for rate, high in highest.items()]
    if group.optimiser == "sgd":
        return torch.optim.SGD(parameters, momentum=0.9, nesterov=True, weight_decay=settings.weight_decay)
    adam = torch.optim.AdamW if group.optimiser == "adamw" else torch.optim.Adam
    return adam(parameters, betas=settings.betas, weight_decay=settings.weight_decay)


def rate_factor(settings: Descent, step: int, by_epoch: int) -> float:
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

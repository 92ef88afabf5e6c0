"""Learning where data may not move: what clients share of their networks, and how a server puts it together.

Nothing here knows of a network between machines, nor of samples: states go in, a state comes out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import nn

from insula.errors import DataError, SettingsError

State = Mapping[str, torch.Tensor]
"""Tensors of a network by name, as its `state_dict` has them."""


def split(network: nn.Module, shared: str = "") -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """Return what a client shares of its network, and what stays with it.

    Batch normalisation stays, whatever its name: its statistics are those of one client's recordings (Li, Jiang, Zhang,
    Kamp and Dou, "FedBN: federated learning on non-IID features via local batch normalization", ICLR 2021, arXiv
    2102.07623). So do whole numbers, such as counts of steps.

    Parameters
    ----------
    network : Module
        A client's.
    shared : str
        A regular expression: a tensor is shared where it is somewhere in its name; by default all are.

    Raises
    ------
    SettingsError
        Where the expression is none, or nothing would be shared.

    Examples
    --------
    >>> network = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2), nn.Linear(2, 1))
    >>> shared, personal = split(network, r"^[12]")
    >>> sorted(shared)
    ['2.bias', '2.weight']
    """
    try:
        pattern = re.compile(shared)
    except re.error as error:
        raise SettingsError(f"{shared!r} is no regular expression ({error})", do="correct shared") from None
    normalising = tuple(
        f"{name}." for name, module in network.named_modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)
    )
    state = network.state_dict()
    chosen = {
        name: tensor
        for name, tensor in state.items()
        if pattern.search(name) and not name.startswith(normalising) and tensor.is_floating_point()
    }
    if not chosen:
        names = ", ".join(sorted({name.partition(".")[0] for name in state}))
        raise SettingsError(f"no tensor to share has {shared!r} in its name", do=f"names begin with {names}")
    return chosen, {name: tensor for name, tensor in state.items() if name not in chosen}


def average(states: Sequence[State], weights: Sequence[float]) -> dict[str, torch.Tensor]:
    """Return the weighted mean of what clients shared (FedAvg), summed in float64.

    McMahan, Moore, Ramage, Hampson and Agüera y Arcas, "Communication-efficient learning of deep networks from
    decentralized data", AISTATS 2017, arXiv 1602.05629.

    Parameters
    ----------
    states : sequence of State
        One a client, all of the same names and shapes.
    weights : sequence of float
        How much each counts, for example its number of windows.

    Raises
    ------
    DataError
        Where clients share different things, or weights do not fit.

    Examples
    --------
    >>> average([{"w": torch.tensor([1.0])}, {"w": torch.tensor([5.0])}], [3, 1])
    {'w': tensor([2.])}
    """
    counts = torch.tensor(weights, dtype=torch.float64)
    if len(counts) != len(states) or (counts < 0).any() or not 0 < counts.sum() < torch.inf:
        what = f"{len(weights)} weights for {len(states)} clients: {', '.join(f'{weight:g}' for weight in weights)}"
        raise DataError(what, do="give each client a weight, none below 0 and one above")
    return {
        name: (torch.tensordot(counts, stacked, 1) / counts.sum()).to(states[0][name])
        for name, stacked in _stacked(states)
    }


def median(states: Sequence[State]) -> dict[str, torch.Tensor]:
    """Return the median of what clients shared, number by number: fewer than half of the clients cannot move it far.

    Yin, Chen, Ramchandran and Bartlett, "Byzantine-robust distributed learning: towards optimal statistical rates",
    ICML 2018, arXiv 1803.01498.

    Parameters
    ----------
    states : sequence of State
        One a client, all of the same names and shapes; of an even number, the mean of the two in the middle.

    Raises
    ------
    DataError
        Where clients share different things.

    Examples
    --------
    >>> median([{"w": torch.tensor([1.0])}, {"w": torch.tensor([2.0])}, {"w": torch.tensor([1e9])}])
    {'w': tensor([2.])}
    """
    middle = [(len(states) - 1) // 2, len(states) // 2]
    return {
        name: stacked.sort(dim=0).values[middle].mean(dim=0).to(states[0][name]) for name, stacked in _stacked(states)
    }


def proximal(network: nn.Module, received: State, strength: float) -> torch.Tensor:
    """Return half of `strength` times the squared distance of a client's weights from those that it received.

    Added to a client's loss, it keeps clients of different data near each other (FedProx): Li, Sahu, Zaheer, Sanjabi,
    Talwalkar and Smith, "Federated optimization in heterogeneous networks", MLSys 2020, arXiv 1812.06127.

    Parameters
    ----------
    network : Module
        The client's, as it learns.
    received : State
        What the server sent; what it does not name is not held.
    strength : float
        The `mu` of the source; 0 is FedAvg.

    Examples
    --------
    >>> network = nn.Linear(1, 1)
    >>> received = {"weight": network.weight.detach() - 2}
    >>> proximal(network, received, 0.5).item()
    1.0
    """
    weights = dict(network.named_parameters())
    apart = [(weights[name] - tensor.detach()).square().sum() for name, tensor in received.items() if name in weights]
    return strength / 2 * torch.stack(apart).sum()


def _stacked(states: Sequence[State]) -> Iterator[tuple[str, torch.Tensor]]:
    """Yield each tensor's name and that of all clients, (clients, ...) in float64."""
    if not states:
        raise DataError("no client has shared anything", do="wait for one at least")
    for number, state in enumerate(states):
        other = next(
            (name for name in {**states[0], **state}
             if name not in state or name not in states[0] or state[name].shape != states[0][name].shape),
            None,
        )  # fmt: skip
        if other:
            what = f"clients 0 and {number} have no {other} of one shape"
            raise DataError(what, do="share by name only what all clients have alike")
    for name in states[0]:
        yield name, torch.stack([state[name].double() for state in states])

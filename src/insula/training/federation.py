"""A simulation of learning where data may not move: one process a client, and a server that sees what they share.

A client's process alone opens its recordings. Tensors go through pipes as safetensors, which run no code.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from math import erf, exp, sqrt
from multiprocessing.connection import Connection
from typing import Protocol

import torch
from safetensors.torch import load, save
from torch import nn

from insula.errors import DataError, InsulaError, MachineError
from insula.training.federated import State, split

_COUNT = "number of windows"  # beside the tensors of a message; no tensor of a network has spaces in its name


class Client(Protocol):
    """What learns in a process of its own."""

    network: nn.Module
    windows: int

    def learn(self, received: State, number: int) -> None:
        """Train `network` in the round of this number, in which the server sent `received`."""

    def finish(self) -> State:
        """Return what the simulation keeps of this client; it is shown to no other one."""


@dataclass(frozen=True)
class Privacy:
    """What a client does to its update before it leaves: clipped to a norm, with normal noise on every number.

    Parameters
    ----------
    clip : float
        Largest norm of an update.
    noise : float
        Standard deviation of the noise, in parts of `clip`.
    """

    clip: float
    noise: float

    def veil(self, before: State, after: State, generator: torch.Generator) -> dict[str, torch.Tensor]:
        """Return what may be shown in place of `after`."""
        norm = sqrt(sum(float((after[name].double() - before[name].double()).square().sum()) for name in after))
        factor = min(1.0, self.clip / norm) if norm else 1.0
        return {
            name: before[name]
            + factor * (tensor - before[name])
            + self.clip * self.noise * torch.randn(tensor.shape, generator=generator)
            for name, tensor in after.items()
        }

    def epsilon(self, rounds: int, delta: float) -> float:
        """Return how well what a client sends in all rounds hides which recordings it has, whatever they are.

        The exact curve of the Gaussian mechanism (Balle and Wang, ICML 2018, arXiv 1805.06530), for updates that lie at
        most twice `clip` apart; `rounds` adaptive uses of it are one with a noise smaller by the root of their number
        (Dong, Roth and Su, 2022, arXiv 1905.02383).

        Examples
        --------
        >>> round(Privacy(clip=1.0, noise=2.0).epsilon(rounds=1, delta=1e-5), 2)
        4.38
        """
        apart = 2 * sqrt(rounds) / self.noise

        def beyond(value: float) -> float:
            first, second = apart / 2 - value / apart, -apart / 2 - value / apart
            return _normal(first) - (exp(value) * _normal(second) if value < 700 else 0.0)

        low, high = 0.0, 1.0
        while beyond(high) > delta:
            high *= 2
        for _ in range(60):
            middle = (low + high) / 2
            low, high = (middle, high) if beyond(middle) > delta else (low, middle)
        return high


def simulate(
    clients: Mapping[str, Callable[[], Client]],
    shared: str,
    rounds: int,
    aggregate: Callable[[Sequence[State], Sequence[float]], dict[str, torch.Tensor]],
    privacy: Privacy | None = None,
    seed: int = 0,
) -> dict[str, State]:
    """Let clients learn together, and return what each of them keeps at the end.

    All begin with what the first one would share of its untrained network.

    Parameters
    ----------
    clients : mapping of str to callable
        Builds each client, in that client's process: recordings are opened there.
    shared : str
        What is shared, see `insula.training.federated.split`.
    rounds : int
        How often clients learn and the server puts together what they share.
    aggregate : callable
        Gets what clients share and how many windows each has; with privacy all count alike.
    privacy : Privacy, optional
        What clients do to what they share.
    seed : int
        Of the noise of privacy.

    Raises
    ------
    DataError
        Where clients share different things, or one refuses its data.
    MachineError
        Where a client's process ends early.
    """
    context = multiprocessing.get_context("fork")
    with ExitStack() as stack:
        pipes: dict[str, Connection] = {}
        for number, (name, make) in enumerate(clients.items()):
            here, there = context.Pipe()
            about = (here, there, make, shared, rounds, privacy, 1000 * seed + number)
            process = context.Process(target=_serve, args=about, daemon=True)
            process.start()
            there.close()
            stack.callback(process.join)
            stack.callback(here.close)  # first: a client that waits for the server ends then
            pipes[name] = here
        untrained = [_receive(name, pipe) for name, pipe in pipes.items()]
        counts = [1.0 if privacy else float(state.pop(_COUNT)) for state in untrained]
        aggregate(untrained, counts)  # refuses what cannot be put together
        state: State = untrained[0]
        for _ in range(rounds):
            for pipe in pipes.values():
                pipe.send_bytes(save(dict(state)))
            state = aggregate([_receive(name, pipe) for name, pipe in pipes.items()], counts)
        for pipe in pipes.values():
            pipe.send_bytes(save(dict(state)))
        return {name: _receive(name, pipe) for name, pipe in pipes.items()}


def _serve(
    server: Connection,
    pipe: Connection,
    make: Callable[[], Client],
    shared: str,
    rounds: int,
    privacy: Privacy | None,
    seed: int,
) -> None:
    """Be one client."""
    server.close()  # the fork's copy of the other end: while it is open, no end of the server is noticed
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(seed)
    try:
        client = make()
        count = {} if privacy else {_COUNT: torch.tensor(client.windows)}
        pipe.send_bytes(b"=" + save({**split(client.network, shared)[0], **count}))
        for number in range(rounds + 1):
            received = load(pipe.recv_bytes())
            client.network.load_state_dict(received, strict=False)
            if number == rounds:
                break
            client.learn(received, number)
            state = split(client.network, shared)[0]
            state = privacy.veil(received, state, generator) if privacy else state
            pipe.send_bytes(b"=" + save(state))
        pipe.send_bytes(b"=" + save({name: tensor.contiguous() for name, tensor in client.finish().items()}))
    except EOFError:
        return  # the server gave up
    except InsulaError as error:
        pipe.send_bytes(b"!" + str(error).encode())


def _normal(value: float) -> float:
    return (1 + erf(value / sqrt(2))) / 2


def _receive(name: str, pipe: Connection) -> dict[str, torch.Tensor]:
    try:
        raw = pipe.recv_bytes()
    except (EOFError, OSError):
        raise MachineError(f"the process of client {name} ended early", do="give it more memory") from None
    if raw[:1] == b"!":
        raise DataError(f"client {name} cannot take part: {raw[1:].decode()}")
    return load(raw[1:])

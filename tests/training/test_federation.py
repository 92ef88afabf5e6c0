"""A simulated federation: what moves between clients, and what does not."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import nn

from insula.errors import DataError, MachineError
from insula.training.federated import State, average
from insula.training.federation import Privacy, simulate

SHARED = "2"
WINDOWS = {"a": 1, "b": 2, "c": 5}


class Adding:
    """A client with as many channels as its name says, that adds its number of windows to every weight."""

    def __init__(self, name: str) -> None:
        self.windows = WINDOWS[name]
        torch.manual_seed(self.windows)
        self.network = nn.Sequential(nn.Linear(self.windows, 2), nn.BatchNorm1d(2), nn.Linear(2, 1))
        self.seen: dict[str, torch.Tensor] = {}

    def learn(self, received: State, number: int) -> None:
        kept = {f"{number} received {name}": tensor.clone() for name, tensor in self.network.state_dict().items()}
        with torch.no_grad():
            for weight in self.network.parameters():
                weight += self.windows
        learnt = {f"{number} learnt {name}": tensor.clone() for name, tensor in self.network.state_dict().items()}
        self.seen |= kept | learnt

    def finish(self) -> State:
        return {**self.seen, **{f"2 received {name}": value for name, value in self.network.state_dict().items()}}


def clients(names: str = "abc") -> dict[str, Callable[[], Adding]]:
    return {name: partial(Adding, name) for name in names}


def test_what_is_shared_is_the_weighted_mean_and_the_rest_never_moves() -> None:
    ends = simulate(clients(), SHARED, 2, average)
    for number in range(2):
        for name in ("2.weight", "2.bias"):
            learnt = [{name: end[f"{number} learnt {name}"]} for end in ends.values()]
            mean = average(learnt, list(WINDOWS.values()))[name]
            assert all(torch.equal(end[f"{number + 1} received {name}"], mean) for end in ends.values())
        for end in ends.values():
            personal = [key.split()[-1] for key in end if key.startswith("0 received") and " 2." not in key]
            assert len(personal) == 7  # a layer and batch normalisation
            for name in personal:
                assert torch.equal(end[f"{number + 1} received {name}"], end[f"{number} learnt {name}"])


def test_a_private_update_is_clipped_and_noisy_and_the_same_again() -> None:
    before, after = {"w": torch.zeros(1000)}, {"w": torch.ones(1000)}
    almost = Privacy(clip=2.0, noise=1e-9).veil(before, after, torch.Generator().manual_seed(0))["w"]
    assert almost.norm().item() == pytest.approx(2.0, rel=1e-5)
    noisy = Privacy(clip=2.0, noise=3.0).veil(before, after, torch.Generator().manual_seed(0))["w"]
    assert (noisy - almost).std().item() == pytest.approx(6.0, rel=0.1)
    privacy = Privacy(clip=1.0, noise=1.0)
    ends = [simulate(clients("ab"), SHARED, 2, average, privacy, seed) for seed in (0, 0, 1)]
    weights = [end["a"]["2 received 2.weight"] for end in ends]
    assert torch.equal(weights[0], weights[1]) and not torch.equal(weights[0], weights[2])


def test_epsilon_falls_with_noise_and_rises_with_rounds() -> None:
    quiet, loud = Privacy(clip=1.0, noise=1.0), Privacy(clip=1.0, noise=4.0)
    assert loud.epsilon(1, 1e-5) < quiet.epsilon(1, 1e-5) < quiet.epsilon(4, 1e-5)
    assert loud.epsilon(16, 1e-5) == pytest.approx(quiet.epsilon(1, 1e-5)), "16 times a quarter of the signal"


def test_clients_that_share_what_differs_or_end_early_are_refused_in_one_line() -> None:
    with pytest.raises(DataError, match=r"^clients 0 and 1 have no 0.weight of one shape: share by name only"):
        simulate(clients(), "", 1, average)
    with pytest.raises(DataError, match=r"^client a cannot take part: no tensor to share has 'none' in its name"):
        simulate(clients("ab"), "none", 1, average)
    with pytest.raises(MachineError, match=r"^the process of client b ended early: give it more memory$"):
        simulate({"a": partial(Adding, "a"), "b": lambda: os._exit(1)}, SHARED, 1, average)

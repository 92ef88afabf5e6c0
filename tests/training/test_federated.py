"""What clients share and what stays with them, and what a server makes of it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from torch import nn

from insula.errors import DataError, SettingsError
from insula.training.federated import average, median, proximal, split


class _Client(nn.Module):
    def __init__(self, electrodes: int, seed: int) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.spatial, self.norm = nn.Linear(electrodes, 4), nn.BatchNorm1d(4)
        self.shared_norm, self.shared_block = nn.BatchNorm1d(4), nn.Linear(4, 3)
        self.head = nn.Linear(3, 2)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.head(self.shared_block(self.shared_norm(self.norm(self.spatial(inputs)))).relu())


@pytest.fixture
def clients() -> list[_Client]:
    """Three clients of other electrodes and other weights, each of which has seen inputs of its own."""
    networks = [_Client(electrodes, seed) for seed, electrodes in enumerate((5, 3, 2))]
    for network in networks:
        network(torch.randn(6, network.spatial.in_features))
    return networks


def test_personal_tensors_never_move_and_shared_ones_become_the_weighted_mean(clients: list[_Client]) -> None:
    parts = [split(network, "shared|head") for network in clients]
    before = [{name: tensor.clone() for name, tensor in network.state_dict().items()} for network in clients]
    sizes = [10, 20, 50]
    together = average([shared for shared, _ in parts], sizes)
    assert sorted(together) == ["head.bias", "head.weight", "shared_block.bias", "shared_block.weight"]  # no norm
    for network in clients:
        network.load_state_dict(network.state_dict() | together)
    for network, (_, personal), old in zip(clients, parts, before, strict=True):
        assert set(personal) | set(together) == set(old)
        for name, tensor in network.state_dict().items():
            assert torch.equal(tensor, together[name] if name in together else old[name])
    for name, tensor in together.items():
        wanted = np.average([old[name].double().numpy() for old in before], axis=0, weights=sizes)
        assert np.array_equal(tensor.numpy(), wanted.astype(np.float32))


def test_all_but_normalisation_is_shared_where_nothing_is_said(clients: list[_Client]) -> None:
    shared, personal = split(clients[0])
    assert {name.partition(".")[0] for name in shared} == {"spatial", "shared_block", "head"}
    assert {name.partition(".")[0] for name in personal} == {"norm", "shared_norm"}


def test_a_median_resists_one_client_that_a_mean_does_not() -> None:
    states = [{"w": torch.tensor([1.0, 8.0])}, {"w": torch.tensor([2.0, 7.0])}, {"w": torch.tensor([-1e9, 9.0])}]
    assert median(states)["w"].tolist() == [1.0, 8.0]
    assert average(states, [1, 1, 1])["w"][0] < -1e8
    more = [{"w": torch.from_numpy(row)} for row in np.random.default_rng(0).normal(size=(6, 5)).astype(np.float32)]
    assert_allclose(median(more)["w"], np.median([state["w"].numpy() for state in more], axis=0), rtol=1e-6)


def test_the_proximal_term_pulls_shared_weights_back_and_no_others(clients: list[_Client]) -> None:
    network = clients[0]
    received, _ = split(clients[1], "shared_block")
    network.zero_grad()
    proximal(network, received, 0.3).backward()
    away = network.shared_block.weight - received["shared_block.weight"]
    assert network.shared_block.weight.grad is not None
    assert torch.allclose(network.shared_block.weight.grad, 0.3 * away)
    assert network.head.weight.grad is None


def test_what_cannot_be_put_together_is_said(clients: list[_Client]) -> None:
    with pytest.raises(DataError, match=r"clients 0 and 1 have no spatial\.weight of one shape: share by name only"):
        median([split(network)[0] for network in clients])
    with pytest.raises(DataError, match="2 weights for 1 clients: 1, 2"):
        average([{"w": torch.zeros(1)}], [1, 2])
    with pytest.raises(SettingsError, match="no tensor to share has 'norm' in its name: names begin with head, norm"):
        split(clients[0], "norm")
    with pytest.raises(SettingsError, match=r"'\(' is no regular expression"):
        split(clients[0], "(")

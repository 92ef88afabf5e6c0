"""HiSTN: the published number of weights, messages against NumPy, and who hears of whom."""

from __future__ import annotations

import numpy as np
import torch
from numpy.polynomial.chebyshev import chebval

from insula.networks.histn import HiSTN, chebyshev
from insula.systems.histn.regions import EMOTIV_REGIONS, graph_of

EMOTIV = [name for region in EMOTIV_REGIONS for name in region]


def published() -> HiSTN:
    graph = graph_of(EMOTIV)
    return HiSTN(graph.regions, graph.edges, graph.region_edges, classes=5)


def test_it_has_about_a_thousand_weights() -> None:
    network = published()
    trained = sum(part.numel() for part in network.parameters())
    kept = sum(value.numel() for name, value in network.named_buffers() if "running" in name)
    assert (trained, trained + kept) == (1181, 1265)


def test_chebyshev_polynomials_are_those_of_the_eigenvalues() -> None:
    adjacency = np.array([[0, 1, 0, 1], [1, 0, 1, 0], [0, 1, 0, 0], [1, 0, 0, 0]], float)
    degree = adjacency.sum(axis=1)
    laplacian = np.eye(4) - adjacency / np.sqrt(np.outer(degree, degree))
    values, vectors = np.linalg.eigh(laplacian)
    scaled = 2 * values / values.max() - 1
    expected = [vectors @ np.diag(chebval(scaled, [0] * k + [1])) @ vectors.T for k in range(4)]
    assert np.allclose(chebyshev(torch.tensor(adjacency, dtype=torch.float32), 3), expected, atol=1e-5)


def test_an_electrode_is_heard_by_its_region_before_the_head() -> None:
    network = published().eval()
    heard: list[torch.Tensor] = []
    network.normed.register_forward_hook(lambda _module, _inputs, output: heard.append(output))
    signal = torch.randn(1, 14, 128)
    other = signal.clone()
    other[:, 4] += torch.randn(128)  # T7, of the second region
    with torch.inference_mode():
        logits, changed = network(signal), network(other)
    moved = (heard[0] - heard[1]).abs().amax(dim=(0, 2)) > 1e-6
    assert moved.tolist() == [row in (4, 5, 6) for row in range(14)]
    assert not torch.allclose(logits, changed)


def test_weights_of_depthwise_filters_have_norm_one_at_most() -> None:
    network, signal = published().eval(), torch.randn(1, 14, 128)
    with torch.no_grad():
        network.mix.mul_(100 / network.mix.norm(dim=1, keepdim=True))
        large = network(signal)
        network.mix.div_(100)
        assert torch.allclose(large, network(signal), atol=1e-5)

"""RBTransformer: the published numbers of weights, and what attention between electrodes means."""

from __future__ import annotations

import pytest
import torch

from insula.networks.rbtransformer import RBTransformer


@pytest.mark.parametrize(("electrodes", "classes", "weights"), [(62, 3, 668_803), (32, 9, 665_737), (14, 5, 662_917)])
def test_it_has_as_many_weights_as_the_published_ones(electrodes: int, classes: int, weights: int) -> None:
    network = RBTransformer(electrodes=electrodes, bands=4, classes=classes)
    assert sum(part.numel() for part in network.parameters()) == weights


def test_electrodes_are_told_apart_by_their_embedding_alone() -> None:
    network = RBTransformer(electrodes=5, bands=4, classes=3).eval()
    features, order = torch.randn(2, 5, 4), torch.tensor([3, 0, 4, 1, 2])
    before = network(features)
    assert not torch.allclose(network(features[:, order]), before, atol=1e-5)
    network.electrodes.data = network.electrodes.data[order]
    assert torch.allclose(network(features[:, order]), before, atol=1e-5)


def test_attention_is_shared_out_among_electrodes() -> None:
    network = RBTransformer(electrodes=5, bands=4, classes=3).eval()
    attention = network.attention(torch.randn(2, 5, 4))
    assert torch.allclose(attention.sum(dim=2), torch.ones(2, 5)) and bool((attention > 0).all())


def test_a_block_attends_as_torch_does() -> None:
    block = RBTransformer(electrodes=5, bands=4, classes=3, heads=2, head_width=64, dropout=0.0).blocks[0].eval()
    tokens = torch.randn(2, 5, 128)
    reference = torch.nn.MultiheadAttention(128, 2, bias=True, batch_first=True)
    reference.in_proj_weight.data, reference.in_proj_bias.data = block.asked.weight.data, torch.zeros(384)
    reference.out_proj.weight.data = block.joined[0].weight.data
    reference.out_proj.bias.data = block.joined[0].bias.data
    normed = block.before(tokens)
    attended, attention = reference(normed, normed, normed)
    expected = tokens + attended
    expected = expected + block.forward_layers(expected)
    found, seen = block(tokens)
    assert torch.allclose(found, expected, atol=1e-5) and torch.allclose(seen, attention, atol=1e-6)

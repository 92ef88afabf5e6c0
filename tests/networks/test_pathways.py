"""The two pathways: as large as published, frozen where they should be, and Caffe's graph as Caffe has it."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from insula.errors import WeightsError
from insula.networks.backbones import create_backbone, load_backbone
from insula.networks.caffe_resnet import caffe_weights
from insula.networks.pathways import ConceptualPathway, EmotionBranch, Encoder, FrozenEncoder, Percept, Taught

TINY = "test_resnet"
PICTURES = torch.randint(0, 255, (6, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def size(network: nn.Module, *, learns: bool = False) -> int:
    return sum(part.numel() for part in network.parameters() if part.requires_grad or not learns)


def teacher(name: str = TINY, width: int = 16, **options: bool) -> ConceptualPathway:
    branch = EmotionBranch(Encoder(create_backbone(name), width, 0.4), width, 7, **options)
    return ConceptualPathway(branch, FrozenEncoder(create_backbone(name), width, 0.4))


@pytest.mark.parametrize("backbone", ["resnet50", "resnet50-caffe"])
def test_the_networks_are_as_large_as_published(backbone: str) -> None:
    with torch.device("meta"):  # counted, never filled in
        whole = teacher(backbone, width=256)
        assert size(Percept(Encoder(create_backbone("resnet18"), 256, 0.4), 256, 7)) == 11_407_431
    assert size(whole.emotion) == 24_132_424
    assert size(whole) == 48_230_792
    assert round(size(whole, learns=True) / 1e6, 2) == 24.72


def test_features_have_length_one_and_confidence_scales_whole_logits() -> None:
    network = teacher().eval()
    concept, other = network(PICTURES)
    assert torch.allclose(concept.features.norm(dim=1), torch.ones(6), atol=1e-5)
    assert torch.allclose(other.norm(dim=1), torch.ones(6), atol=1e-5)
    assert ((concept.confidence > 0) & (concept.confidence < 1)).all()
    assert torch.allclose(network.emotion(PICTURES), concept.confidence[:, None] * concept.logits)
    plain = teacher(confident=False).eval().emotion
    concept = plain.conceive(PICTURES)
    assert torch.equal(concept.scaled, concept.logits)


def test_a_bent_confidence_can_be_low_between_two_classes_and_a_linear_one_cannot() -> None:
    share, ends = torch.linspace(0, 1, 21)[:, None], torch.eye(8)[:4]
    between = [share * ends[one] + (1 - share) * ends[other] for one in range(4) for other in range(one)]
    features = functional.normalize(torch.cat(between), dim=1)
    wanted = (2 * share[:, 0] - 1).abs().repeat(len(between))  # sure of the classes, not of what lies between two
    left = {}
    for bent in (False, True):
        torch.manual_seed(0)
        sure = EmotionBranch(Encoder(create_backbone(TINY), 8, 0.0), 8, 4, bent=bent).confidence
        assert sure is not None
        optimiser = torch.optim.Adam(sure.parameters(), lr=0.05)
        for _ in range(300):
            optimiser.zero_grad()
            loss = (sure(features)[:, 0].sigmoid() - wanted).square().mean()
            loss.backward()
            optimiser.step()
        left[bent] = loss.item()
    assert left[True] < left[False] / 4


def test_the_frozen_encoder_keeps_backbone_and_statistics_while_its_perceptron_learns() -> None:
    network = teacher().train()
    before = {name: value.clone() for name, value in network.other.state_dict().items()}
    optimiser = torch.optim.SGD([part for part in network.parameters() if part.requires_grad], lr=0.1)
    concept, other = network(PICTURES)
    ((concept.features * other).sum() ** 2).backward()
    optimiser.step()
    moved = {name for name, value in network.other.state_dict().items() if not torch.equal(value, before[name])}
    assert moved and all(name.startswith(("head", "projection")) for name in moved)


def test_a_taught_network_trains_the_perceptual_pathway_alone() -> None:
    network = Taught(Percept(Encoder(create_backbone(TINY), 16, 0.4), 16, 7), teacher().emotion).train()
    before = {name: value.clone() for name, value in network.teacher.state_dict().items()}
    percept, concept = network(PICTURES)
    assert not concept.features.requires_grad and not concept.scaled.requires_grad
    percept.logits.sum().backward()
    assert all(part.grad is None for part in network.teacher.parameters())
    assert all(torch.equal(value, before[name]) for name, value in network.teacher.state_dict().items())


def block_of(network: nn.Module, maps: torch.Tensor) -> torch.Tensor:
    """The first bottleneck of the second stage, written out: the first 1 x 1 convolution halves the map."""
    block = network.layer2[0]
    inside = functional.relu(block.bn1(functional.conv2d(maps, block.conv1.weight, stride=2)))
    inside = functional.relu(block.bn2(functional.conv2d(inside, block.conv2.weight, padding=1)))
    inside = block.bn3(functional.conv2d(inside, block.conv3.weight))
    short = block.downsample[1](functional.conv2d(maps, block.downsample[0].weight, stride=2))
    return functional.relu(inside + short)


def test_the_graph_of_caffe_halves_in_the_first_convolution_and_pools_rounding_up() -> None:
    network, usual = (create_backbone(name).eval() for name in ("resnet50-caffe", "resnet50"))
    maps = torch.randn(1, 256, 14, 14)
    with torch.inference_mode():
        assert torch.allclose(network.layer2[0](maps), block_of(network, maps), atol=1e-4)
        assert not torch.allclose(network.layer2[0](maps), usual.layer2[0](maps), atol=1e-2)
        pooled = network.maxpool(torch.arange(64.0).reshape(1, 1, 8, 8))
    assert pooled[0, 0, 0].tolist() == [18, 20, 22, 23]  # windows from the corner, the last one cut off
    assert torch.equal(network.conv1.weight, usual.conv1.weight)  # one seed, one start


def test_published_weights_read_red_green_blue(tmp_path: Path) -> None:
    path = tmp_path / "resnet50_ft_weight.pkl"
    arrays = {"conv1.weight": np.random.default_rng(0).random((64, 3, 7, 7), np.float32), "fc.bias": np.zeros(3)}
    path.write_bytes(pickle.dumps(arrays, protocol=2))
    blue_first = torch.rand(1, 3, 16, 16)
    read = functional.conv2d(blue_first.flip(1), caffe_weights(path)["conv1.weight"])
    assert torch.allclose(read, functional.conv2d(blue_first, torch.from_numpy(arrays["conv1.weight"])), atol=1e-4)
    with pytest.raises(WeightsError, match="the weights do not fit the backbone"):
        load_backbone(TINY, path)
    path.write_bytes(pickle.dumps([1, 2]))
    with pytest.raises(WeightsError, match="no weights by name"):
        load_backbone(TINY, path)

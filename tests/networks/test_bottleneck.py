"""The network with a bottleneck: it reads what the frozen backbone reads, learns, and comes back from its file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from insula.errors import WeightsError
from insula.networks.backbones import create_backbone, feature_map, picture_features
from insula.networks.bottleneck import BottleneckNetwork, bottleneck_features, load_bottleneck

PICTURES = np.random.default_rng(0).integers(0, 255, (5, 40, 40, 3), np.uint8)


def _network(size: int | None = None, adversary: bool = False) -> BottleneckNetwork:
    torch.manual_seed(0)
    return BottleneckNetwork(create_backbone("resnet10t"), 16, 3, size, adversary=adversary).eval()


@pytest.mark.parametrize("size", [None, 64])
def test_it_reads_the_mean_of_the_backbones_map_through_the_bottleneck(size: int | None) -> None:
    network = _network(size)
    pooled = torch.from_numpy(picture_features(network.backbone, PICTURES, size))
    with torch.no_grad():
        expected = torch.relu(pooled @ network.bottleneck[0].weight.T + network.bottleneck[0].bias)
    assert np.allclose(bottleneck_features(network, PICTURES, batch=2), expected.numpy(), atol=1e-4)
    assert bottleneck_features(network, PICTURES[:0]).shape == (0, 16)


def test_every_part_learns() -> None:
    network = _network(adversary=True).train()
    logits, features = network(torch.from_numpy(PICTURES).permute(0, 3, 1, 2))
    (logits.logsumexp(dim=1).sum() + network.domain(features).sum()).backward()
    silent = [name for name, weight in network.named_parameters() if weight.grad is None or not weight.grad.any()]
    assert not silent


def test_it_comes_back_from_its_file_without_the_adversary(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    network = _network(size=48, adversary=True)
    network.domain = None
    save_file(network.state_dict(), tmp_path / "network.safetensors")
    again = load_bottleneck("resnet10t", tmp_path / "network.safetensors", 48)
    assert np.array_equal(bottleneck_features(again, PICTURES), bottleneck_features(network, PICTURES))
    assert not again.training and "untrained" not in caplog.text


def test_other_files_are_one_line(tmp_path: Path) -> None:
    save_file(create_backbone("resnet10t").state_dict(), tmp_path / "bare.safetensors")
    save_file(_network().state_dict(), tmp_path / "small.safetensors")
    (tmp_path / "text.safetensors").write_text("no weights")
    cases = [("resnet10t", "absent"), ("resnet10t", "bare.safetensors"), ("resnet18", "small.safetensors"),
             ("resnet10t", "text.safetensors")]  # fmt: skip
    for name, file in cases:
        with pytest.raises(WeightsError) as caught:
            load_bottleneck(name, tmp_path / file)
        assert "\n" not in str(caught.value)


def test_a_backbone_without_a_map_is_refused() -> None:
    with pytest.raises(WeightsError, match="gives no map of features: use a convolutional one"):
        feature_map(create_backbone("vit_tiny_patch16_224"), torch.zeros(1, 3, 224, 224))

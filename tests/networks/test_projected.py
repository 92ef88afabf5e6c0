"""Networks of NeuroGaze-Distill: maps of the head, and pictures among prototypes."""

from __future__ import annotations

import torch

from insula.networks.backbones import create_backbone
from insula.networks.picture_classifier import PictureClassifier
from insula.networks.projected import ProjectedClassifier
from insula.networks.topographic import TopographicNetwork


def test_maps_are_the_matrix_times_the_values_of_each_band() -> None:
    matrix = torch.randn(64, 5)
    network = TopographicNetwork(matrix, bands=3, widths=(4,), width=6)
    values = torch.randn(2, 5, 3)
    assert torch.allclose(network.maps(values)[1, 2].flatten(), matrix @ values[1, :, 2], atol=1e-5)


def test_ratings_stay_on_their_scale_and_are_read_off_the_embedding() -> None:
    network = TopographicNetwork(torch.randn(64, 5), bands=3, widths=(4, 8), width=6).eval()
    values = 10 * torch.randn(4, 5, 3)
    assert (network(values).abs() <= 1).all()
    assert torch.equal(network.head(network.embed(values)).tanh(), network(values))


def test_prototypes_are_frozen_and_features_of_unit_length() -> None:
    classifier = PictureClassifier(create_backbone("test_resnet"), classes=3)
    network = ProjectedClassifier(classifier, torch.eye(4, 16), torch.zeros(4, 2))
    assert "prototypes" not in dict(network.named_parameters())
    pictures = torch.randint(0, 256, (2, 3, 32, 32), dtype=torch.uint8)
    logits, features = network.eval()(pictures)
    assert torch.allclose(features.norm(dim=1), torch.ones(2), atol=1e-5)
    assert torch.equal(logits, classifier(pictures))

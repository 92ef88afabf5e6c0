"""ImageNet weights that a package carries: loaded into timm's network they do what they are known for."""

from __future__ import annotations

import pytest
import timm
import torch
from skimage import data as pictures
from torch.nn import functional

from insula.errors import WeightsError
from insula.networks.backbones import create_backbone, feature_map, load_backbone
from insula.networks.efficientnet_lite import LITE0, lite_weights
from insula.storage.weights import find_weights

KNOWN = {"chelsea": {281, 282, 285}, "coffee": {967}}  # ImageNet's classes: tabby, tiger cat, Egyptian cat; espresso


@pytest.fixture(scope="module")
def whole() -> torch.nn.Module:
    network = timm.create_model("tf_efficientnet_lite0")
    network.load_state_dict(lite_weights(find_weights(LITE0), network))
    return network.eval()


def photograph(name: str) -> torch.Tensor:
    picture = torch.from_numpy(getattr(pictures, name)()).permute(2, 0, 1)[None].float()
    return functional.interpolate(picture, (224, 224), mode="bilinear", antialias=True)


@pytest.mark.parametrize("name", KNOWN)
def test_photographs_are_what_they_show(name: str, whole: torch.nn.Module) -> None:
    with torch.inference_mode():
        said = whole((photograph(name) - 127.5) / 127.5).softmax(dim=1)[0]
    assert int(said.argmax()) in KNOWN[name] and said[list(KNOWN[name])].sum() > 0.8


def test_the_backbone_of_a_system_has_the_same_features(whole: torch.nn.Module) -> None:
    backbone = load_backbone("tf_efficientnet_lite0", LITE0)
    assert backbone.pretrained
    with torch.inference_mode():
        mine = feature_map(backbone, photograph("coffee"))
        wanted = whole.forward_features((photograph("coffee") - 127.5) / 127.5)
    assert torch.allclose(mine, wanted, atol=1e-4)


def test_a_network_of_the_same_layers_that_pads_otherwise_is_refused() -> None:
    with pytest.raises(WeightsError, match="not those of efficientnet_lite0"):
        lite_weights(find_weights(LITE0), create_backbone("efficientnet_lite0"))
    with pytest.raises(WeightsError, match="use tf_efficientnet_lite0"):
        load_backbone("resnet18", LITE0)

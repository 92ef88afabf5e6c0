"""ResNet-50 as Caffe drew it: the graph of the published VGGFace2 weights, which torchvision's does not fit.

A bottleneck halves the map in its first convolution, of 1 x 1, and the first pooling has no border and rounds up. The
weights read blue, green, red from 0 to 255 less a mean; here they are turned to read red, green, blue.

Sources: He, Zhang, Ren, Sun, "Deep residual learning for image recognition", CVPR 2016; Cao, Shen, Xie, Parkhi,
Zisserman, "VGGFace2", FG 2018.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from timm.models.resnet import Bottleneck
from torch import nn

from insula.errors import DataError, WeightsError
from insula.storage.arrays_from_pickle import arrays_from_pickle

_MEAN = (131.0912, 103.8827, 91.4953)  # red, green, blue, of VGGFace2


def as_caffe(network: nn.Module) -> nn.Module:
    """Return timm's untrained ResNet-50, its strides and its pooling moved to where Caffe has them.

    Parameters
    ----------
    network : Module
        timm's `resnet50`, changed in place; its `pretrained_cfg` then standardises pictures as VGGFace2's weights want.

    Examples
    --------
    >>> from insula.networks.backbones import create_backbone
    >>> network = create_backbone("resnet50-caffe")
    >>> network(torch.zeros(1, 3, 64, 64)).shape, network.layer2[0].conv1.stride, network.layer2[0].conv2.stride
    (torch.Size([1, 2048]), (2, 2), (1, 1))
    """
    for block in network.modules():
        if isinstance(block, Bottleneck):
            block.conv1.stride, block.conv2.stride = block.conv2.stride, (1, 1)
    network.maxpool = nn.MaxPool2d(3, stride=2, ceil_mode=True)
    vars(network)["pretrained_cfg"] = {
        "architecture": "resnet50-caffe",
        "mean": tuple(value / 255 for value in _MEAN),
        "std": (1 / 255,) * 3,
    }
    return network


def caffe_weights(path: Path) -> dict[str, torch.Tensor]:
    """Return the weights that a pickle of NumPy arrays holds, by name, made to read red, green, blue.

    Parameters
    ----------
    path : Path
        As the port of VGGFace2's Caffe model has it: a dict, names as torchvision's. Nothing in it is run.

    Raises
    ------
    WeightsError
        Where the file holds something else.
    """
    try:
        arrays = arrays_from_pickle(path)
    except DataError as error:
        raise WeightsError("no pickle of arrays", where=path, do=str(error)) from None
    if not isinstance(arrays, dict) or not all(isinstance(value, np.ndarray) for value in arrays.values()):
        raise WeightsError("no weights by name", where=path, do="give the pickle of the port of VGGFace2's model")
    state = {str(name): torch.from_numpy(np.array(value)) for name, value in arrays.items()}
    if "conv1.weight" in state:
        state["conv1.weight"] = state["conv1.weight"].flip(1)
    return state

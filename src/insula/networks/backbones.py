"""Picture backbones of timm: where their weights come from, and the map they make of a picture."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from insula.errors import WeightsError
from insula.networks.efficientnet_lite import LITE0, lite_weights
from insula.storage.weights import find_weights

log = logging.getLogger(__name__)


def create_backbone(name: str) -> nn.Module:
    """Return an untrained timm network without its classifier, fixed by its seed.

    Raises
    ------
    WeightsError
        Where the architecture is unknown.
    """
    import timm

    if name == "resnet50-caffe":
        from insula.networks.caffe_resnet import as_caffe

        return as_caffe(create_backbone("resnet50"))
    if name == "small-cnn":
        from insula.networks.small_cnn import SmallCNN

        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return SmallCNN()
    if name not in timm.list_models():
        close = ", ".join(timm.list_models(f"{name[:6]}*")[:5])
        raise WeightsError(f"unknown backbone {name!r}", do=f"use a timm name{f' such as {close}' if close else ''}")
    # timm starts the last scale of each residual block at zero, which makes an untrained block do nothing.
    options: dict[str, Any] = {"zero_init_last": False} if name.startswith("resnet") else {}
    if name.startswith("vit_"):
        options = {"dynamic_img_size": True}  # pictures of any size, not of one alone
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network: nn.Module = timm.create_model(name, pretrained=False, num_classes=0, **options)
    return network


def load_backbone(name: str, weights: str | Path | None = None) -> nn.Module:
    """Return a frozen timm network without its classifier; its attribute `pretrained` says whether it has learnt.

    Parameters
    ----------
    name : str
        Any timm architecture whose `forward_features` gives a map, for example `resnet18`.
    weights : str or Path, optional
        A safetensors file of the architecture; `efficientnet-lite0-imagenet`, which a package carries, for
        `tf_efficientnet_lite0`; `download` for timm's own pretrained weights, whose source and licence are logged
        first; None for an untrained network, fixed by its seed.

    Raises
    ------
    WeightsError
        Where the architecture is unknown, or a file does not fit it.
    """
    network = create_backbone(name)
    network.pretrained = weights is not None  # type: ignore[assignment]
    if weights == "download":
        network.pretrained = _download(network, name)  # type: ignore[assignment]
    elif weights == LITE0:
        network.load_state_dict(lite_weights(find_weights(LITE0), network))
    elif weights is not None:
        load_weights(network, Path(weights))
    else:
        log.warning(
            "backbone %s is untrained, its features random projections: give a weight file where it stays so", name
        )
    return network.eval().requires_grad_(False)


def load_weights(network: nn.Module, path: Path) -> None:
    """Read a safetensors file, or a pickle of arrays, into a network; one that does not fit is a `WeightsError`."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    from insula.networks.caffe_resnet import caffe_weights

    if not path.is_file():
        raise WeightsError("no weight file", where=path, do="give the path of a safetensors file")
    try:
        state = caffe_weights(path) if path.suffix == ".pkl" else load_file(path)
        missing, unexpected = network.load_state_dict(state, strict=False)
    except (SafetensorError, RuntimeError) as error:
        raise WeightsError("the weights do not fit the backbone", where=path, do=str(error).split("\n")[0]) from None
    lost = [key for key in missing if "num_batches_tracked" not in key]
    strange = [key for key in unexpected if not key.startswith(("fc.", "classifier.", "head."))]
    if lost or strange:
        raise WeightsError(
            "the weights do not fit the backbone", where=path, do=f"first stranger: {(lost + strange)[0]}"
        )


def _download(network: nn.Module, name: str) -> bool:
    import timm

    about: dict[str, Any] = vars(network)["pretrained_cfg"]
    source = about.get("hf_hub_id") or about.get("url") or "nowhere"
    log.warning("downloading weights of %s from %s (licence: %s)", name, source, about.get("license") or "not stated")
    try:
        pretrained = timm.create_model(name, pretrained=True, num_classes=0)
    except Exception as error:  # any of a hub's many errors; the untrained network stays
        log.warning(
            "not reachable (%s): backbone %s stays untrained; give a weight file", str(error).split("\n")[0], name
        )
        return False
    network.load_state_dict(pretrained.state_dict())
    return True


def usual_colours(network: nn.Module) -> tuple[torch.Tensor, torch.Tensor]:
    """Return mean and deviation of colours, 0 to 1, that a backbone's weights want, each (1, 3, 1, 1)."""
    about: dict[str, Any] = vars(network)["pretrained_cfg"]
    mean, deviation = (torch.tensor(about[name]).view(1, 3, 1, 1) for name in ("mean", "std"))
    return mean, deviation


def standardised(
    pictures: torch.Tensor, mean: torch.Tensor, deviation: torch.Tensor, size: int | None = None
) -> torch.Tensor:
    """Return pictures, (n, 3, height, width), RGB from 0 to 255, as a backbone wants them, first resized to a side."""
    pictures = pictures.float() / 255
    if size is not None and pictures.shape[-2:] != (size, size):
        pictures = functional.interpolate(pictures, (size, size), mode="bilinear", antialias=True)
    return (pictures - mean) / deviation


def feature_map(network: nn.Module, pictures: torch.Tensor, size: int | None = None) -> torch.Tensor:
    """Return the last map of a backbone, (n, width, rows, columns).

    Parameters
    ----------
    network : Module
        From `load_backbone`.
    pictures : tensor, shape (n, 3, height, width)
        RGB from 0 to 255; here they become standardised as the network's weights want it (ImageNet's, usually).
    size : int, optional
        Side to which pictures are resized first.

    Raises
    ------
    WeightsError
        Where the architecture gives something else, as transformers do.
    """
    mean, deviation = (part.to(pictures.device) for part in usual_colours(network))
    maps: torch.Tensor = network.forward_features(standardised(pictures, mean, deviation, size))  # type: ignore[operator]
    if maps.ndim != 4 or maps.shape[1] != network.num_features:
        about: dict[str, Any] = vars(network)["pretrained_cfg"]
        what = f"the backbone {about.get('architecture', '')} gives no map of features"
        raise WeightsError(what, do="use a convolutional one, such as resnet18")
    return maps


class PooledFeatures(nn.Module):
    """Pictures to the last map of a backbone, averaged into cells.

    Parameters
    ----------
    network : Module
        From `load_backbone`.
    size : int, optional
        Side to which pictures are resized first.
    grid : int
        Cells along a side; 1 is the usual global average.
    """

    def __init__(self, network: nn.Module, size: int | None = None, grid: int = 1) -> None:
        super().__init__()
        self.network, self.size, self.grid = network, size, grid

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """Return features, (n, grid * grid * width), of pictures (n, height, width, 3), RGB from 0 to 255."""
        maps = feature_map(self.network, pictures.permute(0, 3, 1, 2), self.size)
        return functional.adaptive_avg_pool2d(maps, self.grid).flatten(1)


def picture_batches(pictures: np.ndarray, batch: int) -> Iterator[torch.Tensor]:
    """Yield pictures, (n, height, width, 3), as tensors of up to `batch` of them, (batch, 3, height, width)."""
    for start in range(0, len(pictures), batch):
        yield torch.from_numpy(np.array(pictures[start : start + batch])).permute(0, 3, 1, 2)


@torch.inference_mode()
def picture_features(
    network: nn.Module, pictures: np.ndarray, size: int | None = None, grid: int = 1, batch: int = 64
) -> np.ndarray:
    """Return features of pictures, float32 (n, grid * grid * width).

    Parameters
    ----------
    network : Module
        From `load_backbone`.
    pictures : uint8 array, shape (n, height, width, 3)
        RGB.
    size : int, optional
        Side to which pictures are resized first.
    grid : int
        The last map is averaged into `grid` by `grid` cells; 1 is the usual global average.
    batch : int
        Pictures at a time.

    Examples
    --------
    >>> network = load_backbone("resnet10t")
    >>> picture_features(network, np.zeros((2, 64, 64, 3), np.uint8)).shape
    (2, 512)
    """
    pooled = PooledFeatures(network, size, grid)
    blocks = (pictures[start : start + batch] for start in range(0, len(pictures), batch))
    return np.concatenate([pooled(torch.from_numpy(np.array(block))).numpy() for block in blocks])

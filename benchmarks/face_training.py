"""Training images per second: a whole ResNet-18, in its variants, and a classifier on cached features of a frozen one.

Faces of noise lie on disk, as a corpus's do, and go through the alterations of training. A variant's speed is that of
its second epoch, the first one warms up. On a GPU, where there is one, the share of the peak is that of a large matrix
product measured in the same run.
"""

from __future__ import annotations

import os
import time
from typing import Any

import numpy as np
import torch
from torch import nn

from benchmarks.scratch import scratch_folder
from insula.networks.alterations import alter_pictures
from insula.networks.backbones import create_backbone, picture_features
from insula.networks.picture_classifier import PictureClassifier
from insula.samples import ArrayStore, Description, Samples, open_store, provenance
from insula.training.engine import train
from insula.training.rows import PictureRows
from insula.training.settings import Training

SIDE, PICTURES, BATCH = 96, 192, 64
VARIANTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "channels_last": {"channels_last": True},
    "bf16": {"precision": "bf16"},
    "bf16_channels_last": {"precision": "bf16", "channels_last": True},
}


class _Clocked(nn.Module):
    """A loss that notes when epochs begin."""

    def __init__(self) -> None:
        super().__init__()
        self.began: list[float] = []

    def begin_epoch(self, epoch: int) -> None:
        self.began.append(time.perf_counter())

    def forward(self, outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return nn.functional.cross_entropy(outputs.float(), labels)


def speed(faces: Samples, labels: torch.Tensor, device: str, sizes: tuple[int, ...] = (), **options: Any) -> float:
    """Return pictures a second of the second of three epochs."""
    network = PictureClassifier(create_backbone("resnet18"), 7, sizes)
    settings = Training.model_validate({"epochs": 3, "batch_size": BATCH, "device": device, **options})
    loss = _Clocked()
    train(network, loss, PictureRows(faces), labels, None, settings, seed=0, alter=alter_pictures)
    return len(faces) / (loss.began[2] - loss.began[1])


def peak(device: str, dtype: torch.dtype) -> float:
    """Return the operations a second of a large matrix product."""
    side = 8192 if device == "cuda" else 1024
    a = torch.randn(side, side, device=device).to(dtype)
    best = float("inf")
    for _ in range(10):
        begin = time.perf_counter()
        a @ a
        if device == "cuda":
            torch.cuda.synchronize()
        best = min(best, time.perf_counter() - begin)
    return 2 * side**3 / best


def operations(side: int) -> float:
    """Return the operations that training on one picture takes: forwards, and backwards twice as many."""
    from torch.utils.flop_counter import FlopCounterMode

    network = PictureClassifier(create_backbone("resnet18"), 7).eval()
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        network(torch.zeros(1, 3, side, side, dtype=torch.uint8))
    return 3.0 * counter.get_total_flops()


def main(pictures: int = PICTURES, side: int = SIDE) -> dict[str, float | int]:
    """Print and return pictures a second by device and variant."""
    cores = os.cpu_count() or 1
    torch.set_num_threads(cores)
    figures: dict[str, float | int] = {"cores": cores, "side": side}
    rng = np.random.default_rng(0)
    with scratch_folder() as folder:
        values = rng.integers(0, 256, (pictures, side, side, 3), dtype=np.uint8)
        ArrayStore(values, Description(kind="picture", axes=("row", "column", "colour"))).save(folder / "faces")
        store = open_store(folder / "faces")
        faces = Samples(provenance(pictures, corpus="noise"), {})
        faces = faces.with_modality("picture", "faces", store, range(pictures))
        labels = torch.from_numpy(rng.integers(0, 7, pictures))
        for device in ["cpu", *(["gpu"] if torch.cuda.is_available() else [])]:
            for name, options in VARIANTS.items():
                figures[f"{device}_{name}_per_second"] = rate = speed(faces, labels, device, **options)
                kind = torch.bfloat16 if "bf16" in name else torch.float32
                share = rate * operations(side) / peak("cuda" if device == "gpu" else "cpu", kind)
                figures[f"{device}_{name}_share_of_peak"] = share
                print(f"{device}, {name}: {rate:,.0f} pictures of {side} a second, {share:.0%} of a product's speed")
        half = speed(faces, labels, "cpu", sizes=(side // 2,))
        figures["cpu_half_size_per_second"] = half
        print(f"cpu, shrunk to {side // 2} first, as progressive resizing begins: {half:,.0f} a second")
        frozen = create_backbone("resnet18").eval()
        begin = time.perf_counter()
        features = torch.from_numpy(picture_features(frozen, np.asarray(store.values)))
        figures["cpu_frozen_features_per_second"] = pictures / (time.perf_counter() - begin)
        loss = _Clocked()
        train(nn.Linear(512, 7), loss, features, labels, None, Training(epochs=3, batch_size=BATCH), seed=0)
        figures["cpu_cached_features_per_second"] = pictures / (loss.began[2] - loss.began[1])
        once, then = figures["cpu_frozen_features_per_second"], figures["cpu_cached_features_per_second"]
        print(f"cpu, frozen: features of {once:,.0f} pictures a second, once; then {then:,.0f} a second in each epoch")
    return figures


if __name__ == "__main__":
    main()

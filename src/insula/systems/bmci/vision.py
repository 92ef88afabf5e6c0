"""The visual branch of BMCI, trained: a backbone with a bottleneck, adapted to target pictures or not."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn.functional import cross_entropy

from insula.networks.alterations import alter_pictures
from insula.networks.bottleneck import BottleneckNetwork, bottleneck_features, load_bottleneck
from insula.objectives.adversary import domain_loss, warm_up
from insula.objectives.discrepancy import multi_kernel_mmd
from insula.storage.cache import Cache
from insula.storage.code import code_version
from insula.storage.hashing import digest_array
from insula.systems.bmci.settings import BMCISettings, Vision

_SLOW = 0.1  # of the learning rate, for what a pretrained backbone already knows
_COMPARED = 1000  # pictures a side in the discrepancy that is reported: its matrix has all pairs


@dataclass(frozen=True)
class VisionData:
    """What a visual branch is trained on.

    Parameters
    ----------
    pictures, held : uint8 arrays, shapes (n, height, width, 3) and (k, height, width, 3)
        Of the training part, and of the validation part, which chooses the epoch; k may be 0.
    labels, held_labels : int arrays, shapes (n,) and (k,)
        Class codes.
    classes : int
        How many there are.
    target : uint8 array, shape (m, height, width, 3), or None
        Pictures without labels to adapt to.
    backbone : Module
        Before training, from `load_backbone`.
    settings : BMCISettings
        What the backbone is called, the size of pictures, the seed.
    vision : Vision
        How it is trained.
    """

    pictures: np.ndarray
    labels: np.ndarray
    held: np.ndarray
    held_labels: np.ndarray
    classes: int
    target: np.ndarray | None
    backbone: nn.Module
    settings: BMCISettings
    vision: Vision


def train_vision(data: VisionData, checkpoints: Path | None = None) -> tuple[BottleneckNetwork, dict[str, Any]]:
    """Train a backbone with a bottleneck, and measure what came of it.

    Parameters
    ----------
    data : VisionLesson
        What it learns from.
    checkpoints : Path, optional
        Folder from which an interrupted training resumes.

    Returns
    -------
    network : BottleneckNetwork
        With the weights of the best validation epoch.
    facts : dict
        Losses and epoch; accuracy of the network's own head; with a target, the discrepancy of training and target
        pictures before and after; and the gap of `feature_gap`.
    """
    from insula.training.engine import train

    network, rates = _untaught(data)
    before = _discrepancy(network, data)
    trained = train(
        network,
        lambda outputs, labels: cross_entropy(outputs[0][: len(labels)], labels),
        *_tensors(data.pictures, data.labels),
        _tensors(data.held, data.held_labels),
        data.vision.training,
        data.settings.seed,
        checkpoints,
        companions=_companions(network, data),
        alter=alter_pictures,
        rates=rates,
    )
    network.domain = None
    network.requires_grad_(False)
    seen = training_views(network, data.pictures, data.vision, data.settings.seed)
    held = bottleneck_features(network, data.held)
    facts: dict[str, Any] = {
        **trained.facts(),
        "accuracy": {
            "train": _accuracy(network, bottleneck_features(network, data.pictures), data.labels),
            "held_out": _accuracy(network, held, data.held_labels),
        },
        "gap": feature_gap(seen, held, network.head),
    }
    if before is not None:
        facts["mmd"] = {"before": before, "after": _discrepancy(network, data)}
    return network, facts


def _untaught(data: VisionData) -> tuple[BottleneckNetwork, dict[str, float]]:
    """Return the network before training, and the factors on its learning rates."""
    rates = {"backbone.": _SLOW} if data.backbone.pretrained else {}  # an untrained backbone has nothing to keep
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(data.settings.seed)
        vision = data.vision
        adversary = vision.adapt == "adversarial"
        size = data.settings.picture_size
        network = BottleneckNetwork(data.backbone, vision.width, data.classes, size, adversary=adversary)
    return network.eval(), rates


def _tensors(pictures: np.ndarray, labels: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.from_numpy(pictures).permute(0, 3, 1, 2), torch.from_numpy(labels.astype(np.int64))


def _companions(network: BottleneckNetwork, data: VisionData) -> Any:
    from insula.training.engine import Companions

    if data.target is None:
        return None

    def mmd(outputs: tuple[torch.Tensor, torch.Tensor], labelled: int, progress: float) -> torch.Tensor:
        return warm_up(progress) * multi_kernel_mmd(outputs[1][:labelled], outputs[1][labelled:])

    def adversarial(outputs: tuple[torch.Tensor, torch.Tensor], labelled: int, progress: float) -> torch.Tensor:
        assert network.domain is not None
        return domain_loss(network.domain, outputs[1][:labelled], outputs[1][labelled:], warm_up(progress))

    losses: dict[str, Callable[..., torch.Tensor]] = {"mmd": mmd, "adversarial": adversarial}
    return Companions(torch.from_numpy(data.target).permute(0, 3, 1, 2), losses[data.vision.adapt])


def _discrepancy(network: BottleneckNetwork, data: VisionData) -> float | None:
    if data.target is None:
        return None
    sides = [
        torch.from_numpy(bottleneck_features(network, pictures[:: -(-len(pictures) // _COMPARED)]))
        for pictures in (data.pictures, data.target)
    ]
    return float(multi_kernel_mmd(*sides))


def _accuracy(network: BottleneckNetwork, features: np.ndarray, labels: np.ndarray) -> float | None:
    if not len(labels):
        return None
    with torch.inference_mode():
        codes = network.head(torch.from_numpy(features)).argmax(dim=1).numpy()
    return float(np.mean(codes == labels))


def training_views(network: BottleneckNetwork, pictures: np.ndarray, vision: Vision, seed: int) -> np.ndarray:
    """Return what training pictures look like to those who learn from their features, float32 (n, views, width).

    Of the source `augmented`, each picture is altered `views` times, the same way for the same seed; else it is read
    once, as it is.
    """
    if vision.source != "augmented":
        return bottleneck_features(network, pictures)[:, None]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        views = [bottleneck_features(network, pictures, alter_pictures) for _ in range(vision.views)]
    return np.stack(views, axis=1)


def feature_gap(seen: np.ndarray, held: np.ndarray, head: nn.Module | None) -> dict[str, dict[str, float]]:
    """Return how training pictures and pictures held out differ in their features.

    Parameters
    ----------
    seen : array, shape (n, views, d)
        Of training pictures, as those who learn from them see them.
    held : array, shape (k, d)
        Of pictures held out.
    head : Module, optional
        From features to class logits.

    Returns
    -------
    dict
        Mean length (`norm`) and, with a head, mean `entropy` of its probabilities (1: all classes alike) for `train`
        and `held_out`; empty where nothing was held out.
    """
    if not len(held):
        return {}
    sides = {"train": seen.reshape(-1, seen.shape[-1]), "held_out": held}
    gap = {"norm": {name: float(np.linalg.norm(rows, axis=1).mean()) for name, rows in sides.items()}}
    if head is not None:
        gap["entropy"] = {name: _entropy(head, rows) for name, rows in sides.items()}
    return gap


@torch.inference_mode()
def _entropy(head: nn.Module, rows: np.ndarray) -> float:
    logs = head(torch.from_numpy(rows)).log_softmax(dim=1)
    return float(-(logs.exp() * logs).sum(dim=1).mean() / np.log(logs.shape[1]))


def trained_once(data: VisionData) -> tuple[BottleneckNetwork, dict[str, Any]]:
    """Train, or read what was trained before on the same pictures, labels and settings.

    A system and its placebos differ in the brain alone: their visual branch is the same and is trained once. Where
    several processes want it at the same time, one trains and the others wait; an interrupted training resumes.
    """
    settings = data.settings
    about = {
        "code": code_version(),
        "settings": settings.model_dump(mode="json", include={"backbone", "picture_size", "vision", "seed"}),
        "weights": {name: digest_array(value.numpy()) for name, value in data.backbone.state_dict().items()},
        "classes": data.classes,
        "data": [digest_array(part) for part in (data.pictures, data.labels, data.held, data.held_labels)],
        "target": None if data.target is None else digest_array(data.target),
    }

    def build(folder: Path, checkpoints: Path) -> None:
        network, facts = train_vision(data, checkpoints)
        save_file(network.state_dict(), folder / "network.safetensors")
        (folder / "facts.json").write_text(json.dumps(facts))

    folder = Cache().resumable("vision", about, build)
    network = load_bottleneck(settings.backbone, folder / "network.safetensors", settings.picture_size)
    return network, json.loads((folder / "facts.json").read_text())

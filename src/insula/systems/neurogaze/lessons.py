"""What students learn from beside labels: a teacher's logits, and where a picture ought to stand among prototypes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch

from insula.emotions import ANCHORS, Categorical, Votes
from insula.errors import SettingsError
from insula.objectives.prototypes import affinities, interpolated, nearness
from insula.samples import Samples
from insula.storage.cache import Cache
from insula.storage.code import code_version
from insula.storage.hashing import digest_array
from insula.systems.neurogaze.bank import PrototypeBank
from insula.systems.neurogaze.settings import NeuroGazeSettings
from insula.systems.picture_network import PictureNetwork, PictureNetworkSettings
from insula.systems.pictures import pictures_digest

_SPREAD = 0.4  # of the classes' anchors, where logits are read off them


def shares_of(pictures: Samples, task: Categorical, settings: NeuroGazeSettings) -> np.ndarray | None:
    """Return the raters' shares of each class, float64 (n, classes); None where there are no columns of votes.

    A picture that nobody voted on has its label's.
    """
    votes = Votes(label=settings.votes, classes=task.classes)
    if not set(votes.columns) <= set(pictures.table.columns):
        return None
    shares = votes.targets(pictures.table)
    labels = np.eye(len(task.classes))[task.targets(pictures.table)]
    return np.where(np.isnan(shares), labels, shares)


def anchors_of(task: Categorical, settings: NeuroGazeSettings) -> torch.Tensor:
    """Return valence and arousal of each class, float32 (classes, 2).

    Raises
    ------
    SettingsError
        Where a class has none.
    """
    anchors = {**ANCHORS, **settings.anchors}
    missing = [name for name in task.classes if name not in anchors]
    if missing:
        do = "say where it lies, as in system.anchors: {calmness: [0.4, -0.6]}"
        raise SettingsError(f"no valence and arousal are known of {missing[0]}", where="anchors", do=do)
    return torch.tensor([anchors[name] for name in task.classes], dtype=torch.float32)


def wanted_affinities(
    pictures: Samples, task: Categorical, bank: PrototypeBank, settings: NeuroGazeSettings
) -> torch.Tensor:
    """Return the logarithm of the affinities wanted of each picture, float32 (n, cells)."""
    labels = torch.eye(len(task.classes))[torch.from_numpy(task.targets(pictures.table))]
    if settings.proto_target == "mixture":
        shares = shares_of(pictures, task, settings)
        if shares is None:
            do = "use a corpus with votes, or proto_target: self"
            raise SettingsError("no votes to mix anchors by", where="proto_target", do=do)
        labels = torch.from_numpy(shares).float()
    places = labels @ anchors_of(task, settings)
    if settings.proto_target == "gaussian":
        return nearness(places, torch.from_numpy(bank.centres), settings.proto_sigma)
    prototypes = torch.from_numpy(bank.prototypes)
    return affinities(interpolated(prototypes, places), prototypes, settings.proto_tau * settings.proto_temperature)


def teacher_logits(
    pictures: Samples, held: Samples, task: Categorical, settings: NeuroGazeSettings
) -> tuple[dict[str, Any], torch.Tensor]:
    """Return facts of who teaches, and its logits for each picture, float32 (n, classes).

    Parameters
    ----------
    pictures, held : Samples
        Each picture once: of the training part, and of the validation part, which chooses the epoch of a network.
    """
    shares = shares_of(pictures, task, settings)
    who = settings.kd_teacher
    if who == "auto":
        who = "image" if shares is None else "votes"
    if who == "image":
        facts, logits = _network_logits(pictures, held, task, settings)
        return {"distilled from": who, "teacher on pictures": facts}, logits
    if who == "votes":
        if shares is None:
            columns = ", ".join(Votes(label=settings.votes, classes=task.classes).columns[:2])
            raise SettingsError("no votes to learn from", where="kd_teacher", do=f"give columns {columns}, ...")
        return {"distilled from": who}, torch.from_numpy(_smoothed(shares, settings.label_smoothing)).float()
    if who == "affect":
        anchors = anchors_of(task, settings)
        logits = nearness(anchors, anchors, _SPREAD)[torch.from_numpy(task.targets(pictures.table))]
        return {"distilled from": who}, logits
    return {"distilled from": who}, torch.zeros(len(pictures), len(task.classes))


def _smoothed(shares: np.ndarray, smoothing: float) -> np.ndarray:
    """Return the logarithm of shares, a little of which is spread over all classes, so that none is endless."""
    spread = max(smoothing, 1e-3)
    return np.log((1 - spread) * shares + spread / shares.shape[1])


class _ImageTeacher(PictureNetwork):
    """A network on pictures that learns the raters' shares where there are any, else labels."""

    Settings: ClassVar = NeuroGazeSettings

    def _targets(self, pictures: Samples, task: Categorical) -> torch.Tensor:
        shares = shares_of(pictures, task, self.settings)
        return super()._targets(pictures, task) if shares is None else torch.from_numpy(shares).float()

    def logits(self, pictures: Samples, held: Samples, task: Categorical) -> np.ndarray:
        """Train, and return what is said of the training pictures, float64 (n, classes)."""
        self.task = task
        self._train(pictures, held)
        return self._each(pictures, self.network, len(task.classes))


def _network_logits(
    pictures: Samples, held: Samples, task: Categorical, settings: NeuroGazeSettings
) -> tuple[dict[str, Any], torch.Tensor]:
    """Train a network on the pictures and return its facts and logits, or read them: placebos have the system's."""
    fits = settings.weights == "download" or settings.image_teacher == settings.backbone
    own = settings.model_copy(
        update={
            "backbone": settings.image_teacher,
            "weights": settings.weights if fits else None,
            "training": settings.training.model_copy(update={"keep": "best"}),
        }
    )
    shares = [shares_of(side, task, settings) for side in (pictures, held)]
    about = {
        "code": code_version(),
        "settings": own.model_dump(mode="json", include=set(PictureNetworkSettings.model_fields)),
        "classes": list(task.classes),
        "pictures": [pictures_digest(side) for side in (pictures, held)],
        "labels": [digest_array(task.targets(side.table)) for side in (pictures, held)],
        "shares": [None if some is None else digest_array(some) for some in shares],
    }

    def build(folder: Path) -> None:
        teacher = _ImageTeacher(own)
        np.save(folder / "logits.npy", teacher.logits(pictures, held, task))
        (folder / "facts.json").write_text(json.dumps(teacher.facts))

    folder = Cache().folder("neurogaze-image-teacher", about, build)
    logits = torch.from_numpy(np.load(folder / "logits.npy", allow_pickle=False)).float()
    return json.loads((folder / "facts.json").read_text()), logits

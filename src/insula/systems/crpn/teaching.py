"""Training of the conceptual pathway, once for all that learn from it, and of the perceptual one."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_model, save_model

from insula.emotions import Categorical
from insula.networks.alterations import alter_pictures
from insula.networks.pathways import ConceptualPathway, EmotionBranch, Percept, Taught
from insula.samples import ArrayStore, Samples
from insula.storage.cache import Cache
from insula.storage.code import code_version
from insula.storage.hashing import digest_array
from insula.systems.crpn.build import conceptual_pathway, percept
from insula.systems.crpn.losses import StudentLoss, TeacherLoss
from insula.systems.crpn.settings import CRPNSettings
from insula.systems.crpn.statistics import Statistics, conceive, hash_of, statistics, sure_of
from insula.systems.pictures import pictures_digest
from insula.training.engine import train
from insula.training.rows import PictureRows


@dataclass(frozen=True)
class PictureData:
    """What both pathways learn from.

    Parameters
    ----------
    pictures, held : Samples
        One sample a picture, with labels: of the training part, and of the validation part, which may be empty.
    task : Categorical
        The classes.
    settings : CRPNSettings
        How.
    """

    pictures: Samples
    held: Samples
    task: Categorical
    settings: CRPNSettings

    def labels(self, samples: Samples) -> np.ndarray:
        """Return class codes."""
        return self.task.targets(samples.table)

    def validation(self, targets: torch.Tensor) -> tuple[PictureRows, torch.Tensor] | None:
        """Return the pictures held out with these targets, as the engine wants them; None where there are none."""
        return (PictureRows(self.held), targets) if len(self.held) else None

    @property
    def alter(self) -> Callable[[torch.Tensor], torch.Tensor] | None:
        """What is done to training pictures."""
        return alter_pictures if self.settings.augment else None


def train_teacher(data: PictureData, checkpoints: Path | None = None) -> tuple[ConceptualPathway, dict[str, Any]]:
    """Train the conceptual pathway; an interrupted training resumes from the folder of checkpoints."""
    settings, classes = data.settings, data.task.classes
    network = conceptual_pathway(settings, len(classes))
    trained = train(
        network,
        TeacherLoss(settings.teacher, classes),
        PictureRows(data.pictures),
        torch.from_numpy(data.labels(data.pictures)),
        data.validation(torch.from_numpy(data.labels(data.held))),
        settings.teacher.training,
        settings.seed,
        checkpoints,
        alter=data.alter,
    )
    return network.requires_grad_(False), trained.facts()


def taught_once(data: PictureData) -> tuple[ConceptualPathway, dict[str, Any]]:
    """Train the conceptual pathway, or read what was trained before on the same pictures, labels and settings.

    Arms and placebos differ in the student alone: their teacher is the same and is trained once, where the pictures
    lie in the cache on disk. Where several processes want it at the same time, one trains and the others wait.
    """
    parts = (data.pictures, data.held)
    if not all(map(_on_disk, parts)):
        return train_teacher(data)
    settings = data.settings
    read = {"teacher", "width", "dropout", "sizes", "augment", "seed"}
    about = {
        "code": code_version(),
        "settings": settings.model_dump(mode="json", include=read),
        "classes": data.task.classes,
        "data": [pictures_digest(part) for part in parts],
        "labels": [digest_array(data.labels(part)) for part in parts],
    }

    def build(folder: Path, checkpoints: Path) -> None:
        network, facts = train_teacher(data, checkpoints)
        save_model(network, str(folder / "teacher.safetensors"))
        (folder / "facts.json").write_text(json.dumps(facts))

    folder = Cache().resumable("conceptual-pathway", about, build)
    network = conceptual_pathway(settings, len(data.task.classes), pretrained=False)
    load_model(network, folder / "teacher.safetensors")
    return network.eval().requires_grad_(False), json.loads((folder / "facts.json").read_text())


def _on_disk(samples: Samples) -> bool:
    """Return whether none of the pictures lies in memory alone."""
    stores = [samples.stores[name] for name in set(samples.table["picture_store"])]
    return all(isinstance(store, ArrayStore) and isinstance(store.values, np.memmap) for store in stores)


def confidence_statistics(data: PictureData, teacher: ConceptualPathway) -> Statistics:
    """Return the confidence statistics of the training pictures; where those lie on disk, read from the cache."""
    settings, classes = data.settings, data.task.classes
    rows, labels = PictureRows(data.pictures), data.labels(data.pictures)

    def compute() -> Statistics:
        return statistics(teacher.emotion, rows, labels, classes, settings.concepts, settings.seed)

    if not _on_disk(data.pictures):
        return compute()
    about = {
        "code": code_version(),
        "teacher": hash_of(teacher.emotion),
        "concepts": settings.concepts.model_dump(mode="json", include={"quantile", "strict", "altered"}),
        "seed": settings.seed,
        "classes": classes,
        "data": [pictures_digest(data.pictures), digest_array(labels)],
    }
    return Statistics.load(Cache().folder("confidence-statistics", about, lambda folder: compute().save(folder)))


def train_student(
    data: PictureData, teacher: ConceptualPathway | None, measured: Statistics | None
) -> tuple[Percept, dict]:
    """Train the perceptual pathway: from labels alone without a teacher, else as the arm has it."""
    settings = data.settings
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        student = percept(settings, len(data.task.classes))
    labels, held = (torch.from_numpy(data.labels(part)) for part in (data.pictures, data.held))
    if teacher is None or measured is None:
        network: torch.nn.Module = student
        loss: torch.nn.Module = torch.nn.CrossEntropyLoss(label_smoothing=settings.label_smoothing)
    else:
        concepts = settings.concepts
        gate = measured.gate(concepts.stand_in, settings.seed)
        sure = torch.ones_like(held, dtype=torch.bool)
        if settings.arm == "distillation":
            gate = torch.ones_like(gate)
        elif len(held):
            sure = sure_of(conceive(teacher.emotion, PictureRows(data.held))[0], held, measured.thresholds)
        labels, held = torch.stack([labels, gate.long()], dim=1), torch.stack([held, sure.long()], dim=1)
        network = Taught(student, teacher.emotion)
        pools = measured.pools(concepts.stand_in, settings.seed)
        loss = StudentLoss(settings, measured.thresholds, pools, _pool(data, teacher.emotion, measured))
    trained = train(
        network,
        loss,
        PictureRows(data.pictures),
        labels,
        data.validation(held),
        settings.training,
        settings.seed,
        alter=data.alter,
    )
    return student.requires_grad_(False), trained.facts()


def _pool(data: PictureData, teacher: EmotionBranch, measured: Statistics) -> Callable[[torch.Tensor], torch.Tensor]:
    """Return what gives the teacher's features of training samples at some places."""
    if data.settings.concepts.pool == "cached":
        return lambda places: measured.features.to(places.device)[places]
    rows = PictureRows(data.pictures)

    @torch.no_grad()
    def read(places: torch.Tensor) -> torch.Tensor:
        pictures = rows[places.cpu()].to(places.device)
        return teacher.conceive(alter_pictures(pictures) if data.settings.augment else pictures).features

    return read

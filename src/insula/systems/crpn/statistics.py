"""How sure the teacher is of each training sample, and what follows from it: one artefact between the two stages."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import torch

from insula.errors import BundleError
from insula.networks.alterations import alter_pictures
from insula.networks.pathways import EmotionBranch
from insula.objectives.concepts import class_quantiles
from insula.storage.atomic import write_into
from insula.storage.hashing import digest, digest_array
from insula.systems.crpn.settings import Concepts
from insula.training.rows import PictureRows

_ARRAYS = ("confidence", "features", "labels", "thresholds", "sure")


@dataclass(frozen=True)
class Statistics:
    """Confidence statistics of a teacher on its training samples.

    Parameters
    ----------
    classes : tuple of str
        Names of the classes.
    confidence : tensor, shape (n,)
        Of each training sample.
    features : tensor, shape (n, width)
        Its emotion features.
    labels : int tensor, shape (n,)
        Its class.
    thresholds : tensor, shape (classes,)
        Confidence from which a sample of a class is sure; NaN for a class without samples.
    sure : bool tensor, shape (n,)
        Which samples are: the pool of each class.
    quantile : float
        The share of each class that was meant to be doubtful.
    teacher, view : str
        Hash of the teacher's weights; how it saw the pictures.
    """

    classes: tuple[str, ...]
    confidence: torch.Tensor
    features: torch.Tensor
    labels: torch.Tensor
    thresholds: torch.Tensor
    sure: torch.Tensor
    quantile: float
    teacher: str
    view: str

    def digest(self) -> str:
        """Return the sha256 of all of it."""
        return digest([self._about(), *(digest_array(getattr(self, name).numpy()) for name in _ARRAYS)])

    def _about(self) -> dict[str, object]:
        return {"classes": self.classes, "quantile": self.quantile, "teacher": self.teacher, "view": self.view}

    def save(self, folder: Path) -> None:
        """Write `concept_stats.npz` and `concept_stats.json`, with the hash of both."""
        arrays = {name: getattr(self, name).numpy() for name in _ARRAYS}
        by_class = dict(zip(self.classes, self.thresholds.tolist(), strict=True))
        about = {**self._about(), "thresholds": by_class, "sha256": self.digest()}
        with write_into(folder) as temporary:
            np.savez(temporary / "concept_stats.npz", allow_pickle=False, **arrays)
            (temporary / "concept_stats.json").write_text(json.dumps(about, indent=1))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote.

        Raises
        ------
        BundleError
            Where the folder holds no such statistics, or they were altered.
        """
        try:
            about = json.loads((folder / "concept_stats.json").read_text())
            with np.load(folder / "concept_stats.npz", allow_pickle=False) as stored:
                arrays = {name: torch.from_numpy(stored[name]) for name in _ARRAYS}
            plain = {name: about[name] for name in ("quantile", "teacher", "view")}
            loaded, sha256 = cls(**{"classes": tuple(about["classes"]), **arrays, **plain}), about["sha256"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            what = f"these are no confidence statistics: {error}"
            raise BundleError(what, where=folder, do="make them anew") from None
        if loaded.digest() != sha256:
            raise BundleError("the confidence statistics were altered", where=folder, do="make them anew")
        return loaded

    def gate(self, stand_in: str, seed: int) -> torch.Tensor:
        """Return which samples the student takes from the teacher itself, bool (n,).

        For the placebo `shuffled-confidence` they are drawn anew within each class, as many as before.
        """
        if stand_in != "shuffled-confidence":
            return self.sure
        dealt = self.sure.clone()
        generator = torch.Generator().manual_seed(seed)
        for label in range(len(self.classes)):
            mine = torch.nonzero(self.labels == label)[:, 0]
            dealt[mine] = self.sure[mine[torch.randperm(len(mine), generator=generator)]]
        return dealt

    def pools(self, stand_in: str, seed: int) -> torch.Tensor:
        """Return the class in whose pool each sample is, int (n,), -1 for a doubtful one.

        For the placebo `random-classes` the sure samples are dealt out to pools of the same sizes, whatever they show.
        """
        gate = self.gate(stand_in, seed)
        pools = torch.where(gate, self.labels, -1)
        if stand_in == "random-classes":
            places = torch.nonzero(gate)[:, 0]
            order = torch.randperm(len(places), generator=torch.Generator().manual_seed(seed))
            pools[places] = self.labels[places[order]]
        return pools


def statistics(
    teacher: EmotionBranch,
    rows: PictureRows,
    labels: np.ndarray,
    classes: Sequence[str],
    settings: Concepts,
    seed: int = 0,
) -> Statistics:
    """Return the confidence statistics of a teacher.

    Parameters
    ----------
    teacher : EmotionBranch
        Trained, in evaluation mode.
    rows : PictureRows
        The training pictures.
    labels : int array, shape (n,)
        Their classes.
    classes : sequence of str
        Names of the classes.
    settings : Concepts
        Which share is doubtful, and whether pictures are altered first.
    seed : int
        Of these alterations.
    """
    confidence, features = conceive(teacher, rows, altered=settings.altered, seed=seed)
    codes = torch.from_numpy(labels.astype(np.int64))
    thresholds = class_quantiles(confidence, codes, len(classes), settings.quantile)
    return Statistics(
        classes=tuple(classes),
        confidence=confidence,
        features=features,
        labels=codes,
        thresholds=thresholds,
        sure=sure_of(confidence, codes, thresholds, strict=settings.strict),
        quantile=settings.quantile,
        teacher=hash_of(teacher),
        view=f"altered, seed {seed}" if settings.altered else "as stored",
    )


@torch.inference_mode()
def conceive(
    teacher: EmotionBranch, rows: PictureRows, *, altered: bool = False, seed: int = 0
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return confidence, (n,), and emotion features, (n, width), of pictures."""
    confidence, features = [], []
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for batch in rows.batches():
            concept = teacher.conceive(alter_pictures(batch) if altered else batch)
            confidence.append(concept.confidence)
            features.append(concept.features)
    return torch.cat(confidence).clone(), torch.cat(features).clone()


def sure_of(
    confidence: torch.Tensor, labels: torch.Tensor, thresholds: torch.Tensor, *, strict: bool = False
) -> torch.Tensor:
    """Return whose confidence reaches the threshold of their class, bool (n,).

    Parameters
    ----------
    confidence, labels : tensors, shape (n,)
        Of the samples.
    thresholds : tensor, shape (classes,)
        Of the classes.
    strict : bool
        Whether it must pass the threshold; in a class that none passes, as where all are equal, reaching it is enough.
    """
    reached = confidence >= thresholds[labels]
    if not strict:
        return reached
    passed = confidence > thresholds[labels]
    some = torch.zeros(len(thresholds), dtype=torch.bool)
    some[labels[passed]] = True
    return torch.where(some[labels], passed, reached)


def hash_of(network: torch.nn.Module) -> str:
    """Return the sha256 of a network's weights and buffers."""
    return digest({name: digest_array(value.cpu().numpy()) for name, value in network.state_dict().items()})

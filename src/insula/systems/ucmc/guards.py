"""What can go wrong between teacher and student, measured after a fit and said in words."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from insula.objectives.evidential import uncertainty
from insula.objectives.prototypes import crowding
from insula.objectives.reliability import reliability
from insula.systems.ucmc.losses import RowTargets
from insula.systems.ucmc.networks import Bridge
from insula.systems.ucmc.settings import UCMCSettings
from insula.systems.ucmc.task_head import TaskHead

_COLLAPSED = 0.9  # mean cosine of each two prototypes
_QUANTILES = (0.0, 0.25, 0.5, 0.75, 1.0)


def absent_classes(task_head: TaskHead) -> list[str]:
    """Return a warning for each class that no labelled training row has."""
    lacking = [name for name, share in zip(task_head.names, task_head.shares, strict=True) if share == 0]
    return [
        f"no labelled training row is of the class {name}, so it is never learnt: label some, or name it no class"
        for name in lacking
    ]


def teacher_is_worse(teacher: float, student: float, task_head: TaskHead) -> list[str]:
    """Return a warning where the teacher does worse than the student by itself; NaN compares as no worse."""
    if not teacher < student:
        return []
    return [
        f"the teacher's {task_head.figure} on the validation part is {teacher:.3f}, that of the student without it "
        f"{student:.3f}: nothing is distilled from it, unless guard is set to false"
    ]


def measured(
    bridge: Bridge, targets: RowTargets, embedded: torch.Tensor, settings: UCMCSettings
) -> tuple[dict[str, Any], list[str]]:
    """Return facts of a trained bridge on the training rows, and warnings.

    Parameters
    ----------
    bridge : Bridge
        Trained.
    targets : RowTargets
        Of the training rows.
    embedded : tensor, shape (n, width)
        The student's features beside the teacher's.
    settings : UCMCSettings
        What was switched on.

    Returns
    -------
    facts : dict
        `prototype cosine`; with uncertainty also quantiles of the teacher's `teacher uncertainty` and of the
        `weights` of pairs, and the share of pairs that weigh `nothing`.
    warnings : list of str
        Collapsed prototypes, a teacher that is too uncertain to be heard.
    """
    crowded = float(crowding(bridge.prototypes))
    facts: dict[str, Any] = {"prototype cosine": crowded}
    warnings = []
    if crowded > _COLLAPSED:
        warnings.append(f"prototypes have collapsed, their mean cosine is {crowded:.2f}: read no geometry out of them")
    pairs = targets.eeg & targets.face & targets.labelled
    if not settings.uncertainty or not pairs.any():
        return facts, warnings
    face = bridge.face(targets.features)
    doubt = uncertainty(bridge.evidence(face))
    weights = reliability(doubt, embedded, face, pairs, settings.limit)[pairs]
    unheard = float((weights == 0).float().mean())
    facts |= {
        "teacher uncertainty": _quantiles(doubt[pairs]),
        "weights": _quantiles(weights),
        "pairs that weigh nothing": unheard,
    }
    if unheard > 0.5:
        warnings.append(
            f"the teacher's uncertainty is above {settings.limit:g} for {100 * unheard:.0f} % of the pairs: "
            "they weigh nothing in the distillation; a higher limit lets them in"
        )
    return facts, warnings


def _quantiles(values: torch.Tensor) -> dict[str, float]:
    quantiles = np.quantile(values.numpy(), _QUANTILES)
    return {f"{100 * share:.0f} %": float(value) for share, value in zip(_QUANTILES, quantiles, strict=True)}

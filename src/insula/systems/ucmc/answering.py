"""What is said of rows from EEG, from a face, or from both together."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import cast

import numpy as np
import torch

from insula.objectives.evidential import agreed, uncertainty
from insula.objectives.evidential_regression import believed, ignorance
from insula.samples import Predictions, Samples, normalised_entropy
from insula.systems.two_modalities import Asked, Cells, modes_used
from insula.systems.ucmc.networks import Bridge, Network
from insula.systems.ucmc.reading import Items, Reader, items_of
from insula.systems.ucmc.settings import UCMCSettings
from insula.systems.ucmc.task_head import TaskHead


@dataclass(frozen=True)
class Side:
    """What one modality says of rows; what stands in rows without it means nothing.

    Parameters
    ----------
    cells : Cells
        Which rows have it.
    features, embedded : tensor, shape (n, width)
        Of its network; and of unit length, beside the other modality's where there is a bridge.
    answers : float64 array, shape (n, classes) or (n, 1)
        Probabilities, or standardised ratings.
    evidence : tensor, shape (n, parts), or None
        For each class; None where none was learnt.
    doubt : float64 array, shape (n,)
        Uncertainty, 0 to 1; NaN where a rating comes without.
    """

    cells: Cells
    features: torch.Tensor
    embedded: torch.Tensor
    answers: np.ndarray
    evidence: torch.Tensor | None
    doubt: np.ndarray


@torch.inference_mode()
def listen(
    task_head: TaskHead,
    settings: UCMCSettings,
    samples: Samples,
    reader: Reader | None,
    cells: Cells,
    network: Network | None,
    bridge: Bridge | None,
) -> Side:
    """Return what a network says of the rows that can be used.

    A row of which it says what is not finite, as of values far from all that it was trained on, cannot be used either.

    Parameters
    ----------
    task_head, settings
        Of the system.
    samples : Samples
        The rows.
    reader, network : Reader, Network or None
        None where no training row had the modality.
    cells : Cells
        Which rows can be used.
    bridge : Bridge or None
        None for a student that has none.
    """
    rows, usable = len(samples), torch.from_numpy(cells.usable)[:, None]
    if reader is None or network is None or not usable.any():
        nothing = torch.zeros(rows, settings.width)
        return Side(cells, nothing, nothing, np.zeros((rows, task_head.outputs)), None, np.full(rows, np.nan))
    items = items_of(reader, samples, cells, cells.usable, settings.steps, settings.hop)
    features = items.each(lambda batch: network(batch).features, settings.width)
    features = torch.where(usable, features, 0)
    outputs = network.head(features)
    of_eeg = reader.called == "EEG"
    embedded, evidence = torch.nn.functional.normalize(features, dim=1), None
    if bridge is not None:
        embedded = bridge.of_eeg(features) if of_eeg else bridge.face(features)
        evidence = bridge.evidence(embedded) if settings.uncertainty else None
    answers = (
        outputs.double().softmax(dim=1).numpy() if task_head.kind == "classes" else outputs[:, :1].double().numpy()
    )
    if of_eeg and outputs.shape[1] > task_head.outputs:
        doubt = ignorance(believed(outputs)).double().numpy()
    elif evidence is not None:
        doubt = uncertainty(evidence).double().numpy()
    else:
        doubt = normalised_entropy(answers) if task_head.kind == "classes" else np.full(rows, np.nan)
    everything = [torch.linalg.vector_norm(features, dim=1)[:, None], embedded, torch.from_numpy(answers)]
    everything += [] if evidence is None else [evidence]
    lost = cells.usable & ~torch.cat(everything, dim=1).isfinite().all(dim=1).numpy()
    if lost.any():
        spared = _left_out(cells, _to_blame(reader, samples, cells, network, lost), reader.called)
        return listen(task_head, settings, samples, reader, spared, network, bridge)
    return Side(cells, features, embedded, answers, evidence, doubt)


def _to_blame(reader: Reader, samples: Samples, cells: Cells, network: Network, lost: np.ndarray) -> np.ndarray:
    """Return which of the lost rows are lost by themselves, and not through others of their sequence; bool (n,)."""
    if not reader.strung:
        return lost
    alone = Items(reader, samples, cells, torch.from_numpy(np.flatnonzero(lost))[:, None])
    features = alone.each(lambda batch: network(batch).features, network.head.in_features)
    guilty = lost & ~torch.linalg.vector_norm(features, dim=1).isfinite().numpy()
    return guilty if guilty.any() else lost


def _left_out(cells: Cells, rows: np.ndarray, called: str) -> Cells:
    reasons = cells.reasons.copy()
    reasons[rows] = f"answer from {called} not finite"
    return replace(cells, reasons=reasons)


def answer(task_head: TaskHead, index: np.ndarray, eeg: Side, face: Side, asked: str) -> Predictions:
    """Return predictions of rows from what either modality says of them.

    Parameters
    ----------
    task_head : TaskHead
        What is to be said.
    index : array, shape (n,)
        Ids of the rows.
    eeg, face : Side
        Of the same rows.
    asked : {"eeg", "face", "both"}
        What may be used.
    """
    modes, reasons = modes_used(eeg.cells, face.cells, cast(Asked, asked))
    together, doubt = _fused(task_head, eeg, face)
    nothing = np.broadcast_to(task_head.shares if task_head.kind == "classes" else [0.0], together.shape)
    uses = [modes == name for name in ("both", "eeg", "face")]
    answers = np.select([use[:, None] for use in uses], [together, eeg.answers, face.answers], nothing)
    columns = {
        "uncertainty": np.select(uses, [doubt, eeg.doubt, face.doubt], 1.0),
        "mode": modes,
        "reason": reasons,
    }
    if asked == "both":
        far = (1 - torch.nn.functional.cosine_similarity(eeg.embedded, face.embedded, dim=1).double().numpy()) / 2
        columns |= {
            "uncertainty_eeg": np.where(eeg.cells.usable, eeg.doubt, np.nan),
            "uncertainty_face": np.where(face.cells.usable, face.doubt, np.nan),
            "discrepancy": np.where(uses[0], far, np.nan),
        }
    if task_head.kind == "classes":
        return Predictions.of(task_head.names, answers, index, **columns)
    return Predictions.rate(task_head.ratings(answers[:, 0]), index, **columns)


def _fused(task_head: TaskHead, eeg: Side, face: Side) -> tuple[np.ndarray, np.ndarray]:
    """Return what both say together, and how uncertain that is; rows that lack either mean nothing.

    With evidence: probabilities by the reduced rule of Dempster, or ratings weighted by certainty. Without: the mean.
    """
    if eeg.evidence is None or face.evidence is None:
        answers = (eeg.answers + face.answers) / 2
        return answers, normalised_entropy(answers) if task_head.kind == "classes" else np.fmax(eeg.doubt, face.doubt)
    doubts = torch.stack([uncertainty(side.evidence).double() for side in (eeg, face)])  # type: ignore[arg-type]
    if task_head.kind == "classes":
        probabilities, left = agreed(torch.from_numpy(eeg.answers), torch.from_numpy(face.answers), doubts)
        return probabilities.numpy(), left.numpy()
    sure = (1 - doubts + 1e-6).numpy()[..., None]
    return (sure * np.stack([eeg.answers, face.answers])).sum(axis=0) / sure.sum(axis=0), doubts.prod(dim=0).numpy()


def together(eeg: Side, face: Side) -> np.ndarray:
    """Return embeddings of both sides as one, float32 (n, width): of unit length, zeros where there is neither."""
    there = (torch.from_numpy(side.cells.usable)[:, None] for side in (eeg, face))
    summed = sum(torch.where(use, side.embedded, 0) for use, side in zip(there, (eeg, face), strict=True))
    return torch.nn.functional.normalize(cast(torch.Tensor, summed), dim=1).numpy()

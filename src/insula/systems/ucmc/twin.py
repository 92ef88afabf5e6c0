"""UCMC as a bundle holds it, in torch: rows of EEG, of a face, or of both, of which any may be lacking."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import nn

from insula.networks.standardised import Standardised
from insula.networks.two_sides import chosen, entropy, sound, used
from insula.objectives.evidential import agreed, uncertainty
from insula.objectives.evidential_regression import believed, ignorance
from insula.systems.ucmc.networks import Bridge, Network, RowEncoder
from insula.systems.ucmc.reading import Reader
from insula.systems.ucmc.task_head import TaskHead


class SideAnswers(NamedTuple):
    """What is said of rows from one side.

    Parameters
    ----------
    there : bool tensor, shape (n,)
        Which rows can be used; what stands in others means nothing.
    answers : float64 tensor, shape (n, classes) or (n, 1)
        Probabilities, or standardised ratings.
    embedded : tensor, shape (n, width)
        Features of unit length, beside the other side's.
    evidence : tensor, shape (n, parts), or None
        For each class.
    doubt : float64 tensor, shape (n,)
        Uncertainty, 0 to 1; 1 where a rating comes without.
    """

    there: torch.Tensor
    answers: torch.Tensor
    embedded: torch.Tensor
    evidence: torch.Tensor | None
    doubt: torch.Tensor


class SideNetwork(nn.Module):
    """Rows of one modality to what a network says of them, as `insula.systems.ucmc.answering.listen` does.

    Parameters
    ----------
    task_head : TaskHead
        What is to be said.
    reader : Reader
        How rows are read; none that are strung together.
    network : Network
        Of the student or the teacher.
    bridge : Bridge or None
        None where there is none.
    evident : bool
        Whether the bridge's evidence counts.
    """

    def __init__(
        self, task_head: TaskHead, reader: Reader, network: Network, bridge: Bridge | None, evident: bool
    ) -> None:
        super().__init__()
        self.task_head, self.reader, self.evident = task_head, reader, evident and bridge is not None
        self.network, self.bridge = network, bridge

    @property
    def doubts(self) -> bool:
        """Whether it says how uncertain it is: a rating may come without."""
        of_means = self.reader.called == "EEG" and self.network.head.out_features > self.task_head.outputs
        return self.task_head.kind == "classes" or self.evident or of_means

    def forward(self, rows: torch.Tensor) -> SideAnswers:
        """Return what is said of rows (n, ...)."""
        reader, kind = self.reader, self.task_head.kind
        arranged = rows if reader.shape == tuple(rows.shape[1:]) else self._arranged(rows)
        there = sound(arranged)
        held = torch.where(there.reshape(-1, *[1] * (arranged.ndim - 1)), arranged, 0)
        features = torch.where(there[:, None], self._features(held), 0)
        outputs = self.network.head(features)
        of_eeg = reader.called == "EEG"
        embedded = nn.functional.normalize(features, dim=1)
        if self.bridge is not None:
            embedded = self.bridge.of_eeg(features) if of_eeg else self.bridge.face(features)
        evidence = self.bridge.evidence(embedded) if self.bridge is not None and self.evident else None
        answers = outputs.double().softmax(dim=1) if kind == "classes" else outputs[:, :1].double()
        if of_eeg and outputs.shape[1] > self.task_head.outputs:
            doubt = ignorance(believed(outputs)).double()
        elif evidence is not None:
            doubt = uncertainty(evidence).double()
        else:
            doubt = entropy(answers) if kind == "classes" else torch.ones(rows.shape[0], dtype=torch.float64)
        checked = torch.cat([features, embedded, answers, *([] if evidence is None else [evidence])], dim=1)
        there = there & sound(checked)
        answers, embedded = (torch.where(there[:, None], part, 0) for part in (answers, embedded))
        return SideAnswers(there, answers, embedded, evidence, doubt)

    def _arranged(self, rows: torch.Tensor) -> torch.Tensor:
        if self.reader.timed:
            rows = rows.movedim(1 + self.reader.form.axes.index("time"), 1)
            return rows.flatten(2)
        return rows.flatten(1)

    def _features(self, rows: torch.Tensor) -> torch.Tensor:
        """Return features of rows that are finite; which of them a graph cannot leave out, so all are read."""
        encoder: nn.Module = self.network.encoder
        if isinstance(encoder, Standardised):
            rows, encoder = encoder.standard(rows), encoder.network
        return encoder.network(rows) if isinstance(encoder, RowEncoder) else encoder(rows)


class Fused(nn.Module):
    """A mode of UCMC: rows of the modalities that it reads to its answer.

    Parameters
    ----------
    task_head : TaskHead
        What is to be said.
    networks : mapping of str to SideNetwork
        Of `eeg`, of `face`, or of both, in this order.
    """

    usual: torch.Tensor

    def __init__(self, task_head: TaskHead, networks: dict[str, SideNetwork]) -> None:
        super().__init__()
        self.task_head, self.networks = task_head, nn.ModuleDict(networks)
        usual = task_head.shares if task_head.kind == "classes" else (0.0,)
        self.register_buffer("usual", torch.tensor(usual, dtype=torch.float64))

    @property
    def columns(self) -> tuple[str, ...]:
        """What it says beside the answer."""
        sides = [side for side, network in self.networks.items() if network.doubts]
        alone = [f"uncertainty_{side}" for side in sides if len(self.networks) > 1]
        whole = ["uncertainty"] if len(sides) == len(self.networks) else []
        return ("used", *whole, *alone, *(["discrepancy"] if len(self.networks) > 1 else []))

    def forward(self, *rows: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return the answer, (n, classes) or (n,), and the columns, each (n,)."""
        sides = {side: network(given) for (side, network), given in zip(self.networks.items(), rows, strict=True)}
        nothing = torch.zeros(rows[0].shape[0], dtype=torch.bool)
        eeg_there, face_there = (sides[side].there if side in sides else nothing for side in ("eeg", "face"))
        uses, usual = used(eeg_there, face_there), self.usual.expand(rows[0].shape[0], -1)
        one = next(iter(sides.values()))
        together, doubt = self._fused(sides["eeg"], sides["face"]) if len(sides) > 1 else (one.answers, one.doubt)
        eeg, face = (sides.get(side, one) for side in ("eeg", "face"))
        answer = chosen(uses, usual, eeg.answers, face.answers, together)
        far = (1 - nn.functional.cosine_similarity(eeg.embedded, face.embedded, dim=1).double()) / 2
        columns = {
            "used": uses,
            "uncertainty": chosen(uses, torch.ones_like(doubt), eeg.doubt, face.doubt, doubt),
            "uncertainty_eeg": eeg.doubt,
            "uncertainty_face": face.doubt,
            "discrepancy": far,
        }
        main = answer if self.task_head.kind == "classes" else self._rating(answer)
        return main, *(columns[name] for name in self.columns)

    def _rating(self, standardised: torch.Tensor) -> torch.Tensor:
        """Return standardised ratings in the label's own units."""
        low, high = self.task_head.task.scale  # type: ignore[union-attr]
        return (low + high) / 2 + (self.task_head.mean + self.task_head.deviation * standardised[:, 0]) * (
            high - low
        ) / 2

    def _fused(self, eeg: SideAnswers, face: SideAnswers) -> tuple[torch.Tensor, torch.Tensor]:
        """Return what both say together, and how uncertain that is, as `insula.systems.ucmc.answering` does."""
        if eeg.evidence is None or face.evidence is None:
            answers = (eeg.answers + face.answers) / 2
            return answers, entropy(answers) if self.task_head.kind == "classes" else torch.maximum(
                eeg.doubt, face.doubt
            )
        doubts = torch.stack([uncertainty(side.evidence).double() for side in (eeg, face)])  # type: ignore[arg-type]
        if self.task_head.kind == "classes":
            return agreed(eeg.answers, face.answers, doubts)
        sure = (1 - doubts + 1e-6)[..., None]
        both = torch.stack([eeg.answers, face.answers])
        return (sure * both).sum(dim=0) / sure.sum(dim=0), doubts.prod(dim=0)

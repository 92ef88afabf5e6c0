"""UCMC as a bundle holds it, in torch: rows of EEG, of a face, or of both, of which any may be lacking."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import nn

from insula.networks.standardised import Standardised
from insula.networks.two_sides import chosen, entropy, sound, used
from insula.objectives.evidential import agreed, uncertainty
from insula.objectives.evidential_regression import believed, ignorance
from insula.systems.ucmc.aim import Aim
from insula.systems.ucmc.networks import Bridge, Network, RowEncoder
from insula.systems.ucmc.reading import Reader


class Heard(NamedTuple):
    """What is said of rows from one side.

    Parameters
    ----------
    there : bool tensor, shape (n,)
        Which rows can be used; what stands in others means nothing.
    said : float64 tensor, shape (n, classes) or (n, 1)
        Probabilities, or standardised ratings.
    embedded : tensor, shape (n, width)
        Features of unit length, beside the other side's.
    evidence : tensor, shape (n, parts), or None
        For each class.
    doubt : float64 tensor, shape (n,)
        Uncertainty, 0 to 1.
    """

    there: torch.Tensor
    said: torch.Tensor
    embedded: torch.Tensor
    evidence: torch.Tensor | None
    doubt: torch.Tensor


class Listener(nn.Module):
    """Rows of one modality to what a network says of them, as `insula.systems.ucmc.answering.listen` does.

    Parameters
    ----------
    aim : Aim
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

    def __init__(self, aim: Aim, reader: Reader, network: Network, bridge: Bridge | None, evident: bool) -> None:
        super().__init__()
        self.aim, self.reader, self.evident = aim, reader, evident and bridge is not None
        self.network, self.bridge = network, bridge

    def forward(self, rows: torch.Tensor) -> Heard:
        """Return what is said of rows (n, ...)."""
        reader, kind = self.reader, self.aim.kind
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
        said = outputs.double().softmax(dim=1) if kind == "classes" else outputs[:, :1].double()
        if of_eeg and outputs.shape[1] > self.aim.outputs:
            doubt = ignorance(believed(outputs)).double()
        elif evidence is not None:
            doubt = uncertainty(evidence).double()
        else:
            doubt = entropy(said) if kind == "classes" else torch.ones(rows.shape[0], dtype=torch.float64)
        told = torch.cat([features, embedded, said, *([] if evidence is None else [evidence])], dim=1)
        there = there & sound(told)
        return Heard(there, *(torch.where(there[:, None], part, 0) for part in (said, embedded)), evidence, doubt)

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


class Said(nn.Module):
    """A mode of UCMC: rows of the modalities that it reads to its answer.

    Parameters
    ----------
    aim : Aim
        What is to be said.
    listeners : mapping of str to Listener
        Of `eeg`, of `face`, or of both, in this order.
    """

    usual: torch.Tensor

    def __init__(self, aim: Aim, listeners: dict[str, Listener]) -> None:
        super().__init__()
        self.aim, self.listeners = aim, nn.ModuleDict(listeners)
        usual = aim.shares if aim.kind == "classes" else (0.0,)
        self.register_buffer("usual", torch.tensor(usual, dtype=torch.float64))

    @property
    def columns(self) -> tuple[str, ...]:
        """What it says beside the answer."""
        more = ("uncertainty_eeg", "uncertainty_face", "discrepancy") if len(self.listeners) > 1 else ()
        return ("used", "uncertainty", *more)

    def forward(self, *rows: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return the answer, (n, classes) or (n,), and the columns, each (n,)."""
        heard = {side: listen(given) for (side, listen), given in zip(self.listeners.items(), rows, strict=True)}
        nothing = torch.zeros(rows[0].shape[0], dtype=torch.bool)
        there = [heard[side].there if side in heard else nothing for side in ("eeg", "face")]
        uses, usual = used(*there), self.usual.expand(rows[0].shape[0], -1)
        one = next(iter(heard.values()))
        said, doubt = self._fused(heard["eeg"], heard["face"]) if len(heard) > 1 else (one.said, one.doubt)
        eeg, face = (heard.get(side, one) for side in ("eeg", "face"))
        answer = chosen(uses, usual, eeg.said, face.said, said)
        columns = [uses, chosen(uses, torch.ones_like(doubt), eeg.doubt, face.doubt, doubt)]
        if len(heard) > 1:
            far = (1 - nn.functional.cosine_similarity(eeg.embedded, face.embedded, dim=1).double()) / 2
            columns += [eeg.doubt, face.doubt, far]
        return (answer if self.aim.kind == "classes" else self._rating(answer)), *columns

    def _rating(self, standardised: torch.Tensor) -> torch.Tensor:
        """Return standardised ratings in the label's own units."""
        low, high = self.aim.task.scale  # type: ignore[union-attr]
        return (low + high) / 2 + (self.aim.mean + self.aim.deviation * standardised[:, 0]) * (high - low) / 2

    def _fused(self, eeg: Heard, face: Heard) -> tuple[torch.Tensor, torch.Tensor]:
        """Return what both say together, and how uncertain that is, as `insula.systems.ucmc.answering` does."""
        if eeg.evidence is None or face.evidence is None:
            said = (eeg.said + face.said) / 2
            return said, entropy(said) if self.aim.kind == "classes" else torch.maximum(eeg.doubt, face.doubt)
        doubts = torch.stack([uncertainty(side.evidence).double() for side in (eeg, face)])  # type: ignore[arg-type]
        if self.aim.kind == "classes":
            return agreed(eeg.said, face.said, doubts)
        sure = (1 - doubts + 1e-6)[..., None]
        both = torch.stack([eeg.said, face.said])
        return (sure * both).sum(dim=0) / sure.sum(dim=0), doubts.prod(dim=0)

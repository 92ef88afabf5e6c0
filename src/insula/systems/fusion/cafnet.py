"""CAFNet: EEG and face features joined, each weighed by how likely it is to be right.

Source: the idea of "Dynamic confidence-aware multi-modal emotion recognition", IEEE Transactions on Affective Computing
15(3), 2024, and of its public code.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from insula.emotions import LabelTask
from insula.samples import Samples
from insula.systems.fusion.pairs import SIDES, Pairs, PairSettings, PairSystem
from insula.systems.signal_network import TINY
from insula.systems.two_modalities import Cells
from insula.training.settings import Training

if TYPE_CHECKING:
    import torch
    from torch import nn

    from insula.systems.fusion.cafnet_network import FusionOutput

_ROWS = 4096  # said at a time


class CAFNetTraining(Training):
    """How CAFNet is trained; the source trains 200 epochs."""

    epochs: int = 60
    patience: int = 10
    batch_size: int = 40
    optimiser: Literal["adamw", "adam", "sgd"] = "adam"
    weight_decay: float = 1e-5


class CAFNetSettings(PairSettings):
    """How CAFNet learns.

    Parameters
    ----------
    eeg, face, max_skew, seed
        As in `PairSettings`.
    width : int
        Numbers in a modality's feature.
    dropout : float
        In the encoders and before the joint classifier.
    error, disagreement : float
        What the squared error of confidences, and the divergence of the modalities from each other, count.
    all_epochs : int
        Epochs in which all rows are learnt from.
    pace, growth : float
        After these, rows are learnt from whose loss is below this multiple of the loss of a guess, and the factor by
        which it grows in each epoch. The source's limit of 1.0 for two classes is 1.44 times that of a guess.
    training : CAFNetTraining
        Epochs, optimiser, device; the epoch is chosen on validation rows, where there are any.
    """

    width: int = Field(256, ge=2)
    dropout: float = Field(0.5, ge=0, lt=1)
    error: float = Field(0.5, ge=0)
    disagreement: float = Field(0.4, ge=0)
    all_epochs: int = Field(3, ge=0)
    pace: float = Field(1.44, gt=0)
    growth: float = Field(1.15, ge=1)
    training: Training = CAFNetTraining()


class CAFNet(PairSystem):
    """A network of EEG and face that weighs each by its own estimate of being right."""

    Settings: ClassVar[type[PairSettings]] = CAFNetSettings
    modes: ClassVar[Mapping[str, str]] = {
        "both": "EEG and face weighed by confidence",
        "eeg": "the EEG's own classifier",
        "face": "the face's own classifier",
    }
    learns: ClassVar = LabelTask
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {"tiny": {"width": 32, "training": TINY}}

    def _learn(self, pairs: Pairs) -> list[str]:
        import torch

        from insula.networks.standardised import moments
        from insula.systems.fusion.cafnet_network import ConfidenceLoss
        from insula.training.engine import train as train_network

        settings, cells = self.settings, pairs.cells
        spreads = []
        for side in SIDES:
            values, usable = torch.from_numpy(cells[side].values), torch.from_numpy(cells[side].usable)
            standard = torch.zeros(values.shape[1]), torch.ones(values.shape[1])
            spreads.append(moments([values[usable]], over_time=False) if usable.any() else standard)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(settings.seed)
            self.network = self._network(tuple(spreads))
        used = cells["eeg"].usable | cells["face"].usable
        data = _rows(cells)[torch.from_numpy(used)], torch.from_numpy(pairs.targets[used])
        held = self._held(pairs.validation)
        loss = ConfidenceLoss(
            settings.error, settings.disagreement, settings.all_epochs, settings.pace, settings.growth
        )
        trained = train_network(self.network, loss, *data, held, settings.training, settings.seed)
        self.facts = trained.facts()
        self.log.record("cafnet", pairs.train.select(used))
        if held is not None:
            self.log.record("epoch of cafnet", pairs.validation, "selection")
        return self.learnt

    def _network(self, spreads: tuple[tuple[torch.Tensor, torch.Tensor], ...]) -> Any:
        from insula.systems.fusion.cafnet_network import ConfidenceFusion

        return ConfidenceFusion(spreads, len(self.task.classes), self.settings.width, self.settings.dropout)

    def _held(self, validation: Samples) -> tuple[torch.Tensor, torch.Tensor] | None:
        """Return the validation rows that have either modality, with their targets; None where there are none."""
        import torch

        cells = self._cells(validation)
        used = cells["eeg"].usable | cells["face"].usable
        if not used.any():
            return None
        targets = self.task.targets(validation.table)[used]
        return _rows(cells)[torch.from_numpy(used)], torch.from_numpy(targets)

    # predicting -------------------------------------------------------------------------------------------------------

    def _outputs(self, way: str, eeg: np.ndarray, face: np.ndarray) -> np.ndarray:
        def logits(output: FusionOutput) -> torch.Tensor:
            return output.joint if way == "both" else output.alone[list(SIDES).index(way)]

        return self._each(way, eeg, face, lambda output: logits(output).double().softmax(dim=1))

    def _doubt(self, side: str, values: np.ndarray) -> np.ndarray:
        """Return one minus the confidence of one side."""
        return self._each(side, values, values, lambda output: 1 - output.confidence[list(SIDES).index(side)].double())

    def _module(self) -> nn.Module:
        from insula.systems.fusion.twin import Confident

        return Confident(self.network)

    def _each(self, way: str, eeg: np.ndarray, face: np.ndarray, read: Any) -> np.ndarray:
        """Return what is read of the network's words on rows that have what the way needs."""
        import torch

        from insula.systems.fusion.cafnet_network import joined

        given = {"eeg": eeg, "face": face}
        parts = [
            torch.from_numpy(given[side] if way in (side, "both") else np.zeros((len(eeg), width), np.float32))
            for side, width in zip(SIDES, self.network.widths, strict=True)
        ]
        there = torch.tensor([way in (side, "both") for side in SIDES])[:, None].expand(2, len(eeg))
        with torch.inference_mode():
            parts_read = [read(self.network(rows)) for rows in joined(parts[0], parts[1], there).split(_ROWS)]
            return torch.cat(parts_read).numpy()

    # saving -----------------------------------------------------------------------------------------------------------

    def _save(self, folder: Path) -> dict[str, Any]:
        from safetensors.torch import save_file

        save_file(self.network.state_dict(), folder / "network.safetensors")
        return super()._save(folder)

    def _load(self, folder: Path, about: dict[str, Any]) -> None:
        import torch
        from safetensors.torch import load_model

        super()._load(folder, about)
        widths = [self.shapes[side][0] if side in self.learnt else 1 for side in SIDES]
        self.network = self._network(tuple((torch.zeros(width), torch.ones(width)) for width in widths))
        load_model(self.network, folder / "network.safetensors")
        self.network.eval()


def _rows(cells: Mapping[str, Cells]) -> torch.Tensor:
    import torch

    from insula.systems.fusion.cafnet_network import joined

    there = torch.from_numpy(np.stack([cells[side].usable for side in SIDES]))
    return joined(torch.from_numpy(cells["eeg"].values), torch.from_numpy(cells["face"].values), there)

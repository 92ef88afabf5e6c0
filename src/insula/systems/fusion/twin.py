"""Baselines of two modalities as a bundle holds them, in torch: rows may lack either side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import nn

from insula.networks.two_sides import chosen, entropy, sound, used
from insula.systems.fusion.cafnet_network import ConfidenceFusion, joined

Sides = Mapping[str, torch.Tensor]
"""Numbers, (n, d), of `eeg`, of `face`, or of both."""


class Models(nn.Module):
    """A model for each way that was learnt, `both`, `eeg` and `face`.

    Parameters
    ----------
    models : mapping of str to Module
        By way, features (n, d) to float64 (n, e). Without one of its own, `both` is the mean of the other two.
    """

    def __init__(self, models: Mapping[str, nn.Module]) -> None:
        super().__init__()
        self.models = nn.ModuleDict(models)

    def forward(self, way: str, sides: Sides) -> torch.Tensor:
        """Return what a way says, float64 (n, e)."""
        if way == "both" and way not in self.models:
            return (self("eeg", sides) + self("face", sides)) / 2
        rows = torch.cat([sides["eeg"], sides["face"]], dim=1) if way == "both" else sides[way]
        return self.models[way](rows.double())

    def doubt(self, side: str, sides: Sides) -> torch.Tensor:
        """Return how uncertain a side alone is, (n,)."""
        return entropy(self(side, sides))


class Confident(nn.Module):
    """CAFNet's network, as `Models` is."""

    def __init__(self, network: ConfidenceFusion) -> None:
        super().__init__()
        self.network = network

    def forward(self, way: str, sides: Sides) -> torch.Tensor:
        """Return what a way says, float64 (n, classes)."""
        outputs = self.network(self._rows(sides))
        logits = outputs.joint if way == "both" else outputs.alone[("eeg", "face").index(way)]
        return logits.double().softmax(dim=1)

    def doubt(self, side: str, sides: Sides) -> torch.Tensor:
        """Return one minus the confidence of a side, (n,)."""
        return 1 - self.network(self._rows(sides)).confidence[("eeg", "face").index(side)].double()

    def _rows(self, sides: Sides) -> torch.Tensor:
        count = next(iter(sides.values())).shape[0]
        widths = zip(("eeg", "face"), self.network.widths, strict=True)
        parts = [sides[side] if side in sides else torch.zeros(count, width) for side, width in widths]
        return joined(parts[0], parts[1], torch.ones(2, count, dtype=torch.bool))


class Pair(nn.Module):
    """Rows of EEG, of a face, or of both to what a baseline of two modalities says.

    Parameters
    ----------
    numbers : mapping of str to Module
        By side that is read, in order, rows to numbers (n, d).
    says : Module
        A `Models` or a `Confident`.
    usual : array, shape (e,)
        What is said of a row with no side to go by.
    together : bool
        Whether both sides at once were learnt.
    rating : Module, optional
        Numbers on [-1, 1] to ratings, where it learnt these.
    """

    usual: torch.Tensor

    def __init__(
        self,
        numbers: Mapping[str, nn.Module],
        says: nn.Module,
        usual: np.ndarray,
        together: bool,
        rating: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.numbers, self.says, self.together, self.rating = nn.ModuleDict(numbers), says, together, rating
        self.register_buffer("usual", torch.tensor(usual, dtype=torch.float64))

    @property
    def columns(self) -> Sequence[str]:
        """What it says beside the answer."""
        doubts = () if self.rating else ("uncertainty", *(f"uncertainty_{side}" for side in self.numbers))
        return ("used", *doubts)

    def forward(self, *rows: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return the answer, (n, classes) or (n,), and the columns, each (n,)."""
        sides, there = {}, dict.fromkeys(("eeg", "face"), torch.zeros(rows[0].shape[0], dtype=torch.bool))
        for (side, numbers), given in zip(self.numbers.items(), rows, strict=True):
            described = numbers(given).float()
            there[side] = sound(described)
            sides[side] = torch.where(there[side][:, None], described, 0)
        uses = used(there["eeg"], there["face"], self.together)
        usual = self.usual.expand(rows[0].shape[0], -1)
        ways = {side: self.says(side, sides) for side in sides}
        both = self.says("both", sides) if self.together and len(sides) > 1 else usual
        answer = chosen(uses, usual, ways.get("eeg", usual), ways.get("face", usual), both)
        if self.rating is not None:
            return self.rating(answer), uses
        doubts = [self.says.doubt(side, sides) for side in sides]  # type: ignore[operator]
        return answer, uses, torch.where(uses == 0, 1.0, entropy(answer)), *doubts

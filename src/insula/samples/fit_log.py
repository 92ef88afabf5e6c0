"""The record of what the steps of a system were fitted on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from insula.samples.table import Samples

Use = Literal["labels", "inputs", "selection"]


@dataclass(frozen=True)
class Fit:
    """One fitted step: its name, the ids of the samples it saw, and how it used them.

    `labels`: inputs and labels; `inputs`: inputs alone (a scaler, an unlabelled target); `selection`: to choose an
    epoch or a setting.
    """

    step: str
    ids: np.ndarray
    use: Use


@dataclass
class FitLog:
    """The fitted steps of a system, for the audit."""

    fits: list[Fit] = field(default_factory=list)

    def record(self, step: str, samples: Samples, use: Use = "labels") -> None:
        """Note that `step` saw these samples."""
        self.fits.append(Fit(step, samples.ids.copy(), use))

"""The contract every system fulfils, and the record of what its steps were fitted on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol, Self, runtime_checkable

import numpy as np

from insula.emotions import Task
from insula.errors import SettingsError
from insula.samples.predictions import Predictions
from insula.samples.table import Samples
from insula.storage.settings import Settings

Use = Literal["labels", "inputs", "selection"]
Roles = Samples | Mapping[str, Samples]


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


@runtime_checkable
class System(Protocol):
    """What a system can do, in scikit-learn's manners.

    Attributes
    ----------
    settings : Settings
        Frozen and typed.
    log : FitLog
        What each step was fitted on, filled by `fit`.
    trains_on, predicts_from : tuple of str
        Modalities needed to train, and to predict.
    target_access : str
        What of the test side `fit` wants to see: `none`, or `unlabelled`, the test inputs.
    modes : mapping of str to str
        Ways to predict and what they are called, the first being the default.
    placebos : mapping of str to str
        Name of each placebo and what it takes away; `placebo(name)` builds it.

    Notes
    -----
    The evaluation uses what a system has beside this: `estimate_seconds(train)`, `features(samples)` and
    `signals(samples)` to draw, `measure(samples)` of held-out samples and `tables(facts)` of many fits. `not_bundled`
    names modes that only the process that fitted can predict in; `alone()` returns an unfitted twin that learns the
    first mode only.

    A system that predicts from pictures alone has `answering(mode=None)`, which returns what a bundle holds of a mode:
    a torch module, as `insula.networks.answer.Answer` is one, from pictures, uint8 (n, height, width, 3), to the
    tensors that its `outputs` names. It raises SettingsError for a mode in `not_bundled`.
    """

    settings: Settings
    log: FitLog
    trains_on: ClassVar[tuple[str, ...]]
    modes: ClassVar[Mapping[str, str]]
    placebos: ClassVar[Mapping[str, str]]

    @property
    def predicts_from(self) -> tuple[str, ...]:
        """Modalities a sample must have to be predicted."""

    @property
    def target_access(self) -> str:
        """What of the test side `fit` wants to see."""

    def placebo(self, name: str) -> Self:
        """Return an unfitted twin that differs by the placebo alone."""

    def fit(
        self,
        train: Roles,
        validation: Roles,
        task: Task | Mapping[str, Task],
        *,
        unlabelled: Samples | None = None,
        start_from: Path | None = None,
    ) -> Self:
        """Learn from `train`, choose on `validation`; never sees a test label."""

    def predict(self, samples: Samples, mode: str | None = None) -> Predictions:
        """Say what each sample shows."""

    def save(self, folder: Path) -> None:
        """Write to a folder, without pickle."""

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read a saved folder."""

    def summary(self) -> dict[str, Any]:
        """Return measured facts of the fit for the report (JSON-like)."""


def mode_of(modes: Mapping[str, str], mode: str | None) -> str:
    """Return the mode to predict in: the first one where none is asked for; raises SettingsError for an unknown one."""
    if mode is not None and mode not in modes:
        raise SettingsError(f"unknown mode {mode!r}", do=f"modes are {', '.join(modes)}")
    return mode or next(iter(modes))


def bundled_mode(system: Any, mode: str | None) -> str:
    """Return the mode of a bundle, as `mode_of` does; raises SettingsError for one that no bundle holds, too."""
    mode = mode_of(system.modes, mode)
    held_back = getattr(system, "not_bundled", ())
    if mode in held_back:
        held = ", ".join(name for name in system.modes if name not in held_back)
        raise SettingsError(f"no bundle holds the mode {mode!r}", do=f"a bundle holds {held}")
    return mode


def check_placebo(placebos: Mapping[str, str], name: str) -> None:
    """Raise SettingsError for an unknown placebo."""
    if name not in placebos:
        raise SettingsError(f"unknown placebo {name!r}", do=f"placebos are {', '.join(placebos) or 'none here'}")

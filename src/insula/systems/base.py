"""What every system is: learning, predicting, saving and loading in the same steps; a subclass fills them in."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self, get_args

import numpy as np

from insula.emotions import Categorical, Task, parse_task
from insula.errors import BundleError, DataError, InsulaError, SettingsError
from insula.samples import FitLog, Predictions, Samples
from insula.storage.folder import load_system, save_system
from insula.storage.settings import Settings

if TYPE_CHECKING:
    import pandas as pd

    from insula.eeg.maps import Signals
    from insula.networks.answer import Answer


class TrainingData(NamedTuple):
    """What a system learns from.

    Parameters
    ----------
    train, validation : Samples
        Learnt from, and chosen and calibrated on; validation may be empty.
    unlabelled : Samples or None
        Inputs without labels: those of the test part, where the protocol allows it.
    before : System or None
        A saved system of the same class and task, whose weights training begins with.
    """

    train: Samples
    validation: Samples
    unlabelled: Samples | None = None
    before: Any = None


class System(ABC):
    """What learns from samples and predicts, in scikit-learn's manners.

    A subclass names its `Settings` and its modes, and fills in `_fit`, `_predict`, `_save` and `_load`. All else has a
    default that says: there is no such thing here.

    Parameters
    ----------
    settings : Settings, optional
        Of the class that the subclass names `Settings`, whose defaults are used otherwise.

    Attributes
    ----------
    trains_on : tuple of str
        Modalities needed to train.
    learns : type or union of types
        Kinds of task.
    modes : mapping of str to str
        Ways to predict and what they are called, the first being the default.
    comparators : tuple of str
        Modes that lack what the first one adds, against which it is judged.
    placebos : mapping of str to str
        Name of each placebo and what it takes away; `placebo(name)` builds it.
    presets : mapping of str to mapping
        Named settings. `tiny` is for tests: a fit of seconds on toy data.
    not_bundled : tuple of str
        Modes that only the process that fitted can predict in.
    embeds : bool
        Whether its bundle gives vectors and no answers.
    warm_start : bool
        Whether `fit` can begin with a saved system.
    framing : str
        How the faces were cut that it is made for: by the `eyes`, or by a detector's `box`.
    task : Task
        What was learnt; None before `fit`.
    log : FitLog
        What each step was fitted on, for the audit.
    facts : dict
        What was measured while fitting (JSON-like), for the report.
    held_out : tuple of str
        Units that an evaluation holds out: what is chosen inside training is chosen on such units left out.
    """

    Settings: ClassVar[type[Settings]]
    trains_on: ClassVar[tuple[str, ...]] = ()
    learns: ClassVar[Any] = Categorical
    modes: ClassVar[Mapping[str, str]] = {}
    comparators: ClassVar[tuple[str, ...]] = ()
    placebos: ClassVar[Mapping[str, str]] = {}
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    not_bundled: ClassVar[tuple[str, ...]] = ()
    embeds: ClassVar[bool] = False
    warm_start: ClassVar[bool] = False
    framing: ClassVar[str] = "eyes"

    def __init__(self, settings: Any = None) -> None:
        self.settings: Any = settings or self.Settings()
        self.task: Any = None
        self.log, self.facts = FitLog(), dict[str, Any]()
        self.held_out: tuple[str, ...] = ()

    @property
    def predicts_from(self) -> tuple[str, ...]:
        """Modalities a sample must have to be predicted: the setting `modality`, where there is one."""
        modality = getattr(self.settings, "modality", None)
        return (modality,) if modality else self.trains_on

    @property
    def target_access(self) -> str:
        """What of the test side `fit` wants to see: `none`, or `unlabelled`, the test inputs."""
        return "none"

    # learning ---------------------------------------------------------------------------------------------------------

    def fit(
        self,
        train: Samples,
        validation: Samples,
        task: Task,
        *,
        unlabelled: Samples | None = None,
        start_from: Path | None = None,
    ) -> Self:
        """Learn from `train`, choose on `validation`; never sees a test label.

        Parameters
        ----------
        train, validation, unlabelled
            As `TrainingData` has them.
        task : Task
            Of a kind that the system learns.
        start_from : Path, optional
            A folder that a system of this class was saved to: training begins with its weights.

        Raises
        ------
        DataError
            Where there is too little to learn from.
        SettingsError
            Where the system does not learn such a task, or begins with nothing saved.
        BundleError
            Where no system of this class was saved to the folder.
        """
        name = type(self).__name__
        if not (isinstance(train, Samples) and isinstance(validation, Samples)):
            raise DataError(f"{name} learns from one table of samples", do="give Samples for each part")
        self.check_kind(task.kind)
        self.task, self.log, self.facts = task, FitLog(), {}
        self._fit(TrainingData(train, validation, unlabelled, self._saved(start_from)))
        return self

    @classmethod
    def check_kind(cls, kind: str) -> None:
        """Refuse a kind of task that this system does not learn.

        Raises
        ------
        SettingsError
            Saying which it learns.
        """
        kinds = [one.model_fields["kind"].default for one in get_args(cls.learns) or (cls.learns,)]
        if kind == "several" and kind not in kinds:
            raise SettingsError(f"{cls.__name__} learns one task at a time", where="task", do="keep one of the tasks")
        if kind not in kinds:
            raise SettingsError(
                f"{cls.__name__} learns no {kind} task", where="task.kind", do=f"it learns {', '.join(kinds)}"
            )

    @abstractmethod
    def _fit(self, data: TrainingData) -> None:
        """Learn `self.task`; note in `self.log` what each step saw."""

    def _saved(self, folder: Path | None) -> Self | None:
        """Return the saved system that training begins with."""
        if folder is None:
            return None
        if not self.warm_start:
            what = f"{type(self).__name__} begins with nothing saved"
            raise SettingsError(what, where="start_from", do="leave start_from out")
        before = type(self).load(folder)
        if before.task != self.task:
            raise SettingsError("the saved system learnt another task", where=folder, do="start from one of this task")
        return before

    def placebo(self, name: str) -> Self:
        """Return an unfitted twin that differs by the placebo alone.

        Raises
        ------
        SettingsError
            For an unknown name.
        """
        if name not in self.placebos:
            names = ", ".join(self.placebos) or "none here"
            raise SettingsError(f"unknown placebo {name!r}", do=f"placebos are {names}")
        return type(self)(self._settings_of(name))

    def _settings_of(self, placebo: str) -> Any:
        """Return the settings of a placebo; a system that names placebos says which."""
        what = f"{type(self).__name__} names the placebo {placebo!r} and does not build it"
        raise SettingsError(what, where="placebos", do="write _settings_of, or take it out of placebos")

    def alone(self) -> Self:
        """Return an unfitted twin that learns the first mode only, where that is less work."""
        return self

    # predicting -------------------------------------------------------------------------------------------------------

    def predict(self, samples: Samples, mode: str | None = None) -> Predictions:
        """Say what each sample shows.

        Parameters
        ----------
        samples : Samples
            With the modalities of `predicts_from`.
        mode : str, optional
            One of `modes`.

        Raises
        ------
        SettingsError
            For an unknown mode, before `fit`, or where a subclass returns other rows.
        """
        mode = self._mode(mode)
        self._check_fitted()
        predictions = self._predict(samples, mode)
        if not np.array_equal(predictions.table.index, samples.ids):
            what = f"{type(self).__name__} predicts other rows than it was given"
            raise SettingsError(what, where="_predict", do="give samples.ids to Predictions as their index")
        return predictions

    @abstractmethod
    def _predict(self, samples: Samples, mode: str) -> Predictions:
        """Say what each sample shows, in one of `modes`."""

    def _check_fitted(self) -> None:
        if self.task is None:
            raise SettingsError(f"this {type(self).__name__} has learnt nothing", do="call fit, or load a saved one")

    def _mode(self, mode: str | None) -> str:
        """Return the mode to predict in: the first one where none is asked for."""
        if mode is not None and mode not in self.modes:
            raise SettingsError(f"unknown mode {mode!r}", do=f"modes are {', '.join(self.modes)}")
        return mode or next(iter(self.modes))

    def answering(self, mode: str | None = None) -> Answer:
        """Return what a bundle holds of a mode: a torch module from what is predicted from to what is answered.

        Raises
        ------
        SettingsError
            Where no bundle holds such a mode.
        """
        mode = self._mode(mode)
        if mode in self.not_bundled:
            modes = ", ".join(name for name in self.modes if name not in self.not_bundled)
            raise SettingsError(f"no bundle holds the mode {mode!r}", do=f"a bundle holds {modes}")
        self._check_fitted()
        return self._answering(mode)

    def _answering(self, mode: str) -> Answer:
        what = f"{type(self).__name__} cannot be written as a graph"
        raise SettingsError(what, do="evaluate it with `insula run`")

    def embedding(self) -> Any:
        """Return the parts that a bundle embeds with (see `insula.deployment.encoder_writing`); None where it answers.

        Of a system whose modes no bundle holds, `embeds` says that there are such parts.
        """
        return None

    # saving -----------------------------------------------------------------------------------------------------------

    def save(self, folder: Path) -> None:
        """Write settings, task and what was learnt to a folder, without pickle."""
        self._check_fitted()
        folder.mkdir(parents=True, exist_ok=True)
        save_system(folder, type(self).__qualname__, self.settings, self.task, **self._save(folder))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read a saved folder.

        Raises
        ------
        BundleError
            Where no system of this class was saved there.
        """
        about = load_system(Path(folder), cls.__qualname__)
        try:
            system = cls(cls.Settings.parse(about["settings"], where="system.yaml"))
            system.task = parse_task(about["task"])
            system._load(Path(folder), about)
        except InsulaError:
            raise
        except Exception as error:  # whatever libraries raise of damaged values
            what = f"the saved {cls.__qualname__} is damaged: {type(error).__name__}"
            raise BundleError(what, where=folder, do="fit it and save it again") from error
        return system

    @abstractmethod
    def _save(self, folder: Path) -> dict[str, Any]:
        """Write what was learnt to files; return plain values that `_load` needs, for `system.yaml`."""

    @abstractmethod
    def _load(self, folder: Path, about: dict[str, Any]) -> None:
        """Read what `_save` wrote and returned; settings and task are there already."""

    # reporting --------------------------------------------------------------------------------------------------------

    def summary(self) -> dict[str, Any]:
        """Return measured facts of the fit for the report (JSON-like)."""
        return self.facts

    def estimate_seconds(self, train: Samples) -> float:
        """Return roughly how long one fit takes on one core; 0 where nobody knows."""
        return 0.0

    def measure(self, samples: Samples) -> dict[str, Any]:
        """Return what is measured of held-out samples without their labels, for `tables`."""
        return {}

    @staticmethod
    def tables(facts: Sequence[Mapping[str, Any]]) -> dict[str, pd.DataFrame]:
        """Return tables for the report, by title, from the facts of many fits."""
        return {}

    def features(self, samples: Samples) -> dict[str, np.ndarray]:
        """Return spaces for the report to draw, (n, width) each, by name."""
        return {}

    def signals(self, samples: Samples) -> Signals | None:
        """Return EEG of samples, and what the system makes in its place, for maps of the scalp."""
        return None

    def attention(self, samples: Samples) -> np.ndarray | None:
        """Return how much each channel attends to each other one on average, (channels, channels)."""
        return None

    def embed(self, samples: Samples) -> np.ndarray | None:
        """Return what the system makes of samples, (n, width), to find unlike ones; zeros of one it cannot read."""
        return None

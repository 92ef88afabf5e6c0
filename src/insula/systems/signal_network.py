"""What systems share whose one part is a torch network that reads one modality: EEG windows or their features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from insula.emotions import LabelTask, Task, parse_task
from insula.errors import DataError, SettingsError
from insula.samples import FitLog, Predictions, Roles, Samples, mode_of, normalised_entropy
from insula.samples.system import bundled_mode
from insula.storage.folder import load_system, save_system
from insula.storage.settings import Settings
from insula.systems.fitting import labelled
from insula.systems.one_modality import OneModality
from insula.training.settings import Training

if TYPE_CHECKING:
    import torch
    from torch import nn

    from insula.networks.answer import Answer
    from insula.samples import Description
    from insula.training.rows import Rows

_BATCH = 64  # rows read at a time outside of training


class SignalNetworkSettings(Settings):
    """How a network on one modality is trained.

    Parameters
    ----------
    modality : str
        `eeg` (windows or epochs) or `features`.
    training : Training
        Epochs, optimiser, device; the epoch is chosen on validation samples, where there are any.
    seed : int
        Of the weights, the shuffling and dropout.
    """

    modality: str = "eeg"
    training: Training = Training()
    seed: int = 0


class SignalNetwork(OneModality):
    """Fit, predict, save and load a network; a subclass builds it.

    Inputs are standardised with mean and deviation of the training samples, of each channel of a signal or each number
    of features, inside the network. They stay on disk: memory does not grow with the corpus.

    Parameters
    ----------
    settings : Settings
        A `SignalNetworkSettings`.
    """

    Settings: ClassVar[type[SignalNetworkSettings]] = SignalNetworkSettings
    modes: ClassVar[Mapping[str, str]] = {"network": "network"}

    def _network(self, form: Description, shape: tuple[int, ...], classes: int) -> nn.Module:
        """Return the untrained network for rows of this shape; a subclass says which."""
        raise SettingsError(f"{type(self).__name__} names no network", do="use one of its subclasses")

    def _rows(self, samples: Samples, channels: Sequence[str] | None = None) -> Rows:
        """Return what the network reads of samples; a subclass may prepare it."""
        from insula.training.rows import Rows

        return Rows(samples, self.settings.modality, channels)

    def _loss(self, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        from torch.nn.functional import cross_entropy

        return cross_entropy(logits, targets)

    # fitting ----------------------------------------------------------------------------------------------------------

    def fit(
        self,
        train: Roles,
        validation: Roles,
        task: Task | Mapping[str, Task],
        *,
        unlabelled: Samples | None = None,
        start_from: Path | None = None,
    ) -> Self:
        """Train on labelled samples that have the modality; the epoch is chosen on those of the validation part.

        Raises
        ------
        DataError
            Where fewer than two classes are there to learn.
        """
        import torch

        from insula.networks.standardised import Standardised, moments
        from insula.training.engine import train as train_network

        name = type(self).__name__
        if not (isinstance(train, Samples) and isinstance(validation, Samples) and isinstance(task, LabelTask)):
            raise DataError(f"{name} learns one task of classes from one table of samples")
        self.task, self.log, settings = task, FitLog(), self.settings
        train, validation = self._usable(train, task), self._usable(validation, task)
        labels = task.targets(train.table)
        if len(np.unique(labels)) < 2:
            what = f"{len(np.unique(labels))} classes among {len(train)} training samples with {settings.modality}"
            raise DataError(what, where=task.label, do="give labelled samples of at least two classes")
        rows = self._rows(train)
        self.form, self.given = rows.store.description, train.store(settings.modality).description
        self.shape = tuple(rows[torch.arange(1)].shape[1:])
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(settings.seed)
            network = self._network(self.form, self.shape, len(task.classes))
        self.network = Standardised(network, *moments(rows.batches(_BATCH), over_time="time" in self.form.axes))
        held = None
        if len(validation):
            held = self._rows(validation, self.form.channels), _tensor(task.targets(validation.table))
        trained = train_network(self.network, self._loss, rows, _tensor(labels), held, settings.training, settings.seed)
        weights = sum(part.numel() for part in self.network.parameters() if part.requires_grad)
        self.facts = {**trained.facts(), "weights": weights}
        self.log.record(name.lower(), train)
        if held is not None:
            self.log.record(f"epoch of {name.lower()}", validation, "selection")
        return self

    def _usable(self, samples: Samples, task: LabelTask) -> Samples:
        return labelled(samples.select(samples.has(self.settings.modality)), task)

    # predicting -------------------------------------------------------------------------------------------------------

    def predict(self, samples: Samples, mode: str | None = None) -> Predictions:
        """Return class probabilities; channels are found by name.

        Raises
        ------
        DataError
            Where a channel of the training data is absent, or rows have another shape.
        """
        mode_of(self.modes, mode)
        probabilities = self._each(samples, lambda batch: self.network(batch).double().softmax(dim=1))
        return Predictions.of(
            self.task.classes, probabilities, samples.ids, uncertainty=normalised_entropy(probabilities)
        )

    def answering(self, mode: str | None = None) -> Answer:
        """Return what a bundle holds: rows of the modality to class probabilities."""
        from torch import nn

        from insula.networks.answer import Answer
        from insula.systems.baselines.twin import Classes, Plain

        bundled_mode(self, mode)
        says = Plain(self._before_network(), nn.Sequential(self.network, Classes()))
        return Answer(says, inputs=(self.settings.modality,), before=self._in_numpy())

    def _before_network(self) -> nn.Module:
        """Return what a bundle does with rows before the network, in torch; a subclass that prepares them says it."""
        from torch import nn

        return nn.Identity()

    def _in_numpy(self) -> dict[str, Any]:
        """Return what a bundle does with rows before all else, in NumPy, by modality."""
        return {}

    def _each(self, samples: Samples, say: Any) -> np.ndarray:
        """Return what is said about all samples, batch by batch."""
        import torch

        rows = self._rows(samples, self.form.channels)
        rate, own = rows.store.description.rate, self.form.rate
        found = tuple(rows[torch.arange(1)].shape[1:]) if len(rows) else self.shape
        if found != self.shape or rate != own:
            said = "the training data"
            what = f"rows of shape {found} at {rate} Hz are not those of {said}, {self.shape} at {own} Hz"
            raise DataError(what, where=self.settings.modality, do="cut and resample them alike")
        return rows.each(say, _BATCH) if len(rows) else np.empty((0, len(self.task.classes)))

    @property
    def bands(self) -> tuple[str, ...]:
        """Names along the last axis of rows that are channels x bands; a subclass may know better ones."""
        return tuple(f"band {number + 1}" for number in range(self.shape[-1]))

    # saving -----------------------------------------------------------------------------------------------------------

    def save(self, folder: Path) -> None:
        """Write the network's weights and what rows it reads."""
        from safetensors.torch import save_file

        folder.mkdir(parents=True, exist_ok=True)
        save_file(self.network.state_dict(), folder / "network.safetensors")
        save_system(
            folder,
            self.settings,
            self.task,
            form=self.form.model_dump(mode="json"),
            shape=list(self.shape),
            given=self.given.model_dump(mode="json"),
        )

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read a saved folder."""
        import torch
        from safetensors.torch import load_model

        from insula.networks.standardised import Standardised
        from insula.samples import Description

        about = load_system(folder)
        system = cls(cls.Settings.parse(about["settings"], where="system.yaml"))
        task = parse_task(about["task"])
        if not isinstance(task, LabelTask):
            raise DataError(f"{cls.__name__} predicts classes", where=folder / "system.yaml", do="fit it again")
        system.task, system.form, system.shape = task, Description(**about["form"]), tuple(about["shape"])
        system.given = Description(**about.get("given", about["form"]))
        network = system._network(system.form, system.shape, len(task.classes))
        wide = (system.shape[0], 1) if "time" in system.form.axes else system.shape
        system.network = Standardised(network, torch.zeros(wide), torch.ones(wide))
        load_model(system.network, folder / "network.safetensors")
        system.network.eval()
        return system


def _tensor(values: np.ndarray) -> torch.Tensor:
    import torch

    return torch.from_numpy(values)

"""What systems share whose one part is a torch network that reads one modality: EEG windows or their features."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from insula.emotions import LabelTask
from insula.errors import DataError, SettingsError
from insula.samples import Description, Predictions, Samples, normalised_entropy
from insula.storage.settings import Settings
from insula.systems.base import System, TrainingData
from insula.systems.fitting import begin_with, labelled
from insula.training.settings import Training

if TYPE_CHECKING:
    import torch
    from torch import nn

    from insula.networks.answer import Answer
    from insula.training.engine import Alter
    from insula.training.rows import Rows

_BATCH = 64  # rows read at a time outside of training

TINY = {"epochs": 12, "patience": 12, "batch_size": 16, "learning_rate": 3e-3}
"""A training of a second on toy data, for the presets `tiny`."""


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


class SignalNetwork(System):
    """A network on one modality; a subclass builds it.

    Inputs are standardised with mean and deviation of the training samples, of each channel of a signal or each number
    of features, inside the network. They stay on disk: memory does not grow with the corpus.

    Parameters
    ----------
    settings : Settings
        A `SignalNetworkSettings`.
    """

    Settings: ClassVar[type[SignalNetworkSettings]] = SignalNetworkSettings
    learns: ClassVar = LabelTask
    modes: ClassVar[Mapping[str, str]] = {"network": "network"}
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {"tiny": {"training": TINY}}
    warm_start: ClassVar = True
    rates: ClassVar[Mapping[str, float]] = {}
    """Factors on the learning rate of weights whose name starts so, as for what was trained before."""

    @abstractmethod
    def _network(self, form: Description, shape: tuple[int, ...], classes: int) -> nn.Module:
        """Return the untrained network for rows of this shape."""

    def _alteration(self) -> Alter | None:
        """Return what alters the inputs of a training batch, (n, ...); None for nothing."""
        return None

    def _rows(self, samples: Samples, channels: Sequence[str] | None = None) -> Rows:
        """Return what the network reads of samples; a subclass may prepare it."""
        from insula.training.rows import Rows

        return Rows(samples, self.settings.modality, channels)

    def _loss(self, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        from torch.nn.functional import cross_entropy

        return cross_entropy(logits, targets)

    # fitting ----------------------------------------------------------------------------------------------------------

    def _fit(self, data: TrainingData) -> None:
        """Train on labelled samples that have the modality; the epoch is chosen on those of the validation part.

        Raises
        ------
        DataError
            Where fewer than two classes are there to learn.
        """
        import torch

        from insula.networks.standardised import Standardised
        from insula.training.engine import train as train_network

        name, task = type(self).__name__.lower(), self.task
        train, validation = self._usable(data.train, task), self._usable(data.validation, task)
        settings = self.settings
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
        self._begin(network, data.before)
        self.network = Standardised(network, *self._moments(rows))
        held = None
        if len(validation):
            held = self._rows(validation, self.form.channels), _tensor(task.targets(validation.table))
        trained = train_network(
            self.network,
            self._loss,
            rows,
            _tensor(labels),
            held,
            settings.training,
            settings.seed,
            alter=self._alteration(),
            rates={f"network.{start}": rate for start, rate in self.rates.items()},
        )
        weights = sum(part.numel() for part in self.network.parameters() if part.requires_grad)
        self.facts = {**trained.facts(), "weights": weights}
        self.log.record(name, train)
        if held is not None:
            self.log.record(f"epoch of {name}", validation, "selection")

    def _moments(self, rows: Rows) -> tuple[torch.Tensor, torch.Tensor]:
        """Return what the network's inputs are standardised with; a subclass may know better ones."""
        from insula.networks.standardised import moments

        return moments(rows.batches(_BATCH), over_time="time" in self.form.axes)

    def _begin(self, network: nn.Module, before: Any) -> None:
        """Give an untrained network the weights that training begins with: those of a saved system, if there is one."""
        if before:
            if (before.form.channels, before.form.rate) != (self.form.channels, self.form.rate):
                what = "the saved network reads other channels, or at another rate"
                raise SettingsError(what, where="start_from", do="keep the channels, their order and the rate")
            begin_with(network, before.network.network)

    def _usable(self, samples: Samples, task: LabelTask) -> Samples:
        return labelled(samples.select(samples.has(self.settings.modality)), task)

    # predicting -------------------------------------------------------------------------------------------------------

    def _predict(self, samples: Samples, mode: str) -> Predictions:
        """Return class probabilities; channels are found by name.

        Raises
        ------
        DataError
            Where a channel of the training data is absent, or rows have another shape.
        """
        probabilities = self._each(samples, lambda batch: self.network(batch).double().softmax(dim=1))
        return Predictions.of(
            self.task.classes, probabilities, samples.ids, uncertainty=normalised_entropy(probabilities)
        )

    def _answering(self, mode: str) -> Answer:
        """Return what a bundle holds: rows of the modality to class probabilities."""
        from torch import nn

        from insula.networks.answer import Answer
        from insula.systems.baselines.twin import Classes, Plain

        says = Plain(self._before_network(), nn.Sequential(self.network, Classes()))
        return Answer(says, inputs=(self.settings.modality,), before=self._in_numpy())

    def _before_network(self) -> nn.Module:
        """Return what a bundle does with rows before the network, in torch; a subclass that prepares them says it."""
        from torch import nn

        return nn.Identity()

    def _in_numpy(self) -> dict[str, Any]:
        """Return what a bundle does with rows before all else, in NumPy, by modality."""
        return {}

    def _each(self, samples: Samples, of: Any) -> np.ndarray:
        """Return what a function gives of all samples, batch by batch."""
        import torch

        rows = self._rows(samples, self.form.channels)
        rate, own = rows.store.description.rate, self.form.rate
        shape = tuple(rows[torch.arange(1)].shape[1:]) if len(rows) else self.shape
        if shape != self.shape or rate != own:
            trained = f"the training data, {self.shape} at {own} Hz"
            what = f"rows of shape {shape} at {rate} Hz are not those of {trained}"
            raise DataError(what, where=self.settings.modality, do="cut and resample them alike")
        return rows.each(of, _BATCH) if len(rows) else np.empty((0, len(self.task.classes)))

    @property
    def bands(self) -> tuple[str, ...]:
        """Names along the last axis of rows that are channels x bands; a subclass may know better ones."""
        return tuple(f"band {number + 1}" for number in range(self.shape[-1]))

    # saving -----------------------------------------------------------------------------------------------------------

    def _save(self, folder: Path) -> dict[str, Any]:
        from safetensors.torch import save_file

        save_file(self.network.state_dict(), folder / "network.safetensors")
        forms = {"form": self.form, "given": self.given}
        return {name: form.model_dump(mode="json") for name, form in forms.items()} | {"shape": list(self.shape)}

    def _load(self, folder: Path, about: dict[str, Any]) -> None:
        import torch
        from safetensors.torch import load_model

        from insula.networks.standardised import Standardised

        self.form, self.shape = Description(**about["form"]), tuple(about["shape"])
        self.given = Description(**about["given"])
        network = self._network(self.form, self.shape, len(self.task.classes))
        wide = (self.shape[0], 1) if "time" in self.form.axes else self.shape
        self.network = Standardised(network, torch.zeros(wide), torch.ones(wide))
        load_model(self.network, folder / "network.safetensors")
        self.network.eval()


def _tensor(values: np.ndarray) -> torch.Tensor:
    import torch

    return torch.from_numpy(values)

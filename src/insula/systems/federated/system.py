"""Federated learning (FLEEG): each corpus keeps its recordings and its own layers, and shares the rest of a network."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from insula.emotions import LabelTask, label_map
from insula.errors import DataError, SettingsError
from insula.samples import Description, Predictions, Samples, normalised_entropy
from insula.storage.settings import Settings
from insula.systems.base import System, TrainingData
from insula.systems.fitting import labelled
from insula.systems.signal_network import TINY
from insula.training.settings import Training

if TYPE_CHECKING:
    import torch

    from insula.networks.standardised import Standardised

_BATCH = 64  # rows read at a time outside of training


class Private(Settings):
    """How a client veils what it shares: see `insula.training.federation.Privacy`; `delta` of what is promised."""

    clip: float = Field(1.0, gt=0)
    noise: float = Field(1.0, gt=0)
    delta: float = Field(1e-5, gt=0, lt=1)


class FederatedSettings(Settings):
    """Who the clients are, what they share, and how it is put together.

    Parameters
    ----------
    modality : str
        Windows of EEG.
    clients : str
        The column that says whose a row is.
    source_label : str or None
        The column of labels of rows that lack the task's own, of classes that go by the vocabulary of emotions.
    architecture : str
        A network of braindecode: `Deep4Net`, or the smaller `EEGNet`.
    shared : str
        A regular expression: what is shared has it in its name; batch normalisation never is.
    rounds : int
        Exchanges with the server; between two of them a client trains as `training` says, `training.epochs` epochs.
    aggregate : str
        `average`, weighted by windows (FedAvg), or `median`.
    proximal : float
        How strongly a client is held near what it received (FedProx); 0 is FedAvg.
    privacy : Private or None
        Differential privacy of a client's recordings; epsilon is in the passport.
    pooled : bool
        Whether all corpora are also joined, on the electrodes that all have: the comparator `pooled`.
    training : Training
        Of a client between two exchanges; nothing is chosen on validation samples.
    seed : int
        Of weights, shuffling, dropout and noise.
    """

    modality: str = "eeg"
    clients: str = "corpus"
    source_label: str | None = None
    architecture: Literal["Deep4Net", "EEGNet"] = "Deep4Net"
    shared: str = "conv_4|final_layer"
    rounds: int = Field(30, ge=1)
    aggregate: Literal["average", "median"] = "average"
    proximal: float = Field(0.0, ge=0)
    privacy: Private | None = None
    pooled: bool = True
    training: Training = Training(epochs=1)
    seed: int = 0


class Federated(System):
    """One network a client; a part of it is common to all, and recordings stay where they are.

    Clients are processes of one machine: a simulation. A row is predicted by its own client's network; one of no
    client, by the mean of those that read its electrodes.

    Parameters
    ----------
    settings : FederatedSettings
        Clients, what they share, rounds.

    References
    ----------
    Liu et al. (2024), Aggregating intrinsic information to enhance BCI performance through federated learning, Neural
    Networks, arXiv 2308.11636.
    """

    Settings: ClassVar = FederatedSettings
    trains_on: ClassVar = ("eeg",)
    learns: ClassVar = LabelTask
    modes: ClassVar[Mapping[str, str]] = {
        "federated": "federated",
        "alone": "each client alone",
        "pooled": "all clients' recordings in one place",
    }
    comparators: ClassVar[tuple[str, ...]] = ("alone", "pooled")
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "tiny": {
            "clients": "session", "architecture": "EEGNet", "shared": "conv_separable|final_layer", "rounds": 4,
            "training": {**TINY, "epochs": 5},
        },
    }  # fmt: skip
    not_bundled: ClassVar = tuple(modes)

    def __init__(self, settings: Any = None) -> None:
        super().__init__(settings)
        if not self.settings.pooled:
            self.modes = {name: title for name, title in type(self).modes.items() if name != "pooled"}  # type: ignore[misc]
            self.comparators = ("alone",)  # type: ignore[misc]

    # learning ---------------------------------------------------------------------------------------------------------

    def _fit(self, data: TrainingData) -> None:
        """Let clients learn together, each alone, and all as one.

        Raises
        ------
        DataError
            Where there are fewer than two clients, one has fewer than two classes, or they have no electrode in common.
        """
        from insula.systems.federated.client import LocalClient, fresh, pooled_rows, trained
        from insula.training.federated import average, median
        from insula.training.federation import Privacy, simulate

        settings, task = self.settings, self.task
        parts = self._clients(data.train)
        private = settings.privacy
        privacy = Privacy(private.clip, private.noise) if private else None
        aggregate = average if settings.aggregate == "average" else lambda states, _: median(states)
        self.forms = {name: part.store(settings.modality).description for name, part in parts.items()}
        clients = {name: partial(LocalClient, part, task, settings) for name, part in parts.items()}
        sent = simulate(clients, settings.shared, settings.rounds, aggregate, privacy, settings.seed)
        states = {name: dict(state) for name, state in sent.items()}
        self.shapes = {name: tuple(map(int, state.pop("shape"))) for name, state in states.items()}
        self.networks = {name: self._both(name, state) for name, state in states.items()}
        self.facts = {"clients": {name: len(part) for name, part in parts.items()}}
        if private:
            epsilon = privacy.epsilon(settings.rounds, private.delta)  # type: ignore[union-attr]
            self.facts["privacy"] = {"epsilon": epsilon, "delta": private.delta, "of": "all that one client sends"}
        for name, part in parts.items():
            self.log.record(f"client {name}", part)
        if settings.pooled:
            rows, self.forms["pooled"] = pooled_rows(list(parts.values()), settings.modality)
            self.shapes["pooled"] = tuple(rows[_first()].shape[1:])
            network = fresh(self.forms["pooled"], self.shapes["pooled"], task, settings, rows.batches(_BATCH))
            labels = np.concatenate([task.targets(part.table) for part in parts.values()])
            trained(network, rows, labels, settings, settings.rounds)
            self.networks["pooled"] = {"pooled": network}

    def _clients(self, train: Samples) -> dict[str, Samples]:
        """Return each client's labelled windows, with its labels in the task's column."""
        settings, task = self.settings, self.task
        train = train.select(train.has(settings.modality))
        for option in ("clients", "source_label"):
            column = getattr(settings, option)
            if column is not None and column not in train.table:
                raise SettingsError(
                    f"no column {column!r}", where=f"system.{option}", do="name a column of the samples"
                )
        if settings.source_label is not None:
            others = train.table[settings.source_label]
            names = label_map(sorted(map(str, others.dropna().unique())), task.classes)
            own = train.table[task.label].astype(object)
            train = train.with_columns(**{task.label: own.where(own.notna(), others.map(names))})
        owner = train.table[settings.clients].astype(str).to_numpy()
        if len(np.unique(owner)) < 2:
            what = f"{len(np.unique(owner))} client in the training part: none to learn with"
            raise DataError(what, where=f"system.clients, {settings.clients}", do="join two corpora at least")
        parts = {name: labelled(train.select(owner == name), task) for name in sorted(set(owner))}
        for name, part in parts.items():
            classes = len(np.unique(task.targets(part.table))) if len(part) else 0
            if classes < 2:
                what = f"client {name} has {len(part)} labelled windows of {classes} classes"
                do = "set system.source_label=COLUMN of its labels, or leave it out"
                raise DataError(what, where=task.label, do=do)
        return parts

    # predicting -------------------------------------------------------------------------------------------------------

    def _predict(self, samples: Samples, mode: str) -> Predictions:
        probabilities = np.empty((len(samples), len(self.task.classes)))
        column = self.settings.clients
        owner = samples.table[column].astype(str).to_numpy()
        for name in np.unique(owner):
            mine = owner == name
            probabilities[mine] = self._of_client(str(name), samples.select(mine), mode)
        uncertainty = normalised_entropy(probabilities)
        return Predictions.of(self.task.classes, probabilities, samples.ids, uncertainty=uncertainty)

    def _of_client(self, name: str, samples: Samples, mode: str) -> np.ndarray:
        """Return probabilities of rows of one client, or of none."""
        channels = set(samples.store(self.settings.modality).description.channels)
        own = (
            [name] if name in self.networks and name != "pooled" else [one for one in self.networks if one != "pooled"]
        )
        able = [one for one in (["pooled"] if mode == "pooled" else own) if channels >= set(self.forms[one].channels)]
        if not able:
            what = f"no client's network reads the electrodes of {name}"
            raise DataError(what, where=self.settings.modality, do="harmonise the corpora to one montage")
        return np.mean([self._each(one, samples, mode) for one in able], axis=0)

    def _each(self, client: str, samples: Samples, mode: str) -> np.ndarray:
        from insula.training.rows import Rows

        rows, network = Rows(samples, self.settings.modality, self.forms[client].channels), self.networks[client][mode]
        shape, own = tuple(rows[_first()].shape[1:]), self.shapes[client]
        rate = rows.store.description.rate
        if shape != own or rate != self.forms[client].rate:
            what = f"rows of shape {shape} at {rate} Hz are not those that {client} learnt, {own}"
            raise DataError(what, where=self.settings.modality, do="cut and resample them alike")
        return rows.each(lambda batch: network(batch).double().softmax(dim=1), _BATCH)

    # saving -----------------------------------------------------------------------------------------------------------

    def _save(self, folder: Path) -> dict[str, Any]:
        from safetensors.torch import save_file

        for number, by_mode in enumerate(self.networks.values()):
            state = {f"{mode}.{key}": tensor for mode, network in by_mode.items()
                     for key, tensor in network.state_dict().items()}  # fmt: skip
            save_file(state, folder / f"client-{number}.safetensors")
        forms = {name: self.forms[name].model_dump(mode="json") for name in self.networks}
        return {"forms": forms, "shapes": {name: list(self.shapes[name]) for name in self.networks}}

    def _load(self, folder: Path, about: dict[str, Any]) -> None:
        from safetensors.torch import load_file

        self.forms = {name: Description(**form) for name, form in about["forms"].items()}
        self.shapes = {name: tuple(shape) for name, shape in about["shapes"].items()}
        files = enumerate(self.forms)
        self.networks = {
            name: self._both(name, load_file(folder / f"client-{number}.safetensors")) for number, name in files
        }

    def _both(self, client: str, state: Mapping[str, torch.Tensor]) -> dict[str, Standardised]:
        """Return a client's networks by mode, with the weights in `state`, whose names begin with the mode."""
        from insula.systems.federated.client import empty

        networks = {}
        for mode in sorted({name.partition(".")[0] for name in state}):
            networks[mode] = empty(self.forms[client], self.shapes[client], self.task, self.settings)
            own = {name.removeprefix(f"{mode}."): tensor for name, tensor in state.items() if name.startswith(mode)}
            networks[mode].load_state_dict(own)
            networks[mode].eval()
        return networks


def _first() -> torch.Tensor:
    import torch

    return torch.arange(1)

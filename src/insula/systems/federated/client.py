"""What runs in the process of one client: it reads its own windows, and trains its own network."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from copy import deepcopy
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from insula.emotions import LabelTask
from insula.errors import DataError
from insula.networks.braindecode import braindecode_network
from insula.networks.standardised import Standardised, moments
from insula.samples import Description, Samples
from insula.training.engine import Inputs, train
from insula.training.federated import State, proximal
from insula.training.rows import Batches, Rows

if TYPE_CHECKING:
    from insula.systems.federated.system import FederatedSettings

_BATCH = 64  # rows read at a time outside of training


class LocalClient:
    """One client of a federation (`insula.training.federation.Client`).

    Parameters
    ----------
    samples : Samples
        Its windows, all labelled.
    task : LabelTask
        What they are labelled with.
    settings : FederatedSettings
        The network and how it is trained.
    """

    def __init__(self, samples: Samples, task: LabelTask, settings: FederatedSettings) -> None:
        self.rows, self.labels = Rows(samples, settings.modality), task.targets(samples.table)
        self.settings, self.windows = settings, len(samples)
        self.shape = tuple(self.rows[torch.arange(1)].shape[1:])
        form = self.rows.store.description
        self.whole = fresh(form, self.shape, task, settings, self.rows.batches(_BATCH))
        self.alone = deepcopy(self.whole)
        self.network = self.whole.network  # what standardises is never shared

    def learn(self, received: State, number: int) -> None:
        """Train from what the server sent, and held near it as the settings say."""
        trained(self.whole, self.rows, self.labels, self.settings, 1, number, received)

    def finish(self) -> dict[str, torch.Tensor]:
        """Train a twin alone, for as many epochs; return both, and the shape of a window."""
        trained(self.alone, self.rows, self.labels, self.settings, self.settings.rounds)
        both = {"federated": self.whole, "alone": self.alone}
        states = {f"{mode}.{name}": value for mode, net in both.items() for name, value in net.state_dict().items()}
        return {**states, "shape": torch.tensor(self.shape)}


class _Joined(Batches):
    """Rows of several corpora, one after the other."""

    def __init__(self, parts: Sequence[Rows]) -> None:
        self.parts = parts
        self.ends = torch.tensor([len(part) for part in parts]).cumsum(0)

    def __len__(self) -> int:
        return int(self.ends[-1])

    def __getitem__(self, chosen: torch.Tensor) -> torch.Tensor:
        place = torch.searchsorted(self.ends, chosen, right=True)
        values: torch.Tensor | None = None
        for number, part in enumerate(self.parts):
            mine = place == number
            if mine.any():
                read = part[chosen[mine] - (self.ends[number] - len(part))]
                values = torch.empty(len(chosen), *read.shape[1:]) if values is None else values
                values[mine] = read
        assert values is not None
        return values


def pooled_rows(parts: Sequence[Samples], modality: str) -> tuple[_Joined, Description]:
    """Return the rows of all, on the electrodes that all have, and their form.

    Raises
    ------
    DataError
        Where they have no electrode in common, or windows differ in length or rate.
    """
    forms = [part.store(modality).description for part in parts]
    common = [name for name in forms[0].channels if all(name in form.channels for form in forms)]
    do = "harmonise the corpora, or set system.pooled=false"
    if not common:
        raise DataError("the clients have no electrode in common to be pooled on", where=modality, do=do)
    rows = [Rows(part, modality, common) for part in parts]
    alike = {(form.rate, tuple(one[torch.arange(1)].shape)) for form, one in zip(forms, rows, strict=True)}
    if len(alike) > 1:
        raise DataError("the clients' windows differ in length or rate and cannot be pooled", where=modality, do=do)
    return _Joined(rows), forms[0].model_copy(update={"channels": tuple(common)})


def empty(form: Description, shape: tuple[int, ...], task: LabelTask, settings: FederatedSettings) -> Standardised:
    """Return the untrained network of a client, which standardises nothing yet."""
    if form.axes != ("channel", "time") or form.rate is None:
        what = f"{settings.architecture} reads channels x times, not {' x '.join(form.axes)}"
        raise DataError(what, where=settings.modality, do="set modality to the EEG's windows")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        network = braindecode_network(settings.architecture, form, shape, len(task.classes))
    return Standardised(network, torch.zeros(shape[0], 1), torch.ones(shape[0], 1))


def fresh(
    form: Description,
    shape: tuple[int, ...],
    task: LabelTask,
    settings: FederatedSettings,
    batches: Iterable[torch.Tensor],
) -> Standardised:
    """Return the untrained network of a client, which standardises by its own windows."""
    return Standardised(empty(form, shape, task, settings).network, *moments(batches, over_time=True))


def trained(
    network: Standardised,
    rows: Inputs,
    labels: np.ndarray,
    settings: FederatedSettings,
    rounds: int,
    number: int = 0,
    received: State | None = None,
) -> None:
    """Train for so many rounds in one go, from the round of this number on."""

    def loss(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        held = proximal(network.network, received, settings.proximal) if received and settings.proximal else 0.0
        return cross_entropy(logits, targets) + held

    training = settings.training.model_copy(update={"epochs": rounds * settings.training.epochs})
    train(network, loss, rows, torch.from_numpy(labels), None, training, settings.seed + number)

"""The loop of a training: batches, steps, validation, and the state from which it goes on after an interruption."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import distributed, nn
from torch.optim.swa_utils import AveragedModel, get_ema_avg_fn
from torch.utils.data import DataLoader, Dataset

from insula.errors import DataError, SettingsError
from insula.storage.atomic import write_file
from insula.storage.progress import tell
from insula.training.devices import sum_over_processes
from insula.training.optimisers import Loss, Turn, WeightGroup, rate_factor, take_turns
from insula.training.recomputing import recomputing
from insula.training.samplers import Sampler, shuffled
from insula.training.settings import Training

Alter = Callable[[torch.Tensor], torch.Tensor]
Places = tuple[torch.Tensor, torch.Tensor | None]  # of inputs and of companions
Batch = tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]  # inputs, targets, companions


class Inputs(Protocol):
    """A tensor, `Rows`, or whatever else hands out the rows at some places."""

    def __len__(self) -> int: ...

    def __getitem__(self, chosen: torch.Tensor, /) -> torch.Tensor: ...


@dataclass(frozen=True)
class Companions:
    """Inputs without targets, of which every batch gets as many as it has inputs with targets.

    Parameters
    ----------
    inputs : tensor, shape (m, ...), Rows or PictureRows
        Like the inputs that have targets; read as batches need them.
    loss : callable
        `loss(outputs, n, progress)` is added to the loss: the outputs of a mixed batch, how many rows at its head have
        targets, and the share of the training that is done, from 0 to 1.
    sampler : Sampler, optional
        Their order in each epoch, gone through again and again; by default all of them, shuffled.
    """

    inputs: Inputs
    loss: Callable[[Any, int, float], torch.Tensor | Mapping[str, torch.Tensor]]
    sampler: Sampler | None = None


@dataclass(frozen=True)
class _Reading(Dataset[Batch]):
    inputs: Inputs
    targets: torch.Tensor
    companions: Inputs | None

    def __getitem__(self, places: Places) -> Batch:
        own, others = places
        beside = None if self.companions is None or others is None else self.companions[others]
        return self.inputs[own], self.targets[own], beside


@dataclass
class Loop:
    """A network on its way through the epochs; arguments are those of `insula.training.engine.train`."""

    network: nn.Module
    loss: Loss
    inputs: Inputs
    targets: torch.Tensor
    validation: tuple[Inputs, torch.Tensor] | None
    settings: Training
    seed: int
    companions: Companions | None
    alter: Alter | None
    rates: Mapping[str, float]
    groups: Sequence[WeightGroup]
    sampler: Sampler

    def __post_init__(self) -> None:
        parts = (self.network, self.loss, self.alter)
        self.whole = nn.ModuleList(part for part in parts if isinstance(part, nn.Module))
        self.on_gpu = self.settings.device == "gpu" or (self.settings.device == "auto" and torch.cuda.is_available())
        self.device, self.rank, self.steps = torch.device("cpu"), 0, 0
        self.turns: list[Turn] = []
        self.optimisers: list[torch.optim.Optimizer] = []
        self.average: AveragedModel | None = None
        self.best: tuple[float, int, dict[str, torch.Tensor]] = (float("inf"), -1, {})
        self.train_losses: list[float] = []
        self.validation_losses: list[float] = []
        self.loss_parts: list[dict[str, float]] = []
        self.noted: dict[str, list[tuple[torch.Tensor, int]]] = {}

    def run(self, rank: int = 0, checkpoints: Path | None = None, end: Path | None = None) -> None:
        """Go through the epochs that are left, as one of several processes or alone; write the last state to `end`."""
        settings, self.rank = self.settings, rank
        if self.on_gpu:
            self.device = torch.device("cuda", rank)
            torch.cuda.set_device(self.device)
        self.whole.to(self.device)
        self.turns = take_turns(self.network, self.loss, settings, self.rates, self.groups)
        self.optimisers = [optimiser for turn in self.turns for optimiser in turn.optimisers]
        if settings.averaging:
            self.average = AveragedModel(self.whole, avg_fn=get_ema_avg_fn(settings.averaging), use_buffers=True)
        kept = checkpoints / "training.pt" if checkpoints else None
        if kept and kept.exists():
            self.load(kept)
        with repeatable(self.on_gpu):
            while len(self.train_losses) < settings.epochs and not self._has_ended():
                with recomputing(self.network) if settings.recompute else nullcontext():
                    self._train_epoch(len(self.train_losses))
                if self.validation:
                    self._validate(*self.validation)
                if kept and rank == 0:
                    self.save(kept)
        self._swap_average()
        self.whole.cpu()
        if end and rank == 0:
            self.save(end)

    def _has_ended(self) -> bool:
        waited = len(self.validation_losses) - 1 - self.best[1]
        return self.settings.keep == "best" and waited >= self.settings.patience

    def _train_epoch(self, epoch: int) -> None:
        settings, seed = self.settings, 1_000_003 * self.seed + epoch
        self._call("begin_epoch", epoch)
        for optimiser in self.optimisers:
            optimiser.zero_grad()
        places = list(self._places(seed))
        by_epoch = -(-len(places) // settings.accumulate)
        for index, (inputs, targets, others) in enumerate(self._read(places)):
            # Of alterations and dropout: they repeat after a resume, too. torch.manual_seed looks for a GPU each time.
            set_seed = torch.manual_seed if self.on_gpu else torch.default_generator.manual_seed
            set_seed(seed + 7919 * index + 104_729 * self.rank)
            inputs, targets = inputs.to(self.device), targets.to(self.device)
            if others is not None:
                inputs = torch.cat([inputs, others.to(self.device)])
            if self.alter:
                inputs = self.alter(inputs)
            if inputs.ndim == 4:
                layout = torch.channels_last if settings.channels_last else torch.contiguous_format
                inputs = inputs.contiguous(memory_format=layout)
            first = index - index % settings.accumulate
            share = len(targets) / sum(len(own) for own, _ in places[first : first + settings.accumulate])
            complete = index + 1 in (first + settings.accumulate, len(places))
            progress = (epoch * len(places) + index) / (settings.epochs * len(places))
            for turn in self.turns:
                self._descend(turn, inputs, targets, share, progress)
                if complete:
                    self._step(turn, rate_factor(settings, self.steps, by_epoch))
            if complete:
                self.steps += 1
                self._call("after_step", self.steps)
                if self.average:
                    self.average.update_parameters(self.whole)
                if self.rank == 0:
                    tell(self.steps, settings.epochs * by_epoch, "training")
        means = {name: self._mean(noted) for name, noted in self.noted.items()}
        self.noted = {}
        self.train_losses.append(means.pop(""))
        self.loss_parts.append(means)
        if not math.isfinite(self.train_losses[-1]):
            raise SettingsError("the training diverged", where=f"epoch {epoch}", do="lower learning_rate")

    def _places(self, seed: int) -> Iterator[Places]:
        """Yield which inputs and which companions make up each batch of an epoch, of all processes."""
        size, order = self.settings.batch_size, self.sampler(torch.Generator().manual_seed(seed))
        if self.companions:
            sampler = self.companions.sampler or shuffled(len(self.companions.inputs))
            beside = sampler(torch.Generator().manual_seed(~seed))
        rest, used = len(order) % size, len(order)
        if used > size and rest < 2 * self.settings.devices:  # one row has no spread to normalise by
            used -= rest
        for start in range(0, used, size):
            own = order[start : start + size]
            some = torch.arange(start, start + min(len(own), len(beside))) % len(beside) if self.companions else None
            yield own, None if some is None else beside[some]

    def _read(self, places: list[Places]) -> Iterator[Batch]:
        """Read this process's share of each batch, ahead where there are workers."""
        own = slice(self.rank, None, self.settings.devices)
        shares = [(inputs[own], None if others is None else others[own]) for inputs, others in places]
        reading = _Reading(self.inputs, self.targets, self.companions.inputs if self.companions else None)
        if self.settings.workers:
            return iter(DataLoader(reading, None, sampler=shares, num_workers=self.settings.workers))
        return map(reading.__getitem__, shares)

    def _descend(self, turn: Turn, inputs: torch.Tensor, targets: torch.Tensor, share: float, progress: float) -> None:
        """Add a batch's share of the gradient of a step."""
        rows = len(targets)
        with self._precision():
            outputs = self.network(inputs)
            loss = self._note_parts(turn.loss(outputs, targets), rows)
            if turn is self.turns[-1]:
                if self.companions:
                    loss = loss + self._note_parts(self.companions.loss(outputs, rows, progress), rows)
                self._note("", loss, rows)
        loss = loss if share == 1 else loss * share
        loss.backward(inputs=turn.weights if len(self.turns) > 1 else None)

    def _step(self, turn: Turn, factor: float) -> None:
        for optimiser in turn.optimisers:
            weights = [weight for group in optimiser.param_groups for weight in group["params"]]
            if self.settings.devices > 1:
                sum_over_processes([weight.grad for weight in weights if weight.grad is not None])
            if self.settings.gradient_clip:
                nn.utils.clip_grad_norm_(weights, self.settings.gradient_clip)
            for group in optimiser.param_groups:
                group["lr"] = group["initial_lr"] * factor
            optimiser.step()
            optimiser.zero_grad()

    def _validate(self, inputs: Inputs, targets: torch.Tensor) -> None:
        if self.settings.devices > 1:  # running moments are those of each process's own shares
            for buffer in self.whole.buffers():
                distributed.broadcast(buffer, 0)
        modes = [(part, part.training) for part in self.whole.modules()]
        self.whole.eval()
        self._swap_average()
        noted = []
        with torch.inference_mode(), self._precision():
            for places in torch.arange(len(inputs)).split(self.settings.batch_size):
                outputs = self.network(inputs[places].to(self.device))
                noted.append((_total(self.loss(outputs, targets[places].to(self.device))), len(places)))
        self._swap_average()
        for part, mode in modes:
            part.training = mode
        self.validation_losses.append(self._mean(noted))
        if self.settings.keep == "best" and self.validation_losses[-1] < self.best[0]:
            state = {name: value.detach().cpu().clone() for name, value in self.network.state_dict().items()}
            self.best = (self.validation_losses[-1], len(self.validation_losses) - 1, state)

    def _call(self, name: str, number: int) -> None:
        for part in (self.network, self.loss):
            hook: Callable[[int], None] | None = getattr(part, name, None)
            if hook:
                hook(number)

    def _precision(self) -> AbstractContextManager[Any]:
        if self.settings.precision == "32":
            return nullcontext()
        return torch.autocast(self.device.type, torch.bfloat16, cache_enabled=False)

    def _swap_average(self) -> None:
        """Exchange weights and buffers with their running means, where there are any."""
        if self.average:
            one, other = self.whole, self.average.module
            for mine, mean in zip(one.parameters(), other.parameters(), strict=True):
                mine.data, mean.data = mean.data, mine.data
            for buffer, its_mean in zip(one.buffers(), other.buffers(), strict=True):
                buffer.data, its_mean.data = its_mean.data, buffer.data

    def _note_parts(self, loss: torch.Tensor | Mapping[str, torch.Tensor], rows: int) -> torch.Tensor:
        if isinstance(loss, Mapping):
            for name, part in loss.items():
                self._note(name, part, rows)
        return _total(loss)

    def _note(self, name: str, value: torch.Tensor, rows: int) -> None:
        self.noted.setdefault(name, []).append((value.detach(), rows))

    def _mean(self, noted: list[tuple[torch.Tensor, int]]) -> float:
        total, rows = 0.0, 0
        for value, count in noted:  # sum() compensates from Python 3.12 on: the last bit would depend on the version
            total, rows = total + float(value) * count, rows + count
        if self.settings.devices > 1:
            sums = torch.tensor([total, rows], dtype=torch.float64, device=self.device)
            distributed.all_reduce(sums)
            total, rows = sums.tolist()
        return total / rows

    def save(self, path: Path) -> None:
        """Write all that the training goes on from."""
        state = {
            "weights": self.whole.state_dict(),
            "optimisers": [optimiser.state_dict() for optimiser in self.optimisers],
            "average": self.average.state_dict() if self.average else {},
            "history": (self.train_losses, self.validation_losses, self.loss_parts, self.best, self.steps),
        }
        with write_file(path) as temporary:
            torch.save(state, temporary)

    def load(self, path: Path) -> None:
        """Take over a state that was written."""
        try:
            state = torch.load(path, "cpu", weights_only=True)
            self.whole.load_state_dict(state["weights"])
            for optimiser, kept in zip(self.optimisers, state["optimisers"], strict=bool(self.turns)):
                optimiser.load_state_dict(kept)
            if self.average:
                self.average.load_state_dict(state["average"])
            self.train_losses, self.validation_losses, self.loss_parts, self.best, self.steps = state["history"]
        except Exception as error:  # torch raises what it likes
            what = "this is damaged, or the state of another training"
            raise DataError(what, where=path, do=f"rm {path}, and it starts anew") from error


def _total(loss: torch.Tensor | Mapping[str, torch.Tensor]) -> torch.Tensor:
    return torch.stack(list(loss.values())).sum() if isinstance(loss, Mapping) else loss


@contextmanager
def repeatable(on_gpu: bool) -> Iterator[None]:
    """Leave the caller's random state alone; on a GPU, take algorithms that repeat themselves."""
    if on_gpu:
        os.environ["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"
        torch.backends.cudnn.benchmark = False
        torch.use_deterministic_algorithms(True)
    with torch.random.fork_rng(devices=range(torch.cuda.device_count()) if on_gpu else []), torch.enable_grad():
        yield

"""Learning without labels: steps whose batches and gradient an objective makes, on one device or on many processes.

Where the supervised loop goes through rows in epochs, this one counts steps. What a step sees follows from the seed and
the number of the step alone, so that a run that was killed goes on in the middle of an epoch as if nothing had been,
and several processes share the draws of a step without a word between them.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import distributed, nn

from insula.errors import DataError, SettingsError
from insula.storage.atomic import scratch_folder, write_file
from insula.storage.progress import tell
from insula.training.devices import helped, in_processes, join_torchrun, lead, sum_over_processes
from insula.training.loop import repeatable
from insula.training.optimisers import one_optimiser, rate_factor
from insula.training.recomputing import recomputing
from insula.training.settings import Pretraining

if TYPE_CHECKING:
    from collections.abc import Iterator


class Objective(Protocol):
    """What is learnt without labels.

    Attributes
    ----------
    fingerprint : str
        Of the data and of what is asked of them: a run goes on from the state of no other.
    """

    fingerprint: str

    def draw(self, step: int, number: int) -> Any:
        """Read what one draw of a step sees: it depends on the seed and these numbers alone. Called in a thread."""

    def backward(self, network: nn.Module, batch: Any, share: float, device: torch.device) -> Mapping[str, float]:
        """Add `share` of the gradient to that of the network's weights, and return each loss by name.

        What the losses are weighted by is in the gradient and not in what is returned, but for `total`.
        """


class _Loop:
    """A network on its way through the steps; arguments are those of `pretrain`."""

    def __init__(self, network: nn.Module, objective: Objective, settings: Pretraining, seed: int) -> None:
        self.network, self.objective, self.settings, self.seed = network, objective, settings, seed
        self.on_gpu = settings.device == "gpu" or (settings.device == "auto" and torch.cuda.is_available())
        self.step, self.history = 0, list[dict[str, float]]()
        self.noted: dict[str, float] = {}

    def run(self, rank: int = 0, processes: int = 1, checkpoints: Path | None = None, end: Path | None = None) -> None:
        """Go through the steps that are left, as one of several processes or alone; write the last state to `end`."""
        settings = self.settings
        place = int(os.environ.get("LOCAL_RANK", rank))  # torchrun numbers those of a machine
        device = torch.device("cuda", place % max(torch.cuda.device_count(), 1)) if self.on_gpu else torch.device("cpu")
        self.network.to(device).train()
        self.optimiser = one_optimiser(self.network, settings)
        kept = checkpoints / "pretraining.pt" if checkpoints else None
        if kept and kept.exists():
            self.load(kept)
        total = settings.epochs * settings.steps
        own = range(rank, settings.draws, processes)
        with repeatable(self.on_gpu), ThreadPoolExecutor(1) as reader:
            wanted = ((step, number) for step in range(self.step, total) for number in own)
            batches = _ahead(reader, self.objective, wanted)
            while self.step < total:
                with recomputing(self.network) if settings.recompute else nullcontext():
                    for number in own:
                        torch.manual_seed(1_000_003 * self.seed + 7919 * self.step + number)
                        self._note(self.objective.backward(self.network, next(batches), 1 / settings.draws, device))
                self._descend(processes)
                self.step += 1
                if self.step % settings.steps == 0:
                    self._end_epoch(processes)
                if rank == 0:
                    tell(self.step, total, "pre-training")
                    if kept and (self.step % settings.keep_every == 0 or self.step == total):
                        self.save(kept)
        self.network.cpu()
        if end and rank == 0:
            self.save(end)

    def _note(self, losses: Mapping[str, float]) -> None:
        for name, value in losses.items():
            self.noted[name] = self.noted.get(name, 0.0) + value / (self.settings.draws * self.settings.steps)

    def _descend(self, processes: int) -> None:
        settings, groups = self.settings, self.optimiser.param_groups
        weights = [weight for group in groups for weight in group["params"]]
        if processes > 1:
            for weight in weights:  # a process without a draw in this step has no gradient of its own
                weight.grad = torch.zeros_like(weight) if weight.grad is None else weight.grad
            sum_over_processes([weight.grad for weight in weights])
        if settings.gradient_clip:
            nn.utils.clip_grad_norm_(weights, settings.gradient_clip)
        for group in groups:
            group["lr"] = group["initial_lr"] * rate_factor(settings, self.step, settings.steps)
        self.optimiser.step()
        self.optimiser.zero_grad()

    def _end_epoch(self, processes: int) -> None:
        if processes > 1:
            sums = torch.tensor(list(self.noted.values()), dtype=torch.float64)
            sums = sums.cuda() if self.on_gpu else sums
            distributed.all_reduce(sums)
            self.noted = dict(zip(self.noted, sums.tolist(), strict=True))
        self.history.append(self.noted)
        self.noted = {}
        if not all(map(math.isfinite, self.history[-1].values())):
            epoch = len(self.history)
            raise SettingsError("the pre-training diverged", where=f"epoch {epoch}", do="lower learning_rate")

    def save(self, path: Path) -> None:
        """Write all that the pre-training goes on from."""
        state = {
            "of": self.objective.fingerprint,
            "weights": self.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "history": (self.step, self.history, self.noted),
        }
        with write_file(path) as temporary:
            torch.save(state, temporary)

    def load(self, path: Path) -> None:
        """Take over a state that was written.

        Raises
        ------
        DataError
            Where it is damaged, or of other data or other settings.
        """
        anew = f"rm {path}, and it starts anew"
        try:
            state = torch.load(path, "cpu", weights_only=True)
            same = state["of"] == self.objective.fingerprint
            if same:
                self.network.load_state_dict(state["weights"])
                self.optimiser.load_state_dict(state["optimiser"])
                self.step, self.history, self.noted = state["history"]
        except Exception as error:  # torch raises what it likes
            raise DataError("this is damaged, or the state of another network", where=path, do=anew) from error
        if not same:
            raise DataError("the data or the settings have changed since this was written", where=path, do=anew)


def pretrain(
    network: nn.Module, objective: Objective, settings: Pretraining, seed: int, checkpoints: Path | None = None
) -> list[dict[str, float]]:
    """Train a network in place on what an objective draws, and leave it with its last weights, in evaluation mode.

    Under torchrun, also as Slurm starts it, the processes that it started share the draws of each step: all of them
    call this, or the first does, inside `leading`, as the command `insula` does; otherwise `settings.devices` of them
    are started here. Processes add up their gradients, so that several give that of one.

    Parameters
    ----------
    network : Module
        What learns.
    objective : Objective
        What a step sees, and its gradient.
    settings : Pretraining
        How long, how fast, on what.
    seed : int
        Of dropout and the like; the objective has its own.
    checkpoints : Path, optional
        Folder in which the state is kept every `keep_every` steps, in `pretraining.pt`; it goes on from there.

    Returns
    -------
    list of dict
        Each loss by name, a mean over the steps of each epoch.

    Raises
    ------
    SettingsError
        Where it diverges; where torchrun started more processes than there are draws, or such as do unlike things.
    DataError
        Where the state in `checkpoints` is not one of this pre-training.
    MachineError
        Where one of several processes fails.
    """
    loop = _Loop(network, objective, settings, seed)
    if helped():
        _check_draws(settings, helped())
        lead(partial(loop.run, processes=helped(), checkpoints=checkpoints))
    elif distributed.is_torchelastic_launched():
        join_torchrun()
        processes = distributed.get_world_size()
        _check_draws(settings, processes)
        _check_alike(objective, processes)
        loop.run(distributed.get_rank(), processes, checkpoints)
    elif settings.devices == 1:
        loop.run(checkpoints=checkpoints)
    else:
        with scratch_folder() as folder:
            end = folder / "end.pt"
            run = partial(loop.run, processes=settings.devices, checkpoints=checkpoints, end=end)
            in_processes(run, settings.devices, loop.on_gpu)
            loop.optimiser = one_optimiser(network, settings)
            loop.load(end)
    network.eval()
    return loop.history


def _check_draws(settings: Pretraining, processes: int) -> None:
    if processes > settings.draws:
        do = f"set pretraining.draws={processes} or more, or start fewer"
        raise SettingsError(f"{processes} processes share {settings.draws} draws of a step", where="torchrun", do=do)


def _check_alike(objective: Objective, processes: int) -> None:
    """Refuse processes that are not at the same pre-training: their gradients would be added up all the same."""
    prints: list[Any] = [None] * processes
    distributed.all_gather_object(prints, objective.fingerprint)
    if len(set(prints)) > 1:
        do = "let each go through the same pre-trainings in the same order"
        raise SettingsError("the processes of torchrun pre-train on unlike data", where="torchrun", do=do)


def _ahead(reader: ThreadPoolExecutor, objective: Objective, wanted: Iterator[tuple[int, int]]) -> Iterator[Any]:
    """Yield what is drawn, one draw read ahead of the one that is learnt from."""
    coming = None
    for step, number in wanted:
        next_one = reader.submit(objective.draw, step, number)
        if coming is not None:
            yield coming.result()
        coming = next_one
    if coming is not None:
        yield coming.result()

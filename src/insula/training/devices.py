"""One training in several processes, one a device, each with its share of every batch (data-parallel training)."""

from __future__ import annotations

import atexit
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta

import torch
from torch import distributed
from torch.multiprocessing import start_processes

from insula.errors import MachineError
from insula.storage.atomic import scratch_folder


def in_processes(run: Callable[[int], None], count: int, on_gpu: bool) -> None:
    """Call `run(rank)` in `count` processes that reach one another.

    On a CPU they are forks; on GPUs they begin anew, so that what `run` holds is pickled: no loss may be a lambda.

    Raises
    ------
    MachineError
        Where one of them fails, with its reason.
    """
    with scratch_folder() as folder:
        about = (run, count, on_gpu, f"file://{folder}/meeting")
        try:
            start_processes(_join, about, nprocs=count, start_method="spawn" if on_gpu else "fork")
        except Exception as error:  # one that ended, whatever it says last, or what could not be pickled
            reason = str(error).strip().rsplit("\n", 1)[-1]
            do = "set training.devices=1 to train in one"
            raise MachineError(f"a process of the training failed: {reason}", do=do) from error


def _join(rank: int, run: Callable[[int], None], count: int, on_gpu: bool, meeting: str) -> None:
    torch.set_num_threads(1)
    distributed.init_process_group("nccl" if on_gpu else "gloo", init_method=meeting, rank=rank, world_size=count)
    try:
        run(rank)
    finally:
        distributed.destroy_process_group()


@contextmanager
def leading() -> Iterator[None]:
    """Let the first of the processes that torchrun started run the block alone; the others help it, and then end.

    What it hands out by `lead` is done by all of them. The block itself, with what it reads, caches and writes, is run
    once. Processes that it starts by itself, as `--jobs` does, have no helpers.
    """
    join_torchrun()
    os.environ.pop("TORCHELASTIC_RUN_ID", None)  # processes started from here are not torchrun's
    if distributed.get_rank():
        while (work := _handed(None)) is not None:
            work(distributed.get_rank())
        sys.exit()
    _team.append(distributed.get_world_size())
    try:
        yield
    finally:
        if _team:
            _team.clear()
            _handed(None)


def join_torchrun() -> None:
    """Join the processes that torchrun started, once and until the end: where they meet again they may miss each other.

    Its store keeps the addresses of the first meeting.
    """
    if distributed.is_initialized():
        return
    on_gpu = torch.cuda.is_available()
    if on_gpu:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    # those that help wait for as long as the first evaluates
    distributed.init_process_group("cpu:gloo,cuda:nccl" if on_gpu else "gloo", timeout=timedelta(days=30))
    atexit.register(distributed.destroy_process_group)


_team: list[int] = []
"""How many processes wait for work, where this one leads: empty while they do some, and where there are none."""


def helped() -> int:
    """Return how many processes do what `lead` hands out, this one among them; 0 where it leads none."""
    return _team[0] if _team else 0


def lead(work: Callable[[int], None]) -> None:
    """Do `work(rank)` in all processes that this one leads; it is pickled."""
    count = _team.pop()
    _handed(work)
    work(0)
    _team.append(count)  # where it fails the others are in the middle of it, and nothing more can be handed out


def _handed(work: Callable[[int], None] | None) -> Callable[[int], None] | None:
    """Give what the first process hands out to all."""
    handed = [work]
    distributed.broadcast_object_list(handed)
    return handed[0]


def sum_over_processes(tensors: Sequence[torch.Tensor]) -> None:
    """Replace tensors of one type by their sums over all processes."""
    joined = torch.cat([tensor.reshape(-1) for tensor in tensors])
    distributed.all_reduce(joined)
    for tensor, part in zip(tensors, joined.split([tensor.numel() for tensor in tensors]), strict=True):
        tensor.copy_(part.view(tensor.shape))

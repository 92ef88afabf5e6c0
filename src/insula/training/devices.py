"""One training in several processes, one a device, each with its share of every batch (data-parallel training)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

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


def sum_over_processes(tensors: Sequence[torch.Tensor]) -> None:
    """Replace tensors of one type by their sums over all processes."""
    joined = torch.cat([tensor.reshape(-1) for tensor in tensors])
    distributed.all_reduce(joined)
    for tensor, part in zip(tensors, joined.split([tensor.numel() for tensor in tensors]), strict=True):
        tensor.copy_(part.view(tensor.shape))

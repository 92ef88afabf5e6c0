"""One thread a process, so that workers share the cores and sums do not depend on how many there are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_spare: ContextVar[int] = ContextVar("spare", default=1)


@contextmanager
def one_thread(alone: bool = False) -> Iterator[None]:
    """Run the block with one thread in torch and in the linear algebra libraries.

    Parameters
    ----------
    alone : bool
        The block is all that runs: it may start a process for each of the threads it was denied, each with one thread.
    """
    import torch
    from threadpoolctl import threadpool_limits

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    spare = _spare.set(before if alone else 1)
    try:
        with threadpool_limits(1):
            yield
    finally:
        _spare.reset(spare)
        torch.set_num_threads(before)


def spare_processes() -> int:
    """Return how many processes the work that is running may use; 1 unless it was said to be alone.

    Examples
    --------
    >>> with one_thread():
    ...     spare_processes()
    1
    """
    return _spare.get()

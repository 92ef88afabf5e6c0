"""How far long work is, told to whoever follows it in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Step = Callable[[int, int, str], None]
"""Called with what is done, of how much, and what the work is."""

_followers: ContextVar[tuple[Step, ...]] = ContextVar("followers", default=())


@contextmanager
def followed(step: Step) -> Iterator[None]:
    """Let `step` be told of the work inside the block.

    Examples
    --------
    >>> with followed(lambda done, total, what: print(f"{what}: {done} of {total}")):
    ...     tell(1, 3, "counting")
    counting: 1 of 3
    >>> tell(2, 3, "counting")
    """
    token = _followers.set((*_followers.get(), step))
    try:
        yield
    finally:
        _followers.reset(token)


def tell(done: int, total: int, what: str) -> None:
    """Tell those who follow how far the work is."""
    for step in _followers.get():
        step(done, total, what)

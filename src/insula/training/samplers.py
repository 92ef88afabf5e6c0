"""In which order an epoch goes through its rows; drawn from the generator that it gets, and from nothing else."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch

from insula.errors import DataError

Sampler = Callable[[torch.Generator], torch.Tensor]
"""Returns the places of the rows of one epoch, in their order: as many in every epoch."""


def shuffled(count: int) -> Sampler:
    """Return a sampler of every row once.

    Examples
    --------
    >>> sorted(shuffled(4)(torch.Generator()).tolist())
    [0, 1, 2, 3]
    """
    return partial(_permuted, torch.arange(count))


def _permuted(rows: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    return rows[torch.randperm(len(rows), generator=generator)]


def balanced(groups: torch.Tensor) -> Sampler:
    """Return a sampler that draws from all groups alike: corpora, classes, or both in one code.

    An epoch has as many rows as there are, rounded up to a multiple of the groups, and goes through the groups in turn.
    Rows of a small group come again once all of it have come; of a large one some wait for another epoch.

    Parameters
    ----------
    groups : int tensor, shape (n,)
        The group of each row.

    Examples
    --------
    >>> groups = torch.tensor([0, 0, 0, 0, 1, 1])
    >>> groups[balanced(groups)(torch.Generator().manual_seed(0))].tolist()
    [0, 1, 0, 1, 0, 1]
    """
    members = [torch.nonzero(groups == group)[:, 0] for group in groups.unique()]
    return partial(_in_turn, members, -(-len(groups) // len(members)))


def _in_turn(members: list[torch.Tensor], each: int, generator: torch.Generator) -> torch.Tensor:
    drawn = [torch.cat([_permuted(rows, generator) for _ in range(-(-each // len(rows)))])[:each] for rows in members]
    return torch.stack(drawn, dim=1).reshape(-1)


def paired(groups: torch.Tensor) -> Sampler:
    """Return a sampler of pairs: rows 2 i and 2 i + 1 are of one group, as contrastive losses want them.

    Each row comes at most once an epoch; where a group has an odd number of rows, one of them waits. Batches keep pairs
    together where their size is even.

    Parameters
    ----------
    groups : int tensor, shape (n,)
        The group of each row, for example its stimulus.

    Raises
    ------
    DataError
        Where no group has two rows.

    Examples
    --------
    >>> groups = torch.tensor([3, 7, 3, 7, 7])
    >>> pairs = groups[paired(groups)(torch.Generator().manual_seed(0))].reshape(-1, 2)
    >>> bool((pairs[:, 0] == pairs[:, 1]).all()), len(pairs)
    (True, 2)
    """
    members = [rows for group in groups.unique() if len(rows := torch.nonzero(groups == group)[:, 0]) > 1]
    if not members:
        raise DataError("no two rows are of one group", do="pair by a column in which values come twice")
    return partial(_in_pairs, members)


def _in_pairs(members: list[torch.Tensor], generator: torch.Generator) -> torch.Tensor:
    pairs = torch.cat([_permuted(rows, generator)[: len(rows) // 2 * 2] for rows in members]).reshape(-1, 2)
    return _permuted(pairs, generator).reshape(-1)

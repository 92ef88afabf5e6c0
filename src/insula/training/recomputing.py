"""Activation checkpointing: what a block made on the way forward is made again on the way back instead of kept."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import partial

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint


@contextmanager
def recomputing(network: nn.Module) -> Iterator[None]:
    """Inside the block, keep only what goes into each item of the network's outermost sequences (Chen et al., 2016).

    Gradients, dropout and the running moments of batch normalisation are those of a network that keeps everything.
    """
    blocks = _blocks(network)
    for block in blocks:
        ways = partial(lambda block: (nullcontext(), _unmoved(block)), block)  # forwards, and once more
        block.forward = partial(checkpoint, block.forward, use_reentrant=False, context_fn=ways)
    try:
        yield
    finally:
        for block in blocks:
            del block.forward


def _blocks(module: nn.Module) -> list[nn.Module]:
    if isinstance(module, nn.Sequential | nn.ModuleList):
        return list(module)
    return [block for child in module.children() for block in _blocks(child)]


@contextmanager
def _unmoved(block: nn.Module) -> Iterator[None]:
    """Keep running moments from being moved a second time by the same batch."""
    norms = [part for part in block.modules() if isinstance(part, _BatchNorm)]
    before = [(norm, norm.momentum, norm.num_batches_tracked) for norm in norms]
    for norm, _, count in before:
        norm.momentum, norm.num_batches_tracked = 0.0, None if count is None else count.clone()
    try:
        yield
    finally:
        for norm, momentum, count in before:
            norm.momentum, norm.num_batches_tracked = momentum, count

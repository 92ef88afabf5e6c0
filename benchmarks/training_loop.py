"""The engine's loop beside a plain one, on a tiny network: a step of which bookkeeping is most.

Both train the same network on batches of the same size, with AdamW and clipped gradients, in turns, one thread; what is
compared is processor time, so that a busy machine counts for neither.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from insula.training.engine import train
from insula.training.settings import Training

BATCH, STEPS = 32, 40


def _tiny() -> nn.Module:
    return nn.Sequential(nn.Linear(32, 64), nn.ReLU(), nn.Linear(64, 3))


def _plain(network: nn.Module, inputs: torch.Tensor, targets: torch.Tensor, epochs: int) -> None:
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-3, weight_decay=1e-4)
    for _ in range(epochs):
        for places in torch.randperm(len(inputs)).split(BATCH):
            loss = cross_entropy(network(inputs[places]), targets[places])
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimiser.step()


def _ours(network: nn.Module, inputs: torch.Tensor, targets: torch.Tensor, epochs: int) -> None:
    train(network, cross_entropy, inputs, targets, None, Training(epochs=epochs, batch_size=BATCH), seed=0)


def _seconds(loop: Callable[..., None], inputs: torch.Tensor, epochs: int) -> float:
    network, targets = _tiny(), torch.arange(len(inputs)) % 3
    begin = time.process_time()
    loop(network, inputs, targets, epochs)
    return (time.process_time() - begin) / (epochs * STEPS)


def main(rounds: int = 7, epochs: int = 5) -> dict[str, float]:
    """Print and return milliseconds a step, best of `rounds`, and their ratio."""
    torch.set_num_threads(1)
    inputs = torch.randn(BATCH * STEPS, 32)
    _seconds(_ours, inputs, 1)  # torch loads what it needs at the first step
    spent = [(_seconds(_ours, inputs, epochs), _seconds(_plain, inputs, epochs)) for _ in range(rounds)]
    ours, plain = (1e3 * min(column) for column in zip(*spent, strict=True))
    print(f"a tiny network: {ours:.2f} ms a step, a plain loop {plain:.2f}: {ours / plain:.2f}")
    return {"ours_ms_a_step": ours, "plain_ms_a_step": plain, "ours_over_plain": ours / plain}


if __name__ == "__main__":
    main()

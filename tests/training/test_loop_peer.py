"""The loop against Lightning on one small problem: equal to the last bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from insula.training.engine import Companions, train
from insula.training.settings import Training

FULL = {
    "companions": Companions(torch.rand(9, 3, 6, 6), lambda outputs, n, p: (1 + p) * outputs[n:].pow(2).mean()),
    "alter": lambda pictures: pictures + 0.1 * torch.rand_like(pictures),
    "rates": {"0.": 0.1},
}
CASES: list[tuple[dict[str, Any], dict[str, Any], int | None]] = [
    ({}, {}, None),
    ({"optimiser": "sgd", "schedule": "cosine", "warm_up": 1, "gradient_clip": 0.1}, FULL, 6),
    ({"optimiser": "adam", "schedule": "restarts", "period": 2, "learning_rate": 0.3, "patience": 1}, {}, None),
    ({"averaging": 0.9, "keep": "last", "precision": "bf16", "channels_last": True, "decay": 0.1}, FULL, 9),
]


class _Loss(nn.Module):
    """Cross-entropy that keeps a running share of classes in a buffer, and can be interrupted."""

    shares: torch.Tensor

    def __init__(self, interrupted: int | None) -> None:
        super().__init__()
        self.register_buffer("shares", torch.zeros(2))
        self.left = interrupted

    def forward(self, outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        if self.training:
            self.shares.lerp_(torch.bincount(labels, minlength=2) / len(labels), 0.1)
            if self.left is not None:
                self.left -= 1
                if self.left < 0:
                    raise OSError("power cut")
        return nn.functional.cross_entropy(outputs[: len(labels)].float(), labels)


def _network() -> nn.Module:
    torch.manual_seed(0)
    features = [nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.2), nn.Flatten()]
    return nn.Sequential(*features, nn.Linear(64, 2))


@pytest.mark.parametrize(("settings", "options", "interrupted"), CASES)
def test_the_loop_is_lightnings_to_the_last_bit(
    settings: dict[str, Any], options: dict[str, Any], interrupted: int | None, tmp_path: Path
) -> None:
    from lightning_peer import Peer  # Lightning loads for this test alone

    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(49) % 2
    pictures = torch.rand(49, 6, 6, 3, generator=generator).permute(0, 3, 1, 2) + 0.5 * labels[:, None, None, None]
    own, held = (pictures[:33], labels[:33]), (pictures[33:], labels[33:])
    chosen = Training(**{"epochs": 4, "batch_size": 8, "learning_rate": 0.02, **settings})
    ours, theirs = _network(), _network()
    for at in [interrupted, None] if interrupted else [None]:
        losses, peer = (_Loss(at), _Loss(at)), None
        try:
            trained = train(ours, losses[0], *own, held, chosen, 5, tmp_path / "ours", **options)
        except OSError:
            assert at is not None
        try:
            peer = Peer(theirs, losses[1], chosen, 5, **options).fit(own, held, tmp_path / "theirs")
        except OSError:
            assert at is not None
    assert peer is not None
    assert trained.train_losses == tuple(peer.train_losses)
    assert trained.validation_losses == tuple(peer.validation_losses)
    assert trained.best_epoch == (peer.best[1] if chosen.keep == "best" else 3)
    assert torch.equal(losses[0].shares, losses[1].shares)
    pairs = zip(ours.state_dict().values(), theirs.state_dict().values(), strict=True)
    assert all(torch.equal(mine, peers) for mine, peers in pairs)

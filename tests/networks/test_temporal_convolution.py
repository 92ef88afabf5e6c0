"""The temporal convolutional network: what reaches a step, and what does not."""

from __future__ import annotations

import pytest
import torch

from insula.networks.adapter import UnitProjection, adapter
from insula.networks.temporal_convolution import TemporalConvolution, mean_over_time


def network(**settings: int | bool) -> TemporalConvolution:
    torch.manual_seed(0)
    return TemporalConvolution(features=5, **{"channels": 8, **settings}).eval()  # type: ignore[arg-type]


def reached(made: TemporalConvolution, step: int, length: int = 41) -> list[int]:
    """Return the steps of the output that a step of the input has a gradient for."""
    steps = torch.randn(1, length, 5, requires_grad=True)
    out = made(steps)[0].sum(dim=1)
    grads = [torch.autograd.grad(value, steps, retain_graph=True)[0][0, step] for value in out]
    return [place for place, grad in enumerate(grads) if grad.any()]


@pytest.mark.parametrize(("kernel", "reach"), [(3, 12), (5, 24)])
def test_a_causal_network_reaches_ahead_alone_and_as_far_as_said(kernel: int, reach: int) -> None:
    assert reached(network(kernel=kernel), 10) == list(range(10, min(10 + reach, 40) + 1))


def test_a_network_that_is_not_causal_reaches_both_ways() -> None:
    assert reached(network(causal=False), 20) == list(range(14, 27))


@pytest.mark.parametrize("causal", [True, False])
def test_what_invalid_steps_hold_changes_nothing(causal: bool) -> None:
    made, steps = network(causal=causal), torch.randn(2, 20, 5)
    valid = torch.rand(2, 20) > 0.4
    other = torch.where(valid[..., None], steps, torch.nan)
    said = made(steps, valid)
    assert torch.equal(said, made(other, valid))
    assert not said[~valid].any() and said[valid].any()
    assert torch.equal(mean_over_time(other, valid), mean_over_time(steps, valid))
    assert torch.allclose(mean_over_time(steps, valid)[0], steps[0, valid[0]].mean(dim=0), atol=1e-6)


def test_padding_at_the_end_of_a_shorter_sequence_changes_nothing() -> None:
    for causal in (True, False):
        made, steps = network(causal=causal), torch.randn(1, 12, 5)
        padded = torch.cat([steps, torch.randn(1, 7, 5)], dim=1)
        valid = torch.arange(19)[None] < 12
        assert torch.allclose(made(padded, valid)[:, :12], made(steps), atol=1e-6)


def test_whole_channels_are_dropped_in_training_only() -> None:
    made, steps = network(dropout=0.5).train(), torch.randn(1, 20, 5)  # type: ignore[arg-type]
    assert not torch.equal(made(steps), made(steps))
    assert torch.equal(made.eval()(steps), made(steps))


def test_it_learns_what_lies_some_steps_back() -> None:
    generator = torch.Generator().manual_seed(0)
    steps = torch.randn(32, 30, 5, generator=generator)
    wanted = steps[:, :-6, 0]
    made = network(dropout=0.0).train()  # type: ignore[arg-type]
    optimiser = torch.optim.Adam(made.parameters(), lr=0.02)
    losses = []
    for _ in range(80):
        loss = ((made(steps)[:, 6:, 0] - wanted) ** 2).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.1 < 0.5 < losses[0]


def test_an_adapter_maps_widths_and_a_projection_onto_the_sphere() -> None:
    torch.manual_seed(0)
    features = torch.randn(4, 7)
    adapted = adapter(7, 16)(features)
    assert adapted.shape == (4, 16)
    unit = UnitProjection(16, 16)(adapted)
    assert torch.allclose(unit.norm(dim=1), torch.ones(4))

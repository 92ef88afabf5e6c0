"""Stratified normalisation: moments of each group, who is mixed with whom, and gradients through the moments."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import numpy_networks
from insula.errors import DataError
from insula.networks.stratified import Moments, normalised, stratified

GROUPS = torch.tensor([4, 7, 4, 7, 4])


def drawn() -> torch.Tensor:
    return torch.randn(5, 3, 4, 6).double() * torch.arange(1, 6)[:, None, None, None] + 3


def test_each_group_is_normalised_by_its_own_moments() -> None:
    values = drawn()
    output = stratified(values, GROUPS)
    assert np.allclose(output, numpy_networks.stratified(values.numpy(), GROUPS.numpy()), atol=1e-12)
    exact = stratified(values, GROUPS, small=0.0)
    for group in (4, 7):
        deviation, mean = torch.std_mean(exact[group == GROUPS], dim=(0, 3))
        assert torch.allclose(mean, torch.zeros(3, 4).double()) and torch.allclose(deviation, torch.ones(3, 4).double())


def test_the_order_of_windows_and_the_names_of_groups_are_of_no_matter() -> None:
    values, order = drawn(), torch.tensor([3, 1, 0, 4, 2])
    output = stratified(values, GROUPS)
    assert torch.allclose(stratified(values[order], GROUPS[order]), output[order])
    assert torch.allclose(stratified(values, 10 - GROUPS), output)


def test_given_moments_are_of_all_windows_or_of_each() -> None:
    values = drawn()
    deviation, mean = torch.std_mean(values, dim=(0, 3))
    alone = normalised(values, Moments(mean, deviation))
    assert torch.allclose(alone, stratified(values, torch.zeros(5, dtype=torch.int64)))
    each = Moments(mean.expand(5, 3, 4), deviation.expand(5, 3, 4))
    assert torch.allclose(normalised(values, each), alone)


def test_gradients_flow_through_the_moments() -> None:
    values = drawn()[:, :1, :1, :2].requires_grad_()
    assert torch.autograd.gradcheck(lambda given: stratified(given, GROUPS), values)
    (moved,) = torch.autograd.grad(stratified(values, GROUPS)[0, 0, 0, 0], values)
    assert moved[2, 0, 0].abs().min() > 0 and moved[1].abs().max() == 0


def test_values_that_never_change_become_zero_and_pass_finite_gradients() -> None:
    values = torch.full((5, 3, 4, 6), 2.0, requires_grad=True)
    output = stratified(values, GROUPS)
    output.square().sum().backward()
    assert output.abs().max() == 0 and values.grad is not None and bool(values.grad.isfinite().all())


def test_it_is_done_in_single_precision_even_under_autocast() -> None:
    values = drawn().float()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output = stratified(values, GROUPS)
        assert stratified(values.bfloat16(), GROUPS).dtype == torch.float32
    assert torch.equal(output, stratified(values, GROUPS))


def test_a_single_value_is_refused() -> None:
    with pytest.raises(DataError, match=r"no deviation.*two windows or more of each person"):
        stratified(torch.randn(3, 2, 2, 1), torch.tensor([0, 0, 1]))

"""Losses of NeuroGaze-Distill against their definitions."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.interpolate import RegularGridInterpolator
from torch.nn import functional
from torchmetrics.functional.regression import concordance_corrcoef

from insula.objectives.concordance import concordance, rating_loss
from insula.objectives.geometry import ClassGeometry, cosine_ramp
from insula.objectives.logit_distillation import logit_distance, softened_divergence
from insula.objectives.prototypes import affinities, interpolated, nearness, prototype_loss, read_affect

RNG = np.random.default_rng(0)


def unit(*shape: int) -> torch.Tensor:
    return functional.normalize(torch.from_numpy(RNG.standard_normal(shape)).float(), dim=-1)


def test_concordance_is_that_of_torchmetrics() -> None:
    said, rated = torch.randn(50, 2), torch.randn(50, 2)
    rated = rated + said
    population = concordance_corrcoef(said, rated)  # of the sample's moments: the population's differ by n / (n - 1)
    assert torch.allclose(concordance(said, rated), population, atol=0.02)
    x, y = said[:, 0].double().numpy(), rated[:, 0].double().numpy()
    own = 2 * np.mean((x - x.mean()) * (y - y.mean())) / (x.var() + y.var() + (x.mean() - y.mean()) ** 2)
    assert concordance(said, rated)[0].item() == pytest.approx(own, abs=1e-5)
    assert concordance(torch.zeros(5, 2), torch.zeros(5, 2)).tolist() == [0, 0]


def test_the_rating_loss_falls_where_ratings_are_met() -> None:
    rated = torch.rand(20, 2) * 2 - 1
    assert rating_loss(rated, rated) < rating_loss(0.5 * rated, rated) < rating_loss(-rated, rated)


def test_interpolation_between_cells_is_bilinear() -> None:
    prototypes, places = unit(25, 8), torch.rand(10, 2) * 1.6 - 0.8
    middles = np.linspace(-0.8, 0.8, 5)
    field = RegularGridInterpolator((middles, middles), prototypes.reshape(5, 5, 8).numpy())
    expected = functional.normalize(torch.from_numpy(field(places.numpy()[:, ::-1])).float(), dim=1)
    assert torch.allclose(interpolated(prototypes, places), expected, atol=1e-5)


def test_the_loss_is_nothing_where_a_feature_stands_on_its_own_target() -> None:
    prototypes = unit(25, 32)
    target = interpolated(prototypes, torch.tensor([[0.81, 0.51], [-0.63, -0.27]]))
    wanted = affinities(target, prototypes, 0.9)
    assert prototype_loss(target, prototypes, wanted, 0.9).item() == pytest.approx(0, abs=1e-6)
    assert prototype_loss(-target, prototypes, wanted, 0.9) > 0.01


def test_at_the_usual_temperature_no_feature_reaches_a_sharp_target() -> None:
    prototypes = torch.eye(25, 32)
    best = affinities(prototypes[:1], prototypes, 0.9).exp().max().item()
    assert best == pytest.approx(0.112, abs=5e-4)
    centres = torch.tensor([[x, y] for y in range(5) for x in range(5)]) / 2.5 - 0.8
    assert nearness(centres[:1], centres, 0.4).exp().max() > 2 * best


def test_the_readout_is_the_cell_on_which_a_feature_stands() -> None:
    prototypes, centres = torch.eye(4), torch.tensor([[-0.5, -0.5], [0.5, -0.5], [-0.5, 0.5], [0.5, 0.5]])
    assert torch.allclose(read_affect(prototypes, prototypes, centres, 0.05), centres, atol=1e-6)


def test_distillation_is_as_defined() -> None:
    student, teacher = torch.randn(6, 8), torch.randn(6, 8)
    centred = [logits - logits.mean(dim=1, keepdim=True) for logits in (student, teacher)]
    assert logit_distance(student, teacher, 5.0).item() == pytest.approx(
        float(((centred[0] - centred[1]) ** 2).mean() / 25), rel=1e-5
    )
    p, q = (torch.softmax(logits / 5, dim=1) for logits in (teacher, student))
    assert softened_divergence(student, teacher, 5.0).item() == pytest.approx(
        float(25 * (p * (p / q).log()).sum(dim=1).mean()), rel=1e-4
    )


def test_the_ramp() -> None:
    assert [cosine_ramp(epoch, 20, 60) for epoch in (0, 19, 20, 60, 80)] == [0, 0, 0, 1, 1]
    assert cosine_ramp(40, 20, 60) == pytest.approx(0.5)


def geometry(**changes: float) -> ClassGeometry:
    settings = {"start": 2, "end": 4, "margin": 0.5, "gate": 0.2, **changes}
    return ClassGeometry(3, 8, [0], **settings)  # type: ignore[arg-type]


def batch(spread: float = 0.1) -> tuple[torch.Tensor, torch.Tensor]:
    labels = torch.arange(30) % 3
    features = torch.eye(3, 8)[labels] + spread * torch.from_numpy(RNG.standard_normal((30, 8))).float()
    return functional.normalize(features, dim=1), labels


def test_the_cap_is_measured_in_the_epoch_before_the_ramp() -> None:
    rule, (features, labels) = geometry(cap=0.8), batch()
    sure = torch.ones(30)
    for epoch in range(3):
        rule.begin_epoch(epoch)
        assert torch.isinf(rule.limit) == (epoch < 2)
        assert rule(features, labels, sure).item() == 0  # the ramp is at nothing up to its start
    spreads = [((features[labels == c] - rule.centres[c]) ** 2).sum(dim=1).mean() for c in range(3)]
    assert rule.limit.item() == pytest.approx(0.8 * float(np.median(spreads)), rel=0.05)


def test_what_spreads_or_lies_close_costs_and_a_gradient_draws_it_together() -> None:
    rule, (features, labels) = geometry(), batch()
    for epoch in (0, 1):
        rule.begin_epoch(epoch)
        rule(features, labels, torch.ones(30))
    rule.begin_epoch(4)
    wide = batch(0.6)[0].requires_grad_()
    loss = rule(wide, labels, torch.ones(30))
    loss.backward()
    assert loss > 0 and wide.grad is not None
    assert wide.grad[labels == 0].abs().sum() > 0
    with torch.no_grad():
        nearer = functional.normalize(wide - 0.5 * wide.grad, dim=1)
    assert _spread(nearer[labels == 0]) < _spread(wide[labels == 0].detach())


def _spread(features: torch.Tensor) -> float:
    return float(features.var(dim=0).sum())


def test_centres_that_coincide_are_pushed_apart() -> None:
    rule = geometry(start=0, end=1)
    rule.begin_epoch(4)
    one = functional.normalize(torch.ones(3, 8) + 0.01 * torch.randn(3, 8), dim=1).requires_grad_()
    loss = rule(one, torch.arange(3), torch.ones(3))
    assert loss.item() == pytest.approx(0.5, abs=0.02)
    loss.backward()
    assert one.grad is not None and one.grad.abs().sum() > 0


def test_centres_keep_nine_tenths_of_what_they_were() -> None:
    rule, (features, labels) = geometry(), batch()
    rule(features, labels, torch.ones(30))
    before, other = rule.centres.clone(), batch(0.6)[0]
    rule(other, labels, torch.ones(30))
    means = torch.stack([other[labels == code].mean(dim=0) for code in range(3)])
    assert torch.allclose(rule.centres, 0.9 * before + 0.1 * means, atol=1e-6)


def test_unsure_samples_do_not_count() -> None:
    rule, (features, labels) = geometry(start=0, end=1), batch()
    rule.begin_epoch(3)
    assert rule(features, labels, torch.full((30,), 0.1)).item() == 0
    assert not rule.known.any()

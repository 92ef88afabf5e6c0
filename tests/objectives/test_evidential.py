"""Evidence for classes and for ratings against scipy's special functions and distributions."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats
from scipy.special import digamma, gammaln

from insula.objectives.evidential import (
    CAP,
    agreed,
    annealed,
    evidence,
    evidential_loss,
    surplus,
    uncertainty,
)
from insula.objectives.evidential_regression import (
    NormalInverseGamma,
    believed,
    doubt,
    evidential_regression_loss,
    ignorance,
    noise,
)

RNG = np.random.default_rng(0)


def divergence(alpha: np.ndarray) -> np.ndarray:
    """Return KL(Dir(alpha) || Dir(1)) by its formula, (n,)."""
    total, classes = alpha.sum(axis=1), alpha.shape[1]
    norm = gammaln(total) - gammaln(alpha).sum(axis=1) - gammaln(classes)
    return norm + ((alpha - 1) * (digamma(alpha) - digamma(total)[:, None])).sum(axis=1)


def test_the_divergence_is_that_of_the_formula_and_nothing_at_the_flat_distribution() -> None:
    alpha = 1 + RNG.gamma(1.0, 3.0, (40, 5))
    assert surplus(torch.from_numpy(alpha)).numpy() == pytest.approx(divergence(alpha), rel=1e-9)
    assert surplus(torch.ones(3, 4)).tolist() == [0, 0, 0]


def test_no_evidence_is_full_uncertainty() -> None:
    nothing = torch.zeros(2, 5)
    assert uncertainty(nothing).tolist() == [1, 1]
    said = evidence(torch.full((2, 5), -1.0), torch.tensor(50.0), torch.tensor(-5.0))
    assert uncertainty(said).numpy() == pytest.approx(1, abs=1e-6)


def test_evidence_grows_with_similarity_up_to_a_cap() -> None:
    cosines = torch.linspace(-1, 1, 21)[:, None]
    said = evidence(cosines, torch.tensor(10.0), torch.tensor(-5.0))[:, 0]
    assert said.numpy() == pytest.approx(np.log1p(np.exp(10 * cosines[:, 0].numpy() - 5)), rel=1e-5)
    assert (said.diff() > 0).all()
    most = evidence(torch.ones(1, 3), torch.tensor(1e6), torch.tensor(0.0))
    assert most.max().item() == pytest.approx(CAP, abs=1e-4)


@pytest.mark.parametrize("gain", [1e-3, 10.0, 1e6])
def test_gradients_are_finite_for_extreme_similarities(gain: float) -> None:
    cosines = torch.tensor([[1.0, -1.0, 0.0], [-1.0, -1.0, -1.0], [1.0, 1.0, 1.0]], requires_grad=True)
    slope, bias = torch.tensor(gain, requires_grad=True), torch.tensor(-5.0, requires_grad=True)
    loss = evidential_loss(evidence(cosines, slope, bias), torch.tensor([1, 0, 2]), 1.0)
    loss.backward()
    for weight in (cosines, slope, bias):
        assert weight.grad is not None and weight.grad.isfinite().all()
    assert loss.isfinite()


def test_the_loss_is_as_defined_over_rows_that_have_a_label() -> None:
    given, labels, rho = RNG.gamma(1.0, 3.0, (30, 4)), RNG.integers(-1, 4, 30), 0.3
    alpha, own = 1 + given[labels >= 0], labels[labels >= 0]
    fit = digamma(alpha.sum(axis=1)) - digamma(alpha[np.arange(len(own)), own])
    without = alpha.copy()
    without[np.arange(len(own)), own] = 1
    by_hand = (fit + rho * divergence(without)).mean()
    said = evidential_loss(torch.from_numpy(given), torch.from_numpy(labels), rho)
    assert said.item() == pytest.approx(by_hand, rel=1e-9)
    assert evidential_loss(torch.from_numpy(given), torch.full((30,), -1), rho).item() == 0


def test_the_divergence_takes_wrong_evidence_away_and_leaves_the_right_alone() -> None:
    given = torch.full((1, 3), 4.0, requires_grad=True)
    label = torch.tensor([0])
    (whole,) = torch.autograd.grad(evidential_loss(given, label, 1.0), given)
    (fit,) = torch.autograd.grad(evidential_loss(given, label, 0.0), given)
    assert (whole - fit)[0, 0].item() == pytest.approx(0, abs=1e-7)
    assert ((whole - fit)[0, 1:] > 0).all()


def test_the_divergence_counts_fully_from_the_tenth_epoch() -> None:
    assert [annealed(epoch) for epoch in range(12)] == pytest.approx([*np.arange(10) / 10, 1, 1])


def by_sets(opinions: list[np.ndarray], doubts: list[float]) -> tuple[np.ndarray, float]:
    """Combine two opinions by Dempster's rule over sets: single classes, and the set of all that says "not known"."""
    classes = len(opinions[0])
    masses = [[*((1 - doubt) * opinion), doubt] for opinion, doubt in zip(opinions, doubts, strict=True)]
    sets = [{k} for k in range(classes)] + [set(range(classes))]
    joint = np.zeros(classes + 1)
    for first, one in zip(sets, masses[0], strict=True):
        for second, two in zip(sets, masses[1], strict=True):
            both = first & second
            if both:
                joint[sets.index(both)] += one * two
    joint /= joint.sum()
    return joint[:-1], joint[-1]


def test_opinions_are_combined_as_by_dempsters_rule_over_sets() -> None:
    first, second = RNG.dirichlet(np.ones(4), (2, 6))
    doubts = RNG.uniform(0, 1, (2, 6))
    told, left = agreed(*(torch.from_numpy(part) for part in (first, second, doubts)))
    for row in range(6):
        belief, doubt = by_sets([first[row], second[row]], list(doubts[:, row]))
        assert left[row].item() == pytest.approx(doubt)
        assert told[row].numpy() == pytest.approx(belief / belief.sum())


def test_who_knows_nothing_is_not_heard_and_two_that_agree_are_surer_than_either() -> None:
    sure, other = torch.tensor([[0.8, 0.1, 0.1]]), torch.tensor([[0.0, 0.5, 0.5]])
    told, left = agreed(sure, other, torch.tensor([[0.3], [1.0]]))
    assert torch.allclose(told, sure) and left.item() == pytest.approx(0.3)
    assert agreed(sure, sure, torch.tensor([[0.3], [0.3]]))[1].item() < 0.3
    assert torch.allclose(agreed(sure, other, torch.ones(2, 1))[0], (sure + other) / 2)


def test_the_likelihood_of_a_rating_is_that_of_a_t_distribution() -> None:
    mean, count, shape, scale = (RNG.standard_normal(20), *RNG.gamma(2.0, 1.0, (3, 20)))
    shape = shape + 1
    belief = NormalInverseGamma(*(torch.from_numpy(part) for part in (mean, count, shape, scale)))
    ratings = RNG.standard_normal(20)
    ratings[4] = np.nan
    rated = ~np.isnan(ratings)
    width = np.sqrt(scale * (1 + count) / (count * shape))
    unlikely = -stats.t.logpdf(ratings, 2 * shape, mean, width)
    wrong = np.abs(ratings - mean) * (2 * count + shape)
    said = evidential_regression_loss(belief, torch.from_numpy(ratings), penalty=0.2)
    assert said.item() == pytest.approx((unlikely + 0.2 * wrong)[rated].mean(), rel=1e-9)
    assert evidential_regression_loss(belief, torch.full((20,), torch.nan)).item() == 0


def test_noise_and_doubt_are_variances_of_drawn_beliefs() -> None:
    belief = NormalInverseGamma(*(torch.tensor([value]) for value in (0.3, 2.5, 4.0, 1.2)))
    variances = stats.invgamma.rvs(4.0, scale=1.2, size=200_000, random_state=0)
    means = 0.3 + np.sqrt(variances / 2.5) * RNG.standard_normal(len(variances))
    assert noise(belief).item() == pytest.approx(variances.mean(), rel=0.02)
    assert doubt(belief).item() == pytest.approx(means.var(), rel=0.02)
    assert ignorance(belief).item() == pytest.approx(means.var() / (means.var() + variances.mean()), rel=0.02)


def test_any_outputs_are_a_belief_with_finite_gradients() -> None:
    outputs = torch.tensor([[0.0, -200.0, -200.0, -200.0], [5.0, 200.0, 200.0, 200.0]], requires_grad=True)
    belief = believed(outputs)
    evidential_regression_loss(belief, torch.tensor([1.0, -1.0])).backward()
    assert outputs.grad is not None and outputs.grad.isfinite().all()
    assert all((part > 0).all() for part in belief[1:]) and (belief.shape > 1).all()
    assert noise(belief).isfinite().all() and doubt(belief).isfinite().all()

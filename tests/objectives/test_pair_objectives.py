"""Contrast between people, and covariances drawn together, against what NumPy makes of the formulas."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from torch.nn import functional

from insula.objectives.covariance_alignment import centroids, covariance_alignment
from insula.objectives.pair_contrast import pair_contrast

GROUPS = torch.tensor([0, 1, 0, 1, 2])


@pytest.fixture
def spatial() -> torch.Tensor:
    """Five windows of three people: two features of four channels over nine patches, with an offset."""
    return torch.from_numpy(np.random.default_rng(0).normal(3, 1, (5, 2, 4, 9)).astype(np.float32))


def _covariances(spatial: torch.Tensor) -> np.ndarray:
    return np.array([[np.cov(feature) for feature in window] for window in spatial.double().numpy()])


def test_two_clips_worked_out_by_hand() -> None:
    angles = [0.0, 1.0, 0.2, 1.5]  # of person A in clips 1 and 2, of person B in clips 1 and 2
    rows = torch.tensor([[math.cos(angle), math.sin(angle)] for angle in angles])
    alike = [[math.exp(math.cos(a - b) / 0.07) for b in angles] for a in angles]
    each = [-math.log(alike[i][(i + 2) % 4] / sum(alike[i][j] for j in range(4) if j != i)) for i in range(4)]
    assert pair_contrast(rows).item() == pytest.approx(sum(each) / 4, rel=1e-4)


def test_identical_partners_reach_the_bound_of_their_clips_and_no_permutation_is_below() -> None:
    clips = functional.normalize(torch.randn(4, 3, generator=torch.Generator().manual_seed(0)), dim=1)
    together = pair_contrast(torch.cat([clips, clips]), 0.5)
    others = torch.exp(clips @ clips.T / 0.5).fill_diagonal_(0).sum(dim=1)
    assert together.item() == pytest.approx((1 + 2 * others / math.exp(2)).log().mean().item(), rel=1e-5)
    assert pair_contrast(torch.cat([clips, clips.roll(1, dims=0)]), 0.5) > together


def test_one_clip_teaches_nothing() -> None:
    rows = torch.tensor([[1.0, 0.0], [0.0, 1.0]], requires_grad=True)
    pair_contrast(rows).backward()
    assert rows.grad is not None
    assert not rows.grad.any()


def test_losses_are_in_full_precision_under_autocast(spatial: torch.Tensor) -> None:
    rows = functional.normalize(spatial[:4].flatten(1), dim=1)
    with torch.autocast("cpu", torch.bfloat16):
        lower = [pair_contrast(rows), covariance_alignment(centroids(spatial, GROUPS))]
    assert lower == [pair_contrast(rows), covariance_alignment(centroids(spatial, GROUPS))]
    assert pair_contrast(rows.bfloat16()).dtype == centroids(spatial.bfloat16(), GROUPS).dtype == torch.float32


def test_centroids_are_the_means_of_covariances(spatial: torch.Tensor) -> None:
    each = _covariances(spatial)
    wanted = np.stack([each[[0, 2]].mean(axis=0), each[[1, 3]].mean(axis=0), each[4]])
    assert_allclose(centroids(spatial, GROUPS, keep_diagonal=True), wanted, atol=1e-5)
    assert_allclose(centroids(spatial, GROUPS), wanted * (1 - np.eye(4)), atol=1e-5)


def test_the_scrambled_form_is_no_covariance(spatial: torch.Tensor) -> None:
    centred = (spatial - spatial.mean(dim=-1, keepdim=True)).numpy()
    mixed = np.ascontiguousarray(centred.transpose(0, 1, 3, 2)).reshape(5, 2, 4, 9)
    scrambled = centroids(spatial, torch.arange(5), keep_diagonal=True, scrambled=True)
    assert_allclose(scrambled, mixed @ mixed.transpose(0, 1, 3, 2) / 8, atol=1e-5)
    eigenvalues = np.linalg.eigvalsh(scrambled), np.linalg.eigvalsh(_covariances(spatial))
    assert np.abs(eigenvalues[0] - eigenvalues[1]).max() > 0.1  # not even a rotated one


def test_the_logarithmic_mean_is_that_of_matrix_logarithms(spatial: torch.Tensor) -> None:
    def function(matrices: np.ndarray, of: np.ufunc) -> np.ndarray:
        values, basis = np.linalg.eigh(matrices)
        return basis * of(values)[..., None, :] @ basis.swapaxes(-1, -2)

    each = _covariances(spatial)
    each = 0.999 * each + 0.001 * np.trace(each, axis1=-2, axis2=-1)[..., None, None] / 4 * np.eye(4)
    logarithms = function(each, np.log)
    wanted = function(
        np.stack([logarithms[[0, 2]].mean(axis=0), logarithms[[1, 3]].mean(axis=0), logarithms[4]]), np.exp
    )
    assert_allclose(centroids(spatial, GROUPS, mean="log-euclidean"), wanted, atol=1e-4)


def test_the_gradient_of_the_logarithmic_mean_is_right_and_finite_where_eigenvalues_coincide() -> None:
    windows = torch.randn(3, 1, 2, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    groups = torch.tensor([0, 0, 1])
    windows.requires_grad_()
    assert torch.autograd.gradcheck(lambda rows: centroids(rows, groups, mean="log-euclidean"), windows)
    flat = torch.zeros(2, 1, 3, 5, requires_grad=True)  # all eigenvalues are one
    centroids(flat, torch.tensor([0, 1]), mean="log-euclidean").sum().backward()
    assert flat.grad is not None
    assert torch.isfinite(flat.grad).all()


def test_alignment_sums_distances_over_features_and_pairs(spatial: torch.Tensor) -> None:
    means = centroids(spatial, GROUPS)
    apart = sum(np.linalg.norm(a[d] - b[d]) for a, b in combinations(means.double().numpy(), 2) for d in range(2))
    assert covariance_alignment(means).item() == pytest.approx(math.log(1 + apart), abs=1e-5)


def test_alignment_is_nothing_where_all_are_identical_and_there_alone() -> None:
    same = torch.ones(3, 2, 4, 4, requires_grad=True)
    loss = covariance_alignment(same)
    loss.backward()
    assert loss.item() == pytest.approx(0, abs=1e-4)
    assert same.grad is not None
    assert not same.grad.any()
    one_apart = same.detach().clone()
    one_apart[0, 0, 0, 1] += 0.01
    assert covariance_alignment(one_apart).item() > 0.01

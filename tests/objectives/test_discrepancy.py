"""Discrepancies: against plain loops, about zero for one distribution, above zero and shrinkable under shift."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from insula.errors import DataError
from insula.objectives.discrepancy import central_moment_discrepancy, multi_kernel_mmd


def _samples(n: int, m: int, shift: float = 0.0, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    first = torch.randn(n, 6, generator=generator, dtype=torch.float64)
    return first, torch.randn(m, 6, generator=generator, dtype=torch.float64) + shift


def _mmd_by_loops(source: np.ndarray, target: np.ndarray) -> float:
    both = np.concatenate([source, target])
    pairs = [(i, j) for i in range(len(both)) for j in range(len(both)) if i != j]
    typical = sum(float(((both[i] - both[j]) ** 2).sum()) for i, j in pairs) / len(pairs)

    def kernel(a: np.ndarray, b: np.ndarray) -> float:
        apart = float(((a - b) ** 2).sum())
        return sum(math.exp(-apart / (2 * 2.0**u * typical)) for u in (-3, -2, -1, 0, 1))

    n, m = len(source), len(target)
    found = sum(kernel(source[i], source[j]) for i in range(n) for j in range(n) if i != j) / (n * (n - 1))
    found += sum(kernel(target[i], target[j]) for i in range(m) for j in range(m) if i != j) / (m * (m - 1))
    return found - 2 * sum(kernel(a, b) for a in source for b in target) / (n * m)


@pytest.mark.parametrize(("n", "m"), [(8, 8), (9, 5)])
def test_mmd_is_the_sum_of_the_formula(n: int, m: int) -> None:
    source, target = _samples(n, m, shift=0.5)
    assert float(multi_kernel_mmd(source, target)) == pytest.approx(_mmd_by_loops(source.numpy(), target.numpy()))


def test_mmd_is_unbiased_at_zero_and_grows_with_the_shift() -> None:
    same = np.array([float(multi_kernel_mmd(*_samples(32, 32, seed=seed))) for seed in range(200)])
    assert abs(same.mean()) < 3 * same.std() / math.sqrt(len(same))
    assert same.min() < 0, "an unbiased estimate of zero lies below it half the time"
    shifted = [float(multi_kernel_mmd(*_samples(32, 32, shift))) for shift in (0.0, 0.5, 1.0, 2.0)]
    assert shifted == sorted(shifted) and shifted[-1] > 10 * same.std()


def test_mmd_of_identical_rows_is_finite_and_its_gradient_brings_samples_together() -> None:
    ones = torch.ones(4, 3, requires_grad=True)
    multi_kernel_mmd(ones, torch.ones(4, 3)).backward()
    assert ones.grad is not None and torch.isfinite(ones.grad).all()
    source, target = _samples(24, 24, shift=1.0)
    moved = target.clone().requires_grad_()
    before = float(multi_kernel_mmd(source, target))
    optimiser = torch.optim.SGD([moved], lr=2.0)
    for _ in range(50):
        optimiser.zero_grad()
        multi_kernel_mmd(source, moved).backward()
        optimiser.step()
    assert float(multi_kernel_mmd(source, moved.detach())) < 0.2 * before


def test_mmd_of_a_single_row_is_refused() -> None:
    with pytest.raises(DataError, match="two rows of each"):
        multi_kernel_mmd(torch.zeros(1, 3), torch.zeros(4, 3))


def _cmd_by_loops(source: np.ndarray, target: np.ndarray) -> float:
    total = math.sqrt(sum((source[:, d].mean() - target[:, d].mean()) ** 2 for d in range(source.shape[1])))
    for moment in (2, 3, 4, 5):
        apart = []
        for d in range(source.shape[1]):
            of_source = sum((x - source[:, d].mean()) ** moment for x in source[:, d]) / len(source)
            of_target = sum((x - target[:, d].mean()) ** moment for x in target[:, d]) / len(target)
            apart.append(of_source - of_target)
        total += math.sqrt(sum(value**2 for value in apart))
    return total


def test_cmd_is_the_sum_of_the_formula() -> None:
    source, target = (torch.sigmoid(rows) for rows in _samples(9, 6, shift=0.5))
    expected = _cmd_by_loops(source.numpy(), target.numpy())
    assert float(central_moment_discrepancy(source, target)) == pytest.approx(expected)


def test_cmd_sees_moments_and_not_pairs() -> None:
    rows = torch.sigmoid(_samples(10, 2)[0])
    assert float(central_moment_discrepancy(rows, rows.flip(0))) == pytest.approx(0, abs=1e-9)
    wide = 0.5 + 1.5 * (rows - rows.mean(dim=0))
    narrow = 0.5 + (rows - rows.mean(dim=0))
    assert float(central_moment_discrepancy(narrow, wide)) > 0.01, "the same means, another spread"
    assert float(central_moment_discrepancy(narrow, wide, moments=1)) == pytest.approx(0, abs=1e-9)


def test_the_gradient_of_cmd_is_finite_where_samples_agree() -> None:
    rows = torch.sigmoid(_samples(10, 2)[0]).requires_grad_()
    central_moment_discrepancy(rows, rows.detach()).backward()
    assert rows.grad is not None and torch.isfinite(rows.grad).all()

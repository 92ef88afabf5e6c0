"""What the two kinds of features of CRPN hold: dependence against its formula, probes, and tables over fits."""

from __future__ import annotations

import numpy as np
import pytest

from insula.systems.crpn.measure import dependence, facts_table, halves, parts_table


def naive_dependence(first: np.ndarray, second: np.ndarray) -> float:
    n = len(first)
    centre = np.eye(n) - np.ones((n, n)) / n
    kernels = []
    for rows in (first, second):
        apart = ((rows[:, None] - rows[None]) ** 2).sum(axis=2)
        kernels.append(centre @ np.exp(-apart / np.median(apart[np.triu_indices(n, 1)])) @ centre)
    one, two = kernels
    return float(np.trace(one @ two) / np.sqrt(np.trace(one @ one) * np.trace(two @ two)))


def test_dependence_is_the_independence_criterion_with_its_centring_matrix() -> None:
    rng = np.random.default_rng(0)
    first = rng.standard_normal((60, 3))
    for second in (rng.standard_normal((60, 2)), first[:, :1] ** 2):
        assert dependence(first, second) == pytest.approx(naive_dependence(first, second), rel=1e-6)
    assert dependence(first, first[:, :1] ** 2) > dependence(first, rng.standard_normal((60, 2)))


def test_halves_find_what_is_there_and_leave_out_who_is_alone() -> None:
    rng = np.random.default_rng(0)
    names = np.array(["a", "b"] * 20 + ["alone", None], object)
    there = np.r_[np.tile([-1.0, 1.0], 20), 0, 0][:, None] + 0.1 * rng.standard_normal((42, 3))
    assert halves(there, names) == 1
    assert halves(rng.standard_normal((42, 3)), names) < 0.8


def test_tables_average_over_fits() -> None:
    assert facts_table([{"x": 1.0, "y": 2.0}, {"x": 3.0}]).loc["y"].tolist() == [2, 2, 2, 1]
    fit = {"confidence": [0.1, 0.9, 0.5, 0.7], "right": [0, 1, 0, 1]}
    assert parts_table([fit, fit])["accuracy"].tolist() == [0, 0, 1, 1]

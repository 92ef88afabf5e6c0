"""The assignment against scipy's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import linear_sum_assignment

from insula.faces.assignment import assign

SHAPES = st.tuples(st.integers(0, 7), st.integers(0, 7))


@given(SHAPES.flatmap(lambda shape: arrays(float, shape, elements=st.floats(-5, 5, width=16))))
def test_it_costs_what_scipys_costs_and_nobody_is_in_two_pairs(cost: np.ndarray) -> None:
    pairs = assign(cost)
    assert len(pairs) == min(cost.shape)
    assert len(set(pairs[:, 0])) == len(set(pairs[:, 1])) == len(pairs)
    assert cost[*pairs.T].sum() == pytest.approx(cost[linear_sum_assignment(cost)].sum(), abs=1e-9)


@pytest.mark.parametrize("shape", [(40, 40), (30, 60), (60, 30)])
def test_many_are_assigned_as_scipy_does(shape: tuple[int, int]) -> None:
    cost = np.random.default_rng(0).uniform(size=shape)
    rows, columns = linear_sum_assignment(cost)
    assert assign(cost).tolist() == np.column_stack([rows, columns]).tolist()

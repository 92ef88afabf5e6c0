"""Metrics: edges that a user meets."""

from __future__ import annotations

import numpy as np
import pytest

from insula.evaluation.metrics import calibration_error, classification_metrics, reliability


def test_an_absent_class_counts_in_no_mean():
    truth = np.array(["a", "a", "b", "b"])
    said = classification_metrics(truth, np.array(["a", "a", "b", "a"]), np.full((4, 3), 1 / 3), ("a", "b", "c"))
    assert said["balanced_accuracy"] == pytest.approx(0.75)
    assert said["macro_f1"] == pytest.approx((0.8 + 2 / 3) / 2)
    assert np.isnan(said["recall_c"])


def test_uncertainty_where_given_else_one_minus_the_probability():
    truth, predicted = np.array(["a", "a", "b", "b"]), np.array(["a", "b", "b", "b"])
    table = np.array([[0.6, 0.4], [0.1, 0.9], [0.3, 0.7], [0.2, 0.8]])
    own = np.array([0.1, 0.9, 0.2, 0.3])
    assert classification_metrics(truth, predicted, table, ("a", "b"))["auroc_error"] == 0
    assert classification_metrics(truth, predicted, table, ("a", "b"), uncertainty=own)["auroc_error"] == 1
    missing = np.full(4, np.nan)
    assert classification_metrics(truth, predicted, table, ("a", "b"), uncertainty=missing)["auroc_error"] == 0


def test_certainty_in_the_wrong_class_costs_a_finite_loss():
    said = classification_metrics(np.array(["a"]), np.array(["b"]), np.array([[0.0, 1.0]]), ("a", "b"))
    assert 30 < said["log_loss"] < 40
    assert np.isnan(said["auroc_error"])


def test_weights_make_repeats_of_a_unit_count_once():
    truth, predicted = np.array(["a", "b", "b", "b"]), np.array(["a", "a", "a", "a"])
    weights = np.array([1, 1 / 3, 1 / 3, 1 / 3])
    said = classification_metrics(truth, predicted, np.tile([0.8, 0.2], (4, 1)), ("a", "b"), weights=weights)
    assert said["accuracy"] == pytest.approx(0.5)
    assert said["ece"] == pytest.approx(0.3)


def test_a_perfectly_calibrated_coin():
    curve = reliability(np.full(10, 0.5), np.arange(10) % 2 == 0, np.ones(10))
    assert calibration_error(curve) == 0

"""Metrics against an independent library: torchmetrics where scikit-learn computes, and formulas by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import softmax

from insula.evaluation.metrics import brier, classification_metrics, confusion, rejection, rejection_area

CLASSES = ("anger", "fear", "happiness", "neutral")


@pytest.fixture(scope="module")
def drawn():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 4, 500)
    table = softmax(rng.standard_normal((500, 4)) + 1.2 * np.eye(4)[truth], axis=1)
    names = np.array(CLASSES)
    said = classification_metrics(names[truth], names[table.argmax(1)], table, CLASSES)
    return truth, table, said


def test_classification_against_torchmetrics(drawn):
    import torch
    from torchmetrics.functional import classification as reference

    truth, table, said = drawn
    target, probabilities = torch.tensor(truth), torch.tensor(table)
    options = {"num_classes": 4}
    expected = {
        "accuracy": reference.multiclass_accuracy(probabilities, target, average="micro", **options),
        "balanced_accuracy": reference.multiclass_accuracy(probabilities, target, average="macro", **options),
        "macro_f1": reference.multiclass_f1_score(probabilities, target, average="macro", **options),
        "kappa": reference.multiclass_cohen_kappa(probabilities, target, **options),
        "ece": reference.multiclass_calibration_error(probabilities, target, n_bins=15, norm="l1", **options),
        "log_loss": torch.nn.functional.nll_loss(probabilities.log(), target),
        "auroc_error": reference.binary_auroc(
            1 - probabilities.max(1).values, (probabilities.argmax(1) != target).int()
        ),
    }
    for name, value in expected.items():
        assert said[name] == pytest.approx(float(value), abs=1e-6), name
    recall = reference.multiclass_recall(probabilities, target, average="none", **options)
    assert [said[f"recall_{name}"] for name in CLASSES] == pytest.approx(recall.tolist())


def test_log_loss_and_brier_against_scikit_learn(drawn):
    from sklearn.metrics import brier_score_loss, log_loss

    truth, table, said = drawn
    assert said["log_loss"] == pytest.approx(log_loss(truth, table))
    binary = np.column_stack([1 - table[:, 0], table[:, 0]])
    expected = 2 * brier_score_loss(truth == 0, table[:, 0])  # both classes count, each with the same square
    assert brier((truth == 0).astype(int), binary, np.ones(500)) == pytest.approx(expected)


def test_weights_are_repetitions(drawn):
    truth, table, _ = drawn
    names, weights = np.array(CLASSES), np.random.default_rng(1).integers(1, 4, 500)
    weighted = classification_metrics(
        names[truth], names[table.argmax(1)], table, CLASSES, weights=weights.astype(float)
    )
    again = np.repeat(np.arange(500), weights)
    repeated = classification_metrics(names[truth[again]], names[table[again].argmax(1)], table[again], CLASSES)
    for name, value in repeated.items():
        steps = 0.01 if name.startswith("aurc") else 1e-6  # a sum over rows: more of them are finer steps
        assert weighted[name] == pytest.approx(value, rel=steps), name


def test_confusion_by_hand():
    table = confusion(np.array(["a", "a", "b"]), np.array(["b", "a", "b"]), ("a", "b"), np.array([1.0, 2.0, 0.5]))
    np.testing.assert_allclose(table, [[2, 1], [0, 0.5]])


def test_the_area_under_rejection_against_scores_of_every_share(drawn):
    from sklearn.metrics import accuracy_score

    truth, table, said = drawn
    right, unsure = table.argmax(1) == truth, 1 - table.max(1)
    order = np.argsort(unsure)
    kept = [accuracy_score(truth[order[:k]], table[order[:k]].argmax(1)) for k in range(1, 501)]
    curve = rejection(right, unsure, np.ones(500))
    assert curve["accuracy"].tolist() == pytest.approx(kept)
    assert said["aurc"] == rejection_area(curve) == pytest.approx(1 - np.mean(kept))
    wrong = np.arange(1, 501) - right.sum()
    assert said["aurc_best"] == pytest.approx(np.mean(np.maximum(wrong, 0) / np.arange(1, 501)))
    assert rejection_area(rejection(right, np.zeros(500), np.ones(500))) == pytest.approx(1 - right.mean())

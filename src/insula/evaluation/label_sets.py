"""Two ways to score classes that a test set lacks: all classes may be answered, or those alone that are there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from insula.evaluation.results import Results


def label_set_metrics(
    truth: np.ndarray, probabilities: np.ndarray, classes: Sequence[str], weights: np.ndarray | None = None
) -> dict[str, dict[str, Any]]:
    """Return accuracy, macro-F1 and balanced accuracy over all classes of a task, and over those present.

    With all classes an absent one counts nothing in the macro-F1, and answering it is an error; with those present it
    cannot be answered. Where no class is absent the two are the same.

    Parameters
    ----------
    truth : array of str, shape (n,)
        True classes.
    probabilities : array, shape (n, classes)
        In the order of `classes`.
    classes : sequence of str
        All classes of the task.
    weights : array, shape (n,), optional
        Of each row.

    Returns
    -------
    dict
        `8way` (of eight classes) and `present_only`, each with `acc`, `macro_f1` and `bacc` (mean recall over the
        classes present); `present_only` also has `present_idx` and `present_names`.

    Examples
    --------
    >>> said = label_set_metrics(np.array(["a", "b"]), np.array([[0.2, 0.3, 0.5], [0.1, 0.9, 0.0]]), ("a", "b", "c"))
    >>> said["3way"]["acc"], said["present_only"]["acc"], said["present_only"]["present_names"]
    (0.5, 0.5, ['a', 'b'])
    >>> round(said["3way"]["macro_f1"], 3), round(said["present_only"]["macro_f1"], 3)
    (0.333, 0.333)
    """
    present = [place for place, name in enumerate(classes) if (truth == name).any()]
    masked = np.full_like(probabilities, -1.0)
    masked[:, present] = probabilities[:, present]
    names = np.asarray(classes, object)
    return {
        f"{len(classes)}way": _scores(truth, names[probabilities.argmax(axis=1)], list(classes), weights),
        "present_only": {
            **_scores(truth, names[masked.argmax(axis=1)], [classes[place] for place in present], weights),
            "present_idx": present,
            "present_names": [classes[place] for place in present],
        },
    }


def _scores(truth: np.ndarray, said: np.ndarray, classes: list[str], weights: np.ndarray | None) -> dict[str, float]:
    from sklearn.metrics import f1_score, recall_score

    there = [name for name in classes if (truth == name).any()]
    options = {"average": "macro", "sample_weight": weights, "zero_division": 0}
    return {
        "acc": float(np.average(truth == said, weights=weights)),
        "macro_f1": float(f1_score(truth, said, labels=classes, **options)),
        "bacc": float(recall_score(truth, said, labels=there, **options)),
    }


def label_sets(results: Results) -> dict[str, Any]:
    """Return `label_set_metrics` of every arm of a run, JSON-like, with what they are of."""
    arms = {}
    for arm in results.arms:
        rows = results.rows(arm.name)
        said = rows[[f"p_{name}" for name in results.classes]].to_numpy(float)
        found = label_set_metrics(rows["truth"].to_numpy(object), said, results.classes, rows["weight"].to_numpy())
        arms[arm.name] = {"title": arm.title, **found}
    units = len(results.rows(results.headline)[["study", "unit"]].drop_duplicates())
    return {"n": units, "classes": list(results.classes), **known_of(results), "arms": arms}


def known_of(results: Results) -> dict[str, Any]:
    """Return what figures are of: the parts of the passport that stand in `metrics.json`."""
    told = ("task", "seeds", "data", "splits", "recipe")
    return {key: results.passport[key] for key in told if key in results.passport}

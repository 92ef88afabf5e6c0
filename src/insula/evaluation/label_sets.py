"""Two ways to score classes that a test set lacks: all classes may be answered, or those alone that are there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from insula.evaluation.metrics import places_of
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
    >>> scores = label_set_metrics(np.array(["a", "b"]), np.array([[0.2, 0.3, 0.5], [0.1, 0.9, 0.0]]), ("a", "b", "c"))
    >>> scores["3way"]["acc"], scores["present_only"]["acc"], scores["present_only"]["present_names"]
    (0.5, 0.5, ['a', 'b'])
    >>> round(scores["3way"]["macro_f1"], 3), round(scores["present_only"]["macro_f1"], 3)
    (0.333, 0.333)
    """
    places = places_of(truth, classes)
    present = [place for place in range(len(classes)) if (places == place).any()]
    masked = np.full_like(probabilities, -1.0)
    masked[:, present] = probabilities[:, present]
    return {
        f"{len(classes)}way": _scores(places, probabilities.argmax(axis=1), range(len(classes)), present, weights),
        "present_only": {
            **_scores(places, masked.argmax(axis=1), present, present, weights),
            "present_idx": present,
            "present_names": [classes[place] for place in present],
        },
    }


def _scores(
    truth: np.ndarray, predicted: np.ndarray, classes: Sequence[int], present: list[int], weights: np.ndarray | None
) -> dict[str, float]:
    from sklearn.metrics import f1_score, recall_score

    options = {"average": "macro", "sample_weight": weights, "zero_division": 0}
    return {
        "acc": float(np.average(truth == predicted, weights=weights)),
        "macro_f1": float(f1_score(truth, predicted, labels=classes, **options)),
        "bacc": float(recall_score(truth, predicted, labels=present, **options)),
    }


def label_sets(results: Results) -> dict[str, Any]:
    """Return `label_set_metrics` of every arm of a run, JSON-like, with what they are of.

    Where several corpora were tested, `corpora` has `n` and `arms` of each: classes are present in a corpus, or not.
    """
    by_corpus = {name: _scored(results, name) for name in tested_corpora(results)}
    corpora = {"corpora": by_corpus} if by_corpus else {}
    return {**_scored(results), "classes": list(results.classes), **record_of(results), **corpora}


def label_set_table(results: Results, scores: Mapping[str, Any]) -> pd.DataFrame:
    """Return the same of the system's arms as a table, where it says more than the figures of a run do.

    Parameters
    ----------
    results : Results
        A whole experiment.
    scores : mapping
        Its `label_sets`.

    Returns
    -------
    DataFrame
        One row a tested corpus and arm: `corpus` (empty where there is one), `title`, `n`, `acc, macro_f1, bacc` over
        all classes, `present_acc, present_macro_f1, present_bacc` over those present, and `absent`, the other classes.
        It is empty where one corpus alone was tested and has all classes.
    """
    corpora = scores.get("corpora", {"": scores})
    rows = []
    for corpus, part in corpora.items():
        for arm in (arm for arm in results.arms if arm.kind == "system" and arm.name in part["arms"]):
            free, bound = part["arms"][arm.name][f"{len(results.classes)}way"], part["arms"][arm.name]["present_only"]
            absent = [name for name in results.classes if name not in bound["present_names"]]
            present = {f"present_{name}": bound[name] for name in free}
            rows.append({"corpus": corpus, "title": arm.title, "n": part["n"], **free, **present, "absent": absent})
    table = pd.DataFrame(rows)
    return table if len(corpora) > 1 or table["absent"].str.len().any() else table[:0]


def tested_corpora(results: Results) -> list[str]:
    """Return the corpora that were tested, none where there is one."""
    rows = results.predictions
    names = sorted(rows["corpus"].dropna().unique()) if "corpus" in rows else []
    return names if len(names) > 1 else []


def _scored(results: Results, corpus: str | None = None) -> dict[str, Any]:
    """Return the number of units, of one corpus or of all, and `label_set_metrics` of every arm."""
    by_arm = {arm.name: results.rows(arm.name) for arm in results.arms}
    if corpus is not None:
        by_arm = {name: rows[rows["corpus"] == corpus] for name, rows in by_arm.items()}
    arms = {}
    for name, rows in by_arm.items():
        if len(rows):  # an arm that reads what this corpus does not have says nothing of it
            probabilities = rows[[f"p_{one}" for one in results.classes]].to_numpy(float)
            truth, weights = rows["truth"].to_numpy(object), rows["weight"].to_numpy()
            scores = label_set_metrics(truth, probabilities, results.classes, weights)
            arms[name] = {"title": results.arm(name).title, **scores}
    return {"n": len(by_arm[results.headline][["study", "unit"]].drop_duplicates()), "arms": arms}


def record_of(results: Results) -> dict[str, Any]:
    """Return what figures are of: the parts of the passport that stand in `metrics.json`."""
    parts = ("task", "seeds", "data", "splits", "recipe")
    return {key: results.passport[key] for key in parts if key in results.passport}

"""What the two kinds of features hold, and whether confidence means anything: numbers beside the maps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

_COMPARED = 1000  # pictures at most in measures of all pairs
_PARTS = 10

FACTS, PARTS = "What confidence and features hold", "Accuracy by confidence"
"""Titles of the tables."""


def dependence(first: np.ndarray, second: np.ndarray) -> float:
    """Return how far two sets of features of the same samples depend on each other, from 0 to 1.

    The Hilbert-Schmidt independence criterion under Gaussian kernels, as wide as the median distance, over the
    geometric mean of that of each with itself. The estimate is biased: independent features of few samples reach more
    than 0.

    Parameters
    ----------
    first, second : array, shapes (n, d) and (n, e)
        Features.

    References
    ----------
    Gretton, Bousquet, Smola, Schoelkopf, "Measuring statistical dependence with Hilbert-Schmidt norms", ALT 2005.

    Examples
    --------
    >>> rows = np.arange(6.0)[:, None]
    >>> round(dependence(rows, 3 * rows), 6)
    1.0
    """
    one, two = _centred_kernel(first), _centred_kernel(second)
    scale = np.sqrt((one * one).sum() * (two * two).sum())
    return float((one * two).sum() / scale) if scale > 0 else 0.0


def _centred_kernel(rows: np.ndarray) -> np.ndarray:
    from scipy.spatial.distance import pdist, squareform

    apart = pdist(rows.astype(float), "sqeuclidean")
    typical = np.median(apart) or 1.0
    kernel = np.exp(-squareform(apart) / typical)
    return kernel - kernel.mean(axis=0) - kernel.mean(axis=1, keepdims=True) + kernel.mean()


def probe(features: np.ndarray, labels: np.ndarray, held: np.ndarray, held_labels: np.ndarray) -> float:
    """Return how often a linear classifier of features is right on samples held out; NaN where there is nothing to say.

    Parameters
    ----------
    features, held : array, shapes (n, d) and (m, d)
        Of the samples that it learns from, and of those held out.
    labels, held_labels : array, shapes (n,) and (m,)
        What it is to tell.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    if not len(held) or len(np.unique(labels)) < 2:
        return float("nan")
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=500))
    return float(model.fit(features, labels).score(held, held_labels))


def halves(features: np.ndarray, labels: np.ndarray) -> float:
    """Return how often a linear classifier is right that learns from one half of the samples and is held to the other.

    Every other sample of each label is in the first half; labels of one sample alone are left out.
    """
    labels = np.asarray(labels, object)
    table = pd.DataFrame({"label": labels})
    place = table.groupby("label").cumcount().to_numpy()
    kept = table.groupby("label")["label"].transform("size").fillna(0).to_numpy() > 1
    first, second = kept & (place % 2 == 0), kept & (place % 2 == 1)
    return probe(features[first], labels[first].astype(str), features[second], labels[second].astype(str))


def silhouette(features: np.ndarray, labels: np.ndarray) -> float:
    """Return the mean silhouette of features by label; NaN with less than two labels, or only single ones."""
    from sklearn.metrics import silhouette_score

    codes, names = pd.factorize(np.asarray(labels, object))
    labelled = codes >= 0
    if not 1 < len(names) < labelled.sum():
        return float("nan")
    return float(silhouette_score(features[labelled], codes[labelled]))


def spread(count: int) -> np.ndarray:
    """Return the places of the pictures, spread over `count`, that measures of all pairs compare."""
    return np.linspace(0, count - 1, min(count, _COMPARED)).astype(int)


def held_out_facts(
    sure: Mapping[str, np.ndarray], spaces: Mapping[str, np.ndarray], columns: pd.DataFrame
) -> dict[str, float]:
    """Return what is known of test pictures without their labels, by the name of each figure.

    Parameters
    ----------
    sure : mapping of str to array, shape (n,)
        How sure one is of each picture: the teacher's `confidence`, and what else it is compared with.
    spaces : mapping of str to array, shape (n, d)
        Features: `emotion`, `non-emotion`, and others.
    columns : DataFrame, n rows
        `identity`, and `ambiguity` or `style` where the corpus is simulated or stylised.
    """
    from scipy.stats import spearmanr

    some = spread(len(columns))
    spaces, columns = {name: values[some] for name, values in spaces.items()}, columns.iloc[some]
    facts: dict[str, float] = {}
    if "ambiguity" in columns:
        for name, values in sure.items():
            if np.ptp(values[some]) == 0:  # a teacher without confidence says 1 of every picture
                continue
            facts[f"{name} against ambiguity: Spearman"] = spearmanr(values[some], columns["ambiguity"]).statistic
    facts["emotion and non-emotion features: dependence (HSIC)"] = dependence(spaces["emotion"], spaces["non-emotion"])
    for label in ("identity", "style"):
        names = columns[label].to_numpy(object) if label in columns else np.array([None])
        if len(pd.unique(names[pd.notna(names)])) < 2:
            continue
        facts[f"{label}: share of the largest group"] = float(pd.Series(names).value_counts(normalize=True).iloc[0])
        for space, values in spaces.items():
            facts[f"{label} from {space} features: linear probe"] = halves(values, names)
            facts[f"{label} in {space} features: silhouette"] = silhouette(values, names)
    return facts


def validation_facts(
    spaces: Mapping[str, np.ndarray],
    labels: np.ndarray,
    held_spaces: Mapping[str, np.ndarray],
    held_labels: np.ndarray,
    label: str = "emotion",
) -> dict[str, float]:
    """Return how much of a label each kind of features holds, on validation pictures.

    Parameters
    ----------
    spaces, held_spaces : mapping of str to array, shapes (n, d) and (m, d)
        Features of training and validation pictures.
    labels, held_labels : array, shapes (n,) and (m,)
        Their labels, as given.
    label : str
        What figures call it.
    """
    facts = {f"{label}: share of the largest group": float(pd.Series(held_labels).value_counts(normalize=True).iloc[0])}
    for space, values in spaces.items():
        held = held_spaces[space]
        facts[f"{label} from {space} features: linear probe"] = probe(values, labels, held, held_labels)
        facts[f"{label} in {space} features: silhouette"] = silhouette(held, held_labels)
    return facts


def facts_table(fits: Sequence[Mapping[str, float]]) -> pd.DataFrame:
    """Return one row a figure: its mean, lowest and highest over fits, and how many fits there were.

    Examples
    --------
    >>> facts_table([{"a": 0.25}, {"a": 0.75}]).loc["a"].tolist()
    [0.5, 0.25, 0.75, 2.0]
    """
    table = pd.DataFrame(list(fits)).agg(["mean", "min", "max", "count"]).T
    return table.set_axis(["mean", "lowest", "highest", "fits"], axis=1).rename_axis("figure")


def parts_table(fits: Iterable[Mapping[str, Sequence[float]]]) -> pd.DataFrame:
    """Return accuracy by confidence, over the validation pictures of all fits: ten parts of each fit, least sure first.

    Parameters
    ----------
    fits : iterable of dict
        `confidence` and `right` (whether the teacher agrees with the label as given) of each validation picture.

    Examples
    --------
    >>> parts_table([{"confidence": [0.9, 0.1], "right": [1, 0]}])["accuracy"].tolist()
    [0.0, 1.0]
    """
    rows = []
    for fit in fits:
        confidence = pd.Series(fit["confidence"], dtype=float)
        part = np.ceil(confidence.rank(method="first", pct=True) * min(_PARTS, len(confidence))).astype(int)
        rows.append(pd.DataFrame({"part": part, "confidence": confidence, "right": fit["right"]}))
    groups = pd.concat(rows).groupby("part")
    return pd.DataFrame(
        {"pictures": groups.size(), "confidence": groups["confidence"].mean(), "accuracy": groups["right"].mean()}
    )


def tables(facts: Iterable[Mapping[str, Any]]) -> dict[str, pd.DataFrame]:
    """Return the tables of the report from the facts of many fits; none where no teacher was at hand."""
    facts = [fact for fact in facts if "teacher" in fact]
    numbers = [{**fact.get("validation", {}), **(fact.get("held_out") or {})} for fact in facts]
    parts = [fact["parts"] for fact in facts if fact.get("parts")]
    table = {FACTS: facts_table(numbers)} if any(numbers) else {}
    return {**table, **({PARTS: parts_table(parts)} if parts else {})}

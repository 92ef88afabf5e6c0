"""How far annotators agree, and one label an item from what several said."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from statistics import NormalDist
from typing import Literal

import numpy as np
import pandas as pd

from insula.errors import DataError
from insula.labelling.question import Question

_RESAMPLES = 2000


@dataclass(frozen=True)
class Agreement:
    """How far annotators agree.

    Parameters
    ----------
    alpha, low, high : float
        Krippendorff's alpha of all annotators and its 95 % interval (bootstrap over items): 1 where all agree, 0 by
        chance; nominal for classes, interval for ratings. NaN where nobody said anything different, or nothing twice.
    items, annotators : int
        Items that two or more answered, and who answered any.
    pairs : DataFrame
        A line a pair of annotators: `first`, `second`, `items` that both answered, `same` (the share of equal answers);
        for classes `kappa` (Cohen's) with its 95 % interval `low` and `high` (NaN for one item), for ratings
        `difference` (mean absolute).
    classes : DataFrame
        A line a class: `class`, `answers` (given to items that two or more answered), `agreement` (the share of its
        answers that another annotator's answer to the item matches, averaged over these), and `alpha` of the class
        against the rest. Empty for ratings.
    """

    alpha: float
    low: float
    high: float
    items: int
    annotators: int
    pairs: pd.DataFrame
    classes: pd.DataFrame


def agreement(answered: pd.DataFrame, question: Question, seed: int = 0) -> Agreement:
    """Return how far annotators agree on the items that several answered.

    Parameters
    ----------
    answered : DataFrame
        As `Ledger.answered` returns it.
    question : Question
        What they were asked.
    seed : int
        Of the bootstrap.

    Raises
    ------
    DataError
        Where no two annotators answered one item.

    References
    ----------
    Krippendorff (2011), Computing Krippendorff's alpha-reliability. Cohen (1960), A coefficient of agreement for
    nominal scales; its interval is the asymptotic one of Fleiss, Cohen and Everitt (1969).
    """
    wide = answered.pivot_table(index="item", columns="annotator", values="answer", aggfunc="first")
    if question.scale is not None:
        wide = wide.astype(float)
    wide = wide[wide.notna().sum(axis=1) >= 2]
    if wide.empty:
        raise DataError("no item was answered by two annotators", do="ask everyone, or a second one for the same items")
    values, counts = _counts(wide, question)
    distance = _distance(values, question)
    alpha = float(_alpha(counts, distance, np.ones((1, len(counts))))[0])
    low, high = _interval(counts, distance, seed)
    who = answered["annotator"].nunique()
    return Agreement(alpha, low, high, len(wide), who, _pairs(wide, question), _classes(values, counts, question))


def _counts(wide: pd.DataFrame, question: Question) -> tuple[np.ndarray, np.ndarray]:
    """Return the different answers, and how often each item got each of them, int (items, answers)."""
    answered = wide.notna().to_numpy()
    values = np.asarray(question.classes, object) if question.classes else np.unique(wide.to_numpy()[answered])
    counts = np.stack([(wide == value).to_numpy().sum(axis=1) for value in values], axis=1)
    return values, counts


def _distance(values: np.ndarray, question: Question) -> np.ndarray:
    """Return how different two answers are, (answers, answers)."""
    if question.classes:
        return 1.0 - np.eye(len(values))
    return (values[:, None] - values[None, :]).astype(float) ** 2


def _alpha(counts: np.ndarray, distance: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return Krippendorff's alpha for each way to weigh the items, weights (draws, items)."""
    raters = counts.sum(axis=1)
    within = np.einsum("ic,cd,id->i", counts, distance, counts) / (raters - 1)
    totals = weights @ counts
    number = totals.sum(axis=1)
    between = np.einsum("bc,cd,bd->b", totals, distance, totals)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(between > 0, 1 - (number - 1) * (weights @ within) / between, np.nan)


def _interval(counts: np.ndarray, distance: np.ndarray, seed: int) -> tuple[float, float]:
    """Return the 95 % interval of alpha over resampled items; NaN where it is known for few of them."""
    items = len(counts)
    weights = np.random.default_rng(seed).multinomial(items, np.full(items, 1 / items), size=_RESAMPLES)
    drawn = _alpha(counts, distance, weights.astype(float))
    finite = drawn[np.isfinite(drawn)]
    if items < 2 or len(finite) < _RESAMPLES / 2:
        return float("nan"), float("nan")
    low, high = np.quantile(finite, [0.025, 0.975])
    return float(low), float(high)


def _pairs(wide: pd.DataFrame, question: Question) -> pd.DataFrame:
    rows = []
    for first, second in combinations(wide.columns, 2):
        both = wide[[first, second]].dropna()
        if both.empty:
            continue
        one, other = both[first], both[second]
        row = {"first": first, "second": second, "items": len(both), "same": float((one == other).mean())}
        if question.classes:
            rows.append(row | _kappa(one, other, question))
        else:
            rows.append(row | {"difference": float((one - other).abs().mean())})
    return pd.DataFrame(rows)


def _kappa(one: pd.Series, other: pd.Series, question: Question) -> dict[str, float]:
    """Return Cohen's kappa of two annotators and its 95 % interval, by the variance of Fleiss et al. (1969).

    NaN where both gave one and the same class throughout: kappa is not defined there.
    """
    codes = [pd.Index(question.classes).get_indexer(answers) for answers in (one, other)]
    size = len(question.classes)
    shares = np.bincount(codes[0] * size + codes[1], minlength=size * size).reshape(size, size) / len(one)
    rows, columns, same = shares.sum(axis=1), shares.sum(axis=0), np.diag(shares)
    chance = float(rows @ columns)
    if 1 - chance < 1e-12:
        return {"kappa": np.nan, "low": np.nan, "high": np.nan}
    kappa = float((same.sum() - chance) / (1 - chance))
    agreed = same @ (1 - (rows + columns) * (1 - kappa)) ** 2
    differed = ((shares - np.diag(same)) * np.add.outer(columns, rows) ** 2).sum() * (1 - kappa) ** 2
    variance = (agreed + differed - (kappa - chance * (1 - kappa)) ** 2) / (1 - chance) ** 2 / len(one)
    reach = NormalDist().inv_cdf(0.975) * float(np.sqrt(max(variance, 0.0)))
    low, high = (kappa - reach, min(kappa + reach, 1.0)) if len(one) > 1 else (np.nan, np.nan)
    return {"kappa": kappa, "low": low, "high": high}


def _classes(values: np.ndarray, counts: np.ndarray, question: Question) -> pd.DataFrame:
    if not question.classes:
        return pd.DataFrame(columns=["class", "answers", "agreement", "alpha"])
    raters = counts.sum(axis=1)
    rows = []
    for place, name in enumerate(values):
        named = counts[:, place]
        total = int(named.sum())
        matched = (named * (named - 1) / (raters - 1)).sum() / total if total else np.nan
        against = np.stack([named, raters - named], axis=1)
        alpha = float(_alpha(against, 1.0 - np.eye(2), np.ones((1, len(counts))))[0])
        rows.append({"class": name, "answers": total, "agreement": float(matched), "alpha": alpha})
    return pd.DataFrame(rows)


def merged(answered: pd.DataFrame, question: Question, how: Literal["one", "votes", "all"] = "one") -> pd.DataFrame:
    """Return labels from what annotators said.

    Parameters
    ----------
    answered : DataFrame
        As `Ledger.answered` returns it.
    question : Question
        What they were asked; its label names the columns.
    how : {"one", "votes", "all"}
        One label an item: the class that most named, missing where two classes tie, or the mean rating; or the votes
        for each class, in columns as the task `Votes` reads them; or every annotator's answer.

    Returns
    -------
    DataFrame
        With the column `item`. `one`: the label, `annotators` (how many answered) and `share` (how many of them said
        so). `votes`: `LABEL_CLASS` for each class. `all`: `annotator`, the label and `answered_at`.

    Raises
    ------
    DataError
        Where votes are wanted of ratings.

    Examples
    --------
    >>> said = pd.DataFrame([("i", "anna", "joy"), ("i", "ben", "joy"), ("k", "anna", "joy"), ("k", "ben", "fear")],
    ...                     columns=["item", "annotator", "answer"])
    >>> question = Question(label="emotion", classes=("fear", "joy"))
    >>> merged(said, question).values.tolist()
    [['i', 'joy', 2, 1.0], ['k', nan, 2, 0.5]]
    >>> merged(said, question, "votes")["emotion_joy"].tolist()
    [2, 1]
    """
    label = question.label
    if how == "all":
        return answered.rename(columns={"answer": label})
    if question.scale is not None:
        if how == "votes":
            raise DataError("ratings are no votes", do="merge to one label, or give all answers")
        ratings = answered.assign(answer=answered["answer"].astype(float)).groupby("item", sort=False)["answer"]
        means = ratings.agg(["mean", "size"]).reset_index()
        return means.rename(columns={"mean": label, "size": "annotators"})
    order = answered["item"].drop_duplicates()
    votes = pd.crosstab(answered["item"], answered["answer"]).reindex(index=order, columns=question.classes)
    votes = votes.fillna(0).astype(int)
    if how == "votes":
        return votes.add_prefix(f"{label}_").rename_axis(columns=None).reset_index()
    most, answers = votes.max(axis=1), votes.sum(axis=1)
    clear = votes.eq(most, axis=0).sum(axis=1) == 1
    one = votes.idxmax(axis=1).where(clear) if len(votes) else pd.Series(dtype=object)
    return pd.DataFrame({label: one, "annotators": answers, "share": most / answers}).rename_axis("item").reset_index()

"""What student and teacher are to say of a row: a class, or a rating, whose parts stand for classes."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, Self

import numpy as np
import pandas as pd

from insula.emotions import Continuous, LabelTask
from insula.errors import DataError

_PARTS = 3  # of a rating, equally common in training


@dataclass(frozen=True)
class TaskHead:
    """A task, and what its training labels are like.

    Ratings are learnt in standard deviations from the mean of the training ratings. Prototypes and evidence need
    classes: for ratings these are three equally common parts.

    Parameters
    ----------
    task : LabelTask or Continuous
        The task.
    shares : tuple of float
        Of the training classes, or parts; 0 for one that no training row has.
    edges : tuple of float
        Between the parts, in standard deviations; empty for classes.
    mean, deviation : float
        Of the training ratings on [-1, 1].
    """

    task: LabelTask | Continuous
    shares: tuple[float, ...]
    edges: tuple[float, ...] = ()
    mean: float = 0.0
    deviation: float = 1.0

    @classmethod
    def of(cls, task: LabelTask | Continuous, table: pd.DataFrame) -> Self:
        """Return the task head that the labels of training rows set.

        Raises
        ------
        DataError
            Where there are fewer than two classes, or ratings do not differ.
        """
        if isinstance(task, Continuous):
            ratings = task.targets(table)
            ratings = ratings[~np.isnan(ratings)]
            if not len(ratings) or np.ptp(ratings) == 0:
                what = f"{len(ratings)} training ratings that do not differ"
                raise DataError(what, where=task.label, do="give rows with ratings")
            mean, deviation = float(ratings.mean()), float(ratings.std())
            edges = np.quantile((ratings - mean) / deviation, np.arange(1, _PARTS) / _PARTS)
            start = cls(task, (1 / _PARTS,) * _PARTS, tuple(edges.tolist()), mean, deviation)
        else:
            start = cls(task, (1 / len(task.classes),) * len(task.classes))
        codes = start.codes(start.values(table))
        counts = np.bincount(codes[codes >= 0], minlength=start.parts)
        if (counts > 0).sum() < 2:
            what = f"{(counts > 0).sum()} classes among {counts.sum()} labelled training rows"
            raise DataError(what, where=task.label, do="give labelled rows of at least two classes")
        return cls(task, tuple((counts / counts.sum()).tolist()), start.edges, start.mean, start.deviation)

    @property
    def kind(self) -> Literal["classes", "ratings"]:
        """What is said of a row."""
        return "ratings" if isinstance(self.task, Continuous) else "classes"

    @property
    def parts(self) -> int:
        """Number of classes, or of parts of the rating."""
        return len(self.shares)

    @property
    def outputs(self) -> int:
        """Numbers a head gives: logits, or one rating."""
        return self.parts if self.kind == "classes" else 1

    @property
    def figure(self) -> str:
        """Name of what `score` returns."""
        return "macro-F1" if self.kind == "classes" else "concordance"

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the classes, or parts."""
        return ("low", "medium", "high") if isinstance(self.task, Continuous) else tuple(self.task.classes)

    def values(self, table: pd.DataFrame) -> np.ndarray:
        """Return float32 (n,): class codes or standardised ratings, NaN where there is no label."""
        targets = self.task.targets(table).astype(float)
        if self.kind == "classes":
            return np.where(targets < 0, np.nan, targets).astype(np.float32)
        return ((targets - self.mean) / self.deviation).astype(np.float32)

    def codes(self, values: np.ndarray) -> np.ndarray:
        """Return int64 (n,): the class or part of what `values` returned, -1 where there is none."""
        codes = values if self.kind == "classes" else np.searchsorted(self.edges, values, side="right")
        return np.where(np.isnan(values), -1, codes).astype(np.int64)

    def ratings(self, standardised: np.ndarray) -> np.ndarray:
        """Return standardised ratings in the label's own units."""
        assert isinstance(self.task, Continuous)
        return self.task.ratings(self.mean + self.deviation * standardised)

    def score(self, outputs: np.ndarray, values: np.ndarray) -> float:
        """Return how well outputs, (n, outputs), fit what `values` returned for the same rows, none missing.

        Macro-F1 over the classes that occur, or the concordance.
        """
        if self.kind == "classes":
            from sklearn.metrics import f1_score

            labels = np.unique(values)
            return float(f1_score(values, outputs.argmax(axis=1), labels=labels, average="macro", zero_division=0))
        import torch

        from insula.objectives.concordance import concordance

        predicted, rated = (torch.from_numpy(part.astype(np.float64))[:, None] for part in (outputs[:, 0], values))
        return float(concordance(predicted, rated)[0])

    def plain(self) -> dict[str, Any]:
        """Return everything but the task, as `TaskHead(task, **plain)` takes it."""
        return {name: list(value) if isinstance(value, tuple) else value
                for name, value in asdict(self).items() if name != "task"}  # fmt: skip

    @classmethod
    def read(cls, task: LabelTask | Continuous, plain: dict[str, Any]) -> Self:
        """Rebuild what `plain` returned."""
        return cls(task, tuple(plain["shares"]), tuple(plain["edges"]), plain["mean"], plain["deviation"])

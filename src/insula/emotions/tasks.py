"""Tasks: what is learnt.

A task says which label is learnt, in which classes or on which scale, and how ties are cut. It is part of a
result's identity: two figures under two tasks are never compared.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Annotated, Literal, Self

import numpy as np
import pandas as pd
from pydantic import Field, field_validator, model_validator

from insula.emotions.spaces import classes_of
from insula.errors import LabelError, printable
from insula.storage.settings import Settings


def _column(table: pd.DataFrame, name: str) -> pd.Series:
    if name not in table.columns:
        raise LabelError("missing label column", where=name, do=f"the table has {', '.join(map(str, table.columns))}")
    return table[name]


def _on_scale(table: pd.DataFrame, label: str, scale: tuple[float, float]) -> np.ndarray:
    """Return ratings, float64, NaN where missing; one off the scale is an error."""
    ratings = _column(table, label).to_numpy(float)
    outside = (ratings < scale[0]) | (ratings > scale[1])
    if outside.any():
        raise LabelError(
            f"rating {ratings[outside][0]:g} is off the scale {scale[0]:g} to {scale[1]:g}",
            where=f"column {label}, row {table.index[outside][0]}",
            do="correct the rating or the task's scale",
        )
    return ratings


class _Labelled(Settings):
    """What all tasks of one label share."""

    kind: str
    label: str

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns that hold the label."""
        return (self.label,)

    @abstractmethod
    def targets(self, table: pd.DataFrame) -> np.ndarray:
        """Return what is learnt of each row, (n, ...)."""

    def labelled(self, table: pd.DataFrame) -> np.ndarray:
        """Return bool (n,): which rows have a label."""
        targets = self.targets(table)
        return targets >= 0 if targets.dtype.kind == "i" else ~np.isnan(targets if targets.ndim == 1 else targets[:, 0])


class Categorical(_Labelled):
    """One of several named classes.

    Examples
    --------
    >>> task = Categorical(label="emotion", classes=("neutral", "happiness"))
    >>> task.targets(pd.DataFrame({"emotion": ["happiness", None, "neutral"]}))
    array([ 1, -1,  0])
    """

    kind: Literal["categorical"] = "categorical"
    classes: tuple[str, ...]

    @model_validator(mode="before")
    @classmethod
    def _name_of_space(cls, values: dict) -> dict:
        if isinstance(values.get("classes"), str):
            return {**values, "classes": classes_of(values["classes"])}
        return values

    @model_validator(mode="after")
    def _can_be_shown(self) -> Self:
        for name in (" ".join(name.split()) for name in self.classes):
            if printable(name) != name:
                raise LabelError(f"the class {name} has signs that no page can show", do="rename it")
        return self

    def targets(self, table: pd.DataFrame) -> np.ndarray:
        """Return int64 (n,): the class's place in `classes`, -1 where the label is missing."""
        labels = _column(table, self.label)
        codes = pd.Index(self.classes).get_indexer(labels)
        unknown = labels[(codes < 0) & labels.notna().to_numpy()]
        if len(unknown):
            raise LabelError(
                f"label {unknown.iloc[0]!r} is not a class of the task",
                where=f"column {self.label}, row {unknown.index[0]}",
                do=f"the classes are {', '.join(self.classes)}",
            )
        return codes.astype(np.int64)


class Binary(_Labelled):
    """A rating cut in two; `tie` says on which side a rating equal to the threshold falls.

    Examples
    --------
    >>> ratings = pd.DataFrame({"valence": [3.0, 5.0, 8.0]})
    >>> Binary(label="valence", threshold=5, tie="high").targets(ratings)
    array([0, 1, 1])
    >>> Binary(label="valence", threshold=5, tie="low").targets(ratings)
    array([0, 0, 1])
    """

    kind: Literal["binary"] = "binary"
    threshold: float
    tie: Literal["high", "low"]
    classes: tuple[str, str] = ("low", "high")

    def targets(self, table: pd.DataFrame) -> np.ndarray:
        """Return int64 (n,): 0 low, 1 high, -1 missing."""
        ratings = _column(table, self.label).to_numpy(float)
        high = ratings >= self.threshold if self.tie == "high" else ratings > self.threshold
        return np.where(np.isnan(ratings), -1, high).astype(np.int64)


class Ordinal(_Labelled):
    """The whole steps of a rating as ordered classes; fractions fall to the step below.

    Examples
    --------
    >>> task = Ordinal(label="valence", scale=(1, 5))
    >>> task.classes, task.targets(pd.DataFrame({"valence": [1.0, 4.9, None]})).tolist()
    (('1', '2', '3', '4', '5'), [0, 3, -1])
    """

    kind: Literal["ordinal"] = "ordinal"
    scale: tuple[int, int]

    @property
    def classes(self) -> tuple[str, ...]:
        """The steps, lowest first."""
        return tuple(str(step) for step in range(self.scale[0], self.scale[1] + 1))

    def targets(self, table: pd.DataFrame) -> np.ndarray:
        """Return int64 (n,): steps above the lowest, -1 missing."""
        ratings = _on_scale(table, self.label, self.scale)
        return np.where(np.isnan(ratings), -1, np.floor(ratings) - self.scale[0]).astype(np.int64)


class Cut(_Labelled):
    """A rating cut in several parts; a rating equal to an edge falls above it.

    The edges define the task: two corpora cut at different edges are two tasks. A recipe may leave them out; they are
    then the quantiles of all labels of the whole corpus, test part included, and stand in the passport. This settles
    what the classes mean, as naming them would; nothing is fitted to it.

    Parameters
    ----------
    label : str
        Column of the ratings.
    parts : int
        Number of classes.
    edges : tuple of float, optional
        Rising, one fewer than the parts, in the label's own units. A task without them cannot give targets.
    classes : tuple of str
        Names of the parts, lowest first.

    Examples
    --------
    >>> ratings = pd.DataFrame({"valence": [-0.2, 0.0, 0.04, 0.05, None]})
    >>> Cut(label="valence", edges=(0.0, 0.05)).targets(ratings)
    array([ 0,  1,  1,  2, -1])
    """

    kind: Literal["cut"] = "cut"
    parts: int = Field(default=3, ge=2)
    edges: tuple[float, ...] | None = None
    classes: tuple[str, ...] = ("low", "medium", "high")

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if len(self.classes) != self.parts:
            raise ValueError(f"{self.parts} parts need {self.parts} names, not {len(self.classes)}: set classes")
        if self.edges is not None and len(self.edges) != self.parts - 1:
            raise ValueError(f"{self.parts} parts have {self.parts - 1} edges, not {len(self.edges)}")
        if self.edges is not None and not (np.isfinite(self.edges).all() and (np.diff(self.edges) > 0).all()):
            raise ValueError("edges must rise")
        return self

    def at_quantiles(self, table: pd.DataFrame) -> Cut:
        """Return the task with edges at the quantiles of all ratings of a table, so that its parts are equally common.

        They are rounded to about a thousandth of the range of the ratings.

        Raises
        ------
        LabelError
            Where there are no ratings, or so many equal ones that a part would be empty.

        Examples
        --------
        >>> Cut(label="valence").at_quantiles(pd.DataFrame({"valence": np.linspace(-1, 1, 100)})).edges
        (-0.333, 0.333)
        """
        ratings = _column(table, self.label).dropna().to_numpy(float)
        if not len(ratings):
            raise LabelError("no ratings to cut", where=f"column {self.label}", do="check the label column")
        reach = np.ptp(ratings)
        digits = int(np.ceil(3 - np.log10(reach))) if reach > 0 else 0
        edges = np.quantile(ratings, np.arange(1, self.parts) / self.parts).round(digits)
        if len(np.unique(np.searchsorted(np.unique(edges), ratings, side="right"))) < self.parts:
            raise LabelError(
                f"too many equal ratings for {self.parts} parts",
                where=f"column {self.label}",
                do="set edges, or fewer parts",
            )
        return self.model_copy(update={"edges": tuple(edges.tolist())})

    def targets(self, table: pd.DataFrame) -> np.ndarray:
        """Return int64 (n,): the number of edges that lie at or below the rating, -1 missing."""
        if self.edges is None:
            raise LabelError(
                "the cut has no edges", where=f"column {self.label}", do="set task.edges, or use at_quantiles"
            )
        ratings = _column(table, self.label).to_numpy(float)
        return np.where(np.isnan(ratings), -1, np.searchsorted(self.edges, ratings, side="right")).astype(np.int64)


class Continuous(_Labelled):
    """A rating on a scale, learnt on [-1, 1].

    Examples
    --------
    >>> Continuous(label="valence", scale=(1, 9)).targets(pd.DataFrame({"valence": [1, 5, 9]}))
    array([-1.,  0.,  1.])
    >>> Continuous(label="valence", scale=(1, 9)).ratings(np.array([-1.0, 0.5]))
    array([1., 7.])
    """

    kind: Literal["continuous"] = "continuous"
    scale: tuple[float, float] = (-1.0, 1.0)

    def targets(self, table: pd.DataFrame) -> np.ndarray:
        """Return float64 (n,) in [-1, 1], NaN where missing."""
        low, high = self.scale
        ratings = _on_scale(table, self.label, self.scale)
        return (ratings - (low + high) / 2) / ((high - low) / 2)

    def ratings(self, targets: np.ndarray) -> np.ndarray:
        """Return targets in the label's own units, as predictions are given."""
        low, high = self.scale
        return (low + high) / 2 + np.asarray(targets, float) * (high - low) / 2


class Votes(_Labelled):
    """A distribution of raters' votes; the votes of class `c` stand in the column `label_c`.

    Examples
    --------
    >>> votes = pd.DataFrame({"votes_neutral": [8, 0], "votes_fear": [2, 0]})
    >>> Votes(label="votes", classes=("neutral", "fear")).targets(votes)
    array([[0.8, 0.2],
           [nan, nan]])
    """

    kind: Literal["votes"] = "votes"
    classes: tuple[str, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns that hold the votes."""
        return tuple(f"{self.label}_{name}" for name in self.classes)

    def targets(self, table: pd.DataFrame) -> np.ndarray:
        """Return float64 (n, classes) of shares that add up to one, NaN where nobody voted."""
        votes = np.column_stack([_column(table, column).to_numpy(float) for column in self.columns])
        if (votes < 0).any():
            raise LabelError("a negative number of votes", where=self.label, do="votes are counts")
        total = votes.sum(axis=1, keepdims=True)
        return np.divide(votes, total, out=np.full_like(votes, np.nan), where=total > 0)


LabelTask = Categorical | Binary | Ordinal | Cut
"""A task whose samples belong to one class each."""

OneTask = Annotated[Categorical | Binary | Ordinal | Cut | Continuous | Votes, Field(discriminator="kind")]
"""A task of one label."""


class Several(Settings):
    """Several tasks at once, by name; a row that lacks the label of one still counts for the others.

    In a recipe each task stands under its name, which is also its label where it names none. Several ratings, such as
    valence, arousal and dominance, are several continuous tasks. They come in the order of their names, however they
    were written, so that the heads of a saved network are found again.

    Examples
    --------
    >>> from insula.emotions import parse_task
    >>> task = parse_task({"emotion": {"kind": "categorical", "classes": ["calm", "fear"]},
    ...                    "valence": {"kind": "continuous", "scale": [1, 9]}})
    >>> table = pd.DataFrame({"emotion": ["fear", None, None], "valence": [2.0, 5.0, None]})
    >>> {name: targets.tolist() for name, targets in task.targets(table).items()}
    {'emotion': [1, -1, -1], 'valence': [-0.75, 0.0, nan]}
    >>> task.labelled(table).tolist()
    [True, True, False]
    """

    kind: Literal["several"] = "several"
    tasks: dict[Annotated[str, Field(pattern=r"^[\w-]+$")], OneTask] = Field(min_length=1)

    @field_validator("tasks")
    @classmethod
    def _in_order(cls, tasks: dict[str, OneTask]) -> dict[str, OneTask]:
        return dict(sorted(tasks.items()))

    @property
    def label(self) -> str:
        """The labels, in words."""
        return ", ".join(task.label for task in self.tasks.values())

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns that hold the labels."""
        return tuple(dict.fromkeys(column for task in self.tasks.values() for column in task.columns))

    def targets(self, table: pd.DataFrame) -> dict[str, np.ndarray]:
        """Return the targets of each task, by its name, every array as long as the table."""
        return {name: task.targets(table) for name, task in self.tasks.items()}

    def labelled(self, table: pd.DataFrame) -> np.ndarray:
        """Return bool (n,): which rows have any of the labels."""
        return np.any([task.labelled(table) for task in self.tasks.values()], axis=0)


Task = OneTask | Several
"""Any task; `insula.emotions.parse_task` reads one from plain values."""

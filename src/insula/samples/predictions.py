"""Predictions: a table of what a system says of each sample."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from insula.errors import DataError

_OF_ROWS = ("out_of_distribution", "mode", "reason")  # said of a row, whatever is asked of it


@dataclass(frozen=True)
class Predictions:
    """What a system says, one row a sample.

    Parameters
    ----------
    table : DataFrame
        Index: sample ids (or scored units after `collapse`). Columns: `p_CLASS` for each class (adding up to one), or
        `rating` in the label's own units, and, where the system gives them, `valence`, `arousal`, `uncertainty` (0 sure
        to 1 unsure), `temperature` (by which the logarithms of the probabilities were divided), `set` (the classes that
        may be right, as `join_sets` writes them) and `set_coverage` (how often it is promised to hold the label),
        `epistemic` (how far parts of the system disagree), `out_of_distribution` (larger is stranger), `mode` (which
        modalities were used) and `reason` (why the answer should not be used, or a modality was not; else empty). Of
        two modalities also `uncertainty_eeg`, `uncertainty_face` and `discrepancy` (how far they disagree; 0 to 1).
        Of a named task, what is above stands under its name, as `emotion.p_fear` and `valence.uncertainty`, but a
        rating, whose column is called as the task: `valence`, `arousal`, `dominance`.
    classes : tuple of str
        Names of the classes, in the order of `probabilities`; empty for a continuous task, and for named ones.
    arrays : mapping of str to array
        Vectors (n, d), such as an embedding, and signals (n, channels, times), by name, row for row as the table.

    Examples
    --------
    >>> predictions = Predictions.of(["fear", "anger"], np.array([[0.2, 0.8]]), index=[7])
    >>> predictions.labels.tolist()
    ['anger']
    """

    table: pd.DataFrame
    classes: tuple[str, ...]
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, values in self.arrays.items():
            if len(values) != len(self.table):
                what = f"{name} has {len(values)} rows, and the table {len(self.table)}"
                raise DataError(what, where="predictions", do="give one row of it for each of the table")

    @classmethod
    def of(
        cls, classes: tuple[str, ...] | list[str], probabilities: np.ndarray, index: object, **columns: object
    ) -> Predictions:
        """Build predictions from probabilities, shape (n, classes), and further columns."""
        names = [f"p_{name}" for name in classes]
        table = pd.DataFrame(np.asarray(probabilities, float), columns=names, index=pd.Index(index))
        return cls(table.assign(**columns), tuple(classes))

    @classmethod
    def rate(cls, ratings: np.ndarray, index: object, **columns: object) -> Predictions:
        """Build predictions of a continuous task from ratings in the label's own units, shape (n,).

        Examples
        --------
        >>> predictions = Predictions.rate(np.array([0.1, 0.3]), index=[7, 8], uncertainty=np.array([0.5, 1.0]))
        >>> predictions.collapse(["t1", "t1"]).table.round(2).to_dict("index")
        {'t1': {'rating': 0.2, 'uncertainty': 0.75}}
        """
        table = pd.DataFrame({"rating": np.asarray(ratings, float)}, index=pd.Index(index))
        return cls(table.assign(**columns), ())

    @classmethod
    def several(cls, tasks: Mapping[str, Predictions], **columns: object) -> Predictions:
        """Join the predictions of several tasks, all of the same rows, by the names of the tasks.

        Parameters
        ----------
        tasks : mapping of str to Predictions
            As `of` and `rate` build them; `of_task` returns each again.
        **columns
            What is said of a row whatever the task, such as `mode`.

        Examples
        --------
        >>> emotion = Predictions.of(["fear", "anger"], np.array([[0.2, 0.8]]), index=[7])
        >>> both = Predictions.several({"emotion": emotion, "valence": Predictions.rate(np.array([3.5]), index=[7])})
        >>> list(both.table), both.of_task("emotion").labels.tolist()
        (['emotion.p_fear', 'emotion.p_anger', 'valence'], ['anger'])
        """
        first = next(iter(tasks.values()))
        if any(not part.table.index.equals(first.table.index) for part in tasks.values()):
            raise DataError("the tasks are predicted for different rows", do="give all predictions one index")
        tables: list[pd.DataFrame] = []
        arrays: dict[str, np.ndarray] = {}
        for name, part in tasks.items():
            names = {column: name if column == "rating" else f"{name}.{column}" for column in part.table}
            tables.append(part.table.rename(columns=names))
            arrays |= {f"{name}.{key}": values for key, values in part.arrays.items()}
        return cls(pd.concat(tables, axis=1).assign(**columns), (), arrays)

    def of_task(self, name: str) -> Predictions:
        """Return the predictions of one named task, as `of` or `rate` would have built them; arrays of no task stay.

        Examples
        --------
        >>> predictions = Predictions.of(["fear"], np.ones((1, 1)), index=[7], valence=3.5, arousal=2.0)
        >>> predictions.of_task("arousal").table.to_dict("index")
        {7: {'rating': 2.0}}
        """
        prefix = f"{name}."
        names = {name: "rating"} if name in self.table else {}
        names |= {column: column.removeprefix(prefix) for column in self.table if column.startswith(prefix)}
        if not names:
            raise DataError(f"no predictions of {name!r}", do=f"the table has {', '.join(self.table)}")
        names |= {column: column for column in _OF_ROWS if column in self.table and column not in names.values()}
        table = self.table[[*names]].rename(columns=names)
        arrays = {key.removeprefix(prefix): values for key, values in self.arrays.items()
                  if key.startswith(prefix) or "." not in key}  # fmt: skip
        return Predictions(table, tuple(column[2:] for column in table if column.startswith("p_")), arrays)

    def with_arrays(self, **arrays: np.ndarray) -> Predictions:
        """Return the predictions with these vectors and signals beside them."""
        return replace(self, arrays={**self.arrays, **arrays})

    def select(self, where: np.ndarray | slice | list[int]) -> Predictions:
        """Return the predictions at these positions, or where the mask is true."""
        arrays = {name: values[where] for name, values in self.arrays.items()}
        return replace(self, table=self.table.iloc[where], arrays=arrays)

    def __len__(self) -> int:
        return len(self.table)

    @property
    def probabilities(self) -> np.ndarray:
        """Class probabilities, float64 (n, classes); raises DataError for ratings, and for several tasks at once."""
        if not self.classes:
            what, do = "ratings have no classes", "read the column rating of the table"
            if "rating" not in self.table:
                what, do = "these are predictions of named tasks", "take one of them: predictions.of_task(NAME)"
            raise DataError(what, where="predictions", do=do)
        return self.table[[f"p_{name}" for name in self.classes]].to_numpy()

    @property
    def labels(self) -> pd.Series:
        """The most probable class of each row; raises DataError for ratings."""
        names = np.asarray(self.classes, object)[self.probabilities.argmax(axis=1)]
        return pd.Series(names, index=self.table.index, name="label")

    def collapse(self, units: np.ndarray) -> Predictions:
        """Average numeric columns and arrays over the samples of one scored unit; take the first entry of the others.

        Samples of one picture have one set; where the samples of a unit differ, its set is that of the first.

        Parameters
        ----------
        units : array of str, shape (n,)
            The unit of each row.
        """
        units = np.asarray(units)
        groups = self.table.groupby(units, sort=False)
        numeric = groups.mean(numeric_only=True)
        others = self.table.columns.difference(numeric.columns, sort=False)
        arrays = {}
        for name, values in self.arrays.items():
            flat = pd.DataFrame(values.reshape(len(values), math.prod(values.shape[1:])))
            means = flat.groupby(units, sort=False).mean().to_numpy()
            arrays[name] = means.reshape(len(means), *values.shape[1:])
        return Predictions(numeric.join(groups[list(others)].first()), self.classes, arrays)


def normalised_entropy(probabilities: np.ndarray) -> np.ndarray:
    """Return the entropy of each row of probabilities as a share of the largest possible, float (n,).

    Examples
    --------
    >>> normalised_entropy(np.array([[0.5, 0.5], [0.9, 0.1]])).round(3).tolist()
    [1.0, 0.469]
    """
    held = np.clip(probabilities, 1e-12, 1)
    return -(probabilities * np.log(held)).sum(axis=1) / np.log(probabilities.shape[1])


def join_sets(admitted: np.ndarray, classes: Sequence[str]) -> np.ndarray:
    """Return sets of classes as text: names joined by a space, a space within a name as an underscore.

    Parameters
    ----------
    admitted : bool array, shape (n, classes)
        Which classes each set holds.
    classes : sequence of str
        Class names.

    Examples
    --------
    >>> join_sets(np.array([[True, False, True]]), ("anger", "fear", "no emotion")).tolist()
    ['anger no_emotion']
    """
    names = np.array([name.replace(" ", "_") for name in classes], object)
    return np.array([" ".join(names[row]) for row in admitted], object)


def split_sets(sets: Iterable[str], classes: Sequence[str]) -> np.ndarray:
    """Return which classes each set holds, bool (n, classes), from what `join_sets` wrote.

    Examples
    --------
    >>> split_sets(["anger no_emotion"], ("anger", "fear", "no emotion")).tolist()
    [[True, False, True]]
    """
    names = [name.replace(" ", "_") for name in classes]
    return np.array([[name in held.split() for name in names] for held in sets], bool).reshape(-1, len(names))

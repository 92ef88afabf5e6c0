"""Results of an experiment: what every arm said of every scored unit, and where it came from."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
import pandas as pd

from insula.errors import DataError
from insula.evaluation.passport import plain
from insula.storage.atomic import check_writable, write_folder

if TYPE_CHECKING:
    from insula.evaluation.verdict import Verdict

KEY = ("study", "repeat", "fold", "unit")
"""What identifies a prediction of one arm."""

COLUMNS = ("arm", *KEY, "truth", "label")

CONSTANT = "majority"
"""The control that says the mean rating whatever it is shown: every error stands beside its error."""

# what a system may say beside classes or a rating, and when it was
_FURTHER = (
    "uncertainty", "valence", "arousal", "temperature", "set", "set_coverage", "epistemic", "out_of_distribution",
    "mode", "reason", "uncertainty_eeg", "uncertainty_face", "discrepancy", "time",
)  # fmt: skip
_FOLDER = "results"
_TABLE, _MEASURED = ".table.parquet", ".measured.parquet"
_KINDS = ("system", "placebo", "control")


@dataclass(frozen=True)
class Arm:
    """One way of predicting that a run compares.

    Parameters
    ----------
    name, title : str
        The name in tables of numbers, and the one people read.
    kind : {"system", "placebo", "control"}
        A placebo is the system with the ingredient under test taken away; a control shows what little effort reaches.
    """

    name: str
    title: str
    kind: Literal["system", "placebo", "control"]

    @property
    def at_chance(self) -> bool:
        """Whether the arm must stay at chance: the control `permuted`, which learns from permuted labels."""
        return self.kind == "control" and self.name == "permuted"


@dataclass(frozen=True, eq=False)
class Results:
    """What every arm of an experiment said.

    Parameters
    ----------
    predictions : DataFrame
        One row per arm, repeat, fold and unit: `arm, study, repeat, fold, unit, truth, label`, then `predicted` and a
        probability `p_CLASS` for each class, or `rating`, and, where known, `uncertainty` (NaN: one minus the highest
        probability), the other columns of `Predictions` and `time` (s). `truth` is scored: the sealed one in a
        simulated study, else the label. `study` is the study's fingerprint: independent simulated studies differ,
        repeats on one corpus share it. Any further column is a group of provenance (`subject`, `identity`,
        `face_gender`), for errors by group.
    arms : tuple of Arm
        In the order of the tables.
    classes : tuple of str
        Class names; empty for ratings.
    headline : str
        The arm the verdict is about.
    comparators : tuple of str
        What it has to beat: its placebos, and the equally tuned system without the ingredient.
    passport : dict
        As `build_passport` makes it.
    facts : dict
        Measured facts, nested, JSON-like.
    embedding : DataFrame, optional
        Two-dimensional maps of features: `source, x, y, class`, and the groups that a recipe asks for.
    reported : tuple of dict
        Published figures, always shown as reported by others: `title, value, source` and perhaps `note`.
    cluster : str, optional
        Group column whose members are no independent units (two pictures of one face, the rows of one trial); intervals
        resample it whole.
    series : str, optional
        Column that says which units follow one another (the rows of one trial, the trials of one subject); the error of
        ratings is that of each series, and it is never divided by a cluster. The unit itself where not given.
    tables : dict of str to DataFrame
        Small tables that a picture of the report is drawn from, by name.
    measured : dict of str to DataFrame
        Tables of what was measured on the way, by the system or of its inputs, by title; they are printed.

    Raises
    ------
    DataError
        Where a column or an arm is missing, a prediction stands twice, probabilities do not add up to one, or two
        arms disagree about the truth.
    """

    predictions: pd.DataFrame
    arms: tuple[Arm, ...]
    classes: tuple[str, ...]
    headline: str
    comparators: tuple[str, ...]
    passport: dict[str, Any]
    facts: dict[str, Any] = field(default_factory=dict)
    embedding: pd.DataFrame | None = None
    reported: tuple[Mapping[str, str], ...] = ()
    cluster: str | None = None
    series: str | None = None
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    measured: Mapping[str, pd.DataFrame] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_arms(self)
        _check_rows(self)

    @property
    def as_published(self) -> bool:
        """Whether the split leaks and was asked for by name, or the recipe follows a practice that flatters."""
        return bool(self.passport.get("as_published", False))

    @property
    def mark(self) -> str:
        """What every figure is marked with; empty for a clean run."""
        return f"{self.passport.get('practice') or 'leaking split'}, as published" if self.as_published else ""

    @property
    def origin(self) -> str:
        """What is real and what is simulated of the data, in words; empty where an old run does not say."""
        return str(self.passport.get("corpus", {}).get("origin", ""))

    @property
    def rated(self) -> bool:
        """Whether arms gave ratings and not classes."""
        return not self.classes

    @property
    def studies(self) -> int:
        """Number of independent studies."""
        return len(self.predictions["study"].unique())

    @property
    def groups(self) -> tuple[str, ...]:
        """Provenance columns beyond the required ones."""
        usual = {*_columns(self), *_FURTHER}
        return tuple(str(column) for column in self.predictions.columns if column not in usual)

    @property
    def baseline(self) -> str | None:
        """The comparator that is a system itself: the best model without the ingredient under test."""
        systems = [name for name in self.comparators if self.arm(name).kind == "system"]
        return max(systems, key=self.score) if systems else None

    def arm(self, name: str) -> Arm:
        """Return an arm by name."""
        return next(arm for arm in self.arms if arm.name == name)

    def rows(self, name: str) -> pd.DataFrame:
        """Return the predictions of an arm, with `weight`: every unit weighs one over its repeats.

        Of classes also `correct`, of ratings `error` (the rating minus the truth).
        """
        return self._rows[name]

    @cached_property
    def _rows(self) -> dict[str, pd.DataFrame]:
        rows = self.predictions
        repeats = rows.groupby(["arm", "study", "unit"])["truth"].transform("size")
        if self.rated:
            rows = rows.assign(weight=1 / repeats, error=rows["rating"] - rows["truth"])
        else:
            rows = rows.assign(weight=1 / repeats, correct=(rows["predicted"] == rows["truth"]).astype(float))
        return {str(name): part for name, part in rows.groupby("arm", sort=False)}

    def accuracy(self, name: str) -> float:
        """Return the share of units an arm gets right."""
        rows = self.rows(name)
        return float(np.average(rows["correct"], weights=rows["weight"]))

    def error(self, name: str) -> float:
        """Return the root mean square error of an arm's ratings, that of a series on average."""
        return self._errors[name]

    @cached_property
    def _errors(self) -> dict[str, float]:
        return {arm.name: float(self.series_errors(self.rows(arm.name)).mean()) for arm in self.arms}

    def series_errors(self, rows: pd.DataFrame, column: str = "error") -> pd.Series:
        """Return the root mean square error of each series, index (study, series); a mean over repeats.

        Parameters
        ----------
        rows : DataFrame
            As `rows` has them, or some of them.
        column : str
            Of the errors.
        """
        series = self.series or "unit"
        squares = (rows[column] ** 2).groupby([rows["study"], rows["repeat"], rows[series]]).mean()
        return np.sqrt(squares).groupby(level=["study", series]).mean()

    def score(self, name: str) -> float:
        """Return what arms are ranked by, larger is better: the accuracy, or minus the error of ratings."""
        return -self.error(name) if self.rated else self.accuracy(name)

    def __repr__(self) -> str:
        return f"Results({', '.join(f'{arm.title}: {abs(self.score(arm.name)):.3f}' for arm in self.arms)})"

    def _repr_html_(self) -> str:
        """Return what a notebook draws: the verdict, and the table under it."""
        from html import escape

        return f"<p>{escape(self.verdict().sentence)}</p>" + self.metrics()._repr_html_()

    def metrics(self) -> pd.DataFrame:
        """Return every figure, one row an arm: see `insula.evaluation.table.metrics_table`."""
        from insula.evaluation.table import metrics_table

        return metrics_table(self)

    def verdict(self) -> Verdict:
        """Return whether the headline beats its comparators, with the sentence that says so."""
        from insula.evaluation.verdict import verdict

        return verdict(self)

    def write(self, folder: Path | str) -> Path:
        """Write report, tables and passport to a folder, and return the report's path.

        Raises
        ------
        DataError
            Where the folder holds something else.
        """
        from insula.evaluation.report import write_report

        check_output(Path(folder))
        write_report(self, Path(folder))
        return Path(folder) / "report.html"

    def save(self, folder: Path) -> None:
        """Write to `results/` in a run's folder, whole or not at all."""
        with write_folder(folder / _FOLDER) as temporary:
            self.predictions.to_parquet(temporary / "predictions.parquet", index=False)
            if self.embedding is not None:
                self.embedding.to_parquet(temporary / "embedding.parquet", index=False)
            for tables, suffix in ((self.tables, _TABLE), (self.measured, _MEASURED)):
                for name, table in tables.items():
                    table.to_parquet(temporary / f"{name}{suffix}", index=False)
            about = {
                "arms": [dataclasses.asdict(arm) for arm in self.arms],
                "classes": list(self.classes),
                "headline": self.headline,
                "comparators": list(self.comparators),
                "passport": plain(self.passport),
                "facts": plain(self.facts),
                "reported": [dict(figure) for figure in self.reported],
                "cluster": self.cluster,
                "series": self.series,
            }
            (temporary / "about.json").write_text(json.dumps(about, indent=2) + "\n")

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Read the results of a run's folder.

        Raises
        ------
        DataError
            Where the folder holds no results or they cannot be read.
        """
        path = folder / _FOLDER / "about.json"
        if not path.is_file():
            raise DataError("no results here", where=folder, do="give a folder that `insula run` wrote")
        try:
            about = json.loads(path.read_text())
            embedding = path.with_name("embedding.parquet")
            return cls(
                predictions=pd.read_parquet(path.with_name("predictions.parquet")),
                arms=tuple(Arm(**arm) for arm in about.pop("arms")),
                classes=tuple(about.pop("classes")),
                comparators=tuple(about.pop("comparators")),
                embedding=pd.read_parquet(embedding) if embedding.is_file() else None,
                reported=tuple(about.pop("reported")),
                tables=_read(path.parent, _TABLE),
                measured=_read(path.parent, _MEASURED),
                **about,
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DataError(
                f"the results cannot be read: {error}", where=folder, do="run the experiment again"
            ) from None


def _read(folder: Path, suffix: str) -> dict[str, pd.DataFrame]:
    return {path.name.removesuffix(suffix): pd.read_parquet(path) for path in sorted(folder.glob(f"*{suffix}"))}


def check_output(folder: Path, mark: str = f"{_FOLDER}/about.json") -> None:
    """Refuse, before anything is run, a folder for results that holds something else.

    Parameters
    ----------
    folder : Path
        Where results are to be written.
    mark : str
        A file that shows that the folder is a former output of the same kind.

    Raises
    ------
    DataError
        Where it is a file, a folder with content that no run wrote, or one that cannot be made.
    """
    if folder.exists() and not folder.is_dir():
        raise DataError("the output is a file", where=folder, do="give a folder")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / mark).is_file():
        raise DataError("the output folder holds something else", where=folder, do="give a new folder")
    check_writable(folder)


def _check_arms(results: Results) -> None:
    names = [arm.name for arm in results.arms]
    if len(set(names)) != len(names):
        raise DataError("two arms have one name", where=", ".join(names))
    for arm in results.arms:
        if arm.kind not in _KINDS:
            raise DataError(f"unknown kind of arm {arm.kind!r}", where=arm.name, do=f"use one of {', '.join(_KINDS)}")
    for name in (results.headline, *results.comparators):
        if name not in names:
            raise DataError(f"no arm {name!r}", where="headline and comparators", do=f"the arms are {', '.join(names)}")
    if not results.comparators or results.headline in results.comparators:
        raise DataError("the headline has nothing else to beat", do="name its placebos as comparators")
    for figure in results.reported:
        if not {"title", "value", "source"} <= set(figure):
            raise DataError("a reported figure lacks its title, value or source", where=", ".join(figure.values()))
    if len(results.classes) == 1:
        raise DataError("a result needs at least two classes", do="name all classes of the task")
    if results.rated and CONSTANT not in names:
        raise DataError("ratings need the constant predictor beside them", where=f"no arm {CONSTANT!r}")


def _columns(results: Results) -> list[str]:
    answers = ["rating"] if results.rated else ["predicted", *(f"p_{name}" for name in results.classes)]
    return [*COLUMNS, *answers]


def _check_rows(results: Results) -> None:
    rows = results.predictions
    missing = [name for name in (*_columns(results), results.cluster, results.series) if name and name not in rows]
    if missing:
        raise DataError(f"missing column {', '.join(missing)}", where="predictions")
    heard = set(rows["arm"].unique())
    silent = [arm.name for arm in results.arms if arm.name not in heard]
    if silent:
        raise DataError(f"arm {silent[0]!r} predicted nothing", where="predictions")
    (_check_ratings if results.rated else _check_classes)(results)
    twice = rows.duplicated(["arm", *KEY])
    if twice.any():
        first = rows.loc[twice, ["arm", *KEY]].iloc[0]
        raise DataError(
            "a unit was predicted twice", where=", ".join(map(str, first)), do="collapse to the scored unit"
        )
    controls = [arm.name for arm in results.arms if arm.kind == "control"]  # these may be scored on permuted labels
    truths = rows[~rows["arm"].isin(controls)].groupby(["study", "unit"])["truth"].nunique()
    if (truths > 1).any():
        raise DataError("two arms or repeats disagree about the truth", where=f"unit {truths.index[truths > 1][0][1]}")


def _check_classes(results: Results) -> None:
    rows = results.predictions
    for column in ("truth", "predicted"):
        strange = ~rows[column].isin(results.classes)
        if strange.any():
            where, value = rows.index[strange][0], rows.loc[strange, column].iloc[0]
            raise DataError(f"{column} {value!r} is no class", where=f"predictions, row {where}")
    table = rows[[f"p_{name}" for name in results.classes]].to_numpy(float)
    broken = ~(np.isfinite(table).all(axis=1) & (table >= 0).all(axis=1) & (np.abs(table.sum(axis=1) - 1) < 1e-3))
    if broken.any():
        raise DataError("probabilities do not add up to one", where=f"predictions, row {rows.index[broken][0]}")


def _check_ratings(results: Results) -> None:
    for column in ("truth", "rating"):
        broken = ~np.isfinite(results.predictions[column].to_numpy(float))
        if broken.any():
            where = f"predictions, row {results.predictions.index[broken][0]}"
            arm = results.predictions.loc[broken, "arm"].iloc[0]
            raise DataError(f"the {column} is no number", where=where, do=f"see the arm {arm!r}")

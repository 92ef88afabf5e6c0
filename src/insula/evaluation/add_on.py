"""The contract of what a report can show beside its figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import pandas as pd

from insula.evaluation.candidates import Fitting
from insula.evaluation.recipe import Recipe
from insula.evaluation.study import Study
from insula.samples import Samples
from insula.systems.base import System

Tables = dict[str, pd.DataFrame]


@dataclass(frozen=True, eq=False)
class FinishedFit:
    """A fit that has just predicted its test part.

    Parameters
    ----------
    folder : Path
        What the fit leaves.
    recipe, study, fitting
        What was fitted, and on what.
    system : System
        Fitted.
    samples : Samples
        All of the study after the recipe's steps, with labels.
    test : Samples
        The test part, as far as the system can predict it, without labels.
    """

    folder: Path
    recipe: Recipe
    study: Study
    fitting: Fitting
    system: System
    samples: Samples
    test: Samples

    @property
    def is_first(self) -> bool:
        """Whether it is of the first fold of the first repeat."""
        return self.fitting.fold == self.fitting.repeat == 0


@dataclass(frozen=True, eq=False)
class FinishedRun:
    """A run whose fits are all done.

    Parameters
    ----------
    recipe, studies
        What was run, and on what.
    system : System
        Of the recipe, unfitted.
    folders : mapping of Fitting to Path
        What each fit left.
    predictions : DataFrame
        As `Results` has them.
    answers : mapping of int to DataFrame
        What units are held against, by repeat (`insula.evaluation.study.answers`).
    facts : mapping
        Of each fit that has some, by the name of the fit.
    """

    recipe: Recipe
    studies: Sequence[Study]
    system: System
    folders: Mapping[Fitting, Path]
    predictions: pd.DataFrame
    answers: Mapping[int, pd.DataFrame]
    facts: Mapping[str, Any]

    @property
    def own(self) -> dict[Fitting, Path]:
        """The folders of the system's own fits."""
        return {fitting: folder for fitting, folder in self.folders.items() if fitting.kind == "system"}

    @property
    def first(self) -> Path:
        """The folder of the system's first fit."""
        return next(iter(self.own.values()))


class AddOn:
    """Something that a report can show beside its figures.

    Attributes
    ----------
    field : {"tables", "measured", "embedding"}
        The field of `Results` that its tables stand in.
    cells : {"all", "drawn", "none"}
        The cells of a sweep that have it: all, those whose map of features the sweep draws, or none. A run has all.
    """

    field: ClassVar[Literal["tables", "measured", "embedding"]] = "tables"
    cells: ClassVar[Literal["all", "drawn", "none"]] = "all"

    def applies(self, fit: FinishedFit) -> bool:
        """Return whether a fit leaves something: the system's first one does."""
        return fit.is_first and fit.fitting.kind == "system"

    def write(self, fit: FinishedFit) -> None:
        """Write to the folder of a fit what will be read."""

    def read(self, run: FinishedRun) -> Tables:
        """Return the tables for the report, by name or title; none where the fits left nothing."""
        raise NotImplementedError

"""The training pictures of BMCI as its regressors and classifiers read them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np

from insula.emotions import Categorical
from insula.errors import DataError
from insula.samples import Samples
from insula.systems.pictures import picture_groups, unique_pictures


@dataclass(frozen=True)
class TrainingPictures:
    """The training pictures: rows are (picture, view), the views of one picture side by side.

    Parameters
    ----------
    samples : Samples
        The rows that show them.
    stimuli : array, shape (n,)
        What each picture is called; None where it is unknown.
    visual : array, shape (n * views, d)
        Coordinates.
    labels, groups : array, shape (n * views,)
        Class codes; people.
    views : int
        How often each picture was read, altered.
    """

    samples: Samples
    stimuli: np.ndarray
    visual: np.ndarray
    labels: np.ndarray
    groups: np.ndarray
    views: int = 1

    @classmethod
    def of(cls, samples: Samples, pictures: Samples, visual: np.ndarray, task: Categorical) -> Self:
        """Return the pictures that samples show, given one sample of each and coordinates, (n, views, d)."""
        views = visual.shape[1]
        return cls(
            samples,
            pictures.units("stimulus"),
            visual.reshape(-1, visual.shape[-1]),
            np.repeat(task.targets(pictures.table), views),
            np.repeat(picture_groups(pictures), views),
            views,
        )

    def rows(self, pictures: np.ndarray) -> np.ndarray:
        """Return the rows of these pictures, all views of each."""
        return (np.asarray(pictures)[:, None] * self.views + np.arange(self.views)).ravel()

    def extended(
        self, samples: Samples, task: Categorical, coordinates: Callable[[Samples], np.ndarray]
    ) -> tuple[TrainingPictures, np.ndarray]:
        """Return these pictures with those behind them that only `samples` show, and which of all each sample shows.

        Raises
        ------
        DataError
            Where a picture is not named: whether it is new decides what may be said of it out-of-fold.
        """
        pictures, which = unique_pictures(samples)
        names = pictures.units("stimulus")
        if any(name is None for name in names):
            raise DataError("a picture of the subject is not named", do="fill the column `stimulus`")
        numbers = {name: number for number, name in reversed(list(enumerate(self.stimuli)))}
        place = np.array([numbers.get(name, -1) for name in names])
        new = np.flatnonzero(place < 0)
        if not len(new):
            return self, place[which]
        place[new] = len(self.stimuli) + np.arange(len(new))
        behind = TrainingPictures.of(samples, pictures.select(new), coordinates(pictures.select(new)), task)
        both = TrainingPictures(
            self.samples,
            np.concatenate([self.stimuli, behind.stimuli]),
            np.concatenate([self.visual, behind.visual]),
            np.concatenate([self.labels, behind.labels]),
            np.concatenate([self.groups, behind.groups]),
            self.views,
        )
        return both, place[which]

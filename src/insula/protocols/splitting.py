"""How a protocol is carried out: units made whole, folds over them, validation and target nested inside."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import cache, lru_cache, partial

import numpy as np
import pandas as pd

from insula.emotions import Several, Task
from insula.errors import DataError, LabelError
from insula.protocols.clock import Timeline
from insula.protocols.copies import copies_in
from insula.protocols.duplicates import duplicates_between, picture_modalities
from insula.protocols.partition import assign_folds, hold_out
from insula.protocols.people import as_one_person, joined_people
from insula.protocols.settings import ProtocolSettings
from insula.protocols.split import Split
from insula.protocols.units import (
    clock_codes,
    given_parts,
    is_about_people,
    joined,
    lies_within,
    person_codes,
    unit_codes,
    unknown_rows,
)
from insula.samples import Samples

_BINS = 5  # quantiles of a continuous rating over which folds are balanced
_ROWS, _UNITS = 2**22, 2**14  # that the splits which are made at once hold out of, in all; others wait to be asked for


def make_splits(protocol: ProtocolSettings, samples: Samples, task: Task) -> list[Split]:
    """Return the splits of a protocol; see `Protocol.splits`."""
    samples = as_one_person(samples, protocol)
    for line in (*joined_people(samples), *copies_in(samples, protocol).lines):
        warnings.warn(line, stacklevel=3)
    return _Splitter(protocol, samples, task).splits()


def strata_of(task: Task, samples: Samples) -> np.ndarray:
    """Return int64 (n,): class, quantile of the rating or class with most votes; -1 where unlabelled.

    Of several tasks it is that of the first by name, and one stratum more for rows that others alone label.
    """
    if isinstance(task, Several):
        first = strata_of(next(iter(task.tasks.values())), samples)
        return np.where((first < 0) & task.labelled(samples.table), first.max() + 1, first)
    targets = task.targets(samples.table)
    if targets.ndim == 2:
        return np.where(np.isnan(targets[:, 0]), -1, np.nan_to_num(targets).argmax(axis=1))
    if targets.dtype.kind == "f":
        bins = pd.qcut(targets, _BINS, labels=False, duplicates="drop")
        return np.where(np.isnan(targets), -1, np.nan_to_num(bins)).astype(np.int64)
    return targets


class _Splitter:
    """What is the same for every fold; arrays are aligned with the rows of the samples."""

    def __init__(self, protocol: ProtocolSettings, samples: Samples, task: Task) -> None:
        self.protocol, self.samples, self.task = protocol, samples, task
        self.strata = strata_of(task, samples)
        self.codes = cache(partial(unit_codes, samples))
        self.copies = copies_in(samples, protocol)
        if protocol.as_published:
            self.whole, glue = np.arange(len(samples)), []
        else:
            glue = [self.codes(name) for name in dict.fromkeys(["trial", protocol.scored_unit])]
            self.whole = joined(glue)
            self._refuse_unknown()
        pictures = self.copies.pictures
        self.alike = joined([self.whole, *pictures]) if pictures else self.whole  # scored units that hold no copies
        self.scorable = self._scorable()
        self.classes = self._classes(self.scorable)
        self.units = self._units(glue)
        self.keys = {name: self._keys(unit) for name, unit in self.units.items()}
        self.first = {name: np.unique(keys, return_index=True)[1] for name, keys in self.keys.items()}
        self.timeline = self._timeline()

    def _refuse_unknown(self) -> None:
        for name in dict.fromkeys([*self.protocol.disjoint, self.protocol.scored_unit]):
            unknown = unknown_rows(self.samples, name)
            if unknown.any():
                first = ", ".join(map(str, self.samples.ids[unknown][:3]))
                raise DataError(
                    f"the {name} of {int(unknown.sum())} samples is unknown",
                    where=f"first: sample {first}",
                    do=f"fill the column, or use a protocol without {name}: --set protocol.name=stimulus-disjoint",
                )

    def _scorable(self) -> np.ndarray:
        scorable = self.strata >= 0
        if not scorable.any():
            raise LabelError("no sample is labelled", where=self.task.label, do="check the task's label")
        for name in (*self.protocol.disjoint, self.protocol.scored_unit):
            scorable = scorable & (self.codes(name) >= 0)
            if not scorable.any():
                raise DataError(f"no labelled sample has a known {name}", where=f"protocol {self.protocol.name}",
                                do="choose units, or a scored_unit, that the corpus has")  # fmt: skip
        self._refuse_one_class(scorable, "every labelled sample is {}")
        return scorable

    def _units(self, glue: list[np.ndarray]) -> dict[str, np.ndarray]:
        """Return each disjoint unit's numbers, joined where rows share a trial, a scored unit, a person or a copy."""
        units, scored = {}, self.protocol.scored_unit
        for name in self.protocol.disjoint:
            people = [person_codes(self.samples)] if is_about_people(name) else []
            units[name] = joined([self.codes(name), *glue, *people, *self.copies.of(name, scored)])
        for inner in reversed(self.protocol.disjoint):
            outer = next((name for name in units if name != inner and lies_within(units[inner], units[name])), None)
            if outer is not None:
                units[outer] = joined([units[outer], units.pop(inner)])
        if not units and self.protocol.test_corpora:  # corpora differ in whether they know of people
            people = [self.codes(name) for name in ("subject", "identity")]
            return {scored: joined([self.alike, *people, person_codes(self.samples)])}
        return units or {scored: self.alike}

    def _timeline(self) -> Timeline:
        samples, protocol = self.samples, self.protocol
        start, stop = (samples.table[name].to_numpy(float) for name in ("start", "stop"))
        whole = None
        if protocol.parts is None and protocol.target.share is None:  # which cut through units
            whole = pd.DataFrame(self.units).groupby(list(self.units), sort=False).ngroup().to_numpy()
        return Timeline(clock_codes(samples), start, stop, protocol.embargo, whole)

    def _strata(self, rows: np.ndarray) -> np.ndarray | None:
        return self.strata[rows] if self.protocol.stratify else None

    def _seed(self, *place: int) -> int:
        return int(np.random.SeedSequence([self.protocol.seed, *place]).generate_state(1)[0])

    def _keys(self, unit: np.ndarray) -> np.ndarray:
        table = pd.DataFrame({"unit": unit, "whole": self.whole, "stratum": self.strata})
        return table.groupby(list(table), sort=False).ngroup().to_numpy()

    def _entries(self, name: str, where: np.ndarray) -> np.ndarray:
        """Return one row for each scored unit (of each class) that is there, so that balance counts what is scored."""
        first, keys = self.first[name], self.keys[name]
        there = np.zeros(len(first), bool)
        there[keys[where]] = True
        return first[there]

    def _spread(self, numbers: np.ndarray, unit: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Return for every sample the number given to its unit in `rows`, -1 for units that are not there."""
        by_unit = np.full(unit.max(initial=-1) + 2, -1)  # the last place serves the unknown, whose code is -1
        by_unit[unit[rows]] = numbers
        by_unit[-1] = -1
        return by_unit[unit]

    def _folds(self, place: int, name: str) -> tuple[np.ndarray, int]:
        """Return every sample's fold of one unit, and how many folds are tested."""
        protocol, unit = self.protocol, self.units[name]
        rows = self._entries(name, self.scorable)
        groups = unit[rows]
        count = len(np.unique(groups))
        alone = protocol.leave_one_out and place == 0
        self._enough(name, count, 2 if alone or protocol.test_share is not None else protocol.folds)
        if alone:
            fold, tested = pd.factorize(groups)[0], count
        elif protocol.test_share is not None:
            kept = ~hold_out(groups, self._strata(rows), protocol.test_share, self._seed(place))
            fold, tested = kept.astype(np.int64), 1
        else:
            fold = assign_folds(groups, self._strata(rows), protocol.folds, self._seed(place))
            tested = protocol.folds
        return self._spread(fold, unit, rows), tested

    def _enough(self, name: str, count: int, wanted: int, fold: int | None = None) -> None:
        if count >= wanted:
            return
        purpose, advice = f"{wanted} folds", "use fewer folds, or another unit"
        raw = len(np.unique(self.codes(name)[self.scorable]))
        if fold is not None:
            purpose, advice = f"training and validation in fold {fold}", "set validation_share to 0, or get more"
        elif raw > count:
            shared = " or ".join(dict.fromkeys(["trial", self.protocol.scored_unit]))
            shared += " or are copies" if self.copies.lines else ""
            advice = f"{raw} became {count} since their rows share a {shared}; check the ids, or the scored unit"
        raise DataError(f"too few units: {count} {name} for {purpose}", where=f"protocol {self.protocol.name}",
                        do=advice)  # fmt: skip

    def splits(self) -> list[Split]:
        """Return every split."""
        if self.protocol.parts is not None:
            return [self._given(self.protocol.parts)]
        folds, counts = zip(*(self._folds(place, name) for place, name in enumerate(self.units)), strict=True)
        tests = self._tests(folds, counts)
        make = lru_cache(max(1, _ROWS // len(self.samples)))(partial(self._make, folds, tests))
        ids, protocol = self.samples.ids, self.protocol.digest()
        splits = [
            Split.made_when_asked(ids[rows[~moved]], fold, protocol, partial(make, fold))
            for fold, (rows, moved) in enumerate(tests)
        ]
        units = max(1, sum(map(len, self.first.values())))
        for fold in range(min(len(tests), max(1, min(_ROWS // len(self.samples), _UNITS // units)))):
            make(fold)  # says at once what is wrong
        return splits

    def _tests(self, folds: Sequence[np.ndarray], counts: Sequence[int]) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return the rows held out by each split, and which of them access to the target moves into training.

        There is a split for every combination of folds that occurs; where units are crossed, one may not.
        """
        cell, inside = np.zeros(len(self.samples), np.int64), self.scorable
        for fold, count in zip(folds, counts, strict=True):
            inside = inside & (fold >= 0) & (fold < count)
            cell = cell * count + fold
        rows = np.flatnonzero(inside)
        rows = rows[np.argsort(cell[rows], kind="stable")]
        tests = np.split(rows, np.flatnonzero(np.diff(cell[rows])) + 1) if len(rows) else []
        return [(some, self._target(fold, some)) for fold, some in enumerate(tests)]

    def _make(
        self, folds: Sequence[np.ndarray], tests: Sequence[tuple[np.ndarray, np.ndarray]], number: int
    ) -> dict[str, np.ndarray]:
        """Return all parts of a split but its test part."""
        rows, moved = tests[number]
        test, target = np.zeros((2, len(self.samples)), bool)
        test[rows], target[rows[moved]] = True, True
        train = ~np.logical_or.reduce([fold == fold[rows[0]] for fold in folds])
        return self._parts(number, test, target, train)

    def _given(self, column: str) -> Split:
        """Return the split that the corpus gives, without what copies a picture of a later part.

        The test part stays whole, so that figures are of the pictures that other people's are of.
        """
        parts = given_parts(self.samples, column, self.protocol.test_corpora)
        train, validation, test = (parts == number for number in range(3))
        validation, test = validation & self.scorable, test & self.scorable
        if not test.any():
            raise DataError("the corpus gives no labelled test part", where=f"column {column}",
                            do="give more labelled samples, or set protocol.name=stimulus-disjoint")  # fmt: skip
        train, validation = self._without_copies(train, test), self._without_copies(validation, test)
        if not validation.any():
            validation, train = self._validation(0, train)
        train = self._without_copies(train, validation)
        rows = np.flatnonzero(test)
        moved = np.zeros(len(test), bool)
        moved[rows[self._target(0, rows)]] = True
        made = self._parts(0, test, moved, train, validation)
        return Split(**made, test=self.samples.ids[test & ~moved], fold=0, protocol=self.protocol.digest())

    def _without_copies(self, rows: np.ndarray, of: np.ndarray) -> np.ndarray:
        kept = rows.copy()
        for modality in picture_modalities(self.samples) if not self.protocol.as_published else ():
            pictures = self.samples.rows(modality)
            stores = pd.factorize(self.samples.table[f"{modality}_store"])[0]
            copies = duplicates_between(self.samples, modality, rows, of)[:, 0]
            shown = pd.MultiIndex.from_arrays([stores, pictures])
            kept &= ~(shown.isin(shown[copies]) & (pictures >= 0))
        return kept

    def _parts(
        self, fold: int, test: np.ndarray, moved: np.ndarray, train: np.ndarray, validation: np.ndarray | None = None
    ) -> dict[str, np.ndarray]:
        """Return the ids of training, validation and target, from masks of what is held out and of the rest."""
        train &= ~self._touching(test)
        if validation is None:
            validation, train = self._validation(fold, train)
        test = test & ~moved
        validation &= ~self._touching(test)
        train = (train | moved) & ~self._touching(test | validation)
        self._refuse_poor(fold, train)
        parts = {"train": train, "validation": validation, "target": moved & train}
        return {name: self.samples.ids[rows] for name, rows in parts.items()}

    def _touching(self, rows: np.ndarray) -> np.ndarray:
        if self.protocol.as_published:
            return np.zeros(len(rows), bool)
        return self.timeline.touching(rows)

    def _validation(self, fold: int, train: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return what of the training side validates and what remains, by the protocol's own rule."""
        validation, rest = train & self.scorable, train
        if not self.protocol.validation_share:
            return np.zeros(len(train), bool), train
        for place, (name, unit) in enumerate(self.units.items()):
            rows = self._entries(name, train & self.scorable)
            self._enough(name, len(np.unique(unit[rows])), 2, fold)
            held = hold_out(unit[rows], self._strata(rows), self.protocol.validation_share, self._seed(place, fold, 1))
            inside = self._spread(held.astype(np.int64), unit, rows) == 1
            validation, rest = validation & inside, rest & ~inside
        return validation, rest

    def _target(self, fold: int, rows: np.ndarray) -> np.ndarray:
        """Return which of the rows to test access to the target moves into training, labels included."""
        if self.protocol.target.share is None:
            return np.zeros(len(rows), bool)
        wholes, first = np.unique(self.alike[rows], return_index=True)
        if len(wholes) < 2:
            raise DataError(f"fold {fold} has one {self.protocol.scored_unit} to test, of which none can be moved",
                            do="use fewer folds")  # fmt: skip
        # every target unit gives its share of every class: shuffled, then taken from all strata alike
        unit = next(iter(self.units.values()))
        table = pd.DataFrame({"unit": unit[rows[first]], "stratum": self.strata[rows[first]], "whole": wholes})
        strata = table.sample(frac=1, random_state=self._seed(0, fold, 2)).groupby(["unit", "stratum"])["whole"]
        place = (strata.cumcount() + 0.5) / strata.transform("size")
        count = min(max(1, round(self.protocol.target.share * len(wholes))), len(wholes) - 1)
        return np.isin(self.alike[rows], wholes[place.sort_values(kind="stable").index[:count]])

    def _refuse_poor(self, fold: int, train: np.ndarray) -> None:
        if not (train & (self.strata >= 0)).any():
            raise DataError(f"nothing is left to train on in fold {fold}", where=f"protocol {self.protocol.name}",
                            do="use another unit, or a smaller validation_share")  # fmt: skip
        if self.task.kind in ("categorical", "binary"):
            self._refuse_one_class(train, f"the training part of fold {fold} holds {{}} alone")
            lacking = np.setdiff1d(self.classes, self._classes(train))
            if len(lacking):
                do = (
                    "use fewer folds, or stratify"
                    if self.protocol.parts is None
                    else ("spell it alike in every part, or leave it out of task.classes")
                )
                raise LabelError(f"the training part of fold {fold} has no {self.task.classes[lacking[0]]}",
                                 where=f"protocol {self.protocol.name}", do=do)  # fmt: skip

    def _refuse_one_class(self, rows: np.ndarray, message: str) -> None:
        if self.task.kind in ("categorical", "binary"):
            classes = self._classes(rows)
            if len(classes) == 1:
                raise LabelError(message.format(self.task.classes[classes[0]]), where=self.task.label,
                                 do="training needs two classes or more")  # fmt: skip

    def _classes(self, rows: np.ndarray) -> np.ndarray:
        return np.flatnonzero(np.bincount(self.strata[rows & (self.strata >= 0)]))

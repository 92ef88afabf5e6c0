"""The checks of an audit, one a method: each notes what leaks, and where."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache, partial

import numpy as np
import pandas as pd

from insula.errors import DataError
from insula.protocols.clock import Timeline
from insula.protocols.copies import copies_in, parts_pictures, parts_recorded, picture_name
from insula.protocols.duplicates import duplicates_between, picture_modalities
from insula.protocols.people import as_one_person, joined_people
from insula.protocols.settings import OF_TABLES, ProtocolSettings
from insula.protocols.signal_copies import copied_people, signal_modalities
from insula.protocols.spelling import JOIN, respelt
from insula.protocols.split import PARTS, Split
from insula.protocols.units import (
    clock_codes,
    given_parts,
    has_several_names,
    is_about_people,
    person_codes,
    unit_codes,
    unit_names,
    unknown_rows,
)
from insula.samples import PROVENANCE, Fit, Samples

_TRAIN, _VALIDATION, _TEST = range(3)
_MAY_USE = {"labels": (_TRAIN,), "selection": (_TRAIN, _VALIDATION), "inputs": (_TRAIN, _VALIDATION)}
_CLEANED_ON = "_cleaned_on"  # ends the name of a column that says, of a modality, what cleaning learnt from
_TOGETHER = "keep copies on one side: --set protocol.copies=together"


class Checks:
    """One audit; arrays are aligned with the rows of the samples."""

    def __init__(self, split: Split, samples: Samples, protocol: ProtocolSettings) -> None:
        self.split, self.protocol = split, protocol
        samples = self.samples = as_one_person(samples, protocol)
        self.codes = cache(partial(unit_codes, samples))
        self.checks: list[str] = []
        self.leaks: list[tuple[str, str | None, str | None]] = []
        self.warnings: list[str] = []
        self.shared: dict[str, int] = {}
        self.places = [self._places(getattr(split, name), name) for name in PARTS]
        self.part = np.full(len(samples), -1, np.int8)
        for number, places in enumerate(self.places):
            self.part[places] = number
        self.target_rows = np.zeros(len(samples), bool)
        self.target_rows[self._places(split.target, "target")] = True
        # labelled target rows share the target's units by leave of the protocol, but no trial and no scored unit
        self.side = np.where(self.target_rows, _TEST, self.part)
        self.warnings += [*joined_people(samples), *copies_in(samples, protocol).lines]
        if protocol.spellings == "told":
            join = "--spellings joined" if protocol.name == OF_TABLES else JOIN
            self.warnings += respelt(samples.table, join)
        if split.protocol and split.protocol != protocol.digest():
            self.warnings.append("the split was made by another protocol than the one it is audited against")

    def _places(self, ids: np.ndarray, name: str) -> np.ndarray:
        places = self.samples.table.index.get_indexer(ids)
        if (places < 0).any():
            first = np.asarray(ids)[places < 0][0]
            raise DataError(f"{int((places < 0).sum())} ids in {name} are no samples", where=f"first: {first}",
                            do="use the samples that the split was made for")  # fmt: skip
        if np.bincount(places, minlength=1).max() > 1:
            twice = ids[np.flatnonzero(np.bincount(places) > 1)[0] == places][0]
            raise DataError(f"sample {twice} is listed twice in {name}", do="list it once")
        return places

    def _leak(self, what: str, rows: Iterable[tuple[str, np.ndarray]], do: str | None = None) -> None:
        """Note a leak, for each part the first rows of it, and what keeps it out."""
        places = []
        for name, some in rows:
            shown = ", ".join(str(sample) for sample in self.samples.ids[some[:3]])
            more = f" and {len(some) - 3} more" if len(some) > 3 else ""
            places.append(f"{name}: {'row' if len(some) == 1 else 'rows'} {shown}{more}")
        self.leaks.append((what, "; ".join(places), do))

    @property
    def _together(self) -> str | None:
        return None if self.protocol.parts or self.protocol.copies == "together" else _TOGETHER

    def _by_part(self, rows: np.ndarray) -> list[tuple[str, np.ndarray]]:
        parts = [(name, rows[self.part[rows] == number]) for number, name in enumerate(PARTS)]
        return [(name, some) for name, some in parts if len(some)]

    def _name(self, unit: str, row: int) -> str | None:
        name = unit_names(self.samples.select([row]), unit)[0]
        return name and name.lstrip("/")  # a table without a corpus has an empty one

    def samples_once(self) -> None:
        """Look for samples in two parts."""
        self.checks.append("sample")
        counts = np.bincount(np.concatenate(self.places), minlength=len(self.samples))
        twice = np.flatnonzero(counts > 1)
        if len(twice):
            names = [name for name, places in zip(PARTS, self.places, strict=True) if np.isin(twice[0], places)]
            self._leak(f"sample {self.samples.ids[twice[0]]} is in {' and '.join(names)}", [("in two parts", twice)])

    def trials_and_units(self) -> None:
        """Look for shared trials, scored units and units that the protocol forbids."""
        protocol = self.protocol
        always = list(dict.fromkeys(["trial", protocol.scored_unit]))
        for name in dict.fromkeys([*always, *protocol.disjoint]):
            codes = self.codes(name)
            must_know = name != "trial" or "trial" in (*protocol.disjoint, protocol.scored_unit)
            self._unknown(name, codes, must_know)
            self._parted(name, codes, self.part if name in always else self.side)
        for name in PROVENANCE[:6]:
            if name not in (*always, *protocol.disjoint):
                codes = self.codes(name)
                tested = np.unique(codes[(self.part == _TEST) & (codes >= 0)])
                if len(tested):
                    trained = np.zeros(codes.max() + 1, bool)
                    trained[codes[(self.part == _TRAIN) & (codes >= 0)]] = True
                    self.shared[name] = int(trained[tested].sum())
                    if name == "identity" and self.shared[name]:
                        what = f"{self.shared[name]} of the {_count(len(tested), 'face')} in the test part"
                        self.warnings.append(f"identity: {what} were seen in training; no figure is of new faces alone")

    def _unknown(self, name: str, codes: np.ndarray, must_know: bool) -> None:
        missing = (codes < 0) & (self.part >= 0)
        if not missing.any():
            return
        silent = missing & ((self.part == _TEST) | unknown_rows(self.samples, name))
        if must_know and silent.any():
            self._leak(f"the {name} of {_count(silent.sum(), 'row')} is unknown", self._by_part(np.flatnonzero(silent)))
        else:
            self.warnings.append(f"{name}: unknown in {_count(missing.sum(), 'row')}, not compared there")

    def _parted(self, name: str, codes: np.ndarray, side: np.ndarray) -> None:
        """Look for units on two sides; codes have the shape (n,), or (2, n) for the persons of EEG and face."""
        codes = np.atleast_2d(codes)
        if not ((codes >= 0) & (side >= 0)).any():
            return  # nobody knows of any, which is told; it is not said to have been looked for
        self.checks.append(name)
        seen = np.zeros((codes.max(initial=-1) + 1, 3), bool)
        for key in codes:
            use = (key >= 0) & (side >= 0)
            seen[key[use], side[use]] = True
        leaking = np.flatnonzero(seen.sum(axis=1) > 1)
        if not len(leaking):
            return
        first = leaking[0]
        rows = np.flatnonzero((codes == first).any(axis=0) & (self.part >= 0))
        unit = name if len(codes) == 1 else ("subject", "identity")[int(codes[0, rows[0]] != first)]
        value = self._name(unit, rows[0])
        parts = " and ".join(part for part, present in zip(PARTS, seen[first], strict=True) if present)
        which = "is" if len(leaking) == 1 else f"and {len(leaking) - 1} more are"
        self._leak(f"{name} {value} {which} in {parts}", self._by_part(rows))

    def persons(self) -> None:
        """Look for people who are a subject in one part and a face in another, or under two names in two parts.

        Where nobody is kept apart, who has several names and is on two sides is told; between corpora it is a leak.
        """
        protocol, samples = self.protocol, self.samples
        if any(is_about_people(name) for name in protocol.disjoint):
            self._parted("person", person_codes(samples), self.side)
        elif has_several_names(samples):
            before = len(self.leaks)
            self._parted("person", person_codes(Samples(samples.table, samples.stores)), self.side)
            between = protocol.parts is not None or "corpus" in protocol.disjoint
            if not (between and protocol.same_people):
                self.warnings += [f"{what} ({where})" for what, where, _ in self.leaks[before:]]
                del self.leaks[before:]

    def time(self) -> None:
        """Look for windows of one recording that overlap, or lie closer than the embargo."""
        clock = np.where(self.part >= 0, clock_codes(self.samples), -1)
        if not (clock >= 0).any():
            self.warnings.append("time: no row says when it was recorded")
            return
        self.checks.append("time")
        start, stop = (self.samples.table[name].to_numpy(float) for name in ("start", "stop"))
        timeline = Timeline(clock, start, stop, self.protocol.embargo)
        for number, others in ((_TEST, (_TRAIN, _VALIDATION)), (_VALIDATION, (_TRAIN,))):
            rows = self.part == number
            close = timeline.touching(rows) & np.isin(self.part, others)
            if close.any():
                row = np.flatnonzero(close)[:1]
                near = np.flatnonzero((clock == clock[row]) & rows)
                gap = np.maximum(start[near], start[row]) - np.minimum(stop[near], stop[row])
                session = self._name("session", row[0]) or self._name("subject", row[0]) or "one recording"
                embargo = f" or lie within {self.protocol.embargo:g} s" if self.protocol.embargo else ""
                pair = [*self._by_part(np.flatnonzero(close)), *self._by_part(near[[gap.argmin()]])]
                self._leak(f"windows of {session} overlap{embargo} ({_count(close.sum(), 'row')})", pair)
                return

    def rows(self) -> None:
        """Tell of rows that are there twice, of windows without a width, and of tested people on whom was chosen."""
        table = self.samples.table
        clock, start, stop = clock_codes(self.samples), *(table[name].to_numpy(float) for name in ("start", "stop"))
        used = (self.part >= 0) & (clock >= 0) & np.isfinite(start)
        empty = used & (stop <= start)
        if empty.any():
            self.warnings.append(
                f"time: {_count(empty.sum(), 'row')} of no duration touch nothing: give start and stop"
            )
        times = pd.DataFrame({"clock": clock, "start": start, "stop": stop})[used & ~empty]
        twice = int(times.duplicated().sum())
        if twice:
            self.warnings.append(
                f"time: {_count(twice, 'row')} of a recording, start and stop that another row has, too"
            )
        for name in ("subject", "identity"):
            people = [set(self.codes(name)[self.part == number]) - {-1} for number in range(len(PARTS))]
            chosen = (people[_TEST] & people[_VALIDATION]) - people[_TRAIN]
            if chosen and name not in self.protocol.disjoint:
                what = f"{len(chosen)} of {len(people[_TEST])} in the test part are in validation"
                self.warnings.append(f"{name}: {what}, and not in training: what was chosen has seen them")

    def signals(self) -> None:
        """Look for recordings of one person under two people's names, where the protocol keeps people apart."""
        if not parts_recorded(self.protocol):
            return
        for modality in signal_modalities(self.samples):
            subjects = self.codes("subject")
            pairs, compared = copied_people(self.samples, modality)
            people = len(np.unique(subjects[self.samples.has(modality) & (subjects >= 0)]))
            if compared > 1:
                self.checks.append("copies of signals")
            if compared < people > 1:
                few = f"{people - compared} of {people} people have too few windows of {modality}"
                self.warnings.append(f"copies of signals: {few}, not compared there")
            for one, other in pairs:
                rows = [np.flatnonzero((subjects == person) & (self.part >= 0)) for person in (one, other)]
                parts = [set(self.part[some]) for some in rows]
                if all(len(some) for some in rows) and len(parts[0] | parts[1]) > 1:
                    first, second = (self._name("subject", some[0]) for some in rows)
                    what = f"the {modality} of {first} and {second} rises and falls alike: one recording, two names"
                    self._leak(what, self._by_part(np.concatenate(rows)), self._together)
                    break

    def pictures(self) -> None:
        """Look for near-duplicate pictures, where the protocol parts what pictures show."""
        for modality in picture_modalities(self.samples):
            if parts_pictures(self.protocol):
                self.checks.append("near-duplicate pictures")
                self._duplicates(modality)
            else:
                self.warnings.append("near-duplicate pictures: not compared, the protocol lets pictures be shared")

    def given_parts(self) -> None:
        """Compare the parts with those that the corpus gives, and say which pictures of them are left out as copies."""
        if self.protocol.parts is None:
            return
        self.checks.append("given parts")
        parts = given_parts(self.samples, self.protocol.parts, self.protocol.test_corpora)
        moved = (self.part >= 0) & (parts != self.part) & ~self.target_rows
        if not (parts == _VALIDATION).any():
            moved &= (parts != _TRAIN) | (self.part != _VALIDATION)  # training gives some of its own to validation
        if moved.any():
            first = np.flatnonzero(moved)[0]
            named = PARTS[parts[first]] if parts[first] >= 0 else "no part"
            what = f"the corpus gives sample {self.samples.ids[first]} to {named}, and {_count(moved.sum(), 'row')} so"
            self._leak(what, self._by_part(np.flatnonzero(moved)))
        if self.protocol.test_corpora:
            of = " but of those whom same_people names" if self.protocol.same_people else ""
            self.warnings.append(
                f"identity: names hold within a corpus; whether somebody is in two was not compared{of}"
            )
        left = (self.part < 0) & np.isin(parts, (_TRAIN, _VALIDATION))
        for modality in picture_modalities(self.samples):
            pairs = duplicates_between(self.samples, modality, left, np.isin(self.part, (_VALIDATION, _TEST)))
            if len(pairs):
                copies = _count(len(np.unique(pairs[:, 0])), "training or validation row")
                first, second = (picture_name(self.samples, row) for row in pairs[0])
                self.warnings.append(
                    f"given parts: {copies} left out, near-duplicates of the {modality} of rows in a later part (the "
                    f"first: {first} of {second})"
                )

    def _duplicates(self, modality: str) -> None:
        for one, other in ((_TRAIN, _TEST), (_VALIDATION, _TEST), (_TRAIN, _VALIDATION)):
            pairs = duplicates_between(self.samples, modality, self.part == one, self.part == other)
            if len(pairs):
                first, second = (picture_name(self.samples, row) for row in pairs[0])
                what = f"the {modality} of {first} is a near-duplicate of that of {second}"
                sides = [(PARTS[one], np.unique(pairs[:, 0])), (PARTS[other], np.unique(pairs[:, 1]))]
                self._leak(f"{what} ({_count(len(pairs), 'pair')})", sides, self._together)
                return

    def target(self) -> None:
        """Check that labelled target rows are permitted, and no more of them than the protocol's share."""
        moved = np.flatnonzero(self.target_rows)
        if not len(moved):
            return
        self.checks.append("target")
        access = self.protocol.target
        if access.share is None:
            self._leak(f"labelled target rows in training, where access to the target is {access.kind}",
                       self._by_part(moved))  # fmt: skip
            return
        outside = moved[self.part[moved] != _TRAIN]
        if len(outside):
            self._leak("target rows are outside training", self._by_part(outside) or [("in no part", outside)])
        scored = self.codes(self.protocol.scored_unit)
        trained, kept = (len(np.unique(scored[rows])) for rows in (moved, self.part == _TEST))
        if trained > access.share * (trained + kept) + 1:
            self._leak(f"{trained} labelled target units where {access.share:.0%} of {trained + kept} are permitted",
                       self._by_part(moved))  # fmt: skip

    def fits(self, fits: Iterable[Fit]) -> None:
        """Check that every fitted step saw no more than its use permits."""
        self.checks.append("fitted steps")
        for fit in fits:
            allowed = np.isin(self.part, _MAY_USE[fit.use])
            if fit.use == "inputs" and self.protocol.target.kind == "unlabelled":
                allowed |= self.part == _TEST
            places = self.samples.table.index.get_indexer(fit.ids)
            strangers = np.asarray(fit.ids)[places < 0]
            if len(strangers):
                what = f"step {fit.step} was fitted on {_count(len(strangers), 'sample')} that the audit does not know"
                self.leaks.append((what, f"first: {strangers[0]}", None))
            beyond = places[(places >= 0) & ~allowed[places]]
            if len(beyond):
                rows = self._by_part(beyond) or [("in no part", beyond)]
                self._leak(
                    f"step {fit.step} was fitted ({fit.use}) on {_count(len(beyond), 'sample')} outside its part", rows
                )

    def cleaning(self) -> None:
        """Look for test signals that were cleaned by a step that learnt, without labels, from more than themselves.

        A column such as `eeg_cleaned_on` names what ICA and its like learnt from: all rows of one value. To clean a
        test row so takes inputs of the test part that are not yet there when one sample comes at a time; and where
        training rows have the same value, what was learnt from test inputs has cleaned them, too.
        """
        for column in (str(name) for name in self.samples.table if str(name).endswith(_CLEANED_ON)):
            self.checks.append("learnt cleaning")
            cleaned = np.flatnonzero((self.part == _TEST) & self.samples.table[column].notna().to_numpy())
            if not len(cleaned):
                continue
            modality, names = column.removesuffix(_CLEANED_ON), self.samples.table[column].iloc[cleaned].unique()
            more = f" and {len(names) - 1} more" if len(names) > 1 else ""
            what = f"the cleaning of {modality} {names[0]}{more} learnt from inputs of the test part, without labels"
            if self.protocol.target.kind == "unlabelled":
                self.warnings.append(f"{what}, as the protocol's target access allows")
            else:
                self._leak(f"{what}: say target unlabelled, or clean without learning", self._by_part(cleaned))

    def counts(self) -> dict[str, int]:
        """Return how many samples are in each part, in the labelled target and in no part, and what is scored."""
        scored = self.codes(self.protocol.scored_unit)[self.part == _TEST]
        parts = {name: len(places) for name, places in zip(PARTS, self.places, strict=True)}
        rest = {"target": int(self.target_rows.sum()), "unused": int((self.part < 0).sum())}
        return {**parts, **rest, "scored units": len(np.unique(scored[scored >= 0]))}


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"

"""Copies on one side: what a protocol looks for among pictures and recordings, and which rows hold copies."""

from __future__ import annotations

from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
import pandas as pd

from insula.protocols.duplicates import duplicates_between, linked, picture_modalities
from insula.protocols.settings import ProtocolSettings
from insula.protocols.signal_copies import copied_people, signal_modalities
from insula.protocols.units import SAMPLE, unit_codes, unit_names
from insula.samples import Samples

_SHOW_FACES = {"stimulus", "identity", "person", "corpus"}
_HAVE_SIGNALS = {"subject", "person"}


@dataclass(frozen=True)
class Copies:
    """Which rows hold copies.

    Parameters
    ----------
    pictures, signals : tuple of int64 arrays, shape (n,)
        Of each modality: rows of one number hold one picture, or recordings of one person; -1 where there is one alone.
    lines : tuple of str
        What there is, in words.
    """

    pictures: tuple[np.ndarray, ...] = ()
    signals: tuple[np.ndarray, ...] = ()
    lines: tuple[str, ...] = ()

    def of(self, unit: str, scored_unit: str) -> list[np.ndarray]:
        """Return the copies that a unit must not part."""
        parts, scored = set(unit.split("+")), set(scored_unit.split("+"))
        pictures = self.pictures if (parts | scored) & _SHOW_FACES else ()
        return [*pictures, *(self.signals if parts & _HAVE_SIGNALS else ())]


def parts_pictures(protocol: ProtocolSettings) -> bool:
    """Say whether a protocol parts what pictures show."""
    names = (*protocol.disjoint, protocol.scored_unit)
    at_random = not protocol.disjoint and protocol.scored_unit == SAMPLE
    if at_random or protocol.test_corpora:
        return True
    return not _SHOW_FACES.isdisjoint(part for name in names for part in name.split("+"))


def parts_recorded(protocol: ProtocolSettings) -> bool:
    """Say whether a protocol parts the people whose signals were recorded."""
    return not _HAVE_SIGNALS.isdisjoint(part for name in protocol.disjoint for part in name.split("+"))


def picture_name(samples: Samples, row: int) -> str:
    """Return the name of a picture's file, or its sample."""
    sample, table = samples.ids[row], samples.table
    return f"sample {sample}" if "path" not in table else f"{table['path'].iloc[row]} (sample {sample})"


_REMEMBERED: WeakKeyDictionary[Samples, dict[tuple[bool, bool], Copies]] = WeakKeyDictionary()


def copies_in(samples: Samples, protocol: ProtocolSettings) -> Copies:
    """Return the copies that a protocol wants on one side, none where it refuses them; found once for the samples."""
    if protocol.copies != "together":
        return Copies()
    wanted = parts_pictures(protocol), parts_recorded(protocol)
    remembered = _REMEMBERED.setdefault(samples, {})
    if wanted not in remembered:
        remembered[wanted] = _copies(samples, *wanted)
    return remembered[wanted]


def _copies(samples: Samples, of_pictures: bool, of_signals: bool) -> Copies:
    pictures, signals, lines = [], [], []
    for modality in picture_modalities(samples) if of_pictures else ():
        codes, line = _same_picture(samples, modality)
        if line:
            pictures.append(codes)
            lines.append(line)
    for modality in signal_modalities(samples) if of_signals else ():
        subjects, pairs = unit_codes(samples, "subject"), np.array(copied_people(samples, modality)[0], np.int64)
        if len(pairs):
            first = linked(pairs, int(subjects.max()) + 1)
            copied = np.isin(subjects, pairs)
            signals.append(np.where(copied, first[subjects], -1))
            names = unit_names(samples, "subject")[[np.flatnonzero(subjects == one)[0] for one in pairs[0]]]
            more = f" and {len(pairs) - 1} more pairs" if len(pairs) > 1 else ""
            lines.append(f"copies: {names[0]} and {names[1]}{more} have one {modality}, and stay on one side")
    return Copies(tuple(pictures), tuple(signals), tuple(lines))


def _same_picture(samples: Samples, modality: str) -> tuple[np.ndarray, str]:
    """Return int64 (n,), one number for rows of pictures that are copies of one another, and what there is in words."""
    stores, rows = pd.factorize(samples.table[f"{modality}_store"])[0], samples.rows(modality)
    picture = pd.factorize(np.where(rows >= 0, stores * (rows.max(initial=0) + 1) + rows, -1))[0]
    everywhere = np.ones(len(samples), bool)
    pairs = duplicates_between(samples, modality, everywhere, everywhere)
    pairs = pairs[picture[pairs[:, 0]] < picture[pairs[:, 1]]]
    if not len(pairs):
        return np.empty(0, np.int64), ""
    first = linked(picture[pairs], int(picture.max()) + 1)
    copied = np.isin(picture, picture[pairs])
    count, (one, other) = len(np.unique(picture[copied])) - len(np.unique(first[picture[copied]])), pairs[0]
    named = f" (the first: {picture_name(samples, other)} of {picture_name(samples, one)})"
    what = f"{count} of {len(np.unique(picture[rows >= 0]))} rows of {modality}"
    return np.where(copied, first[picture], -1), f"copies: {what} are copies of others and stay with them{named}"

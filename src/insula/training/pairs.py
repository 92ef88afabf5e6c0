"""Pairs of people for learning without labels: windows of one person, and of another the windows that go with them."""

from __future__ import annotations

import warnings
import zlib
from typing import Literal

import numpy as np
import pandas as pd
import torch

from insula.errors import DataError, SettingsError, choices

Kind = Literal["time-aligned", "same-clip", "same-label", "same-condition"]

_COLUMNS = {"time-aligned": None, "same-clip": None, "same-label": "emotion", "same-condition": "condition"}
_LOST = 0.1  # of a clip: people of whom more is missing did not see the same


class PairSampler:
    """Draws, for each corpus, two people and windows of both that show the same.

    A clip is a stimulus or, in a corpus that names none, a trial. People are paired within sessions of one name; in a
    corpus where no two people have a session of one name, by their stimuli over all sessions.

    Parameters
    ----------
    table : DataFrame
        One row a window: `corpus`, `subject`, `session`, `trial`, `stimulus` and `start` (seconds), as samples have
        them; where there is a column `stop`, lengths of clips are compared.
    kind : {"time-aligned", "same-clip", "same-label", "same-condition"}
        What partners share. `time-aligned`: the clip, and the time since the first window of its trial; `same-clip`:
        the clip, but not that time; `same-label` and `same-condition`, for corpora whose people were not shown the
        same: the value of a column, in any session.
    column : str, optional
        The one that partners share, by default `emotion` or `condition`.
    clips : int, optional
        How many clips (or windows of one label) at most are drawn at a time; by default all that both people have.

    Raises
    ------
    DataError
        Where a corpus has one person only, no two people who share anything, or clips that for one person lasted more
        than a tenth less than for another.
    SettingsError
        Where there is no such kind or column.

    Warns
    -----
    UserWarning
        Where clips last more than a second longer for some people: what the others lack is not drawn.

    Examples
    --------
    >>> table = pd.DataFrame({"corpus": "demo", "subject": ["S1"] * 4 + ["S2"] * 4, "session": "1", "trial": None,
    ...                       "stimulus": ["a", "a", "b", "b"] * 2, "start": [0, 2, 10, 12] * 2})
    >>> sampler = PairSampler(table)
    >>> sampler.counts
    {'demo': {'pairs': 1, 'clips': 2, 'windows': 8}}
    >>> [places] = sampler.draw(seed=0, step=0, number=0)
    >>> one, other = table.loc[places[:2].tolist()], table.loc[places[2:].tolist()]
    >>> [(one[name].values == other[name].values).tolist() for name in ("stimulus", "start", "subject")]
    [[True, True], [True, True], [False, False]]
    """

    def __init__(
        self, table: pd.DataFrame, kind: Kind = "time-aligned", column: str | None = None, clips: int | None = None
    ) -> None:
        if kind not in _COLUMNS:
            raise SettingsError(f"unknown kind of pairs {kind!r}", do=choices("kinds", kind, _COLUMNS))
        if column and not _COLUMNS[kind]:
            do = "pair by same-label or same-condition"
            raise SettingsError(f"{kind} pairs share no column", where=column, do=do)
        column = column or _COLUMNS[kind]
        if column and column not in table.columns:
            raise SettingsError(f"no column {column!r} to pair by", do=choices("columns", column, table.columns))
        read = dict.fromkeys(["corpus", "subject", "session", "trial", "stimulus", "start", "stop", column or "corpus"])
        table = table.reindex(columns=list(read)).set_axis(pd.RangeIndex(len(table)))
        self._corpora = {
            str(name): _Corpus(str(name), part, kind, column, clips) for name, part in table.groupby("corpus")
        }

    @property
    def counts(self) -> dict[str, dict[str, int]]:
        """How many pairs of people, clips (or labels) of each session, and windows a corpus draws from."""
        return {
            name: {
                "pairs": int(corpus.partners.sum()) // 2,
                "clips": int((corpus.shared > 1).sum()),
                "windows": int((corpus.end - corpus.begin)[corpus.has].sum()),
            }
            for name, corpus in self._corpora.items()
        }

    def draw(self, seed: int, step: int, number: int) -> list[torch.Tensor]:
        """Return places of windows for each corpus, in the order of their names; it depends on nothing but these.

        A corpus draws the same whichever others are drawn from beside it.

        Parameters
        ----------
        seed, step, number : int
            Of the run, the step and the draw within it, not below 0.

        Returns
        -------
        list of int64 tensors, each (2 n,)
            Rows of the table: n windows of one person and, in the same order of clips, n of the other. One window a
            clip, or as many of each label as both have.
        """
        return [
            corpus.draw(np.random.default_rng([seed, zlib.crc32(name.encode()), step, number]))
            for name, corpus in self._corpora.items()
        ]


class _Corpus:
    """The windows of one corpus, sorted by sitting (what is paired), clip and time; arguments are `PairSampler`'s.

    A sitting is one person's session or, where people are paired over all sessions, the person. Sittings that may be
    paired are of one `meeting`.
    """

    def __init__(self, name: str, table: pd.DataFrame, kind: Kind, column: str | None, limit: int | None) -> None:
        self.kind, self.limit = kind, limit
        clip = column or ("stimulus" if table["stimulus"].notna().any() else "trial")
        table = table[table["subject"].notna() & table[clip].notna()]
        if table.empty:
            raise DataError(f"no window of a person has a {clip}", where=name, do=f"fill in subject and {clip}")
        subject = table["subject"].factorize()[0]
        if not subject.any():
            raise DataError("there is one person only, and nobody to pair with", where=name, do="add other people")
        sittings = table[["session", "subject"]].drop_duplicates()
        by_session = not column and bool(sittings["session"].duplicated().any())
        if clip == "trial" and not by_session:
            do = "name sessions alike, fill in the column stimulus, or pair by same-condition"
            raise DataError("no two people have a session of one name", where=name, do=do)
        meeting = table["session"].factorize(use_na_sentinel=False)[0] if by_session else np.zeros(len(table), int)
        sitting, person = np.unique(meeting * (subject.max() + 1) + subject, return_inverse=True)
        meets = sitting // (subject.max() + 1)
        clip_code, clips = table[clip].factorize(sort=True)
        time = np.zeros(len(table))
        if not column:
            own = table.groupby([person, "session", clip, "trial"], sort=False, dropna=False)
            time = (table["start"] - own["start"].transform("min")).round(2).to_numpy(float)
            lasted = own["stop"].transform("max") - own["start"].transform("min")
            _compare(name, table.assign(lasted=lasted), clip, meeting)
        order = np.lexsort((time, clip_code, person))
        self.places, self.time = table.index.to_numpy()[order], time[order]
        cell = (person * len(clips) + clip_code)[order]
        cells = np.arange(len(meets) * len(clips)).reshape(len(meets), len(clips))
        self.begin, self.end = np.searchsorted(cell, cells), np.searchsorted(cell, cells, side="right")
        moments = cell[np.flatnonzero(np.diff(cell, prepend=-1) | (np.diff(self.time, prepend=-1) != 0))]
        self.has = np.bincount(moments, minlength=cells.size).reshape(cells.shape) > (kind == "same-clip")
        self.shared = np.zeros((meeting.max() + 1, len(clips)), int)
        np.add.at(self.shared, meets, self.has)
        self.has &= self.shared[meets] > 1
        if not self.has.any():
            what = f"no two people have {'two windows' if kind == 'same-clip' else 'a window'} of one {clip}"
            raise DataError(what, where=name, do="name alike what is the same, or pair by another kind or column")
        # People who have the same clips have the same partners: few patterns stand for all pairs, however many.
        patterns, self.pattern, count = np.unique(
            np.column_stack([meets, self.has]), axis=0, return_inverse=True, return_counts=True
        )
        self.alike = (patterns[:, 1:] @ patterns[:, 1:].T > 0) & (patterns[:, :1] == patterns[:, 0])
        self.partners = (self.alike @ count - self.alike.diagonal())[self.pattern]

    def draw(self, generator: np.random.Generator) -> torch.Tensor:
        """Return what `PairSampler.draw` does, for this corpus."""
        one = generator.choice(len(self.partners), p=self.partners / self.partners.sum())
        others = np.flatnonzero(self.alike[self.pattern[one], self.pattern])
        other = generator.choice(others[others != one])
        clips = np.flatnonzero(self.has[one] & self.has[other]).tolist()
        drawn = np.concatenate([self._windows(one, other, clip, generator) for clip in clips], axis=1)
        if self.limit:
            drawn = generator.permutation(drawn, axis=1)[:, : self.limit]
        return torch.from_numpy(self.places[drawn].reshape(-1))

    def _windows(self, one: int, other: int, clip: int, generator: np.random.Generator) -> np.ndarray:
        """Return partners' windows of a clip, (2, n): one of each person, or as many of a label as both have."""
        own, theirs = (np.arange(self.begin[each, clip], self.end[each, clip]) for each in (one, other))
        if _COLUMNS[self.kind]:
            count = min(len(own), len(theirs))
            return np.stack([generator.permutation(own)[:count], generator.permutation(theirs)[:count]])
        aligned = self.kind == "time-aligned"
        if aligned:
            own = own[np.isin(self.time[own], self.time[theirs])]
        first = generator.choice(own)
        return np.array([[first], [generator.choice(theirs[(self.time[theirs] == self.time[first]) == aligned])]])


def _compare(corpus: str, table: pd.DataFrame, clip: str, meeting: np.ndarray) -> None:
    """Refuse clips that lasted much less for one person than for another, and warn of those that lasted a bit less."""
    each = table.groupby([meeting, clip])["lasted"].agg(["min", "max"])
    lost = each["max"] - each["min"]
    much = lost > _LOST * each["max"]
    if much.any():
        name, (short, long) = each.index[much][0][1], each[much].iloc[0]
        what = f"sessions do not match: {clip} {name} lasts {short:g} s of one person and {long:g} s of another"
        raise DataError(what, where=corpus, do=f"leave the windows of {clip} {name} out, or correct the column")
    if (lost > 1).any():
        what = f"{int((lost > 1).sum())} of {len(each)} clips last up to {lost.max():g} s longer for some people"
        warnings.warn(f"{corpus}: {what}: what others lack is not paired", stacklevel=2)

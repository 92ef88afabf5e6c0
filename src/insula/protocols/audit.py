"""The audit: does anything of the test part reach training, and anything of validation what it chooses among."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from insula.errors import LeakageError
from insula.protocols.checks import Checks
from insula.protocols.protocol import Protocol
from insula.protocols.split import Split
from insula.samples import Fit, Samples
from insula.storage.hashing import digest


@dataclass(frozen=True)
class Audit:
    """What was checked, and what was found.

    Parameters
    ----------
    fold : int
        Of the split.
    protocol, split : str
        Their digests.
    counts : dict
        Samples in each part, of the labelled target and in no part; scored units in test.
    shared : dict
        Units that the protocol does not forbid to share: how many of those in test are in training too.
    checks : tuple of str
        What was looked for.
    leaks : tuple of str
        What was found; empty unless the protocol is as published, since a leak raises otherwise.
    warnings : tuple of str
        What could not be checked, and the like.
    as_published : bool
        Whether the protocol was allowed to leak.
    """

    fold: int
    protocol: str
    split: str
    counts: dict[str, int]
    shared: dict[str, int]
    checks: tuple[str, ...]
    leaks: tuple[str, ...]
    warnings: tuple[str, ...]
    as_published: bool

    @property
    def clean(self) -> bool:
        """Whether nothing leaks."""
        return not self.leaks

    @property
    def sha256(self) -> str:
        """Digest of everything the audit says."""
        return digest(asdict(self))

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, JSON-like."""
        return {**asdict(self), "clean": self.clean, "sha256": self.sha256}


def audit(split: Split, samples: Samples, protocol: Protocol, fits: Iterable[Fit] = ()) -> Audit:
    """Check a split against its protocol.

    Parameters
    ----------
    split : Split
        Parts by sample id.
    samples : Samples
        All samples that the split speaks of.
    protocol : Protocol
        What must not be shared. Trials, scored units, windows that overlap in time, and (where the protocol parts
        stimuli, faces or corpora) near-duplicate pictures are never shared.
    fits : iterable of Fit
        What each fitted step saw, from a system's log.

    Returns
    -------
    Audit

    Raises
    ------
    LeakageError
        Naming the unit and the rows; where the protocol is as published the findings are collected instead.
    DataError
        Where the split names samples that are not there, or one sample twice in a part.

    Examples
    --------
    >>> from insula.protocols import Split, protocol
    >>> from insula.samples import provenance
    >>> samples = Samples(provenance(corpus="c", subject=["S1", "S1", "S2"], trial=["t1", "t1", "t2"]), {})
    >>> import numpy as np
    >>> split = Split(train=np.array([0]), validation=np.array([], int), test=np.array([1, 2]))
    >>> audit(split, samples, protocol("trial-disjoint"))
    Traceback (most recent call last):
    ...
    insula.errors.LeakageError: trial c/S1/t1 is in train and test (train: row 0; test: row 1)
    """
    check = Checks(split, samples, protocol)
    check.samples_once()
    check.trials_and_units()
    check.persons()
    check.time()
    check.rows()
    check.signals()
    check.pictures()
    check.given_parts()
    check.target()
    check.cleaning()
    check.fits(fits)
    if check.leaks and not protocol.as_published:
        (what, where, do), more = check.leaks[0], len(check.leaks) - 1
        cures = [do or "", f"further kinds of leak: {more}" if more else ""]
        raise LeakageError(what, where=where, do="; ".join(filter(None, cures)) or None)
    return Audit(
        fold=split.fold,
        protocol=protocol.digest(),
        split=split.digest(),
        counts=check.counts(),
        shared=check.shared,
        checks=tuple(dict.fromkeys(check.checks)),
        leaks=tuple(f"{what} ({where})" for what, where, _ in check.leaks),
        warnings=tuple(check.warnings),
        as_published=protocol.as_published,
    )

"""Protocols: the units that must not be shared, how validation nests, what is scored, what the target shows."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from insula.emotions import Task
from insula.errors import SettingsError, choices
from insula.protocols.settings import TO_OTHERS, ProtocolSettings
from insula.protocols.split import Split
from insula.protocols.splitting import make_splits
from insula.protocols.units import SAMPLE, unit_names
from insula.samples import Samples


class Protocol(ProtocolSettings):
    """Who may be seen when.

    A trial is always kept whole, and so is the scored unit. With one disjoint unit each labelled scored unit is tested
    exactly once over the folds. With several (`("subject", "stimulus")`) each unit is cut into `folds`, and there is a
    split for every combination: its test part is held out in all units, its training part in none, and the rest is
    left out. A unit that lies within another (each trial within one subject) is recognised and leaves nothing out.

    Parameters
    ----------
    name : str
        What reports call it.
    disjoint : tuple of str
        Units that parts must not share, as `Samples.units` understands them: `corpus`, `subject`, `session`, `trial`,
        `stimulus`, `identity`, `person`, or several joined by `+` that count as one unit. Empty: scored units at
        random.
    folds : int
        Into how many parts each unit is cut.
    test_share : float, optional
        One split with this share of each unit held out, in place of folds.
    parts : str, optional
        Name of the column in which the corpus gives its official parts, `train`, `validation` and `test`: one split, as
        it says. Where it gives no validation part, training gives some of its own, by the rule of the protocol. A
        picture of which a later part holds a near-duplicate is left out, and the audit says how many are; the test part
        stays whole. With `as_published` all stay.
    test_corpora : tuple of str
        With `parts`: corpora that are tested and never trained on, each its part `test`, or all of it where it gives
        none. Training and validation are those of the other corpora (without the column all of it trains), whose test
        parts are left out. Validation that training has to give keeps people whole where they are known.
    leave_one_out : bool
        Each value of the first unit is a fold of its own.
    stratify : bool
        Spread classes (or quantiles of a rating, or the class with most votes) evenly.
    validation_share : float
        Share of each unit that training leaves for validation, by the same rule; 0 for none.
    scored_unit : str
        A unit, or `sample`: predictions collapse to it before any metric. Rows that have none are never scored.
    target : TargetAccess
        What of the test side may be seen.
    embargo : float
        Seconds that must lie between windows of one recording in different parts.
    copies : {"refused", "together"}
        What becomes of copies of pictures, and of recordings of one person under two names, where the audit looks for
        them: a split that has them on two sides is refused, or they are joined into one unit first and stay on one
        side. Parts that the corpus gives stay as they are.
    spellings : {"told", "joined"}
        Whether names such as `P001` and `p1` in one corpus are told, or count as one person.
    same_people : str, optional
        Path of a CSV file that says who has two names, in two corpora or in one: `corpus`, `person`, `other_corpus`,
        `other_person`. They count as one person; where corpora or given parts are kept apart, a person on both sides is
        a leak.
    as_published : bool
        Make the split as some papers do, with rows at random and nothing kept whole, or with given parts that hold
        copies of one picture; every figure is marked.
    seed : int
        Of every shuffle.
    """

    def splits(self, samples: Samples, task: Task) -> list[Split]:
        """Return the splits of these samples, every one of which passes `audit`.

        Given parts pass where they keep apart what `disjoint` names.

        Parameters
        ----------
        samples : Samples
            All of them; those without a label may train and are never scored.
        task : Task
            Whose label says which rows are labelled, and of which class.

        Returns
        -------
        list of Split
            Test parts are made at once. Of many folds of many people the others are made when they are asked for, and
            what is wrong with one is said then.

        Warns
        -----
        UserWarning
            Saying which copies and which people were joined.

        Raises
        ------
        DataError
            Where there are too few units, or a row does not say which unit it belongs to.
        LabelError
            Where training lacks a class.

        Examples
        --------
        >>> from insula.emotions import Categorical
        >>> from insula.samples import provenance
        >>> table = provenance(corpus="c", identity=list("aabbccddee"), stimulus=list("0123456789"))
        >>> samples = Samples(table.assign(emotion=["fear", "anger"] * 5), {})
        >>> task = Categorical(label="emotion", classes=("fear", "anger"))
        >>> protocol("identity-disjoint", folds=5, validation_share=0.25).splits(samples, task)[0]
        Split(fold 0: train 6, validation 2, test 2)
        """
        return make_splits(self, samples, task)

    def scored_units(self, samples: Samples) -> np.ndarray:
        """Return text (n,): the unit that each sample's prediction collapses to, None where it is not scored."""
        return unit_names(samples, self.scored_unit)


def _named(name: str, *disjoint: str, **settings: Any) -> tuple[str, Protocol]:
    return name, Protocol(name=name, disjoint=disjoint, **settings)


PROTOCOLS: Mapping[str, Protocol] = MappingProxyType(
    dict(
        [
            _named("random", stratify=False, scored_unit=SAMPLE, as_published=True),
            _named("stratified", scored_unit="stimulus"),
            _named("as-given", parts="part", scored_unit="stimulus"),
            _named("trial-disjoint", "trial"),
            _named("session-disjoint", "session"),
            _named("subject-disjoint", "subject"),
            _named("stimulus-disjoint", "stimulus", scored_unit="stimulus"),
            _named("identity-disjoint", "identity", scored_unit="stimulus"),
            _named("person-disjoint", "person"),
            _named("subject-and-stimulus-disjoint", "subject", "stimulus", folds=3),
            _named("cross-corpus", "corpus", leave_one_out=True),
            _named(TO_OTHERS, parts="part", scored_unit="stimulus"),
        ]
    )
)
"""Protocols by name; `protocol` returns them with changes."""

_ONE_OUT = {"leave_one_out": True}

WORDS: Mapping[str, tuple[str, Mapping[str, Any]]] = MappingProxyType(
    {
        **dict.fromkeys(
            ("loso", "leave-one-subject-out", "lopo", "leave-one-participant-out", "leave-one-person-out"),
            ("subject-disjoint", _ONE_OUT),
        ),
        **dict.fromkeys(
            ("cross-subject", "subject-independent", "inter-subject", "between-subject", "cross-participant"),
            ("subject-disjoint", {}),
        ),
        "person-independent": ("person-disjoint", {}),
        "leave-one-trial-out": ("trial-disjoint", _ONE_OUT),
        "cross-trial": ("trial-disjoint", {}),
        "leave-one-session-out": ("session-disjoint", _ONE_OUT),
        "cross-session": ("session-disjoint", {}),
        "leave-one-stimulus-out": ("stimulus-disjoint", _ONE_OUT),
        "cross-stimulus": ("stimulus-disjoint", {}),
        **dict.fromkeys(("cross-dataset", "leave-one-dataset-out", "leave-one-corpus-out"), ("cross-corpus", {})),
    }
)
"""The field's other words for protocols: the name of each, and the changes that it means."""

_WITHIN = ("within-subject", "subject-dependent", "intra-subject", "person-dependent")


def protocol(name: str, **changes: Any) -> Protocol:
    """Return a named protocol, with changes.

    Parameters
    ----------
    name : str
        A name in `PROTOCOLS`, or in `WORDS`; spaces and underscores stand for hyphens.
    **changes
        Fields of `Protocol`. `random` wants `as_published=True`, since it leaks, and `corpus-to-corpus` wants
        `test_corpora`.

    Examples
    --------
    >>> protocol("subject-disjoint", leave_one_out=True).disjoint
    ('subject',)
    >>> protocol("loso").leave_one_out
    True
    >>> protocol("random")
    Traceback (most recent call last):
    ...
    insula.errors.SettingsError: the protocol random leaks: set as_published to true, and every figure will be marked
    """
    plain = str(name).strip().lower().replace("_", "-").replace(" ", "-").replace("subjects", "subject")
    if plain in _WITHIN:
        do = "set protocol.name=trial-disjoint, which has people in both parts and keeps whole trials apart"
        raise SettingsError(f"no protocol named {name!r}", do=do)
    name, meant = WORDS.get(plain, (plain, {}))
    changes = {**meant, **changes}
    if name not in PROTOCOLS:
        raise SettingsError(f"no protocol named {name!r}", do=choices("protocols", plain, [*PROTOCOLS, *WORDS]))
    if PROTOCOLS[name].as_published and not changes.get("as_published"):
        do = "set as_published to true, and every figure will be marked"
        raise SettingsError(f"the protocol {name} leaks", do=do)
    if name == TO_OTHERS and not changes.get("test_corpora"):
        raise SettingsError(f"the protocol {name} is not told what to test", do="name corpora in test_corpora")
    if changes.get("leave_one_out") and "folds" in changes:
        warnings.warn("folds is not used: leave_one_out makes a fold of each unit", stacklevel=2)
    return Protocol.parse({**PROTOCOLS[name].model_dump(), **changes}, where=f"protocol {name}")

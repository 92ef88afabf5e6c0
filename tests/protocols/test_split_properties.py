"""Whatever the provenance, a split that a protocol makes passes the audit and tests what is to be tested once."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from insula.errors import DataError, LabelError
from insula.protocols import Protocol, Split, audit, protocol
from insula.protocols.clock import Timeline
from insula.protocols.units import joined, lies_within, unit_codes, unit_names
from insula.samples import Samples, provenance
from protocols.studies import CLASSES, TASK, point

NAMES = [
    "stratified", "trial-disjoint", "session-disjoint", "subject-disjoint", "stimulus-disjoint", "identity-disjoint",
    "person-disjoint", "cross-corpus",
]  # fmt: skip

pytestmark = pytest.mark.slow


PLAIN = ["corpus", "subject", "identity", "stimulus", "person", "subject+session"]


@st.composite
def studies(draw: st.DrawFn) -> Samples:
    """Return tables with nested and crossed units, repeated ids, missing modalities and labels, overlapping windows."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = draw(st.integers(60, 160))
    trial = rng.integers(0, draw(st.integers(20, 50)), n)  # windows of one trial agree in all that follows
    subject = rng.integers(0, draw(st.integers(4, 10)), trial.max() + 1)[trial]
    session = rng.integers(0, 3, trial.max() + 1)[trial]
    stimulus = rng.integers(0, draw(st.integers(8, 30)), trial.max() + 1)[trial]
    identity = stimulus % draw(st.integers(4, 9))
    corpus = subject % draw(st.integers(1, 4))
    one_person = draw(st.booleans())
    brain, seen = rng.random(n) < draw(st.sampled_from([1.0, 0.8])), rng.random(n) < draw(st.sampled_from([1.0, 0.7]))
    seen |= ~brain
    numbered_anew = draw(st.booleans())

    def text(letter: str, numbers: np.ndarray, where: np.ndarray) -> np.ndarray:
        return np.where(where, [f"{letter}{number}" for number in numbers], None)

    table = provenance(
        corpus=text("c", corpus, np.ones(n, bool)),
        subject=text("P" if one_person else "S", subject, brain),
        session=text("", session, brain),
        trial=text("t", trial % 7 if numbered_anew else trial, brain),
        stimulus=text("x", stimulus, seen),
        identity=text("P" if one_person else "i", identity, seen),
    )
    start = np.where(brain, 30.0 * trial + rng.integers(0, 8, n) / 2, np.nan)
    spread = rng.integers(0, 3, trial.max() + 1)
    label = np.where(rng.random(n) < draw(st.sampled_from([1.0, 0.7])), (stimulus + spread[trial]) % 3, -1)
    emotion = [None if number < 0 else CLASSES[number] for number in label]
    samples = Samples(
        table.assign(start=start, stop=start + 1, emotion=emotion), {}, {"c0", "c1"} if one_person else ()
    )
    return point(point(samples, "eeg", brain), "picture", seen)


def make(rule: Protocol, samples: Samples) -> list[Split]:
    try:
        return rule.splits(samples, TASK)
    except (DataError, LabelError):  # too few units, or a class too rare: said in tests of their own
        assume(False)
        return []


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(samples=studies(), seed=st.integers(0, 99), share=st.sampled_from([0.0, 0.25]))
def test_every_split_passes_the_audit_and_tests_each_labelled_unit_once(
    name: str, samples: Samples, seed: int, share: float
) -> None:
    rule = protocol(name, seed=seed, validation_share=share, **({} if name == "cross-corpus" else {"folds": 3}))
    splits = make(rule, samples)
    scored = rule.scored_units(samples)
    can = samples.table["emotion"].notna().to_numpy() & (scored != np.array(None))
    for unit in rule.disjoint:
        can &= unit_codes(samples, unit) >= 0
    tested = [pd.unique(scored[split.test]) for split in splits]
    assert sorted(np.concatenate([split.test for split in splits])) == list(np.flatnonzero(can))
    assert sorted(np.concatenate(tested)) == sorted(set(scored[can]))
    for split in splits:
        assert audit(split, samples, rule).clean
        assert (len(split.validation) > 0) == (share > 0)


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    samples=studies(),
    disjoint=st.lists(st.sampled_from(["subject", "stimulus", "identity", "session", "subject+session", "person"]),
                      min_size=2, max_size=3, unique=True),
    target=st.sampled_from(["none", {"kind": "labelled", "share": 0.3}]),
    embargo=st.sampled_from([0.0, 2.0]),
)  # fmt: skip
def test_every_split_over_several_units_passes_the_audit(
    samples: Samples, disjoint: list[str], target: str | dict, embargo: float
) -> None:
    rule = Protocol(disjoint=tuple(disjoint), folds=2, validation_share=0, target=target, embargo=embargo)
    for split in make(rule, samples):
        found = audit(split, samples, rule)
        assert found.clean and found.counts["target"] == len(split.target)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_touching_is_what_comparing_all_pairs_gives(data: st.DataObject) -> None:
    n = data.draw(st.integers(1, 25))
    clock = np.array(data.draw(st.lists(st.integers(-1, 2), min_size=n, max_size=n)))
    start = np.array(data.draw(st.lists(st.integers(0, 20), min_size=n, max_size=n)), float) / 10
    stop = start + np.array(data.draw(st.lists(st.integers(1, 12), min_size=n, max_size=n)), float) / 10
    mask = np.array(data.draw(st.lists(st.booleans(), min_size=n, max_size=n)))
    embargo = data.draw(st.sampled_from([0.0, 0.35]))
    overlap = np.minimum(stop[:, None], stop) - np.maximum(start[:, None], start) > -embargo + 1e-9
    pairs = overlap & (clock[:, None] == clock) & (clock >= 0) & mask
    assert np.array_equal(Timeline(clock, start, stop, embargo).touching(mask), pairs.any(axis=1) & ~mask)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(-1, 6), st.integers(-1, 6)), min_size=1, max_size=20))
def test_joined_is_what_merging_by_hand_gives(pairs: list[tuple[int, int]]) -> None:
    keys = np.array(pairs).T
    label = list(range(len(pairs)))
    for _ in pairs:
        for a, one in enumerate(pairs):
            for b, other in enumerate(pairs):
                if any(x == y >= 0 for x, y in zip(one, other, strict=True)):
                    label[a] = label[b] = min(label[a], label[b])
    found = joined(list(keys))
    for a in range(len(pairs)):
        assert (found[a] < 0) == (max(pairs[a]) < 0)
        for b in range(len(pairs)):
            assert (found[a] == found[b] >= 0) == (label[a] == label[b] and found[a] >= 0)


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(samples=studies(), name=st.sampled_from([*PLAIN, "trial", "session", "corpus+stimulus", "sample"]))
def test_numbers_of_units_agree_with_their_names(samples: Samples, name: str) -> None:
    codes, names = unit_codes(samples, name), unit_names(samples, name)
    assert np.array_equal(codes < 0, names == np.array(None))
    pairs = set(zip(codes[codes >= 0], names[codes >= 0], strict=True))
    assert len(pairs) == len({code for code, _ in pairs}) == len({unit for _, unit in pairs})
    if name in PLAIN:
        assert np.array_equal(names, samples.units(name))


def test_nesting_is_told_from_crossing() -> None:
    trial, subject, stimulus = np.arange(6), np.repeat([0, 1], 3), np.tile([0, 1, 2], 2)
    assert lies_within(trial, subject) and lies_within(trial, stimulus)
    assert not lies_within(subject, trial) and not lies_within(stimulus, subject)
    assert not lies_within(np.full(6, -1), subject)

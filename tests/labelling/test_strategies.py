"""Strategies: which trials they ask, that they see no label, and that they ask nothing twice."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from insula.emotions import Categorical
from insula.errors import DataError, SettingsError
from insula.labelling.rounds import Part
from insula.labelling.strategies import ASK, CHECK, MARK, SKIP, STRATEGIES, Seen, choose, diagnose
from insula.samples import Predictions, Samples, provenance

CLASSES = ("negative", "neutral", "positive")
TASK = Categorical(label="emotion", classes=CLASSES)


class Told:
    """A system that says of each row what it was told to; it fails where it is shown a label."""

    modes: ClassVar[Mapping[str, str]] = {"eeg": "EEG", "face": "face", "both": "both"}

    def __init__(self, *, eeg: Any, face: Any, both: Any, discrepancy: Any, uncertainty: Any, embedding: Any) -> None:
        self.said = {"eeg": np.asarray(eeg), "face": np.asarray(face), "both": np.asarray(both)}
        self.columns = {"discrepancy": np.asarray(discrepancy), "uncertainty": np.asarray(uncertainty)}
        self.embedding = np.asarray(embedding, np.float32)

    def predict(self, samples: Samples, mode: str | None = None) -> Predictions:
        assert "emotion" not in samples.table, "a strategy was shown labels"
        columns = {name: values[samples.ids] for name, values in self.columns.items()}
        return Predictions.of(CLASSES, self.said[mode or "eeg"][samples.ids], samples.ids, **columns)

    def embed(self, samples: Samples) -> np.ndarray:
        assert "emotion" not in samples.table, "a strategy was shown labels"
        return self.embedding[samples.ids]


def sure(p: float) -> list[float]:
    """Probabilities whose entropy falls with p, from a third on."""
    return [p, (1 - p) / 2, (1 - p) / 2]


def rows(trials: int, windows: int = 2) -> Samples:
    names = np.repeat([f"{number:02d}" for number in range(trials)], windows)
    table = provenance(corpus="toy", subject="S1", session="1", trial=names)
    return Samples(table.assign(emotion=np.array(CLASSES)[np.repeat(np.arange(trials) % 3, windows)]), {})


def told(trials: int = 12, windows: int = 2, seed: int = 0, **said: Any) -> tuple[Told, Samples]:
    rng, n = np.random.default_rng(seed), trials * windows
    drawn: dict[str, Any] = {name: rng.dirichlet(np.ones(3), n) for name in ("eeg", "face", "both")}
    drawn |= {name: rng.uniform(size=n) for name in ("discrepancy", "uncertainty")}
    return Told(**{**drawn, "embedding": rng.standard_normal((n, 4)), **said}), rows(trials, windows)


def seen_by(system: Told, samples: Samples) -> Seen:
    return Seen(system, samples.without(["emotion"]))


def picked(strategy: str, system: Told, samples: Samples, asked: list[int], count: int, **more: Any) -> list[int]:
    seen = seen_by(system, samples)
    return sorted(choose(strategy, seen, np.isin(np.arange(len(seen.trials)), asked), count, **more).tolist())


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(list(STRATEGIES)), st.integers(2, 14), st.integers(1, 5), st.integers(0, 2**16))
def test_every_trial_is_asked_once(strategy: str, trials: int, count: int, seed: int) -> None:
    system, samples = told(trials, seed=seed)
    part = Part(samples, TASK, seed)
    asked = part.first(0.1)
    while len(asked) < trials:
        new = part.ask(strategy, system, asked, count, seed=seed)
        assert len(new) == min(count, trials - len(asked))
        assert len({*asked, *new}) == len(asked) + len(new)
        asked = np.concatenate([asked, new])
    assert not len(part.ask(strategy, system, asked, count))


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_labels_of_the_pool_change_no_query(strategy: str) -> None:
    system, samples = told(20)
    asked = np.array([f"toy/S1/1/{number:02d}" for number in range(4)], object)
    labels = samples.table["emotion"].to_numpy(object).copy()
    labels[8:] = np.random.default_rng(1).permutation(labels[8:])  # windows of one trial may now disagree, too
    queries = [
        sorted(Part(table, TASK, 0).ask(strategy, system, asked, 5))
        for table in (samples, samples.with_columns(emotion=labels))
    ]
    assert queries[0] == queries[1]


def test_entropy_is_that_of_the_whole_trial() -> None:
    both = [sure(1.0), sure(0.34), sure(0.6), sure(0.6), sure(0.9), sure(0.9)]
    system, samples = told(3, both=both)
    assert picked("entropy", system, samples, [], 1) == [1], "not the trial with the one least certain window"


@pytest.mark.parametrize(("strategy", "column"), [("uncertainty", "uncertainty"), ("discrepancy", "discrepancy")])
def test_the_highest_are_asked_of_those_that_were_not(strategy: str, column: str) -> None:
    system, samples = told(5, 1, **{column: np.array([0.9, 0.1, 0.8, 0.3, 0.7])})
    assert picked(strategy, system, samples, [0], 2) == [2, 4]


def test_entropy_of_one_sense_is_its_own() -> None:
    certain, unsure = [sure(1.0)] * 4, [sure(0.9), sure(0.4), sure(0.8), sure(0.7)]
    system, samples = told(4, 1, eeg=unsure, face=unsure[::-1], both=certain)
    assert picked("entropy-eeg", system, samples, [], 1) == [1]
    assert picked("entropy-face", system, samples, [], 1) == [2]


def test_margin_looks_at_two_classes_and_entropy_at_all() -> None:
    system, samples = told(2, 1, both=[[0.5, 0.5, 0.0], [0.4, 0.3, 0.3]])
    assert picked("margin", system, samples, [], 1) == [0]
    assert picked("entropy", system, samples, [], 1) == [1]


def test_ties_are_broken_by_the_seed_alone() -> None:
    system, samples = told(30, 1, both=[sure(0.5)] * 30)
    draws = [picked("entropy", system, samples, [], 3, seed=seed) for seed in (0, 0, 1)]
    assert draws[0] == draws[1] != draws[2]


def test_core_set_is_the_greedy_k_centre() -> None:
    system, samples = told(15, 1)
    points, asked = system.embedding.astype(float), [3, 8]
    for _ in range(4):
        apart = np.linalg.norm(points[:, None] - points[asked], axis=2).min(axis=1)
        asked.append(int(apart.argmax()))
    assert picked("core-set", system, samples, [3, 8], 4) == sorted(asked[2:])


def test_badge_asks_none_that_is_certain_while_others_are_not() -> None:
    both = [sure(1.0)] * 8 + [sure(0.4), sure(0.5), sure(0.6)]
    system, samples = told(11, 1, both=both)
    assert picked("badge", system, samples, [0], 3) == [8, 9, 10]


def test_combined_spreads_among_three_times_the_batch() -> None:
    both = [sure(p) for p in np.linspace(0.4, 0.95, 12)]  # entropy falls from trial to trial
    embedding = np.zeros((12, 2))
    embedding[4], embedding[5], embedding[11] = (5, 0), (0, 5), (90, 90)
    system, samples = told(12, 1, both=both, embedding=embedding, discrepancy=np.linspace(0, 1, 12))
    assert picked("combined", system, samples, [0], 2, beta=1) == [4, 5], "far apart, and the farthest is too certain"
    assert 11 in picked("combined", system, samples, [0], 2, beta=0), "it is most at odds"


def test_beta_weighs_ranks_and_not_values() -> None:
    both = [sure(0.9), sure(0.4), sure(0.42), sure(0.44)]
    system, samples = told(4, 1, both=both, discrepancy=[1e3, 0.0, 0.1, 0.2])
    alone = choose("combined", seen_by(system, samples), np.zeros(4, bool), 4, beta=0.5)
    assert sorted(alone) == [0, 1, 2, 3]
    assert 0 not in picked("combined", system, samples, [], 1, beta=0.9)


def test_diagnosis_tells_ambiguity_from_a_bad_sensor() -> None:
    both = [sure(0.4), sure(0.45), sure(0.9), sure(0.95)]
    system, samples = told(5, 1, both=[*both, sure(1.0)], discrepancy=[0.1, 0.8, 0.9, 0.2, 0.5])
    said = diagnose(seen_by(system, samples), np.array([False] * 4 + [True]))
    assert said.to_list() == [ASK, MARK, CHECK, SKIP]
    assert said.index[0] == "toy/S1/1/00" and len(said) == 4


def test_a_trial_of_one_modality_is_never_at_odds() -> None:
    both = [sure(0.4), sure(0.9), sure(0.8), sure(0.7)]
    system, samples = told(4, 1, both=both, discrepancy=[np.nan, np.nan, 0.9, 0.1])
    assert set(diagnose(seen_by(system, samples), np.zeros(4, bool)).iloc[:2]) == {ASK, SKIP}
    system.columns["discrepancy"][:] = np.nan
    with pytest.raises(DataError, match="no trial has both modalities"):
        picked("discrepancy", system, samples, [], 1)


def test_windows_without_discrepancy_do_not_hide_the_rest_of_the_trial() -> None:
    system, samples = told(2, 2, discrepancy=[np.nan, 0.9, 0.3, 0.4])
    assert picked("discrepancy", system, samples, [], 1) == [0]


def test_what_a_system_lacks_is_said_in_one_line() -> None:
    system, samples = told()
    del system.columns["uncertainty"]
    with pytest.raises(SettingsError, match="the system Told gives no uncertainty"):
        picked("uncertainty", system, samples, [], 1)
    system.modes = {"eeg": "EEG"}  # type: ignore[misc]
    with pytest.raises(SettingsError, match="the system Told has no mode 'face'"):
        picked("entropy-face", system, samples, [], 1)
    with pytest.raises(SettingsError, match="unknown strategy 'oracle'"):
        picked("oracle", system, samples, [], 1)

    class Plain:
        def embed(self, samples: Samples) -> None:
            return None

    with pytest.raises(SettingsError, match="the system Plain has no embedding"):
        picked("core-set", Plain(), samples, [], 1)  # type: ignore[arg-type]


def test_rows_that_say_no_trial_are_refused() -> None:
    system, samples = told(3)
    with pytest.raises(DataError, match="2 samples do not say their trial"):
        seen_by(system, samples.with_columns(trial=["1", None, None, "1", "2", "2"]))

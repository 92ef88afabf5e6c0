"""The simulated study: pairing, sealed truth, and the regimes that its settings reach."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from calibrate_simulated_study import eeg_score, picture_score

from insula.corpora import simulated_study
from insula.corpora.contract import Corpus
from insula.corpora.simulated_study import SimulatedStudy, SimulatedStudySettings
from insula.eeg.artefacts import Artefacts
from insula.eeg.preprocessing import Preprocessing
from insula.errors import SettingsError
from insula.samples import Samples
from insula.storage.cache import Cache

COARSE = Preprocessing(rate=100, band=(1, 40), notch=None)


def study(**changes: Any) -> SimulatedStudy:
    small = {"pictures": 28, "identities": 7, "subjects": 2, "rate": 100, "size": 32, "preprocessing": COARSE}
    return SimulatedStudy(SimulatedStudySettings(**{**small, **changes}))


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Cache:
    return Cache(tmp_path_factory.mktemp("cache"))


def disagreement(corpus: SimulatedStudy, samples: Samples) -> float:
    true = corpus.truth().loc[samples.units("stimulus"), "emotion"].to_numpy(str)
    return float((true != samples.table["emotion"].to_numpy(str)).mean())


def test_paired_has_a_row_for_each_subject_and_picture(cache: Cache) -> None:
    corpus = study()
    samples = corpus.samples(cache)
    assert isinstance(corpus, Corpus) and corpus.check() == []
    assert len(samples) == 56 and samples.has("eeg").all() and samples.has("picture").all()
    assert not samples.table.duplicated(["subject", "stimulus"]).any()
    assert samples.read("eeg").shape == (56, 32, 50) and samples.read("eeg").dtype == np.float32
    assert samples.read("picture").shape == (56, 32, 32, 3)


def test_a_label_belongs_to_the_picture_and_the_drawn_expression_stays_sealed(cache: Cache) -> None:
    corpus = study(pictures=210, label_noise=0.3, subjects=1)
    samples = corpus.samples(cache)
    assert samples.table.groupby("stimulus")["emotion"].nunique().max() == 1
    assert disagreement(corpus, samples) == pytest.approx(0.3, abs=0.1)
    columns = set(samples.table.columns) - {"emotion"}
    assert not any("anger" in samples.table[name].astype(str).to_numpy() for name in columns)
    clean = study(label_noise=0.0)
    assert disagreement(clean, clean.samples(cache)) == 0


def test_label_noise_changes_labels_alone(cache: Cache) -> None:
    noisy, clean = study(label_noise=0.5), study(label_noise=0.0)
    np.testing.assert_array_equal(noisy.samples(cache).read("eeg"), clean.samples(cache).read("eeg"))
    np.testing.assert_array_equal(noisy.samples(cache).read("picture"), clean.samples(cache).read("picture"))
    assert noisy.truth().equals(clean.truth())


def test_partly_paired_keeps_a_row_for_a_picture_that_nobody_saw(cache: Cache) -> None:
    samples = study(pairing="partly", paired_share=0.25).samples(cache)
    alone = samples.table["subject"].isna().to_numpy()
    assert len(samples) == 2 * 7 + 21 and alone.sum() == 21
    np.testing.assert_array_equal(samples.has("eeg"), ~alone)
    assert samples.has("picture").all() and samples.table["stimulus"].nunique() == 28


def test_unpaired_shares_neither_picture_nor_face(cache: Cache) -> None:
    corpus = study(pairing="unpaired")
    samples = corpus.samples(cache)
    eeg, picture = samples.has("eeg"), samples.has("picture")
    assert eeg.sum() == 56 and picture.sum() == 28 and not (eeg & picture).any()
    for unit in ("stimulus", "identity"):
        assert not set(samples.units(unit)[eeg]) & set(samples.units(unit)[picture])
    assert set(samples.units("stimulus")) == set(corpus.truth().index)


def test_rows_say_when_in_the_session_and_epochs_do_not_overlap(cache: Cache) -> None:
    table = study().samples(cache).table
    one = table[table["subject"] == "S1"].sort_values("start")
    assert one["trial"].tolist() == [str(number + 1) for number in range(28)]
    np.testing.assert_allclose(one["stop"] - one["start"], 0.5)
    assert np.diff(one["start"]).min() >= 1.0 and np.diff(one["start"]).max() <= 1.2
    two = table[table["subject"] == "S2"].sort_values("start")
    assert one["stimulus"].tolist() != two["stimulus"].tolist()


def test_what_is_cached_is_not_simulated_again(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    fingerprint = study().samples(cache).fingerprint()
    monkeypatch.delattr(simulated_study, "simulate_eeg")
    monkeypatch.delattr(simulated_study, "draw_faces")
    assert study().samples(cache).fingerprint() == fingerprint


def test_studies_that_differ_in_labels_or_subjects_share_what_is_cached(
    cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = study(fidelity=(1.0, 0.5)).samples(cache)
    monkeypatch.delattr(simulated_study, "simulate_eeg")
    monkeypatch.delattr(simulated_study, "draw_faces")
    noisy, alone = study(fidelity=(1.0, 0.5), label_noise=0.9), study(subjects=1)
    assert noisy.samples(cache).fingerprint() != first.fingerprint()
    np.testing.assert_array_equal(alone.samples(cache).read("eeg"), first.read("eeg")[:28])


@pytest.mark.parametrize(
    "changes",
    [{"pictures": 35}, {"identities": 14}, {"intensity": (0.1, 1.0)}, {"nuisance": 0.1}, {"size": 48}, {"seed": 3},
     {"fidelity": 0.5}, {"montage": "ten_ten62"}, {"rate": 125}, {"pairing": "partly"}, {"pairing": "unpaired"}],
)  # fmt: skip
def test_a_shared_cache_changes_nothing_that_is_generated(cache: Cache, tmp_path: Path, changes: dict) -> None:
    study().samples(cache)
    shared, own = study(**changes).samples(cache), study(**changes).samples(Cache(tmp_path))
    assert shared.fingerprint() == own.fingerprint()


def test_a_seed_is_a_study(cache: Cache, tmp_path: Path) -> None:
    first = study().samples(cache)
    assert study().samples(Cache(tmp_path)).fingerprint() == first.fingerprint()
    assert study(seed=1).samples(cache).fingerprint() != first.fingerprint()


def test_recordings_are_continuous_and_carry_the_noisy_label() -> None:
    corpus = study(label_noise=1.0)
    recording = next(corpus.recordings())
    assert recording.read().shape == (32, recording.n_times) and recording.events["onset"].is_monotonic_increasing
    units = "simulated-study/" + recording.events["stimulus"]
    assert (corpus.truth().loc[units, "emotion"].to_numpy() != recording.events["emotion"].to_numpy()).all()


def test_eeg_decodes_with_fidelity_and_not_without(cache: Cache) -> None:
    good = study(pictures=280, identities=28, fidelity=(1.0, 0.0), rate=250, preprocessing=Preprocessing()).settings
    assert eeg_score(good, cache, n_train=200) > 0.45
    none = good.model_copy(update={"fidelity": (0.0, 1.0)})
    assert eeg_score(none, cache, n_train=200) < 0.30


def test_pictures_are_learnt_better_from_true_labels_than_from_noisy_ones(cache: Cache) -> None:
    settings = study(pictures=420, identities=42, size=96).settings
    noisy, clean = (picture_score(settings, cache, 240, 180, clean=one) for one in (False, True))
    assert 0.30 < noisy < clean - 0.05 < 0.80


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"fidelity": (1.0,)}, "1 fidelities for 2 subjects"),
        ({"fidelity": -1.0}, "a fidelity is negative"),
        ({"intensity": (0.8, 0.2)}, "no such range"),
        ({"identities": 29}, "more identities than pictures"),
        ({"label_noise": 1.5}, "label_noise"),
        ({"montage": "cap"}, "montage"),
        ({"nuissance": 1}, "unknown key 'nuissance'"),
    ],
)
def test_bad_settings_are_named(changes: dict[str, Any], message: str) -> None:
    values = {"pictures": 28, "identities": 7, "subjects": 2, **changes}
    with pytest.raises(SettingsError, match=message):
        SimulatedStudySettings.parse(values, where="corpus simulated-study")


def test_cleaning_that_learns_is_said_and_marks_are_shown(tmp_path: Path) -> None:
    cleaning = Preprocessing(artefacts=Artefacts(bad_channels=True, peak_to_peak=100))
    settings = SimulatedStudySettings(pictures=14, identities=4, subjects=2, size=24, preprocessing=cleaning)
    found = SimulatedStudy(settings).samples(Cache(tmp_path)).table
    assert set(found["eeg_cleaned_on"]) == {"S1/1", "S2/1"}
    assert 0 < (found["eeg_quality"] != "").sum() < len(found)  # blinks

"""Simulated corpora of four caps: they share emotions and no clip, and what a clip does is time-locked over people."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from insula.corpora.simulated_caps import CAPS, TARGET, SimulatedCaps, SimulatedCapsSettings
from insula.eeg.features import differential_entropy
from insula.errors import SettingsError
from insula.samples import Samples
from insula.storage.cache import Cache

TINY = {"people": 2, "clips": 3, "target_people": 2, "target_clips": 3, "seconds": 4}
CLEAN = {"noise": 0, "mixing": 0, "gain": 0, "fluctuation": 0}


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Cache:
    return Cache(tmp_path_factory.mktemp("cache"))


def study(cache: Cache, **changes: Any) -> Samples:
    return SimulatedCaps(SimulatedCapsSettings(**{**TINY, **changes})).samples(cache)


def of(samples: Samples, name: str = TARGET) -> Samples:
    return samples.select((samples.table["corpus"] == name).to_numpy())


@pytest.fixture(scope="module")
def tiny(cache: Cache) -> Samples:
    return study(cache)


def test_each_corpus_has_electrodes_of_its_own_and_features_of_the_very_same_windows(tiny: Samples) -> None:
    for name, electrodes in {"cap-60": 60, "cap-32": 32, "cap-14": 14, TARGET: 30}.items():
        samples = of(tiny, name)
        eeg, form = samples.read("eeg"), samples.store("eeg").description
        assert (eeg.shape, form.rate, form.channels) == ((12, electrodes, 250), 125.0, CAPS[name].electrodes)
        again = differential_entropy(eeg, 125.0, window=2.0)[:, 0]
        np.testing.assert_allclose(again, samples.read("features"), rtol=1e-5)
        assert samples.read("sources").shape == (12, 8, 5)
    others = {electrode for name in CAPS for electrode in CAPS[name].electrodes if name != TARGET}
    assert set(CAPS[TARGET].electrodes) - others == {"FT9", "FT10", "TP9", "TP10"}


def test_the_target_alone_has_the_label_and_every_clip_one_class(tiny: Samples) -> None:
    target = (tiny.table["corpus"] == TARGET).to_numpy()
    np.testing.assert_array_equal(tiny.table["emotion"].notna(), target)
    np.testing.assert_array_equal(tiny.table["source_emotion"].notna(), ~target)
    felt = tiny.table["emotion"].fillna(tiny.table["source_emotion"])
    classes = felt.groupby(tiny.units("stimulus")).agg(set)
    assert all(len(one) == 1 for one in classes)
    assert len(classes) == 12
    assert set.union(*classes) == {"negative", "neutral", "positive"}


def test_no_clip_is_of_two_corpora_and_all_people_of_one_watch_the_same_at_the_same_times(tiny: Samples) -> None:
    table = tiny.table
    assert (table.groupby("stimulus")["corpus"].nunique() == 1).all()
    seen = table.groupby(["corpus", "subject"]).apply(
        lambda rows: list(zip(rows["stimulus"], rows["start"], strict=True))
    )
    assert all(people.map(tuple).nunique() == 1 for _, people in seen.groupby("corpus"))


def test_windows_lie_as_far_apart_as_the_hop_says(cache: Cache) -> None:
    samples = of(study(cache, window=2.4, hop=0.8))
    clip = samples.select((samples.table["trial"] == "2").to_numpy())
    assert clip.table["start"].tolist() == pytest.approx([4.0, 4.8, 5.6] * 2)
    np.testing.assert_allclose(clip.table["stop"] - clip.table["start"], 2.4)
    first, second, *_ = clip.read("eeg")
    np.testing.assert_array_equal(first[:, 100:], second[:, :-100])


def test_a_study_is_of_its_seed(cache: Cache, tiny: Samples, tmp_path: Any) -> None:
    again, other = study(Cache(tmp_path)), study(cache, seed=1)
    assert again.fingerprint() == tiny.fingerprint()
    same = [np.corrcoef(of(one).read("eeg").ravel(), of(tiny).read("eeg").ravel())[0, 1] for one in (again, other)]
    assert same[0] == pytest.approx(1)
    assert abs(same[1]) < 0.1


def test_what_a_clip_evokes_is_one_wave_in_everybody_who_watches_and_another_in_another_clip(cache: Cache) -> None:
    samples = study(cache, evoked=50, **CLEAN)
    for name in CAPS:
        one, other = of(samples, name).read("eeg").reshape(2, 6, -1)  # people, windows
        links = np.corrcoef(one, other)[:6, 6:]
        assert np.diag(links).mean() > 0.5
        assert np.abs(links[~np.eye(6, dtype=bool)]).mean() < 0.2


def test_people_differ_by_mixing_and_gain(cache: Cache) -> None:
    def spread(**changes: float) -> float:
        """Return how far the people's patterns of loudness over channels lie apart."""
        levels = of(study(cache, **{**CLEAN, **changes}, seconds=2)).read("features").reshape(2, 3, -1).mean(axis=1)
        return float(np.mean([np.abs(one - other).mean() for one, other in combinations(levels, 2)]))

    alike = spread()
    assert spread(mixing=20) > 1.5 * alike
    assert spread(gain=0.5) > 1.5 * alike


def test_each_cap_has_its_reference(cache: Cache) -> None:
    samples = study(cache, gain=0)
    averages = {name: np.abs(of(samples, name).read("eeg").mean(axis=1)).max() for name in CAPS}
    assert averages.pop("cap-32") < 1e-3  # microvolts: the average is its reference
    assert min(averages.values()) > 1


def decoded(samples: Samples, modality: str, unit: str) -> float:
    """Return how often a linear model names the class of a window of people, or of clips, that it has not seen."""
    values, people = samples.read(modality).reshape(len(samples), -1).astype(float), samples.units("subject")
    for person in set(people):
        values[people == person] -= values[people == person].mean(axis=0)
    true = samples.table["emotion"].to_numpy(str)
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01))
    return float((cross_val_predict(model, values, true, groups=samples.units(unit), cv=GroupKFold(3)) == true).mean())


def test_emotion_is_in_the_sources_and_clouded_at_the_cap_and_without_it_unseen_clips_say_nothing(cache: Cache) -> None:
    size = {"target_people": 6, "target_clips": 12, "seconds": 8}
    samples = of(study(cache, **size))
    assert decoded(samples, "sources", "subject") > 0.85
    assert 0.4 < decoded(samples, "features", "subject") < decoded(samples, "sources", "subject") - 0.15
    nothing = of(study(cache, emotion_strength=0, **size))
    assert decoded(nothing, "sources", "stimulus") < 0.45  # a third by chance, 12 clips
    assert decoded(nothing, "sources", "subject") > 0.45  # the clips of others are known again


def test_a_window_longer_than_a_clip_is_refused_in_one_line() -> None:
    with pytest.raises(SettingsError, match="no such window"):
        SimulatedCapsSettings(seconds=4, window=5)

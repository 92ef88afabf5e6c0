"""Semi-simulated: real material, and an effect of known size put in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from calibrate_simulated_study import time_bins
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.model_selection import cross_val_score

from insula.corpora.fakes import fake_eegmat, fake_london_faces, fake_size_cont_emo
from insula.corpora.semi_simulated import SemiSimulated, SemiSimulatedSettings, component_amplitudes, real_effects
from insula.errors import DataError, SettingsError
from insula.samples import Samples
from insula.storage.cache import Cache


@pytest.fixture(scope="module")
def fake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("fake")
    fake_london_faces(root, identities=12)
    fake_eegmat(root, subjects=3, seconds=20)
    fake_size_cont_emo(root)
    return root


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Cache:
    return Cache(tmp_path_factory.mktemp("cache"))


def corpus(root: Path, **changes: Any) -> SemiSimulated:
    return SemiSimulated(SemiSimulatedSettings(**{"root": root, "faces": "cropped", "size": 32, **changes}))


def of_subject(samples: Samples, subject: str) -> tuple[np.ndarray, np.ndarray]:
    mine = samples.select(samples.table["subject"].eq(subject).to_numpy(bool))
    return mine.read("eeg"), (mine.table["emotion"] == "happiness").to_numpy()


def produced_effect(root: Path, cache: Cache, effect: float, subjects: int) -> np.ndarray:
    """What the expression adds to EPN and LPP, over the single trials' spread without it; (subjects, 2)."""
    study = corpus(root, effect=effect, subjects=subjects)
    put_in, without = study.samples(cache), corpus(root, effect=0.0, subjects=subjects).samples(cache)
    channels, preprocessing = put_in.store("eeg").description.channels, study.settings.preprocessing
    effects = []
    for subject in put_in.table["subject"].dropna().unique():
        (values, happy), (plain, _) = of_subject(put_in, subject), of_subject(without, subject)
        plain = component_amplitudes(plain, channels, preprocessing)
        added = component_amplitudes(values, channels, preprocessing) - plain
        effects.append((added[happy].mean(0) - added[~happy].mean(0)) / plain.std(0, ddof=1))
    return np.array(effects)


def test_the_effect_put_in_is_the_effect_measured_times_the_setting(fake: Path, cache: Cache) -> None:
    wanted = real_effects(fake / "size-cont-emo" / "main_trialEEG.csv")["effect"].to_numpy()
    for effect in (1.0, 5.0):
        for one in produced_effect(fake, cache, effect, subjects=3):
            np.testing.assert_allclose(one, effect * wanted, rtol=0.02, atol=1e-3)


def test_real_background_carries_the_real_effect(data: Path, cache: Cache) -> None:
    wanted = real_effects(data / "size-cont-emo" / "main_trialEEG.csv")["effect"].to_numpy()
    for one in produced_effect(data, cache, 10.0, subjects=2):
        np.testing.assert_allclose(one, 10 * wanted, rtol=0.02, atol=1e-3)


def test_the_real_effect_is_small_and_in_the_epn(data: Path) -> None:
    effects = real_effects(data / "size-cont-emo" / "main_trialEEG.csv")
    trials = pd.read_csv(data / "size-cont-emo" / "main_trialEEG.csv")
    sizes = []  # the same, person by person
    for _, one in trials.groupby("participant"):
        negative, neutral = (one["EPN"][one["condition"].isin(codes)] for codes in ((1, 2, 3, 4), (5, 6, 7, 8)))
        sizes.append((negative.mean() - neutral.mean()) / np.sqrt((negative.var() + neutral.var()) / 2))
    assert effects.loc["EPN", "effect"] == pytest.approx(np.mean(sizes))
    assert -0.1 < effects.loc["EPN", "effect"] < -2 * effects.loc["EPN", "standard_error"]


def test_single_trials_decode_with_a_large_effect_and_not_without(data: Path, cache: Cache) -> None:
    scores = {}
    for effect in (0.0, 60.0):
        samples = corpus(data, effect=effect, subjects=2).samples(cache)
        values = [of_subject(samples, one) for one in samples.table["subject"].dropna().unique()]
        model = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")
        scores[effect] = np.mean([cross_val_score(model, time_bins(eeg, 12), happy).mean() for eeg, happy in values])
    assert scores[60.0] > 0.85 and scores[0.0] < 0.65


def test_background_is_never_used_twice_and_pictures_are_partly_paired(data: Path, cache: Cache) -> None:
    samples = corpus(data, subjects=2).samples(cache)
    table = samples.table
    assert samples.has("picture").all() and table["stimulus"].nunique() == 204
    assert table["subject"].nunique() == 2 and table["session"].dropna().str.endswith("_1").all()
    for _, one in table.dropna(subset="subject").groupby("subject"):
        assert len(one) == 58 and one["stimulus"].is_unique
        assert (one["start"].to_numpy()[1:] >= one["stop"].to_numpy()[:-1]).all() and one["stop"].max() < 60
        assert one["emotion"].value_counts().tolist() == [29, 29]
    assert table["subject"].isna().any() and {"face_gender", "quality"} <= set(table)


def test_pictures_keep_their_label_and_identity(fake: Path, cache: Cache) -> None:
    samples = corpus(fake).samples(cache)
    said = samples.table["identity"] + "_" + samples.table["emotion"] + ".jpg"
    assert said.tolist() == samples.table["stimulus"].tolist()
    assert corpus(fake).truth() is None


def test_a_recording_without_room_is_named(tmp_path: Path, cache: Cache) -> None:
    fake_london_faces(tmp_path)
    fake_eegmat(tmp_path, seconds=5)
    fake_size_cont_emo(tmp_path)
    with pytest.raises(DataError, match=r"room for 3 epochs only \(Subject\d\d_1, 5 s\): shorten the epoch"):
        corpus(tmp_path).samples(cache)


def test_check_names_what_each_folder_lacks(fake: Path, tmp_path: Path) -> None:
    assert corpus(fake).check() == []
    lacks = corpus(tmp_path).check()
    assert len(lacks) >= 2 and any("main_trialEEG.csv" in line for line in lacks)
    assert any("3 people at rest for 4 subjects" in line for line in corpus(fake, subjects=4).check())


def test_a_table_that_is_not_sizecontemo_is_refused(tmp_path: Path) -> None:
    table = tmp_path / "main_trialEEG.csv"
    pd.DataFrame({"participant": ["a"] * 4, "condition": [1, 1, 2, 2], "EPN": 1.0}).to_csv(table)
    with pytest.raises(DataError, match="no column 'LPP'"):
        real_effects(table)
    pd.read_csv(table).assign(LPP=1.0).to_csv(table)
    with pytest.raises(DataError, match="too few trials"):
        real_effects(table)


def test_an_epoch_that_misses_the_components_is_refused() -> None:
    with pytest.raises(SettingsError, match="misses the EPN or the LPP"):
        SemiSimulatedSettings.parse({"preprocessing": {"epoch": (0.0, 0.3)}}, where="corpus semi-simulated")
    with pytest.raises(SettingsError, match="cleaning that learns is not linear"):
        SemiSimulatedSettings.parse({"preprocessing": {"artefacts": {"ica": "infomax"}}}, where="corpus semi-simulated")

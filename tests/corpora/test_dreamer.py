"""DREAMER: ratings, offset, baselines, and one file that is read once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.io import loadmat, savemat

from insula.corpora import dreamer
from insula.corpora.dreamer import Dreamer
from insula.corpora.fake_dreamer import fake_dreamer
from insula.eeg.preprocessing import preprocess
from insula.errors import DataError, SettingsError
from insula.storage.cache import Cache


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("dreamer")
    fake_dreamer(root)
    return root


def content(root: Path) -> dict[str, Any]:
    found: dict[str, Any] = loadmat(root / "dreamer" / "DREAMER.mat", simplify_cells=True)["DREAMER"]
    return found


def corpus(root: Path, **settings: Any) -> Dreamer:
    return Dreamer(Dreamer.Settings(root=root, **settings))


def test_ratings_and_people_are_columns(root: Path) -> None:
    trials = corpus(root).trials(Cache(root / "cache"))
    people = content(root)["Data"]
    for trial in trials:
        person, film = people[int(trial.recording.subject) - 1], int(trial.name) - 1
        for name in ("Valence", "Arousal", "Dominance"):
            assert trial.labels[name.lower()] == person[f"Score{name}"][film]
        assert (trial.labels["age"], trial.labels["gender"]) == (float(person["Age"]), person["Gender"])
        assert trial.stimulus == f"film{film + 1:02d}"
    assert len(trials) == 2 * 18
    emotions = [trial.labels["emotion"] for trial in trials[:18]]
    assert {emotion: emotions.count(emotion) for emotion in emotions} == dict.fromkeys(
        ("calmness", "surprise", "amusement", "fear", "excitement", "disgust", "happiness", "anger", "sadness"), 2
    )


def test_each_film_follows_its_baseline(root: Path) -> None:
    trials = corpus(root).trials(Cache(root / "cache"))
    person = content(root)["Data"][1]["EEG"]
    end = 0.0
    for trial, before, during in zip(trials[18:], person["baseline"], person["stimuli"], strict=True):
        assert trial.onset == pytest.approx(end + len(before) / 128)
        end = trial.onset + len(during) / 128
        np.testing.assert_array_equal(trial.recording.read(), during.T.astype(np.float32))
        assert trial.recording.channels[:3] == ("AF3", "F7", "F3")


def test_the_offset_of_the_signals_is_gone(root: Path) -> None:
    recording = corpus(root).trials(Cache(root / "cache"))[0].recording
    raw = recording.read()
    assert raw.mean() > 4000
    centred = raw - raw.mean(axis=1, keepdims=True)
    settings = Dreamer.Settings().preprocessing
    signal, rate = preprocess(recording, settings)
    expected, _ = preprocess(replace(recording, reader=lambda start, stop: centred[:, start:stop]), settings)
    np.testing.assert_allclose(signal, expected, atol=0.01)
    assert rate == 128


def test_a_baseline_belongs_to_every_window_of_its_trial(root: Path) -> None:
    cache = Cache(root / "cache")
    one = corpus(root, baseline=True)
    samples = one.samples(cache)
    assert samples.modalities == ("eeg", "features", "baseline")
    assert corpus(root).samples(cache).modalities == ("eeg", "features")
    trials = one.trials(cache)
    row = samples.rows("baseline")
    np.testing.assert_array_equal(row, samples.table.groupby(["subject", "trial"], sort=False).ngroup())
    stored = samples.store("baseline").read(np.array([5]))
    expected, _ = preprocess(trials[5].baseline, one.settings.preprocessing)  # type: ignore[arg-type]
    np.testing.assert_allclose(stored[0], expected, atol=1e-4)


def test_the_end_of_each_film_can_be_kept_alone(root: Path) -> None:
    cache = Cache(root / "cache")
    whole, ends = corpus(root).trials(cache), corpus(root, last=4).trials(cache)
    for trial, end in zip(whole, ends, strict=True):
        np.testing.assert_array_equal(end.recording.read(), trial.recording.read()[:, -4 * 128 :])
        assert end.onset - trial.onset == pytest.approx(trial.recording.n_times / 128 - 4)
    with pytest.raises(SettingsError, match="film 1 lasts 4 s"):
        corpus(root, last=60).trials(cache)


def test_the_file_is_read_once(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus(root).trials(Cache(tmp_path))
    monkeypatch.setattr(dreamer, "_read", lambda path: pytest.fail("read again"))
    assert len(corpus(root).trials(Cache(tmp_path))) == 36


def test_every_lack_is_one_line_and_the_first_is_the_error(root: Path, tmp_path: Path) -> None:
    broken = content(root)
    first, second = broken["Data"]
    first["ScoreValence"] = first["ScoreValence"].astype(float)
    first["ScoreValence"][2] = np.nan
    second["EEG"]["stimuli"][3] = second["EEG"]["stimuli"][3][:, :13]
    broken["noOfSubjects"] = 23
    (tmp_path / "dreamer").mkdir()
    savemat(tmp_path / "dreamer" / "DREAMER.mat", {"DREAMER": broken})
    lines = corpus(tmp_path).check()
    assert [line.split(" (")[0] for line in lines] == [
        "2 people instead of 23",
        "person 1: valence of film 3 is nan, not 1 to 5",
        "person 2: stimuli of film 4 has the shape",
    ]
    with pytest.raises(DataError, match="2 people"):
        corpus(tmp_path).trials(Cache(tmp_path / "cache"))


@pytest.mark.parametrize("change", [{"Data": None}, {"Data": 3.0}, {"EEG_SamplingRate": "fast"}])
def test_another_struct_is_refused(root: Path, tmp_path: Path, change: dict[str, Any]) -> None:
    other = {name: value for name, value in (content(root) | change).items() if value is not None}
    (tmp_path / "dreamer").mkdir()
    savemat(tmp_path / "dreamer" / "DREAMER.mat", {"DREAMER": other})
    (line,) = corpus(tmp_path).check()
    assert "not as published" in line and "DREAMER.mat" in line

"""DEAP, made of noise: the order of channels and videos, ratings, faces, and the baseline."""

from __future__ import annotations

import pickle
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from insula.corpora import deap as module
from insula.corpora.deap import DEAP_CHANNELS, Deap, DeapSettings
from insula.corpora.fake_deap import fake_deap, python2_pickle
from insula.corpora.trials import Trial
from insula.errors import DataError
from insula.storage.cache import Cache

BIOSEMI = (
    "Fp1 AF3 F3 F7 FC5 FC1 C3 T7 CP5 CP1 P3 P7 PO3 O1 Oz Pz Fp2 AF4 Fz F4 F8 FC6 FC2 Cz C4 T8 CP6 CP2 P4 P8 PO4 O2"
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("deap")
    fake_deap(root)
    return root


@pytest.fixture(scope="module")
def trials(whole: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Trial]:
    return Deap(DeapSettings(root=whole, baseline=True)).trials(Cache(tmp_path_factory.mktemp("cache")))


@pytest.fixture
def root(tmp_path: Path, whole: Path) -> Path:
    """A copy whose files are links: tests replace them."""
    for path in whole.rglob("*.*"):
        if path.is_file():
            (tmp_path / path.relative_to(whole)).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path.relative_to(whole)).symlink_to(path)
    return tmp_path


def content(root: Path, name: str = "s01.dat") -> dict[str, np.ndarray]:
    with (root / "deap" / "data_preprocessed_python" / name).open("rb") as file:
        return pickle.load(file, encoding="latin1")


def replace(root: Path, **arrays: np.ndarray) -> None:
    path = root / "deap" / "data_preprocessed_python" / "s01.dat"
    path.unlink()
    path.write_bytes(python2_pickle(arrays))


def refused(root: Path) -> str:
    """Return what `check` says in one line and `trials` refuses in the same words."""
    corpus = Deap(DeapSettings(root=root))
    lacks = corpus.check()
    assert len(lacks) == 1
    with pytest.raises(DataError) as caught:
        corpus.trials(Cache(root / "cache"))
    assert str(caught.value) == lacks[0]
    return lacks[0]


def test_a_trial_is_the_eeg_of_its_video_by_channel(trials: list[Trial], whole: Path) -> None:
    data = content(whole)["data"]
    seventh = {trial.name: trial for trial in trials if trial.recording.subject == "s01"}["7"]
    assert seventh.stimulus == "video07"
    assert seventh.recording.channels == DEAP_CHANNELS == tuple(BIOSEMI.split())
    assert seventh.recording.rate == 128
    np.testing.assert_array_equal(seventh.recording.read(), data[6, :32, 384:].astype(np.float32))
    pz = DEAP_CHANNELS.index("Pz")
    np.testing.assert_array_equal(seventh.recording.read(100, 228)[pz], data[6, 15, 484:612].astype(np.float32))


def test_the_baseline_is_the_three_seconds_before(trials: list[Trial], whole: Path) -> None:
    data = content(whole, "s23.dat")["data"]
    before = trials[79].baseline
    assert (trials[79].name, trials[79].recording.subject) == ("40", "s23")
    assert before is not None
    np.testing.assert_array_equal(before.read(), data[39, :32, :384].astype(np.float32))
    assert min(trial.onset for trial in trials) == 3


def test_without_baselines_there_are_forty_trials_each(whole: Path, tmp_path: Path) -> None:
    trials = Deap(DeapSettings(root=whole)).trials(Cache(tmp_path))
    assert Counter(trial.recording.subject for trial in trials) == {"s01": 40, "s23": 40}
    assert len({trial.recording.fingerprint for trial in trials}) == 80
    assert {trial.baseline for trial in trials} == {None}


def test_the_clock_runs_in_the_order_of_presentation(trials: list[Trial], whole: Path) -> None:
    table = pd.read_csv(whole / "deap" / "metadata_csv" / "participant_ratings.csv")
    for person in (1, 23):
        shown = [trial for trial in trials if trial.recording.subject == f"s{person:02d}"]
        mine = table[table["Participant_id"] == person].sort_values("Trial")
        played = sorted(shown, key=lambda trial: trial.onset)
        assert [int(trial.name) for trial in played] == mine["Experiment_id"].tolist()
        assert np.diff([trial.onset for trial in played]) == pytest.approx(6)  # the whole of a trial of this fake


def test_ratings_are_those_of_the_file_and_words_follow_from_them(trials: list[Trial], whole: Path) -> None:
    ratings = content(whole)["labels"]
    for trial in trials:
        if trial.recording.subject == "s01":
            labels, number = trial.labels, int(trial.name)
            own = [labels[name] for name in ("valence", "arousal", "dominance", "liking")]
            assert own == ratings[number - 1].tolist()
            assert labels["stimulus_half"] == ("first" if number <= 20 else "second")
            assert labels["quadrant"][::2] == ("H" if own[0] >= 5 else "L") + ("H" if own[1] >= 5 else "L")
            assert labels["clip_quadrant"] == ("HVHA", "HVLA", "LVLA", "LVHA")[(number - 1) // 10]


def test_faces_are_joined_by_the_order_of_presentation(trials: list[Trial], whole: Path) -> None:
    table = pd.read_csv(whole / "deap" / "metadata_csv" / "participant_ratings.csv").query("Participant_id == 1")
    place = dict(zip(table["Experiment_id"], table["Trial"], strict=True))
    for trial in trials[:40]:
        film = trial.labels["face_video"]
        if place[int(trial.name)] == 40:
            assert film is None  # not filmed to the end
        else:
            assert film == f"face_video/s01/s01_trial{place[int(trial.name)]:02d}.avi"
            assert (whole / "deap" / film).is_file()
    assert {trial.labels["face_video"] for trial in trials[40:]} == {None}


def test_a_file_is_read_once_for_all_that_is_made_of_it(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: Counter[str] = Counter()
    real = module.arrays_from_pickle

    def counted(path: Path) -> object:
        read[path.name] += 1
        return real(path)

    monkeypatch.setattr(module, "arrays_from_pickle", counted)
    for window in (1, 2):
        Deap(DeapSettings(root=whole, baseline=True, window=window)).samples(Cache(tmp_path))
    assert read == {"s01.dat": 1, "s23.dat": 1}


def test_a_baseline_belongs_to_every_window_of_its_trial(root: Path) -> None:
    (root / "deap" / "data_preprocessed_python" / "s23.dat").unlink()
    samples = Deap(DeapSettings(root=root, baseline=True, window=1)).samples(Cache(root / "cache"))
    assert samples.modalities == ("eeg", "features", "baseline")
    assert samples.rows("baseline").tolist() == [trial for trial in range(40) for _ in range(3)]
    assert samples.store("baseline").read(np.array([5])).shape == (1, 32, 384)  # three pieces of one second
    assert samples.table[["valence", "quadrant", "stimulus"]].notna().all(axis=None)


def test_a_file_in_another_order_is_refused(root: Path) -> None:
    arrays = content(root)
    shuffled = np.roll(np.arange(40), 1)
    replace(root, data=arrays["data"][shuffled], labels=arrays["labels"][shuffled])
    assert "s01.dat" in refused(root)
    assert "order of Experiment_id" in refused(root)


def test_a_copy_without_baseline_is_refused(root: Path) -> None:
    arrays = {"data": np.zeros((40, 40, 7680), np.float16), "labels": content(root)["labels"]}
    path = root / "deap" / "data_preprocessed_python" / "s01.dat"
    path.unlink()
    path.write_bytes(pickle.dumps(arrays))
    assert "baseline" in refused(root)


@pytest.mark.parametrize("value", [0.5, 9.01, np.nan])
def test_a_rating_off_its_scale_is_refused(value: float, root: Path) -> None:
    arrays = content(root)
    arrays["labels"][11, 1] = value
    replace(root, **arrays)
    assert f"arousal of video 12 is {value:g}" in refused(root)


def test_a_file_with_other_arrays_is_refused(root: Path) -> None:
    arrays = content(root)
    replace(root, data=arrays["data"][:, :39], labels=arrays["labels"])
    assert "(40, 39, 768)" in refused(root)
    replace(root, data=arrays["data"])
    assert "'labels'" in refused(root)


def test_tables_are_checked(root: Path) -> None:
    path = root / "deap" / "metadata_csv" / "participant_ratings.csv"
    table = pd.read_csv(path)
    path.unlink()
    for change, word in (
        (table.drop(columns="Trial"), "no column Trial"),
        (table.assign(Trial=1), "participant 1 does not have each"),
    ):
        change.to_csv(path, index=False)
        assert word in refused(root)
    table[table["Participant_id"] == 1].to_csv(path, index=False)
    assert "no participant 23" in refused(root)
    table.assign(Participant_id=table["Participant_id"].replace(23, 2)).to_csv(path, index=False)
    assert "s02" in Deap(DeapSettings(root=root)).notes()[0]
    videos = path.with_name("video_list.csv")
    videos.unlink()
    path.unlink()
    table.to_csv(path, index=False)
    assert "clip_quadrant" not in Deap(DeapSettings(root=root)).trials(Cache(root / "cache"))[0].labels
    pd.DataFrame({"Experiment_id": range(1, 41), "VAQ_Online": 5}).to_csv(videos, index=False)
    assert "VAQ_Online" in refused(root)


def test_without_ratings_table_the_order_of_videos_is_taken_with_a_warning(root: Path) -> None:
    (root / "deap" / "metadata_csv" / "participant_ratings.csv").unlink()
    (root / "deap" / "data_preprocessed_python" / "s23.dat").unlink()
    corpus = Deap(DeapSettings(root=root))
    (line,) = corpus.check()
    assert "participant_ratings.csv" in line
    with pytest.warns(UserWarning, match="order of videos"):
        trials = corpus.trials(Cache(root / "cache"))
    assert [trial.onset for trial in trials] == [3.0 + 6 * place for place in range(40)]
    assert {trial.labels["face_video"] for trial in trials} == {None}

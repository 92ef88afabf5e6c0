"""FACED in both its forms, made of noise: clips, play order, electrodes by name, and what is refused."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.io import loadmat, savemat

from insula.corpora.faced import CLIPS, FACED_CHANNELS, Faced, FacedPreprocessing, FacedSettings
from insula.corpora.fake_faced import fake_faced, fake_faced_bids
from insula.corpora.trials import Trial
from insula.eeg.reading import read_recording
from insula.errors import DataError
from insula.storage.cache import Cache

ORDER = "Fp1 Fp2 Fz F3 F4 F7 F8 FC1 FC2 FC5 FC6 Cz C3 C4 T7 T8 CP1 CP2 CP5 CP6 Pz P3 P4 P7 P8 PO3 PO4 Oz O1 O2"  # A2 A1


@pytest.fixture
def root(tmp_path: Path) -> Path:
    fake_faced(tmp_path, seconds=2)
    return tmp_path


@pytest.fixture(scope="module")
def bids(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("faced")
    fake_faced_bids(root)
    return root


@pytest.fixture(scope="module")
def bids_trials(bids: Path) -> list[Trial]:
    return Faced(FacedSettings(root=bids)).trials()


def events_of(root: Path, person: str) -> pd.DataFrame:
    path = root / "faced" / person / "eeg" / f"{person}_task-watchingVideoClips_events.tsv"
    return pd.read_csv(path, sep="\t").dropna(subset="video_index")


def refused(root: Path) -> str:
    """Return what `check` says in one line and `trials` refuses in the same words."""
    corpus = Faced(FacedSettings(root=root))
    (line,) = corpus.check()
    with pytest.raises(DataError) as caught:
        corpus.trials()
    assert str(caught.value) == line
    return line


def test_clips_have_the_emotions_of_the_corpus() -> None:
    words = ["anger", "disgust", "fear", "sadness", "neutral", "amusement", "inspiration", "happiness", "tenderness"]
    assert list(dict.fromkeys(CLIPS.values())) == words
    assert [list(CLIPS.values()).count(word) for word in words] == [3, 3, 3, 3, 4, 3, 3, 3, 3]
    assert (CLIPS[1], CLIPS[13], CLIPS[16], CLIPS[17], CLIPS[28]) == (
        "anger", "neutral", "neutral", "amusement", "tenderness",
    )  # fmt: skip


def test_a_trial_of_a_pickle_is_its_clip_by_channel(root: Path) -> None:
    values = pickle.loads((root / "faced" / "Processed_data" / "sub001.pkl").read_bytes())
    trials = Faced(FacedSettings(root=root)).trials()
    mine = [trial for trial in trials if trial.recording.subject == "001"]
    for trial in mine:
        clip = int(trial.name)
        np.testing.assert_array_equal(trial.recording.read(), values[clip - 1, :30].astype(np.float32))
        assert trial.stimulus == f"clip{clip:02d}"
        assert trial.labels["emotion"] == CLIPS[clip]
        side = "negative" if clip <= 12 else "positive" if clip >= 17 else None
        assert trial.labels["valence2"] == side
    assert mine[0].recording.channels == FACED_CHANNELS == tuple(ORDER.split())
    assert mine[0].recording.rate == 250


def test_pickles_are_in_the_order_of_play(root: Path) -> None:
    trials = Faced(FacedSettings(root=root)).trials()
    for subject in ("000", "001"):
        remarks = loadmat(root / "faced" / "After_remarks" / f"sub{subject}" / "After_remarks.mat")["After_remark"]
        mine = [trial for trial in trials if trial.recording.subject == subject]
        assert [int(trial.name) for trial in mine] == [int(remarks[place, 0]["vid"].item()) for place in range(28)]
        assert [trial.onset for trial in mine] == [2.0 * place for place in range(28)]


def test_the_order_is_found_in_the_folder_of_raw_data_too(root: Path) -> None:
    before = [trial.name for trial in Faced(FacedSettings(root=root)).trials()]
    (root / "faced" / "After_remarks").rename(root / "faced" / "Data")
    assert [trial.name for trial in Faced(FacedSettings(root=root)).trials()] == before
    (root / "faced" / "Data").rename(root / "faced" / "elsewhere")
    corpus = Faced(FacedSettings(root=root))
    assert corpus.check() == []
    with pytest.warns(UserWarning, match="After_remarks"):
        assert [trial.name for trial in corpus.trials()][:28] == [str(clip) for clip in CLIPS]


def test_a_hostile_pickle_is_refused_and_not_run(root: Path) -> None:
    class Hostile:
        def __reduce__(self) -> tuple[object, ...]:
            return os.mkdir, (str(root / "made"),)

    (root / "faced" / "Processed_data" / "sub000.pkl").write_bytes(pickle.dumps(Hostile()))
    assert "mkdir" in refused(root)
    assert not (root / "made").exists()


def test_other_pickles_are_refused(root: Path) -> None:
    path = root / "faced" / "Processed_data" / "sub000.pkl"
    path.write_bytes(pickle.dumps({"data": np.zeros(3)}))
    assert "not an array" in refused(root)
    path.write_bytes(pickle.dumps(np.zeros((28, 30, 500))))
    assert "(28, 30, 500)" in refused(root)
    path.unlink()
    part = Faced(FacedSettings(root=root))
    assert part.check() == [] and part.notes() == ["of the set lacks sub000: what is here is read alone"]


def test_an_order_of_play_that_is_none_is_refused(root: Path) -> None:
    path = root / "faced" / "After_remarks" / "sub001" / "After_remarks.mat"
    remarks = loadmat(path)["After_remark"]
    first = remarks[0, 0]["vid"].item()
    remarks[1, 0]["vid"] = first
    savemat(path, {"After_remark": remarks})
    assert f"clip {first:g} is none of 1 to 28, or there twice" in refused(root)
    savemat(path, {"After_remark": remarks[:9]})
    assert "clip" in refused(root)
    savemat(path, {"After_remark": np.arange(28.0)})
    assert "no field vid" in refused(root)
    path.unlink()
    assert "After_remarks.mat" in refused(root)


def test_both_forms_in_one_folder_are_refused(root: Path) -> None:
    place = root / "faced" / "sub-000" / "eeg"
    place.mkdir(parents=True)
    (place / "sub-000_task-emotion_eeg.bdf").touch()
    assert "the same trials" in refused(root)


def test_bids_trials_are_the_events_in_order(bids: Path, bids_trials: list[Trial]) -> None:
    for person in ("sub-000", "sub-061"):
        events = events_of(bids, person)
        mine = [trial for trial in bids_trials if f"sub-{trial.recording.subject}" == person]
        assert [int(trial.name) for trial in mine] == events["video_index"].tolist()
        assert [trial.onset for trial in mine] == events["onset"].tolist()
        assert [trial.labels["emotion"] for trial in mine] == [CLIPS[int(clip)] for clip in events["video_index"]]
    assert {trial.recording.rate for trial in bids_trials} == {250, 1000}


def test_bids_electrodes_go_by_name_in_both_cohorts(bids: Path, bids_trials: list[Trial]) -> None:
    assert {trial.recording.channels for trial in bids_trials} == {FACED_CHANNELS}
    old, new = bids_trials[3], bids_trials[31]
    for trial, person, named in ((old, "sub-000", "T3"), (new, "sub-061", "T7")):
        path = bids / "faced" / person / "eeg" / f"{person}_task-watchingVideoClips_eeg.bdf"
        whole = read_recording(path, "faced", "x", "1", channels=[named])
        start = round(trial.onset * whole.rate)
        row = FACED_CHANNELS.index("T7")
        np.testing.assert_array_equal(trial.recording.read()[row], whole.read(start, start + round(4 * whole.rate))[0])


def test_of_a_long_clip_the_last_thirty_seconds_are_taken(bids: Path, tmp_path: Path) -> None:
    source = bids / "faced" / "sub-061" / "eeg"
    target = tmp_path / "faced" / "sub-061" / "eeg"
    target.mkdir(parents=True)
    for path in source.iterdir():
        (target / path.name).symlink_to(path)
    table = target / "sub-061_task-watchingVideoClips_events.tsv"
    events = pd.read_csv(table, sep="\t", dtype=str, keep_default_na=False)
    table.unlink()
    events.assign(duration=["0", "40", *events["duration"][2:]]).to_csv(table, sep="\t", index=False)
    first, second = Faced(FacedSettings(root=tmp_path)).trials()[:2]
    assert (first.onset, first.recording.n_times) == (12.0, 7500)
    assert (second.onset, second.recording.n_times) == (7.0, 1000)
    for change, word in (
        (events.assign(emotion_label="Joy"), "the emotion of clip"),
        (events.assign(video_index=["n/a", "29", *events["video_index"][2:]]), "clip 29"),
        (events.iloc[:20], "19 of 28 clips"),
        (events.drop(columns="duration"), "no column duration"),
        (events.assign(onset=["0", "900", *events["onset"][2:]]), "lies outside"),
    ):
        change.to_csv(table, sep="\t", index=False)
        assert word in refused(tmp_path)


def test_a_person_of_the_table_without_recording_is_named(bids: Path, tmp_path: Path) -> None:
    for path in (bids / "faced").iterdir():
        if path.name != "sub-061":
            (tmp_path / "faced").mkdir(exist_ok=True)
            (tmp_path / "faced" / path.name).symlink_to(path)
    part = Faced(FacedSettings(root=tmp_path))
    assert part.check() == [] and "sub-061" in part.notes()[0]


def test_bids_samples_of_both_rates_share_one(bids: Path) -> None:
    preprocessing = FacedPreprocessing(notch=None)
    samples = Faced(FacedSettings(root=bids, window=4, preprocessing=preprocessing)).samples(Cache(bids / "cache"))
    assert samples.read("eeg").shape == (56, 30, 1000)
    assert samples.store("eeg").description.rate == 250
    assert 2 < samples.read("eeg").std() < 20

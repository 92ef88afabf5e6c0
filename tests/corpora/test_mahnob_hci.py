"""MAHNOB-HCI on its fake: who and what a session is, labels, triggers, continuous valence, and hostile files."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from insula.corpora.catalogue import corpus
from insula.corpora.fake_mahnob import fake_mahnob_hci
from insula.corpora.mahnob_hci import CHANNELS, triggers
from insula.corpora.mahnob_labels import AROUSAL3, EMOTIONS, VALENCE3, Tracks, read_session
from insula.errors import DataError
from insula.samples import Samples
from insula.storage.cache import Cache

LABELS = "lable_continous_Mahnob.mat"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    fake_mahnob_hci(folder)
    return folder


@pytest.fixture(scope="module")
def samples(root: Path) -> Samples:
    continuous = root / "mahnob-hci" / LABELS
    return corpus("mahnob-hci", root=root, window=4, hop=2, continuous=continuous).samples(Cache(root / "cache"))


@pytest.fixture
def copy(root: Path, tmp_path: Path) -> Path:
    shutil.copytree(root / "mahnob-hci", tmp_path / "mahnob-hci")
    return tmp_path


def test_keyword_classes_are_those_of_the_field() -> None:
    """The three classes by keyword of the works on this corpus, written out."""
    valence = {"negative": ["anger", "disgust", "fear", "sadness", "anxiety"], "neutral": ["neutral", "surprise"],
               "positive": ["happiness", "amusement"]}  # fmt: skip
    arousal = {"calm": ["neutral", "disgust", "sadness"], "medium": ["happiness", "amusement"],
               "activated": ["anger", "fear", "surprise", "anxiety"]}  # fmt: skip
    assert {word: name for name, words in valence.items() for word in words} == VALENCE3
    assert {word: name for name, words in arousal.items() for word in words} == AROUSAL3
    assert {code: EMOTIONS[code] for code in ("0", "4", "11", "12")} == {
        "0": "neutral", "4": "happiness", "11": "amusement", "12": "anxiety",
    }  # fmt: skip


def test_sessions_are_people_and_clips(samples: Samples) -> None:
    table = samples.table
    assert table.groupby("subject")["trial"].agg(list).map(dict.fromkeys).map(list).to_dict() == {
        "1": ["2", "4", "6"], "2": ["2", "4"],
    }  # fmt: skip
    assert set(table["session"]) == {"1"}
    assert set(table.loc[table["trial"] == "2", "stimulus"]) == {"52.avi"}  # the same clip of both
    first = table[(table["subject"] == "1") & (table["trial"] == "4")].iloc[0]
    assert (first["felt_arousal"], first["felt_valence"], first["felt_emotion"]) == (8, 2, "anger")
    assert (first["valence3"], first["arousal3"]) == ("negative", "activated")


def test_only_what_was_recorded_during_the_clip_is_cut(samples: Samples) -> None:
    """A person's recordings of 12 s follow each other on the clock; each clip lasts from 2 to 10 s of its own."""
    table = samples.table
    mine = table[table["subject"] == "1"]
    assert mine["start"].tolist() == [2, 4, 6, 14, 16, 18, 26, 28, 30]
    assert mine["stop"].max() == 34
    assert samples.store("eeg").description.channels == CHANNELS
    assert samples.store("eeg").description.rate == 128


def test_triggers_are_read_from_status(root: Path) -> None:
    path = root / "mahnob-hci" / "Sessions" / "2" / "Part_1_S_Trial1_emotion.bdf"
    assert triggers(path) == (2.0, 10.0)


def test_face_videos_are_missing_where_there_is_none(samples: Samples) -> None:
    videos = samples.table.groupby(["subject", "trial"])["face_video"].first()
    assert videos["1", "2"].endswith("_Section_2.avi")
    assert videos.isna().to_dict() == {key: key == ("1", "4") for key in videos.index}


def test_who_was_kept_is_reported(root: Path) -> None:
    kept = corpus("mahnob-hci", root=root).participants()  # type: ignore[attr-defined]
    assert kept.to_dict("list") == {"person": [1, 2, 15], "sessions": [4, 2, 1], "kept": [3, 2, 0]}


def test_continuous_valence_is_the_mean_of_each_window(root: Path, samples: Samples) -> None:
    tracks = Tracks.read(root / "mahnob-hci" / LABELS)
    track = tracks.values[1, 2]
    found = samples.table.groupby(["subject", "trial"])["valence_continuous"].agg(list)
    assert np.allclose(found["1", "2"], [track[:16].mean(), track[8:24].mean(), track[16:32].mean()])
    assert np.isnan(found["1", "4"][2])  # the track ends half a second before the clip
    assert np.isfinite(found["1", "4"][:2]).all()
    assert np.isnan(found["1", "6"]).all()  # no track of this trial


def test_a_continuous_label_off_its_scale_is_refused(root: Path, tmp_path: Path) -> None:
    from scipy.io import savemat

    labels = np.empty((2, 1), object)
    labels[:, 0] = [np.zeros((1, 8)), np.full((1, 9), 1.4)]
    savemat(tmp_path / LABELS, {"trials_included": [[1, 2], [2, 4]], "labels": labels})
    lacks = corpus("mahnob-hci", root=root, continuous=tmp_path / LABELS).check()
    assert len(lacks) == 1
    assert "person 2, trial 4" in lacks[0]


def test_a_document_type_is_refused_before_it_is_read(copy: Path) -> None:
    path = copy / "mahnob-hci" / "Sessions" / "2" / "session.xml"
    bomb = '<!DOCTYPE s [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]>\n<session><subject id="&b;"/></session>'
    path.write_text(bomb)
    with pytest.raises(DataError, match="a document type is not read"):
        read_session(path)
    assert len(corpus("mahnob-hci", root=copy).check()) == 1


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('<subject id="1"', '<subject id="7"', "session 4 is of person 1, but session.xml says '7'"),
        ('feltEmo="1"', 'feltEmo="7"', "feltEmo is '7', an unknown code"),
        ('feltCtrl="5"', "", "feltCtrl is None, no rating"),
        ("</session>", "", "this XML cannot be read"),
    ],
)
def test_a_session_that_contradicts_itself_is_one_line(copy: Path, old: str, new: str, said: str) -> None:
    path = copy / "mahnob-hci" / "Sessions" / "4" / "session.xml"
    path.write_text(path.read_text().replace(old, new))
    reader = corpus("mahnob-hci", root=copy)
    lacks = reader.check()
    assert len(lacks) == 1
    assert said in lacks[0]
    assert "session.xml" in lacks[0]
    with pytest.raises(DataError):
        reader.samples(Cache(copy / "cache"))


def test_a_rated_session_without_its_recording_is_named(copy: Path) -> None:
    next((copy / "mahnob-hci" / "Sessions" / "132").glob("*.bdf")).unlink()
    lacks = corpus("mahnob-hci", root=copy).check()
    assert len(lacks) == 1
    assert "Sessions/132" in lacks[0]
    assert "no BDF recording" in lacks[0]

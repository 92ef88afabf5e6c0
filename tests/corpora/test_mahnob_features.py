"""The 4 Hz features of MAHNOB-HCI on their fake: whose target is twice the label."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
from scipy.io import loadmat, savemat

from insula.corpora.catalogue import corpus
from insula.corpora.fake_mahnob import fake_mahnob_features
from insula.corpora.mahnob_labels import Tracks
from insula.errors import DataError
from insula.storage.cache import Cache


@pytest.fixture
def root(tmp_path: Path) -> Path:
    fake_mahnob_features(tmp_path)
    return tmp_path


def test_the_folder_above_the_features_will_do(root: Path) -> None:
    (root / "mahnob-features").rename(root / "Features")
    assert (
        corpus("mahnob-features", root=root).check() == corpus("mahnob-features", root=root / "Features").check() == []
    )


def labels(root: Path) -> Path:
    return root / "mahnob-features" / "lable_continous_Mahnob.mat"


def test_rows_are_those_of_the_files(root: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        samples = corpus("mahnob-features", root=root, continuous=labels(root)).samples(Cache(root / "cache"))
    assert samples.table.groupby(["subject", "trial"]).size().to_dict() == {
        ("1", "2"): 24,
        ("1", "4"): 20,
        ("2", "2"): 28,
    }
    file = loadmat(root / "mahnob-features" / "P1-features-resamp4hz-trial-4.mat")
    rows = samples.select(((samples.table["subject"] == "1") & (samples.table["trial"] == "4")).to_numpy())
    assert np.allclose(rows.read("features"), file["eeg_band_feats_full"])
    assert np.allclose(rows.read("face_features"), file["face_feats"])
    assert rows.table["start"].tolist() == np.arange(6, 11, 0.25).tolist()  # after the 6 s of trial 2
    assert np.allclose(rows.table["valence_continuous"], Tracks.read(labels(root)).values[1, 4])


def test_without_labels_the_target_is_halved_and_said_to_be(root: Path) -> None:
    given = corpus("mahnob-features", root=root, continuous=labels(root)).samples(Cache(root / "cache"))
    with pytest.warns(UserWarning, match="half of the files' target"):
        halved = corpus("mahnob-features", root=root).samples(Cache(root / "cache"))
    assert np.allclose(halved.table["valence_continuous"], given.table["valence_continuous"])


def test_a_target_that_is_no_double_is_refused(root: Path) -> None:
    path = root / "mahnob-features" / "P1-features-resamp4hz-trial-4.mat"
    arrays = {key: value for key, value in loadmat(path).items() if not key.startswith("__")}
    savemat(path, {**arrays, "target": arrays["target"] / 2})  # somebody has halved it already
    reader = corpus("mahnob-features", root=root, continuous=labels(root))
    with pytest.raises(DataError, match="target is not twice the label of person 1, trial 4"):
        reader.samples(Cache(root / "cache"))
    assert len(reader.check()) == 1


def test_a_trial_that_has_a_label_and_no_features_is_named(root: Path) -> None:
    (root / "mahnob-features" / "P2-features-resamp4hz-trial-2.mat").unlink()
    lacks = corpus("mahnob-features", root=root, continuous=labels(root)).check()
    assert len(lacks) == 1
    assert "P2-features-resamp4hz-trial-2.mat" in lacks[0]

"""SEED and SEED-IV: labels, sessions, play order and channels, against what the corpora document."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.io import loadmat, savemat

from insula.corpora.fake_seed import fake_seed, fake_seed_iv
from insula.corpora.seed import Seed, SeedIV
from insula.corpora.trials import Trial
from insula.errors import DataError

WORDS = {"seed": ["negative", "neutral", "positive"], "seed-iv": ["neutral", "sadness", "fear", "happiness"]}
CODES = {  # as published: SEED from -1, SEED-IV from 0
    "seed": ["1 0 -1 -1 0 1 -1 0 1 1 0 -1 0 1 -1"] * 3,
    "seed-iv": [
        "1 2 3 0 2 0 0 1 0 1 2 1 1 1 2 3 2 2 3 3 0 3 0 3",
        "2 1 3 0 0 2 0 2 3 3 2 3 2 0 1 1 2 1 0 3 0 1 3 1",
        "1 2 2 1 3 3 3 1 1 2 1 0 2 3 3 0 2 3 0 0 2 0 1 0",
    ],
}


@pytest.fixture(scope="module")
def unchanged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("seed")
    fake_seed(root)
    fake_seed_iv(root, subjects=1)
    return root


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    fake_seed(tmp_path, subjects=1)
    return tmp_path / "seed" / "Preprocessed_EEG"


def seed(root: Path) -> Seed:
    return Seed(Seed.Settings(root=root))


def seed_iv(root: Path) -> SeedIV:
    return SeedIV(SeedIV.Settings(root=root))


def of_session(trials: list[Trial], subject: str, session: str) -> list[Trial]:
    return [t for t in trials if (t.recording.subject, t.recording.session) == (subject, session)]


@pytest.mark.parametrize("name", ["seed", "seed-iv"])
def test_labels_are_the_published_ones_in_their_order(unchanged: Path, name: str) -> None:
    trials = (seed if name == "seed" else seed_iv)(unchanged).trials()
    lowest = -1 if name == "seed" else 0
    for session, codes in zip("123", CODES[name], strict=True):
        expected = [WORDS[name][int(code) - lowest] for code in codes.split()]
        assert [trial.labels["emotion"] for trial in of_session(trials, "1", session)] == expected


def test_a_clip_has_one_name_for_all_who_saw_it(unchanged: Path) -> None:
    trials = seed(unchanged).trials()
    assert len(trials) == 2 * 3 * 15
    assert len({trial.stimulus for trial in trials}) == 15
    assert len({trial.stimulus for trial in seed_iv(unchanged).trials()}) == 72


def test_sessions_can_be_chosen(unchanged: Path) -> None:
    for corpus, whole in ((Seed, seed(unchanged)), (SeedIV, seed_iv(unchanged))):
        some = corpus(corpus.Settings(root=unchanged, sessions=(3, 1)))
        kept = [trial.recording.fingerprint for trial in whole.trials() if trial.recording.session != "2"]
        assert [trial.recording.fingerprint for trial in some.trials()] == kept


def test_channels_go_by_their_rows(unchanged: Path) -> None:
    trial = of_session(seed(unchanged).trials(), "2", "3")[6]
    array = loadmat(unchanged / "seed" / "Preprocessed_EEG" / "2_20131107.mat")["s2_eeg7"]
    np.testing.assert_array_equal(trial.recording.read(), array.astype(np.float32))
    assert (trial.recording.rate, len(trial.recording.channels)) == (200, 62)
    places = {name: trial.recording.channels.index(name) for name in ("Fp1", "Cz", "T8", "PO9", "O1", "O2", "PO10")}
    assert places == {"Fp1": 0, "Cz": 27, "T8": 31, "PO9": 57, "O1": 58, "O2": 60, "PO10": 61}  # PO9: CB1, PO10: CB2


def test_trials_follow_one_another_in_the_order_of_their_numbers(folder: Path) -> None:
    path = folder / "1_20131027.mat"
    arrays = {name: array for name, array in loadmat(path).items() if not name.startswith("__")}
    savemat(path, dict(reversed(arrays.items())))
    trials = of_session(seed(folder.parents[1]).trials(), "1", "1")
    assert [trial.name for trial in trials] == [str(number) for number in range(1, 16)]
    lengths = [arrays[f"s1_eeg{number}"].shape[1] / 200 for number in range(1, 16)]
    assert len(set(lengths)) > 1
    np.testing.assert_allclose([trial.onset for trial in trials], np.cumsum([0, *lengths[:-1]]))


def test_a_session_is_the_rank_of_its_date(folder: Path) -> None:
    (folder / "1_20131107.mat").rename(folder / "1_20130101.mat")
    array = loadmat(folder / "1_20130101.mat")["s1_eeg1"]
    first = of_session(seed(folder.parents[1]).trials(), "1", "1")[0]
    np.testing.assert_array_equal(first.recording.read(), array.astype(np.float32))


def test_sessions_that_cannot_be_ranked_are_refused(folder: Path) -> None:
    (folder / "1_20131030.mat").unlink()
    corpus = seed(folder.parents[1])
    assert [line.split(" (")[0] for line in corpus.check()] == ["2 of 3 files 1_DATE.mat"]
    with pytest.raises(DataError, match="fetch all three"):
        corpus.trials()


def test_every_lack_is_one_line(unchanged: Path, folder: Path) -> None:
    (folder / "label.mat").write_bytes(b"")
    (folder / "1_20131030.mat").rename(folder / "3_20131030.mat")
    lines = seed(folder.parents[1]).check()
    assert all("\n" not in line for line in lines)
    for named in ("label.mat", "1_DATE.mat", "2_DATE.mat", "3_DATE.mat"):
        assert sum(named in line for line in lines) == 1
    assert seed(unchanged).check() == seed_iv(unchanged).check() == []


def test_a_trial_that_is_no_array_of_numbers_is_missing(folder: Path) -> None:
    path = folder / "1_20131027.mat"
    arrays = {name: array for name, array in loadmat(path).items() if not name.startswith("__")}
    savemat(path, arrays | {"s1_eeg9": np.array([{"a": 1}], object)})
    assert [line.split(" (")[0] for line in seed(folder.parents[1]).check()] == ["no array of trial 9"]


def test_variables_of_other_names_are_named(folder: Path) -> None:
    path = folder / "1_20131027.mat"
    arrays = {name.replace("_eeg", "eeg_"): array for name, array in loadmat(path).items() if not name.startswith("__")}
    savemat(path, arrays)
    (line,) = seed(folder.parents[1]).check()
    assert "its variables are s1eeg_1, s1eeg_2" in line and "as in djc_eeg1" in line

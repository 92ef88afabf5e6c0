"""BIDS sets of emotion on their fakes: which events are trials, when, and whose labels they get."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from insula.corpora.bids_emotion import BidsEmotion
from insula.corpora.bids_labels import Answers, answered, listed, same_stimulus
from insula.corpora.bids_sets import HYDROCEL
from insula.corpora.catalogue import corpus
from insula.corpora.fakes import FAKES
from insula.corpora.trials import Trial
from insula.eeg.montage import canonical
from insula.errors import DataError

SETS = ("bids-emotion", "dens", "emoeeg-mc", "music-emotion")
LAYOUT = {"labels": {"trial_type": None, "valence": [1, 9]}, "stimulus": "stim_file"}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    for name in SETS:
        FAKES[name](folder)
    return folder


def reader(name: str, root: Path, **settings: Any) -> BidsEmotion:
    found = corpus(name, root=root, **settings)
    assert isinstance(found, BidsEmotion)
    return found


def of(trials: list[Trial], person: str) -> list[Trial]:
    return [trial for trial in trials if trial.recording.subject == person]


def test_labels_are_columns_of_the_events(root: Path) -> None:
    trials = of(reader("bids-emotion", root, layout=LAYOUT).trials(), "02")
    assert [trial.labels for trial in trials] == [
        {"trial_type": "joy", "valence": 8}, {"trial_type": "sadness", "valence": 2.5},
        {"trial_type": "neutral", "valence": 5}, {"trial_type": "joy", "valence": 7},
    ]  # fmt: skip
    assert [trial.stimulus for trial in trials] == ["joy.mp4", "sadness.mp4", "neutral.mp4", "joy.mp4"]
    assert [trial.onset for trial in trials] == [1, 6, 11, 16]
    assert {trial.recording.n_times / trial.recording.rate for trial in trials} == {4.0}


def test_a_trial_is_the_signal_of_its_span(root: Path) -> None:
    from insula.eeg.reading import read_recording

    trial = of(reader("bids-emotion", root, layout=LAYOUT).trials(), "01")[1]
    whole = read_recording(root / "bids-emotion/sub-01/eeg/sub-01_task-emotion_eeg.edf", "x", "01", "1")
    assert np.array_equal(trial.recording.read(), whole.read(6 * 200, 10 * 200))


def test_dens_counts_samples_and_joins_ratings_by_clip(root: Path) -> None:
    trials = of(reader("dens", root).trials(), "mit003")
    assert [trial.onset for trial in trials] == [1.0, 63.2]
    assert {trial.recording.n_times / trial.recording.rate for trial in trials} == {60.0}
    assert [trial.stimulus for trial in trials] == ["neutral1", "12"]
    assert [(trial.labels["valence"], trial.labels["liking"]) for trial in trials] == [(5.2, 3), (9, 5)]
    assert trials[0].recording.channels == canonical(list(HYDROCEL.values()))


def test_a_clip_has_one_name_though_a_person_did_not_rate_it(root: Path, tmp_path: Path) -> None:
    shutil.copytree(root / "dens", tmp_path / "dens")
    shutil.rmtree(tmp_path / "dens" / "sub-mit004" / "beh")
    found = reader("dens", tmp_path)
    assert found.check() == []
    trials = of(found.trials(), "mit004")
    assert [trial.stimulus for trial in trials] == ["neutral1", "12"]
    assert {value for trial in trials for value in trial.labels.values()} == {None}


def test_a_wrong_unit_is_refused(root: Path) -> None:
    layout = {**reader("dens", root).settings.layout.model_dump(), "unit": "seconds"}
    with pytest.raises(DataError, match="leaves the recording"):
        reader("dens", root, layout=layout).trials()
    slow = {**reader("bids-emotion", root, layout=LAYOUT).settings.layout.model_dump(), "unit": "samples", "seconds": 4}
    with pytest.raises(DataError, match="the next begins"):
        reader("bids-emotion", root, layout=slow).trials()


def test_spellings_of_a_clip() -> None:
    assert same_stimulus("neutral_1.mp4") == same_stimulus("Neutral1") == "neutral1"
    assert same_stimulus("1_2") != same_stimulus("12")


def test_emoeeg_takes_emotions_from_the_readme_in_the_order_of_play(root: Path) -> None:
    trials = reader("emoeeg-mc", root).trials()
    assert [(trial.labels["context"], trial.labels["emotion"]) for trial in of(trials, "01")] == [
        ("imagery", "happiness"), ("imagery", "fear"), ("video", "happiness"), ("video", "fear"),
    ]  # fmt: skip
    second = of(trials, "02")  # two runs, events from annotations
    assert [trial.stimulus for trial in second] == ["ima neu4", "ima ins5", "vid neu4", "vid ins5"]
    assert [trial.onset for trial in second] == [1, 6, 13, 18]  # the second run begins after the 12 s of the first
    assert [trial.name for trial in second] == ["1", "2", "3", "4"]


def test_emoeeg_gives_no_emotion_where_the_list_has_another_length(root: Path, tmp_path: Path) -> None:
    shutil.copytree(root / "emoeeg-mc", tmp_path / "emoeeg-mc")
    readme = tmp_path / "emoeeg-mc" / "README.md"
    readme.write_text(readme.read_text().replace("['joy5', 'fear8']", "['joy5', 'fear8', 'sad4']"))
    with pytest.warns(UserWarning, match="4 trials of sub-01 have no emotion"):
        trials = reader("emoeeg-mc", tmp_path).trials()
    assert [trial.labels["emotion"] for trial in of(trials, "01")] == [None] * 4
    assert [trial.labels["emotion"] for trial in of(trials, "02")] == ["neutral", "inspiration"] * 2


def test_lists_of_later_people_are_found(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text(
        "`reorder = ['sad4']`\n\n3. `['ten4', 'joy4']`\n\n- **sub55**: The sequence for both is:  \n  `['dis5']`\n\n"
        "- **sub56**:  \n  - Imagery sequence:  \n    `['joy8']`\n  - Video sequence:  \n    `['joy8', 'ins4']`\n"
    )
    assert listed(tmp_path) == {
        ("03", ""): ["ten4", "joy4"], ("55", ""): ["dis5"],
        ("56", "imagery"): ["joy8"], ("56", "video"): ["joy8", "ins4"],
    }  # fmt: skip


def test_a_table_of_events_that_two_runs_share_is_refused(root: Path, tmp_path: Path) -> None:
    shutil.copytree(root / "emoeeg-mc", tmp_path / "emoeeg-mc")
    folder = tmp_path / "emoeeg-mc"
    shutil.copy(folder / "sub-01" / "sub-01_events.tsv", folder / "sub-02" / "sub-02_events.tsv")
    lacks = reader("emoeeg-mc", tmp_path).check()
    assert len(lacks) == 1
    assert "2 recordings share this table" in lacks[0]


def test_music_has_the_answers_to_its_questions(root: Path) -> None:
    trials = of(reader("music-emotion", root).trials(), "01")
    assert len(trials) == 2  # the run of rest has none
    assert [trial.stimulus for trial in trials] == ["302", "502"]
    assert list(trials[0].labels.values()) == [2, 3, 4, 5, 6, 7, 8, 9]
    assert list(trials[1].labels)[:2] == ["pleasant", "energetic"]
    assert [trial.onset for trial in trials] == [7, 27]  # after 5 s of rest
    assert {trial.recording.n_times for trial in trials} == {12_000}


def test_answers_belong_to_the_question_beside_them() -> None:
    questions = Answers(questions={"800": "pleasant", "801": "tense"}, first=901, last=909, within=0.4)
    events = pd.DataFrame(
        {"onset": [0.0, 5.0, 5.03, 6.0, 7.0, 10.0, 15.0, 15.1, 15.2],
         "code": ["788", "800", "903", "801", "905", "788", "801", "902", "904"]}
    )  # fmt: skip
    found = answered(events, np.array([0.0, 10.0]), questions, where="a.tsv")
    assert found == [{"pleasant": 3, "tense": None}, {"pleasant": None, "tense": 4}]  # 905 is too late, 904 the last


def test_a_set_without_the_label_is_refused(root: Path) -> None:
    with pytest.raises(DataError, match="no column 'arousal'"):
        reader("bids-emotion", root, layout={"labels": {"arousal": [1, 9]}}).trials()
    none = {"labels": {"trial_type": None}, "starts": ["awe"]}
    lacks = reader("bids-emotion", root, layout=none).check()
    assert [line.split(" (")[0] for line in lacks] == ["no trial of sub-01", "no trial of sub-02"]

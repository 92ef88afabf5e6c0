"""EEGMAT, real and made of noise."""

from __future__ import annotations

from pathlib import Path

import edfio
import numpy as np
import pytest

from insula.corpora.catalogue import corpus
from insula.corpora.fakes import fake_eegmat
from insula.eeg.features import differential_entropy
from insula.errors import DataError
from insula.samples import Samples
from insula.storage.cache import Cache


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    fake_eegmat(folder, subjects=2)
    return folder


@pytest.fixture(scope="module")
def samples(root: Path) -> Samples:
    return corpus("eegmat", root=root, window=3, hop=1.5).samples(Cache(root / "cache"))


def test_windows_of_a_recording_are_one_trial(samples: Samples) -> None:
    table = samples.table
    assert len(table) == 4 * 7
    assert table["session"].equals(table["trial"].rename("session"))
    assert table.groupby("trial")["condition"].agg(set).to_dict() == {
        "Subject00_1": {"rest"}, "Subject00_2": {"arithmetic"}, "Subject01_1": {"rest"}, "Subject01_2": {"arithmetic"},
    }  # fmt: skip
    assert set(table.loc[table["subject"] == "Subject01", "trial"]) == {"Subject01_1", "Subject01_2"}
    assert table.loc[table["trial"] == "Subject01_2", "start"].tolist() == [0, 1.5, 3, 4.5, 6, 7.5, 9]
    assert (table["stop"] - table["start"]).eq(3).all()


def test_signal_and_features_are_of_the_same_window(samples: Samples) -> None:
    signal, features = samples.read("eeg"), samples.read("features")
    assert (signal.shape, signal.dtype, features.shape) == ((28, 19, 384), np.float32, (28, 19, 5))
    assert np.allclose(features, differential_entropy(signal, 128, window=3)[:, 0], atol=1e-5)
    form = samples.store("eeg").description
    assert (form.rate, form.units) == (128, "uV")
    assert {"T7", "Cz"} <= set(form.channels)
    assert not {"A2-A1", "ECG"} & set(form.channels)
    assert samples.store("features").description.channels == form.channels


def test_subject_info_is_joined_where_it_is_there(samples: Samples, tmp_path: Path) -> None:
    assert samples.table.groupby("subject")["gender"].first().to_dict() == {"Subject00": "M", "Subject01": "F"}
    assert "number_of_subtractions" in samples.table
    fake_eegmat(tmp_path, subjects=1)
    (tmp_path / "eegmat" / "subject-info.csv").unlink()
    without = corpus("eegmat", root=tmp_path)
    assert without.check() == []
    assert "gender" not in without.samples(Cache(tmp_path / "cache")).table


def test_recordings_are_whole_trials_read_lazily(root: Path) -> None:
    recordings = corpus("eegmat", root=root).recordings()  # type: ignore[attr-defined]
    assert [one.session for one in recordings] == ["Subject00_1", "Subject00_2", "Subject01_1", "Subject01_2"]
    event = recordings[0].events.iloc[0]
    assert (event["onset"], event["duration"], event["trial"], event["condition"]) == (0, 12, "Subject00_1", "rest")
    assert recordings[0].read(0, 10).shape == (19, 10)


def test_check_names_what_is_missing_or_broken(tmp_path: Path) -> None:
    one = corpus("eegmat", root=tmp_path)
    assert "no recording in this folder" in one.check()[0]
    fake_eegmat(tmp_path)
    assert one.check() == []
    folder = tmp_path / "eegmat"
    (folder / "Subject01_1.edf").unlink()
    broken = folder / "Subject00_2.edf"
    broken.write_bytes(broken.read_bytes()[:9000])
    lacks = one.check()
    assert len(lacks) == 2
    assert f"no such file ({folder / 'Subject01_1.edf'})" in lacks[0]
    assert "Subject00_2.edf" in lacks[1]
    assert "truncated" in lacks[1]
    with pytest.raises(DataError, match=r"Subject00_2.edf"):
        one.samples(Cache(tmp_path / "cache"))
    assert "no such folder" in corpus("eegmat", root=tmp_path / "nowhere").check()[0]


@pytest.mark.parametrize(
    ("channel", "scale", "message"),
    [("EEG T4", 1e-6, "says that values are uV, and they look like V"), ("EEG F33", 1.0, "unknown channel 'EEG F33'")],
)
def test_check_looks_at_signals_and_names(tmp_path: Path, channel: str, scale: float, message: str) -> None:
    fake_eegmat(tmp_path, subjects=1)
    path = tmp_path / "eegmat" / "Subject00_2.edf"
    edf = edfio.read_edf(path)
    signals = [
        edfio.EdfSignal(
            signal.data * scale, signal.sampling_frequency, physical_dimension=signal.physical_dimension,
            label=channel if signal.label == "EEG T4" else signal.label,
            physical_range=(150 * -scale, 150 * scale),
        )
        for signal in edf.signals
    ]  # fmt: skip
    edfio.Edf(signals).write(path)
    (lack,) = corpus("eegmat", root=tmp_path).check()
    assert message in lack and "Subject00_2.edf" in lack


def test_a_part_of_the_people_is_read_and_the_others_are_named(tmp_path: Path) -> None:
    fake_eegmat(tmp_path)
    for part in "12":
        (tmp_path / "eegmat" / f"Subject01_{part}.edf").unlink()
    one = corpus("eegmat", root=tmp_path)
    assert one.check() == [] and one.notes() == ["of the set lacks Subject01: what is here is read alone"]


def test_preprocessing_can_be_changed_in_part(root: Path) -> None:
    settings = corpus("eegmat", preprocessing={"band": (2, 30)}).settings
    assert settings.preprocessing.rate == 128  # type: ignore[attr-defined]


def test_the_real_recordings(data: Path, tmp_path: Path) -> None:
    one = corpus("eegmat", root=data, window=10)
    assert one.check() == []
    recordings = one.recordings()  # type: ignore[attr-defined]
    assert len(recordings) == 48
    assert {recording.channels for recording in recordings} == {recordings[0].channels}
    (tmp_path / "eegmat").mkdir()
    for part in (1, 2):
        name = f"Subject00_{part}.edf"
        (tmp_path / "eegmat" / name).symlink_to(data / "eegmat" / name)
    samples = corpus("eegmat", root=tmp_path, window=10).samples(Cache(tmp_path / "cache"))
    assert len(samples) == 12
    assert 1 < samples.read("eeg").std() < 50

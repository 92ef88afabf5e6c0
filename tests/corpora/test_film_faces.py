"""Faces out of the films of two corpora: on the EEG's clock, missing where nothing shows them, whatever is broken."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from insula.corpora import film_faces
from insula.corpora.catalogue import corpus
from insula.corpora.fake_deap import fake_deap
from insula.corpora.fake_films import write_film
from insula.corpora.fake_mahnob import fake_mahnob_hci
from insula.errors import DataError
from insula.samples import Samples
from insula.storage.cache import Cache


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("films")
    fake_mahnob_hci(folder)
    return folder


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def samples(root: Path, cache: Path) -> Samples:
    return quiet(root, cache)


@pytest.fixture
def copy(root: Path, tmp_path: Path) -> Path:
    """The first person's sessions alone, whose films are good."""
    for number in (2, 4, 6):
        shutil.copytree(
            root / "mahnob-hci" / "Sessions" / str(number), tmp_path / "mahnob-hci" / "Sessions" / str(number)
        )
    return tmp_path


def read(root: Path, cache: Path, **settings: Any) -> Samples:
    """Return the samples of MAHNOB-HCI."""
    return corpus("mahnob-hci", root=root, faces=True, size=32, **settings).samples(Cache(cache))


def quiet(root: Path, cache: Path, **settings: Any) -> Samples:
    """Return the samples of MAHNOB-HCI; what is wrong with its films is not what is asked."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "faces are missing")
        return read(root, cache, **settings)


def film_of(root: Path, session: int) -> Path:
    return next((root / "mahnob-hci" / "Sessions" / str(session)).glob("*.avi"))


def of_trial(samples: Samples, subject: str, trial: str) -> Samples:
    table = samples.table
    return samples.select(((table["subject"] == subject) & (table["trial"] == trial)).to_numpy())


def test_each_window_has_the_face_of_its_middle(samples: Samples) -> None:
    mine = of_trial(samples, "1", "2")
    light = mine.read("picture").mean(axis=(1, 2, 3))
    expected = 0.3 + 0.7 * np.array([1.0, 3.0, 5.0, 7.0]) / 8  # the film gets lighter from 0.3 to 1
    np.testing.assert_allclose(light / light[-1], expected / expected[-1], rtol=0, atol=0.04)  # half a second
    assert mine.store("picture").description.units == "uint8 RGB"
    assert mine.table["identity"].tolist() == ["1"] * 4
    assert set(mine.units("person")) == {"mahnob-hci/1"}


def test_the_notes_of_the_recording_correct_the_rate_of_the_file(samples: Samples) -> None:
    """session.xml says 9.995 frames a second where the file counts ten: 500 parts per million."""
    skew = of_trial(samples, "1", "2").table["skew"]
    np.testing.assert_allclose(skew, np.array([1, 3, 5, 7]) * 500e-6, atol=2e-6)


def test_missing_is_what_the_film_does_not_show(samples: Samples) -> None:
    there = pd.Series(samples.has("picture")).groupby([samples.table["subject"], samples.table["trial"]]).agg(list)
    assert there.to_dict() == {
        ("1", "2"): [True] * 4,
        ("1", "4"): [False] * 4,  # no film
        ("1", "6"): [True, True, False, False],  # the face leaves the picture
        ("2", "2"): [True, True, False, False],  # the film ends
        ("2", "4"): [False] * 4,  # a broken film
    }
    assert samples.table["skew"].notna().tolist() == samples.has("picture").tolist()
    assert samples.has("eeg").all()


def test_films_that_cannot_be_used_whole_are_one_warning(root: Path, cache: Path) -> None:
    with pytest.warns(UserWarning, match="faces are missing") as said:
        read(root, cache)
    (line,) = [str(one.message) for one in said]
    assert "it ends after 3.9 s" in line and "Section_2.avi" in line and "and 1 more" in line and "\n" not in line


def test_without_the_setting_no_film_is_opened(root: Path, monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    monkeypatch.setattr(film_faces, "read_video", None)
    reader = corpus("mahnob-hci", root=root)
    assert reader.check() == []
    assert reader.samples(Cache(cache)).modalities == ("eeg", "features")


def test_an_offset_moves_the_faces(root: Path, cache: Path) -> None:
    """A camera that started a second late: the face of the first window is from its film's beginning."""
    late = of_trial(quiet(root, cache, alignment={"offset": 1.0, "frames": 1}), "1", "2")
    light = late.read("picture").mean(axis=(1, 2, 3))
    expected = 0.3 + 0.7 * np.array([0.0, 2.0, 4.0, 6.0]) / 8
    np.testing.assert_allclose(light / light[-1], expected / expected[-1], rtol=0, atol=0.04)  # half a second
    gone = of_trial(quiet(root, cache, alignment={"offset": 3.0, "frames": 1}), "1", "2")
    assert gone.has("picture").tolist() == [False, True, True, True]


def test_faces_are_looked_for_once(root: Path, cache: Path, samples: Samples, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(film_faces, "read_video", None)
    assert quiet(root, cache).fingerprint() == samples.fingerprint()


def test_an_interrupted_search_goes_on_at_the_film_where_it_stopped(
    root: Path, tmp_path: Path, samples: Samples, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened, real = [], film_faces.read_video

    def stopping(path: Path, rate: float | None = None) -> Iterator[Any]:
        opened.append(path)
        if path.parent.name == "132":
            raise KeyboardInterrupt
        return real(path, rate)

    monkeypatch.setattr(film_faces, "read_video", stopping)
    with pytest.raises(KeyboardInterrupt):
        quiet(root, tmp_path)
    assert film_of(root, 2) in opened
    opened.clear()
    monkeypatch.setattr(film_faces, "read_video", lambda path, rate=None: opened.append(path) or real(path, rate))
    assert quiet(root, tmp_path).fingerprint() == samples.fingerprint()
    assert {path.parent.name for path in opened} == {"132", "134"}


def test_a_truncated_film_gives_what_it_holds(copy: Path, cache: Path) -> None:
    path = film_of(copy, 2)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    mine = of_trial(quiet(copy, cache), "1", "2")
    assert mine.has("picture")[0] and not mine.has("picture")[-1]


@pytest.mark.parametrize("content", [b"", b"RIFF", b"\0" * 4096])
def test_a_file_that_is_no_film_is_a_line_of_check(copy: Path, content: bytes, cache: Path) -> None:
    film_of(copy, 2).write_bytes(content)
    lacks = corpus("mahnob-hci", root=copy, faces=True).check()
    assert len(lacks) == 1 and "Section_2.avi" in lacks[0] and "\n" not in lacks[0]
    assert not of_trial(quiet(copy, cache), "1", "2").has("picture").any()


def test_the_film_of_another_session_is_not_used(copy: Path, cache: Path) -> None:
    other = film_of(copy, 6)
    shutil.move(other, copy / "mahnob-hci" / "Sessions" / "4" / other.name)
    (line,) = corpus("mahnob-hci", root=copy, faces=True).check()
    assert "the film is of person 1, trial 6, the session of person 1, trial 4" in line
    with pytest.warns(UserWarning, match="the film is of person 1, trial 6"):
        samples = read(copy, cache)
    assert not of_trial(samples, "1", "4").has("picture").any()


def test_a_film_that_outlasts_its_recording_is_anothers(copy: Path, cache: Path) -> None:
    write_film(film_of(copy, 2), np.linspace(0.3, 1, 120))  # twelve seconds, the notes say eight
    with pytest.warns(UserWarning, match=r"it lasts 11\.9 s, the recording's notes say 8\.0 s"):
        samples = read(copy, cache)
    assert not of_trial(samples, "1", "2").has("picture").any()
    assert of_trial(samples, "1", "6").has("picture").any()


def test_a_film_at_another_rate_than_noted_is_not_used(copy: Path, cache: Path) -> None:
    notes = copy / "mahnob-hci" / "Sessions" / "2" / "session.xml"
    notes.write_text(notes.read_text().replace('vidRate="9.9950"', 'vidRate="60.9708"'))
    with pytest.warns(UserWarning, match=r"its frames are 0\.1 s apart, the recording's notes say 60\.97"):
        samples = read(copy, cache)
    assert not of_trial(samples, "1", "2").has("picture").any()


def test_a_broken_recording_is_still_an_error(copy: Path, cache: Path) -> None:
    next((copy / "mahnob-hci" / "Sessions" / "2").glob("*.bdf")).write_bytes(b"")
    with pytest.raises(DataError):
        quiet(copy, cache)


@pytest.fixture(scope="module")
def filmed_deap(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Samples]:
    root = tmp_path_factory.mktemp("deap")
    fake_deap(root)
    for path in sorted((root / "deap" / "face_video" / "s01").iterdir())[6:]:
        path.unlink()
    return root, corpus("deap", root=root, window=3, faces=True, size=32).samples(Cache(root / "cache"))


def test_films_of_deap_are_joined_by_the_order_of_presentation(filmed_deap: tuple[Path, Samples]) -> None:
    root, samples = filmed_deap
    said = pd.read_csv(root / "deap" / "metadata_csv" / "participant_ratings.csv").query("Participant_id == 1")
    place = dict(zip(said["Experiment_id"].astype(str), said["Trial"], strict=True))
    assert any(int(video) != place[video] for video in place)  # presentation has an order of its own
    filmed = samples.select(samples.has("picture"))
    found = np.array([place[video] for video in filmed.table["trial"]])
    assert sorted(found) == [1, 2, 3, 4, 5, 6]
    light = filmed.read("picture").mean(axis=(1, 2, 3))
    assert np.argsort(light).tolist() == np.argsort(found).tolist()  # films get lighter as they were presented


def test_who_was_not_filmed_has_no_face_in_deap(filmed_deap: tuple[Path, Samples]) -> None:
    _, samples = filmed_deap
    table = samples.table
    assert not samples.has("picture")[(table["subject"] == "s23").to_numpy()].any()
    assert samples.has("picture").sum() == 6
    assert table["skew"].abs().max() < 0.06
    assert table["stimulus"].notna().all() and samples.one_person == {"deap"}


def test_deap_without_its_table_has_no_faces(filmed_deap: tuple[Path, Samples], tmp_path: Path) -> None:
    shutil.copytree(filmed_deap[0] / "deap", tmp_path / "deap")
    (tmp_path / "deap" / "metadata_csv" / "participant_ratings.csv").unlink()
    reader = corpus("deap", root=tmp_path, window=3, faces=True)
    with pytest.warns(UserWarning, match="neither the order of presentation nor face films are known"):
        samples = reader.samples(Cache(tmp_path / "cache"))
    assert samples.modalities == ("eeg", "features", "picture")
    assert not samples.has("picture").any()


def test_a_broken_film_of_deap_is_a_line_of_check_and_a_missing_cell(
    filmed_deap: tuple[Path, Samples], tmp_path: Path
) -> None:
    root, whole = filmed_deap
    shutil.copytree(root / "deap", tmp_path / "deap")
    (tmp_path / "deap" / "face_video" / "s01" / "s01_trial03.avi").write_bytes(b"RIFF")
    reader = corpus("deap", root=tmp_path, window=3, faces=True, size=32)
    (line,) = reader.check()
    assert "s01_trial03.avi" in line and "\n" not in line
    with pytest.warns(UserWarning, match=r"faces are missing: broken video"):
        samples = reader.samples(Cache(root / "cache"))
    assert samples.has("picture").sum() == whole.has("picture").sum() - 1

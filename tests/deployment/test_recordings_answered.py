"""A bundle that reads EEG answers for recordings, window by window, as the trained system does, and without torch."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from insula.cli import main
from insula.deployment.bundle import open_bundle
from insula.deployment.fitting import fit_bundle
from insula.deployment.recordings import predict_recordings
from insula.errors import SettingsError
from insula.evaluation.recipe import Recipe
from insula.storage.cache import Cache
from insula.storage.folder import verify
from own_eeg import raw_of, rested_and_tense, write_edf
from standin import reseal
from without import modules_after

pytestmark = pytest.mark.filterwarnings("ignore:understood", "ignore:band")


@pytest.fixture(scope="module")
def studied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with recordings, and a bundle that was made of them."""
    folder = tmp_path_factory.mktemp("study")
    (folder / "own").mkdir()
    rested_and_tense(folder / "own", write_edf)
    changes = ["system={name: linear, modality: eeg}", "steps=[{name: harmonise, montage: [Fz, C3, C4, Pz]}]"]
    fit_bundle(Recipe.load(folder / "own", changes), folder / "bundle", Cache(folder / "cache"))
    return folder


def test_recordings_are_answered_window_by_window(studied: Path, tmp_path: Path) -> None:
    bundle = open_bundle(studied / "bundle")
    own = studied / "own"
    table = predict_recordings(bundle, [own / "S01_a.edf", own / "S01_b.edf"], smooth=2.0)
    assert table["path"].map(lambda path: Path(path).name).tolist() == ["S01_a.edf"] * 4 + ["S01_b.edf"] * 4
    assert table["time"].tolist() == [0, 2, 4, 6] * 2 and table["window"].tolist() == [0, 1, 2, 3] * 2
    assert (table["smoothed_label"] == ["calm"] * 4 + ["tense"] * 4).all()
    assert np.allclose(table[["p_calm", "p_tense"]].sum(axis=1), 1) and table["reason"].isna().all()
    # the same recording at twice the rate, with channels in another order and one more
    raw = raw_of([True] * 4, 1)
    more = raw.copy().add_channels([raw.copy().pick(["Fz"]).rename_channels({"Fz": "Oz"})]).resample(256)
    write_edf(more.reorder_channels(["Oz", "Pz", "C4", "C3", "Fz"]), tmp_path / "S01_b")
    again = predict_recordings(bundle, [tmp_path / "S01_b.edf"], smooth=2.0)
    assert (again["label"] == "tense").all() and np.allclose(again["p_tense"], table["p_tense"][4:], atol=0.2)


def test_what_cannot_be_answered_says_why_in_one_line(studied: Path, tmp_path: Path) -> None:
    bundle = open_bundle(studied / "bundle")
    (tmp_path / "broken.edf").write_bytes(b"0       nothing")
    write_edf(raw_of([True], 0).crop(tmax=1.0), tmp_path / "short")
    write_edf(raw_of([True] * 4, 0).pick(["Fz", "C3"]), tmp_path / "two")
    names = ["broken.edf", "short.edf", "two.edf", "absent.edf"]
    table = predict_recordings(bundle, [tmp_path / name for name in names])
    reasons = dict(zip(names, table["reason"], strict=False))
    assert table["label"].isna().any() and "cannot be read" in reasons["broken.edf"]
    assert "shorter" in reasons["short.edf"] and table["path"].iloc[-1].endswith("absent.edf")
    assert not any("\n" in str(reason) for reason in table["reason"].dropna())


def test_what_no_brain_shows_is_remarked_and_withheld_on_request(studied: Path, tmp_path: Path) -> None:
    raw = raw_of([True] * 4, 0)
    raw._data[0, :256] = 0  # Fz, for the first window
    raw._data[3, 600:620] += 5e-3  # Pz, in the third
    raw.save(tmp_path / "odd_raw.fif", verbose="error")
    bundle = open_bundle(studied / "bundle")
    table = predict_recordings(bundle, [tmp_path / "odd_raw.fif"])
    assert table["reason"][0] == "flat: Fz" and pd.isna(table["reason"][3])
    assert table["reason"][2].startswith("beyond EEG: ") and table["reason"][2].endswith("Pz"), (
        "the mean is taken off all"
    )
    assert table["label"].notna().all()
    strict = predict_recordings(bundle, [tmp_path / "odd_raw.fif"], strict=True)
    assert strict["label"].isna()[[0, 2]].all()


def test_the_command_writes_a_table_and_imports_nothing_that_trains(studied: Path, tmp_path: Path) -> None:
    code = "from insula.cli import main; main()"
    loaded = modules_after(code, "predict", studied / "bundle", studied / "own" / "S02_b.edf", "-o", tmp_path / "out")
    assert "mne" in loaded and not loaded & {"torch", "sklearn", "braindecode", "pyriemann", "safetensors"}
    assert len(pd.read_csv(tmp_path / "out" / "predictions.csv")) == 4


def test_a_bundle_that_cannot_be_made_of_recordings_says_why(studied: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(studied / "bundle", tmp_path / "copy"))
    reseal(copy, recording="it learnt epochs around events, less what was before each of them")
    with pytest.raises(SettingsError, match="answers for no recording: it learnt epochs around events"):
        predict_recordings(open_bundle(copy), [studied / "own" / "S01_a.edf"])
    assert verify(studied / "bundle")["recording"]["windows"]["seconds"] == 2.0


@pytest.mark.parametrize(
    ("step", "words"),
    [
        ("{name: smooth}", "the step smooth looks at a whole trial"),
        ("{name: align}", "the step align "),
        ("{name: normalise-online}", "the step normalise-online is fitted on the training part"),
        ("{name: subtract-baseline}", "the step subtract-baseline needs more than a window"),
    ],
)
def test_steps_that_no_window_can_take_alone_are_refused_before_anything_is_read(
    step: str, words: str, tmp_path: Path
) -> None:
    recipe = Recipe.load("watermelon", [f"steps=[{step}]"])
    with pytest.raises(SettingsError, match=words) as caught:
        fit_bundle(recipe, tmp_path / "bundle", Cache(tmp_path / "cache"))
    assert "\n" not in str(caught.value) and "window by window" in str(caught.value)


def test_no_name_stops_a_folder_and_what_is_odd_or_not_read_is_told(studied: Path, tmp_path: Path) -> None:
    folder, elsewhere = tmp_path / "in", tmp_path / "elsewhere"
    for place in (folder, elsewhere):
        place.mkdir()
        write_edf(raw_of([True] * 4, 0), place / "one")
    (folder / "linked").symlink_to(elsewhere)
    (folder / "one.edf").rename(folder / os.fsdecode(b"caf\xe9.edf"))
    with (elsewhere / "one.edf").open("ab") as file:
        file.write(b"more")
    for name in ("._one.edf", "a.mat"):
        (folder / name).write_bytes(b"x")
    with pytest.warns(UserWarning) as heard:
        table = predict_recordings(open_bundle(studied / "bundle"), [folder])
    assert table["label"].notna().all()
    assert {Path(path).name for path in table["path"]} == {"caf\\xe9.edf", "one.edf"}
    notes = "\n".join(str(one.message) for one in heard)
    assert "1 .mat is not read: a.mat" in notes
    assert "4 bytes after the last record are not read (one.edf)" in notes


def test_a_cure_that_is_printed_is_taken(
    studied: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_edf(raw_of([True] * 4, 0).rename_channels({"Fz": "E1"}), tmp_path / "one")
    content = (tmp_path / "one.edf").read_bytes()
    (tmp_path / "one.edf").write_bytes(content.replace(b"uV ", b"mV ", 1))

    def answer(*words: str) -> tuple[int, str]:
        command = ["insula", "predict", str(studied / "bundle"), str(tmp_path / "one.edf"), *words]
        monkeypatch.setattr(sys, "argv", command)
        with pytest.raises(SystemExit) as ended:
            main()
        return int(ended.value.code or 0), "".join(capsys.readouterr())

    code, text = answer()
    assert code == 2 and "--set 'corpus.rename={E1: null}'" in text
    code, text = answer("--set", "corpus.rename={E1: Fz}")
    assert code == 2 and "--set corpus.unit=uV" in text
    code, text = answer("--set", "corpus.rename={E1: Fz}", "--set", "corpus.unit=uV")
    assert code == 0 and "tense" in text
    assert "no setting 'who'" in answer("--set", "who=x")[1]

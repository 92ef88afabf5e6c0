"""Cases of `insula predict`: one bad file, name or ending costs itself alone, and is named."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from commands import Said
from insula.cli import main
from insula.errors import DataError

Case = Callable[[str], Path]


@pytest.fixture
def predict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[Said, pd.DataFrame]]:
    """Return what gives the command files, and returns what it says and the table that it wrote."""

    def call(*words: object) -> tuple[Said, pd.DataFrame]:
        monkeypatch.setattr(sys, "argv", ["insula", "predict", *map(str, words), "-o", str(tmp_path / "out")])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        return Said(int(ended.value.code or 0), out, err), pd.read_csv(tmp_path / "out" / "predictions.csv")

    return call


def names(table: pd.DataFrame) -> list[str]:
    return [Path(path).name for path in table["path"].unique()]


def test_names_that_are_no_text_too_long_or_control_a_terminal(case: Case, tmp_path: Path, predict) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    odd = [os.fsdecode(b"caf\xe9.jpg"), "x" * 246 + ".jpg", "a\x1b[31m\n.jpg", "=1+1.jpg", "good.jpg"]
    for name in odd:
        shutil.copy(case("pic-heic") / "in" / "IMG_0003.JPG", folder / name)
    said, table = predict("--faces", "cropped", folder)
    assert said.code == 0 and table["label"].notna().all() and len(table) == 5
    assert {"caf\\xe9.jpg", "a\\x1b[31m\\n.jpg"} < set(names(table))
    assert "\x1b" not in said.out + said.err
    assert len(list((tmp_path / "out").glob("*.png"))) == 5


def test_broken_exif_is_ignored(case: Case, predict) -> None:
    said, table = predict("--faces", "cropped", case("pic-exif-broken") / "in")
    assert said.code == 0 and len(table) == 15 and table["label"].notna().all()


def test_pictures_of_other_endings_are_read_or_counted(case: Case, tmp_path: Path, predict) -> None:
    said, table = predict("--faces", "cropped", case("pic-jfif") / "in")
    assert names(table) == ["a.jfif", "b.jpe", "e.JPEG"]
    assert "2 files are passed over: 1 without an ending, 1 .jpg_large" in said.err
    said, table = predict("--faces", "cropped", case("pic-heic") / "in")
    assert "IMG_0003.JPG" in names(table)
    assert "2 .heic" in said.err or {"IMG_0001.HEIC", "IMG_0002.heic"} < set(names(table))


def test_films_of_other_endings_are_read(case: Case, predict) -> None:
    said, table = predict("--faces", "cropped", "--rate", "1", case("vid-kinds") / "in")
    assert said.code == 0 and table["label"].notna().all()
    assert names(table) == ["a.MOV", "b.ts", "c.flv", "d.3gp", "e.h264", "f.avi", "g.MTS"]


def test_people_who_cross_are_said(case: Case, predict) -> None:
    from insula.deployment.curves import panels

    said, table = predict(case("vid-crossing") / "in")
    rows = {Path(str(path)).name: part for path, part in table.groupby("path")}
    assert said.code == 0 and "they may have exchanged" in " ".join(said.out.split())
    assert any("may have exchanged numbers" in panel.heading for panel in panels(rows["cross.mp4"]))
    assert not any("exchanged" in panel.heading for panel in panels(rows["pass.mp4"]))


def test_files_that_crash_or_hang_a_decoder_cost_themselves_alone(case: Case, tmp_path: Path, predict) -> None:
    folder = tmp_path / "in"
    shutil.copytree(case("attack"), folder)
    shutil.copy(case("pic-heic") / "in" / "IMG_0003.JPG", folder / "good.jpg")
    (folder / "list.mp4").write_text("ffconcat version 1.0\nfile good.jpg\n")
    os.mkfifo(folder / "pipe.jpg")
    said, table = predict("--faces", "cropped", folder)
    assert said.code == 0 and table.dropna(subset="label")["path"].tolist() == [str(folder / "good.jpg")]
    assert set(names(table)) == {path.name for path in folder.glob("*.png")} | {
        "good.jpg",
        "video-715-a.mkv",
        "list.mp4",
    }
    assert "Traceback" not in said.err and said.out.count("skipped") == len(table) - 1


@pytest.mark.parametrize(
    "name",
    ["deep_tuple_key.pkl", "deep_tuple_set.pkl", "hash_dag_key.pkl", "frozenset_dag.pkl", "poison_func.pkl"],
)
def test_pickles_that_end_the_process_are_one_line(case: Case, name: str) -> None:
    from insula.storage.arrays_from_pickle import arrays_from_pickle

    with pytest.raises(DataError, match=name) as caught:
        arrays_from_pickle(case("attack") / name)
    assert "\n" not in str(caught.value)


def test_files_that_crash_scipy_are_one_line(case: Case) -> None:
    from insula.corpora.matlab import matlab_shapes, matlab_variable
    from insula.eeg.reading import read_recording

    with pytest.raises(DataError, match="matsegv"):
        matlab_variable(case("attack") / "matsegv.mat", "EEG")
    with contextlib.suppress(DataError):  # it crashes SciPy here and there, and is read elsewhere
        for name in matlab_shapes(case("attack") / "matsegv.mat"):
            matlab_variable(case("attack") / "matsegv.mat", name)
    with pytest.raises(DataError, match="eeg-624"):
        read_recording(case("attack") / "eeg-624-a.set", "c", "S01", "1")


def test_an_output_that_holds_something_else_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.new("RGB", (64, 64)).save(tmp_path / "a.png")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("mine")
    monkeypatch.setattr(sys, "argv", ["insula", "predict", str(tmp_path / "a.png"), "-o", str(tmp_path / "mine")])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2 and "holds something else" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.txt"]

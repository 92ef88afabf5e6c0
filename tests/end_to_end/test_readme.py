"""The README's commands run, as written but for sizes that make them quick."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from commands import TINY, Said, sets
from filmed import film
from insula.corpora.fakes import fake_folder
from insula.faces import read_picture
from own_eeg import rested_and_tense, write_fif

pytestmark = pytest.mark.slow

PYTHON = re.compile(r"```python\n(.*?)```", flags=re.DOTALL)
README = Path(__file__).parents[2] / "README.md"
FEW = ["placebos=[class-code]", "controls=[majority]"]
SMALL = {
    "watermelon": ["corpus.trials=8", "corpus.seconds=10"],
    "bmci": [*TINY, *FEW],
    "semi-simulated": [*(change for change in TINY if not change.startswith("corpus.")), *FEW],
    "face-recogniser": [
        "system.training.epochs=1",
        "system.sizes=[32]",
        "system.backbone=resnet10t",
        "system.weights=null",
    ],
    "my-recordings": [],
    "my-pictures": ["system.training.epochs=1"],
}


def _commands() -> list[list[str]]:
    blocks = re.findall(r"```sh\n(.*?)```", README.read_text(), flags=re.DOTALL)
    lines = [line.split("#")[0].strip() for block in blocks for line in block.splitlines()]
    return [shlex.split(line)[1:] for line in lines if line.startswith("insula ")]


def _own_folders(data: Path) -> None:
    """Write what the README calls photo.jpg, my-recordings and my-pictures to the folder where it is read."""
    shutil.copy(data / "london-faces" / "001_happiness.jpg", "photo.jpg")
    fake_folder(Path())
    Path("folder").rename("my-pictures")
    Path("my-recordings").mkdir()
    rested_and_tense(Path("my-recordings"), write_fif)


def test_the_python_of_the_readme_runs(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    _own_folders(data)
    people, y = np.repeat(range(4), 6), np.tile(["calm", "fear"], 12)
    names = {"X": np.random.default_rng(0).normal(size=(24, 3)), "y": y, "people": people}
    for code in PYTHON.findall(README.read_text()):
        exec(code, names)
    assert list(names["table"]["label"]) and Path("runs/mine/metrics.tex").is_file()


def test_the_readme_gives_the_installation_first_and_then_two_commands() -> None:
    blocks = re.findall(r"```sh\n(.*?)```", README.read_text(), flags=re.DOTALL)
    first = [[line.split("#")[0].strip() for line in block.splitlines()] for block in blocks[:2]]
    assert first == [["pip install insula"], ["make demo", "make test"]]


def test_every_command_of_the_readme_runs(
    insula: Callable[..., Said], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    pd.DataFrame({"subject": ["a", "b"], "trial": [1, 2]}).to_csv("table.csv", index=False)
    pd.DataFrame({"index": [0, 1], "part": ["train", "test"]}).to_csv("split.csv", index=False)
    shown = [
        read_picture(data / "london-faces" / f"001_{name}.jpg") for name in ("neutral", "happiness") for _ in range(3)
    ]
    film(Path("film.mp4"), shown, np.arange(len(shown)) / 5)
    _own_folders(data)
    seen = set()
    for words in _commands():
        words = [word.replace("$INSULA_DATA", str(data)) for word in words]
        if words[0] in ("run", "fit"):
            kind = "semi-simulated" if "corpus.name=semi-simulated" in words else words[1]
            words += sets(SMALL[kind])
        said = insula(*words, *(["--jobs", 1] if words[0] == "run" else []))
        assert said.code == 0, (words, said.err)
        seen.add(words[0])
    assert seen == {"corpora", "run", "audit", "fit", "predict", "export", "label"}
    assert Path("face.onnx").is_file() and list(Path("runs/film").glob("*film-tracks.png"))
    table = pd.read_csv("runs/recognised/predictions.csv")
    counts = table.groupby(table["path"].map(lambda name: Path(name).name)).size()
    assert len(counts) == 5 and counts["group.jpeg"] >= 5 and counts["film.mp4"] == 6
    assert table["label"].notna().all() and table["sure"].notna().all()
    shutil.rmtree("runs")

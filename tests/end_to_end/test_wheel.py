"""The runtime as a stranger installs it: from a built wheel, into an environment that holds nothing else."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from filmed import film
from insula.faces import read_picture

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
ABSENT = ("torch", "sklearn", "scipy", "timm", "mne", "matplotlib", "pyarrow")


def call(*words: object, folder: Path) -> subprocess.CompletedProcess[str]:
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run([*map(str, words)], capture_output=True, text=True, cwd=folder, env=env)


def pip(*words: object, folder: Path, python: Path) -> subprocess.CompletedProcess[str]:
    done = call(python, "-m", "pip", "--disable-pip-version-check", *words, "--quiet", folder=folder)
    done.stderr = re.sub(r"\S+://\S+", "(address)", done.stderr)  # whose index it is, is nobody's business
    return done


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the Python of a fresh environment, where a package index can be reached."""
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", str(folder / "venv")], check=True)
    python = folder / "venv" / ("Scripts" if os.name == "nt" else "bin") / "python"
    words = ("download", "--no-deps", "--retries", 0, "--timeout", 10, "-d", folder, "-c", ROOT / "requirements.lock")
    if pip(*words, "mdurl", folder=folder, python=python).returncode:
        pytest.skip("no package index can be reached")
    return python


@pytest.fixture(scope="module")
def wheel(bare: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the wheel, built from a copy, so that nothing stale gets in and nothing is left behind."""
    folder = tmp_path_factory.mktemp("wheel")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    shutil.copytree(ROOT / "src", folder / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    done = pip("wheel", "--no-deps", "-w", folder, folder, folder=folder, python=bare)
    assert done.returncode == 0, done.stderr
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def runtime(bare: Path, wheel: Path) -> Path:
    """Return the folder of the programs of an environment that holds the runtime."""
    done = pip("install", "-c", ROOT / "requirements.lock", wheel, folder=wheel.parent, python=bare)
    assert done.returncode == 0, done.stderr
    return bare.parent


def test_the_wheel_holds_every_file_of_the_package(wheel: Path) -> None:
    source = ROOT / "src"
    files = {
        path.relative_to(source).as_posix()
        for path in (source / "insula").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    held = set(zipfile.ZipFile(wheel).namelist())
    assert not files - held
    assert any(name.endswith(".tflite") for name in held) and any(name.endswith("LICENSE") for name in held)


def test_what_trains_is_not_there(runtime: Path, tmp_path: Path) -> None:
    code = "from importlib.util import find_spec; import sys; print([name for name in sys.argv[1:] if find_spec(name)])"
    assert call(runtime / "python", "-c", code, *ABSENT, folder=tmp_path).stdout == "[]\n"


def test_the_command_answers_audits_and_says_what_is_missing(runtime: Path, tmp_path: Path) -> None:
    assert "audit" in call(runtime / "insula", "--help", folder=tmp_path).stdout
    columns = {"subject": ["a", "a", "b"], "trial": [1, 2, 1], "start": [0, 5, 0], "stop": [4, 9, 4]}
    pd.DataFrame(columns).to_csv(tmp_path / "table.csv", index=False)
    pd.DataFrame({"index": [0, 1, 2], "part": ["train", "train", "test"]}).to_csv(tmp_path / "split.csv", index=False)
    audit = (runtime / "insula", "audit", "table.csv", "split.csv")
    clean = call(*audit, "--unit", "subject", folder=tmp_path)
    assert clean.returncode == 0 and clean.stdout.startswith("clean, as far as was looked: "), clean.stderr
    pd.DataFrame({"index": [0, 1, 2], "part": ["train", "test", "test"]}).to_csv(tmp_path / "split.csv", index=False)
    leak = call(*audit, "--unit", "subject", folder=tmp_path)
    assert leak.returncode == 3 and leak.stderr.startswith("leak: subject a is in train and test"), leak.stderr
    missing = call(runtime / "insula", "run", "watermelon", folder=tmp_path)
    line = "insula: this needs torch, which is not installed: pip install 'insula[train]'\n"
    assert (missing.returncode, missing.stdout, missing.stderr) == (2, "", line)


def test_photographs_and_films_are_answered(runtime: Path, tmp_path: Path, data: Path) -> None:
    done = call(runtime / "insula", "predict", data / "portraits", "--json", folder=tmp_path)
    rows = json.loads(done.stdout)
    assert done.returncode == 0 and len(rows) == 8, done.stderr
    assert all(row["label"] and row["second"] and row["sure"] and 0 < row["probability"] <= 1 for row in rows)
    face = read_picture(data / "london-faces" / "001_happiness.jpg")
    film(tmp_path / "film.mp4", [face] * 4, np.arange(4) / 5)
    done = call(runtime / "insula", "predict", "film.mp4", "-o", "out", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"predictions.csv", "000-film.mp4", "000-film-tracks.png", "000-film-frames.png"}
    assert pd.read_csv(tmp_path / "out" / "predictions.csv")["label"].notna().sum() == 4

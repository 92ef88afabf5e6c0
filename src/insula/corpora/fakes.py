"""Tiny corpora in the true format on disk, drawn and made of noise: everything is tested without the real data."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from insula.corpora.drawn_faces import draw_faces

_EEGMAT_CHANNELS = (
    "Fp1", "Fp2", "F3", "F4", "F7", "F8", "T3", "T4", "C3", "C4", "T5", "T6", "P3", "P4", "O1", "O2", "Fz", "Cz", "Pz",
    "A2-A1",
)  # fmt: skip


def fake_folder(root: Path) -> None:
    """Write `folder/CLASS/*.png`: four drawn faces of each of three classes."""
    classes = ["anger", "happiness", "neutral"]
    emotions = np.repeat(classes, 4).tolist()
    for number, (emotion, picture) in enumerate(zip(emotions, _faces(emotions, 4), strict=True)):
        _write_picture(root / "folder" / emotion / f"{number:02d}.png", picture)


def fake_london_faces(root: Path, identities: int = 4) -> None:
    """Write `london-faces/` with `manifest.csv`: a neutral and a smiling drawn face of each identity."""
    folder = root / "london-faces"
    rows = []
    for emotion in ("neutral", "happiness"):
        for person, picture in enumerate(_faces([emotion] * identities, identities)):
            name = f"{person + 1:03d}_{emotion}.jpg"
            _write_picture(folder / name, picture)
            gender = ("female", "male")[person % 2]
            rows.append((name, f"{person + 1:03d}", emotion, 20 + person, gender, "white"))
    columns = ["path", "identity", "emotion", "face_age", "face_gender", "face_eth"]
    pd.DataFrame(rows, columns=columns).to_csv(folder / "manifest.csv", index=False)


def fake_eegmat(root: Path, subjects: int = 3, seconds: int = 12, rate: int = 128) -> None:
    """Write `eegmat/`: two EDF recordings of noise of each subject, named as PhysioNet's, and `subject-info.csv`."""
    import edfio

    folder = root / "eegmat"
    folder.mkdir(parents=True, exist_ok=True)
    for subject in range(subjects):
        for part in (1, 2):
            rng = np.random.default_rng([subject, part])
            eeg = 12 * rng.standard_normal((len(_EEGMAT_CHANNELS), seconds * rate))
            signals = [
                edfio.EdfSignal(values, rate, label=f"EEG {name}", physical_dimension="uV", physical_range=(-150, 150))
                for name, values in zip(_EEGMAT_CHANNELS, np.clip(eeg, -150, 150), strict=True)
            ]
            heart = np.clip(0.3 * rng.standard_normal(seconds * rate), -5, 5)
            signals.append(
                edfio.EdfSignal(heart, rate, label="ECG ECG", physical_dimension="mV", physical_range=(-5, 5))
            )
            notes = [edfio.EdfAnnotation(0, 0, "[Total time]+182.000")]
            edfio.Edf(signals, annotations=notes).write(folder / f"Subject{subject:02d}_{part}.edf")
    info = {
        "Subject": [f"Subject{subject:02d}" for subject in range(subjects)],
        "Age": 20,
        "Gender": ["F" if subject % 2 else "M" for subject in range(subjects)],
        "Recording year": 2011,
        "Number of subtractions": 10.0,
        "Count quality": 1,
    }
    pd.DataFrame(info).to_csv(folder / "subject-info.csv", index=False)


def fake_size_cont_emo(root: Path, participants: int = 4, trials: int = 10) -> None:
    """Write `size-cont-emo/main_trialEEG.csv`: single-trial amplitudes, more negative EPN and larger LPP to emotion."""
    rng = np.random.default_rng(0)
    condition = np.tile(np.arange(1, 9), participants * trials)
    names = np.repeat([f"vp{number + 1:02d}" for number in range(participants)], 8 * trials)
    table = pd.DataFrame(5 * rng.standard_normal((len(condition), 4)), columns=["P1", "N1", "EPN", "LPP"])
    table["EPN"] -= condition <= 4
    table["LPP"] += condition <= 4
    table.insert(0, "participant", names)
    table.insert(1, "condition", condition)
    (root / "size-cont-emo").mkdir(parents=True, exist_ok=True)
    table.to_csv(root / "size-cont-emo" / "main_trialEEG.csv", index=False)


def fake_semi_simulated(root: Path) -> None:
    """Write what the semi-simulated study is made of: `london-faces/`, `eegmat/` and `size-cont-emo/`."""
    fake_london_faces(root)
    fake_eegmat(root)
    fake_size_cont_emo(root)


FAKES: dict[str, Callable[[Path], None]] = {
    "folder": fake_folder,
    "london-faces": fake_london_faces,
    "eegmat": fake_eegmat,
    "semi-simulated": fake_semi_simulated,
}
"""What writes the fake of a corpus under a root; a corpus without one is simulated."""


def _faces(emotions: list[str], people: int) -> np.ndarray:
    count = len(emotions)
    return draw_faces(emotions, [1.0] * count, [number % people for number in range(count)], nuisance=0.3)


def _write_picture(path: Path, picture: np.ndarray) -> None:
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(path)

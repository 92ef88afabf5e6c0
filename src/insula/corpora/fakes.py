"""Tiny corpora in the true format on disk, drawn and made of noise: everything is tested without the real data."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from insula.corpora.drawn_faces import draw_faces
from insula.corpora.fake_bids import fake_bids_emotion, fake_dens, fake_emoeeg_mc, fake_music_emotion
from insula.corpora.fake_deap import fake_deap
from insula.corpora.fake_dreamer import fake_dreamer
from insula.corpora.fake_faced import fake_faced
from insula.corpora.fake_faces import (
    fake_affectnet,
    fake_affectnet_newer,
    fake_ck_plus,
    fake_fed_ro,
    fake_fer2013,
    fake_fer2013_folders,
    fake_raf_db,
)
from insula.corpora.fake_mahnob import fake_mahnob_features, fake_mahnob_hci
from insula.corpora.fake_seed import fake_seed, fake_seed_iv

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


def fake_recordings(root: Path, subjects: int = 2, rate: int = 200) -> None:
    """Write `recordings/`, a BIDS tree: EDF of noise of people who saw the twelve drawn faces of `stimuli/`."""
    folder = root / "recordings"
    shown = _fake_stimuli(folder / "stimuli", "pictures.csv", "emotion")
    (folder / "dataset_description.json").write_text('{"Name": "noise", "BIDSVersion": "1.9.0"}')
    people = [f"sub-{number + 1:02d}" for number in range(subjects)]
    ages = pd.DataFrame({"participant_id": people, "age": range(20, 20 + subjects)})
    ages.to_csv(folder / "participants.tsv", sep="\t", index=False)
    for number, person in enumerate(people):
        stem = folder / person / "eeg" / f"{person}_task-faces"
        stem.parent.mkdir(parents=True, exist_ok=True)
        _write_noise(stem.with_name(f"{stem.name}_eeg.edf"), 2 * len(shown) + 4, rate, seed=number)
        types = pd.DataFrame({"name": [f"EEG {name}" for name in _EEGMAT_CHANNELS[:-1]], "type": "EEG", "units": "uV",
                              "status": "good"})  # fmt: skip
        types.to_csv(stem.with_name(f"{stem.name}_channels.tsv"), sep="\t", index=False)
        events = shown.sample(frac=1, random_state=number, ignore_index=True)
        events = pd.DataFrame({"onset": 2.0 + 2 * events.index, "duration": 0.5, "trial_type": events["emotion"],
                               "stim_file": events["path"]})  # fmt: skip
        events.to_csv(stem.with_name(f"{stem.name}_events.tsv"), sep="\t", index=False, na_rep="n/a")


def fake_cfaps(root: Path, rate: int = 200) -> None:
    """Write `cfaps/`: twelve drawn faces with `manifest.csv`, ready epochs of S1 and a recording of S2, all noise."""
    folder = root / "cfaps"
    shown = _fake_stimuli(folder, "manifest.csv", "label")
    eeg = folder / "eeg"
    eeg.mkdir(parents=True, exist_ok=True)
    channels = _EEGMAT_CHANNELS[:-1]
    onset = 2.0 + 2 * np.arange(len(shown))
    noise = 12 * np.random.default_rng(1).standard_normal((len(shown), len(channels), int(0.8 * rate)))
    np.save(eeg / "S1.npy", noise.astype(np.float32))
    (eeg / "epochs.yaml").write_text(f"channels: [{', '.join(channels)}]\nrate: {rate}\nstart: -0.2\n")
    index = pd.DataFrame({"image_id": shown["image_id"], "onset": onset})
    index.to_csv(eeg / "S1.csv", index=False)
    _write_noise(eeg / "S2.edf", 2 * len(shown) + 4, rate, seed=2)
    index[::-1].assign(onset=onset, duration=0.5).to_csv(eeg / "S2_events.csv", index=False)


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


def fake_feature_table(root: Path, people: int = 3) -> None:
    """Write `feature-table/features.csv`: two windows of each of six trials of some people, five numbers a row."""
    rows = pd.MultiIndex.from_product(
        [range(1, people + 1), range(1, 7), range(2)], names=["subject", "trial", "start"]
    )
    table = rows.to_frame(index=False)
    table = table.assign(stop=table["start"] + 1, emotion=np.array(["joy", "sad"])[table["trial"] % 2])
    values = np.random.default_rng(0).standard_normal((len(table), 5)).astype(np.float32)
    (root / "feature-table").mkdir(parents=True, exist_ok=True)
    features = pd.DataFrame(values, columns=[f"feature_{number}" for number in range(5)])
    table.join(features).to_csv(root / "feature-table" / "features.csv", index=False)


FAKES: dict[str, Callable[[Path], None]] = {
    "folder": fake_folder,
    "london-faces": fake_london_faces,
    "raf-db": fake_raf_db,
    "affectnet": fake_affectnet,
    "fer2013": fake_fer2013,
    "fed-ro": fake_fed_ro,
    "ck-plus": fake_ck_plus,
    "eegmat": fake_eegmat,
    "semi-simulated": fake_semi_simulated,
    "recordings": fake_recordings,
    "cfaps": fake_cfaps,
    "seed": fake_seed,
    "seed-iv": fake_seed_iv,
    "dreamer": fake_dreamer,
    "deap": fake_deap,
    "faced": fake_faced,
    "mahnob-hci": fake_mahnob_hci,
    "mahnob-features": fake_mahnob_features,
    "bids-emotion": fake_bids_emotion,
    "dens": fake_dens,
    "emoeeg-mc": fake_emoeeg_mc,
    "music-emotion": fake_music_emotion,
    "feature-table": fake_feature_table,
}
"""What writes the fake of a corpus under a root; a corpus without one is simulated."""

OTHER_FORMS: dict[str, tuple[str, Callable[[Path], None]]] = {
    "affectnet, newer release": ("affectnet", fake_affectnet_newer),
    "fer2013, folders": ("fer2013", fake_fer2013_folders),
}
"""Another form in which a corpus is in circulation: the corpus, and what writes its fake."""


def _fake_stimuli(folder: Path, manifest: str, label: str) -> pd.DataFrame:
    """Write four drawn faces of each of three classes and their manifest, and return it."""
    emotions = np.repeat(["anger", "happiness", "neutral"], 4).tolist()
    rows = []
    for number, (emotion, picture) in enumerate(zip(emotions, _faces(emotions, 4), strict=True)):
        _write_picture(folder / f"{number:03d}.png", picture)
        rows.append((f"{number:03d}", f"{number:03d}.png", emotion, f"P{number % 4}"))
    table = pd.DataFrame(rows, columns=["image_id", "path", label, "identity"])
    table.to_csv(folder / manifest, index=False)
    return table


def _write_noise(path: Path, seconds: int, rate: int, seed: int) -> None:
    """Write an EDF recording of noise, nineteen electrodes."""
    import edfio

    noise = 12 * np.random.default_rng(seed).standard_normal((len(_EEGMAT_CHANNELS) - 1, seconds * rate))
    signals = [
        edfio.EdfSignal(values, rate, label=f"EEG {name}", physical_dimension="uV", physical_range=(-150, 150))
        for name, values in zip(_EEGMAT_CHANNELS[:-1], np.clip(noise, -150, 150), strict=True)
    ]
    edfio.Edf(signals).write(path)


def _faces(emotions: list[str], people: int) -> np.ndarray:
    count = len(emotions)
    return draw_faces(emotions, [1.0] * count, [number % people for number in range(count)], nuisance=0.3)


def _write_picture(path: Path, picture: np.ndarray) -> None:
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(path)

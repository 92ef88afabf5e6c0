"""Tiny copies of MAHNOB-HCI and of its 4 Hz features in the true format: noise."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from insula.corpora.fake_films import FILM_RATE, write_film
from insula.corpora.mahnob_hci import CHANNELS

_RATE, _BEFORE, _CLIP = 256, 2, 8  # Hz, seconds before (and after) the clip, seconds of it; 30 s before in truth
_RATED = {2: (3, 7, 4), 4: (8, 2, 1), 6: (5, 5, 0), 132: (2, 8, 11), 134: (7, 3, 12)}  # arousal, valence, keyword
_OTHER = [*(f"EXG{number}" for number in range(1, 9)), "GSR1", "GSR2", "Erg1", "Erg2", "Resp", "Temp"]


def fake_mahnob_hci(root: Path) -> None:
    """Write `mahnob-hci/Sessions/NUMBER/` of two people, and `lable_continous_Mahnob.mat`.

    Session 1 is a neutral clip without ratings, session 1854 has no EEG. The face was filmed in session 2, getting
    lighter all through the clip; in session 6, where it leaves the picture after half of it; in session 132, whose film
    ends after half of the clip; and in session 134, whose film is broken. Session 4 has no film.
    """
    sessions = root / "mahnob-hci" / "Sessions"
    for number, felt in _RATED.items():
        person, trial = number // 130 + 1, number % 130
        _write_xml(sessions / str(number), person, trial, felt)
        _write_bdf(sessions / str(number) / f"Part_{person}_S_Trial{trial // 2}_emotion.bdf", seed=number)
    _write_xml(sessions / "1", 1, 1, None)
    _write_bdf(sessions / "1" / "Part_1_N_Trial1_emotion.bdf", seed=1)
    _write_xml(sessions / "1854", 15, 34, (5, 5, 0))
    lights = np.linspace(0.3, 1, _CLIP * FILM_RATE)
    write_film(sessions / "2" / _film(1, 2), lights)
    write_film(sessions / "6" / _film(1, 6), lights, shown=len(lights) // 2)
    write_film(sessions / "132" / _film(2, 2), lights[: len(lights) // 2])
    (sessions / "134" / _film(2, 4)).write_bytes(b"RIFF")
    _write_labels(root / "mahnob-hci" / "lable_continous_Mahnob.mat", {(1, 2): 32, (1, 4): 30, (2, 2): 32})


def fake_mahnob_features(root: Path) -> None:
    """Write `mahnob-features/`: features of three trials of two people, and the labels, half of their target."""
    from scipy.io import savemat

    folder = root / "mahnob-features"
    folder.mkdir(parents=True, exist_ok=True)
    labels = _write_labels(folder / "lable_continous_Mahnob.mat", {(1, 2): 24, (1, 4): 20, (2, 2): 28})
    rng = np.random.default_rng(1)
    for (person, trial), label in labels.items():
        widths = {"eeg_band_feats_full": 128, "eeg_band_feats": 85, "face_feats": 327, "gaze_feats": 2}
        arrays = {name: rng.standard_normal((len(label), width)) for name, width in widths.items()}
        name = f"P{person}-features-resamp4hz-trial-{trial}.mat"
        savemat(folder / name, {**arrays, "target": 2 * label[None]})


def _film(person: int, trial: int) -> str:
    return f"P{person}-Rec1-2009.07.09.17.53.46_C1 trigger _C_Section_{trial}.avi"


def _write_xml(folder: Path, person: int, trial: int, felt: tuple[int, int, int] | None) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    ratings = ""
    if felt:
        ratings = f' feltArsl="{felt[0]}" feltVlnc="{felt[1]}" feltCtrl="5" feltPred="6" feltEmo="{felt[2]}"'
    clip = f"{50 + trial}.avi" if felt else "neutral1.avi"
    (folder / "session.xml").write_text(
        '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
        f'<session sessionId="{folder.name}" date="2009-07-09" isStim="{int(felt is not None)}" mediaFile="{clip}" '
        f'cutLenSec="{_CLIP + 2 * _BEFORE}" vidRate="{FILM_RATE * 0.9995:.4f}" vidBeginSmp="101" '
        f'vidEndSmp="{100 + _CLIP * FILM_RATE}"{ratings} xmlns="http://hci-tagging/session">\n'
        f'<subject id="{person}" gender="male"/>\n<track type="Physiological"/>\n</session>\n'
    )


def _write_bdf(path: Path, seed: int) -> None:
    import edfio

    times = (2 * _BEFORE + _CLIP) * _RATE
    rng = np.random.default_rng(seed)
    noise = rng.integers(-40, 40, (len(CHANNELS) + len(_OTHER), times)).astype(float)
    signals = [
        edfio.BdfSignal(values, _RATE, label=name, physical_dimension="uV", physical_range=(-262144, 262143))
        for name, values in zip([*CHANNELS, *_OTHER], noise, strict=True)
    ]
    status = np.zeros(times)
    for onset in (_BEFORE, _BEFORE + _CLIP):
        status[onset * _RATE : onset * _RATE + 20] = 16
    whole = (-8388608, 8388607)
    signals.append(edfio.BdfSignal(status, _RATE, label="Status", physical_dimension="Boolean", physical_range=whole))
    edfio.Bdf(signals).write(path)


def _write_labels(path: Path, lengths: dict[tuple[int, int], int]) -> dict[tuple[int, int], np.ndarray]:
    from scipy.io import savemat

    rng = np.random.default_rng(0)
    labels = {key: np.clip(np.cumsum(0.02 * rng.standard_normal(length)), -0.4, 0.4) for key, length in lengths.items()}
    cells = np.empty((len(labels), 1), object)
    for row, label in enumerate(labels.values()):
        cells[row, 0] = label[None]
    savemat(path, {"trials_included": np.array(list(labels), np.uint8), "labels": cells})
    return labels

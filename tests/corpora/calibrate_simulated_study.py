"""Measure how hard the simulated study is for a picture alone and for EEG alone; nothing is fused here.

python tests/corpora/calibrate_simulated_study.py [--seeds 5] [--output FOLDER]
"""

from __future__ import annotations

import argparse
import tempfile
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from insula.corpora.places import corpus_folder
from insula.corpora.semi_simulated import component_amplitudes, real_effects
from insula.corpora.simulated_study import SimulatedStudy, SimulatedStudySettings
from insula.storage.cache import Cache


def gradient_histograms(pictures: np.ndarray, cell: int = 8, bins: int = 8) -> np.ndarray:
    """Return (n, features): histograms of gradient directions in cells, each normalised."""
    grey = pictures.mean(-1, dtype=np.float32)
    down, right = np.gradient(grey, axis=(1, 2))
    size = np.hypot(down, right)
    direction = (np.arctan2(down, right) % np.pi / np.pi * bins).astype(int) % bins
    n, edge = len(grey), grey.shape[1] // cell
    layers = [(size * (direction == one)).reshape(n, edge, cell, edge, cell).sum((2, 4)) for one in range(bins)]
    cells = np.stack(layers, -1)
    cells /= np.sqrt((cells**2).sum(-1, keepdims=True)) + 15 * cell
    return cells.reshape(n, -1)


def time_bins(epochs: np.ndarray, bins: int = 25) -> np.ndarray:
    """Return (n, channels * bins): each epoch in means over time."""
    n, channels, times = epochs.shape
    return epochs[:, :, : times // bins * bins].reshape(n, channels, bins, -1).mean(-1).reshape(n, -1)


def eeg_score(settings: SimulatedStudySettings, cache: Cache, n_train: int = 300, clean: bool = True) -> float:
    """Return the accuracy of shrinkage LDA on one subject's single trials, tested against the truth."""
    study = SimulatedStudy(settings)
    samples = study.samples(cache)
    samples = samples.select(samples.table["subject"].eq("S1").to_numpy(bool))
    true = study.truth().loc[samples.units("stimulus"), "emotion"].to_numpy(str)
    label = true if clean else samples.table["emotion"].to_numpy(str)
    features = time_bins(samples.read("eeg"))
    model = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto").fit(features[:n_train], label[:n_train])
    return float((model.predict(features[n_train:]) == true[n_train:]).mean())


def picture_score(
    settings: SimulatedStudySettings, cache: Cache, n_train: int = 300, n_test: int = 300, clean: bool = False
) -> float:
    """Return the accuracy of a linear model on gradient histograms, on people it has not seen, against the truth."""
    study = SimulatedStudy(settings.model_copy(update={"subjects": 1, "pairing": "unpaired"}))
    samples = study.samples(cache)
    samples = samples.select(samples.has("picture"))
    true = study.truth().loc[samples.units("stimulus"), "emotion"].to_numpy(str)
    label = true if clean else samples.table["emotion"].to_numpy(str)
    order = np.argsort(samples.table["identity"].to_numpy(str), kind="stable")
    features = gradient_histograms(samples.read("picture"))
    train, test = order[:n_train], order[-n_test:]
    model = make_pipeline(
        StandardScaler(), PCA(min(100, n_train - 1), random_state=0), LogisticRegression(C=0.01, max_iter=500)
    )
    model.fit(features[train], label[train])
    return float((model.predict(features[test]) == true[test]).mean())


def response_size(settings: SimulatedStudySettings, cache: Cache) -> float:
    """Return how far two classes lie apart in the EPN, in standard deviations of single trials, mean over pairs."""
    study = SimulatedStudy(settings)
    samples = study.samples(cache)
    true = study.truth().loc[samples.units("stimulus"), "emotion"].to_numpy(str)
    sizes = []
    for subject in samples.table["subject"].unique():
        mine = samples.table["subject"].eq(subject).to_numpy(bool)
        part = samples.select(mine)
        channels = part.stores[part.table["eeg_store"].iloc[0]].description.channels
        early = component_amplitudes(part.read("eeg"), channels, settings.preprocessing)[:, 0]
        groups = [early[true[mine] == name] for name in np.unique(true)]
        sizes += [
            abs(one.mean() - other.mean()) / np.sqrt((one.var(ddof=1) + other.var(ddof=1)) / 2)
            for one, other in combinations(groups, 2)
        ]
    return float(np.mean(sizes))


def main(seeds: int, output: Path | None) -> None:
    """Print mean and standard deviation over independent studies, in per cent, and write them as tables."""
    rows: list[tuple[str, float, float]] = []
    with tempfile.TemporaryDirectory() as folder:
        cache = Cache(Path(folder))

        def show(name: str, score: object, **changes: object) -> None:
            values = [100 * score(SimulatedStudySettings(seed=seed, **changes), cache) for seed in range(seeds)]
            rows.append((name, np.mean(values), np.std(values, ddof=1)))
            print(f"{name:62s} {rows[-1][1]:5.1f} +- {rows[-1][2]:.1f}", flush=True)

        one = {"subjects": 1}
        for fidelity in (1.0, 0.5, 0.0):
            show(f"EEG, 300 trials, true labels, fidelity {fidelity}", eeg_score, fidelity=fidelity, **one)
        show("EEG, 300 trials, noisy labels", lambda s, c: eeg_score(s, c, clean=False), **one)
        show("EEG, 62 electrodes, 300 trials, true labels", eeg_score, montage="ten_ten62", **one)
        show("picture, 300 noisy labels", picture_score)
        show("picture, 300 true labels", lambda s, c: picture_score(s, c, clean=True))
        more = {"pictures": 1800, "identities": 180}
        show("picture, 1,500 noisy labels", lambda s, c: picture_score(s, c, n_train=1500), **more)
        show("picture, 1,500 true labels", lambda s, c: picture_score(s, c, n_train=1500, clean=True), **more)
        for nuisance in (0.3, 1.0):
            show(f"picture, 300 noisy labels, nuisance {nuisance}", picture_score, nuisance=nuisance)
        show("picture, 300 noisy labels, label noise 0.5", picture_score, label_noise=0.5)
        demo = {"nuisance": 0.8, "fidelity": 3.0}  # as in the recipe bmci
        show("demo: EEG, 300 trials, noisy labels", lambda s, c: eeg_score(s, c, clean=False), **one, **demo)
        show("demo: picture, 300 noisy labels", picture_score, **demo)
        show("demo: picture, 300 true labels", lambda s, c: picture_score(s, c, clean=True), **demo)
        simulated = np.mean([response_size(SimulatedStudySettings(seed=seed), cache) for seed in range(seeds)])
    real = abs(real_effects(corpus_folder(None, "size-cont-emo") / "main_trialEEG.csv").loc["EPN", "effect"])
    sizes = [("simulated at fidelity 1", simulated), ("real", real), ("times as large", simulated / real),
             ("times as large at fidelity 3", 3 * simulated / real)]  # fmt: skip
    print("\n".join(f"{name:62s} {value:.3g}" for name, value in sizes))
    if output:
        output.mkdir(parents=True, exist_ok=True)
        pd.DataFrame(rows, columns=["what", "accuracy, %", "sd over studies"]).to_csv(
            output / "scores.csv", index=False
        )
        pd.DataFrame(sizes, columns=["EPN", "size"]).to_csv(output / "response.csv", index=False)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--output", type=Path)
    asked = parser.parse_args()
    main(asked.seeds, asked.output)

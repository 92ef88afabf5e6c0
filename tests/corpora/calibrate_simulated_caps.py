"""Measure how hard the target of the simulated caps is for linear models; nothing is pre-trained here.

python tests/corpora/calibrate_simulated_caps.py [--seeds 5] [--output FOLDER]
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from insula.corpora.simulated_caps import TARGET, SimulatedCaps, SimulatedCapsSettings
from insula.samples import Samples
from insula.storage.cache import Cache


def features_and_classes(samples: Samples, modality: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the features of each window, standardised within each person, and its class."""
    values = samples.read(modality).reshape(len(samples), -1).astype(float)
    people = samples.units("subject")
    for person in set(people):
        mine = people == person
        values[mine] = (values[mine] - values[mine].mean(axis=0)) / values[mine].std(axis=0)
    return values, samples.table["emotion"].fillna(samples.table["source_emotion"]).to_numpy(str)


def model() -> Pipeline:
    """Return what classifies."""
    return make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=300))


def score(target: Samples, modality: str, unit: str) -> float:
    """Return the accuracy on windows of units that were not trained on, four folds."""
    values, classes = features_and_classes(target, modality)
    folds = GroupKFold(4, shuffle=True, random_state=0)
    predicted = cross_val_predict(model(), values, classes, groups=target.units(unit), cv=folds)
    return float((predicted == classes).mean())


def score_across(sources: Samples, target: Samples) -> float:
    """Return the accuracy of what was trained on the true sources of the three corpora, on those of the target."""
    (values, classes), (tested, true) = (features_and_classes(one, "sources") for one in (sources, target))
    return float((model().fit(values, classes).predict(tested) == true).mean())


def main(seeds: int, output: Path | None) -> None:
    """Print mean and standard deviation over independent studies, in per cent, and write them as a table."""
    scores: dict[str, list[float]] = {}
    for strength in (1, 0):
        for seed in range(seeds):
            with tempfile.TemporaryDirectory() as folder:
                settings = SimulatedCapsSettings(emotion_strength=strength, seed=seed)
                samples = SimulatedCaps(settings).samples(Cache(Path(folder)))
                is_target = (samples.table["corpus"] == TARGET).to_numpy()
                target, sources = samples.select(is_target), samples.select(~is_target)
                study = {f"{of}, other {units}": score(target, modality, unit)
                         for of, modality in (("true sources", "sources"), ("differential entropy", "features"))
                         for units, unit in (("people", "subject"), ("clips", "stimulus"))}  # fmt: skip
                study["true sources, other corpora"] = score_across(sources, target)
            for name, accuracy in study.items():
                scores.setdefault(f"{name}, emotion strength {strength}", []).append(100 * accuracy)
    rows = [(name, np.mean(values), np.std(values, ddof=1)) for name, values in scores.items()]
    for name, mean, spread in rows:
        print(f"{name:60s} {mean:5.1f} +- {spread:.1f}")
    if output:
        output.mkdir(parents=True, exist_ok=True)
        table = pd.DataFrame(rows, columns=["what", "accuracy, %", "sd over studies"])
        table.to_csv(output / "scores.csv", index=False)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--output", type=Path)
    asked = parser.parse_args()
    main(asked.seeds, asked.output)

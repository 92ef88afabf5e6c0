"""Settings of BMCI and its two presets."""

from __future__ import annotations

from typing import Literal

from insula.storage.settings import Settings
from insula.training.settings import Training

Brain = Literal["eeg", "class-code", "shuffled-within", "shuffled", "visual-logits"]


Regressor = Literal["forest", "ridge"]


class BMCISettings(Settings):
    """How BMCI learns; the defaults are the preset `quick`.

    Parameters
    ----------
    backbone : str
        `gradients` (histograms of oriented gradients, which need no weights), or any timm architecture, frozen.
    weights : str or None
        A safetensors file of the architecture, or `download`; None leaves a timm network untrained, with a warning.
    grid, picture_size : int, int or None
        How a timm network is read: see `insula.networks.backbones.picture_features`.
    encoder : str
        `gru`, the stacked recurrent network of the source, or `linear`, shrinkage discriminant analysis of the
        binned epoch: a fast stand-in for grids of many fits.
    time_bins : int or None
        The epoch is averaged into so many bins; None keeps every sample.
    training : Training
        Of the recurrent network.
    subjects : int or None
        At most so many subjects, those with the most pictures; None for all.
    folds : int
        Folds of the cross-fitted embeddings and of the out-of-fold virtual EEG.
    regressors : tuple of str
        Ways from picture features to embedding (`forest`, `ridge`); for each subject the one with the best out-of-fold
        R2 on training pictures is taken.
    trees, max_features, min_samples_leaf : int, str or float, int
        Of the random forest.
    components : int or None
        The forest reads so many principal components of the picture features; None for all.
    target_dimensions : int or None
        So many principal components of the embedding are predicted; None for the standardised embedding whole.
    penalties : tuple of float
        Inverse strengths C tried for every classifier, picture-only and fused alike.
    brain : str
        What stands in for the embedding: `eeg`, or one of the placebos.
    seed : int
        Of everything random.
    """

    backbone: str = "gradients"
    weights: str | None = None
    grid: int = 1
    picture_size: int | None = None
    encoder: Literal["gru", "linear"] = "gru"
    time_bins: int | None = 25
    training: Training = Training()
    subjects: int | None = 3
    folds: int = 3
    regressors: tuple[Regressor, ...] = ("forest", "ridge")
    trees: int = 100
    max_features: Literal["sqrt"] | float = "sqrt"
    min_samples_leaf: int = 2
    components: int | None = 32
    target_dimensions: int | None = 16
    penalties: tuple[float, ...] = (0.001, 0.01, 0.1, 1.0, 10.0, 100.0)
    brain: Brain = "eeg"
    seed: int = 0


PRESETS: dict[str, dict[str, object]] = {
    "quick": {},
    "paper": {
        "backbone": "resnet50",
        "weights": "download",
        "picture_size": 224,
        "time_bins": None,
        "training": Training(epochs=100, patience=15),
        "subjects": None,
        "folds": 5,
        "regressors": ("forest",),
        "trees": 500,
        "max_features": 1 / 3,
        "components": None,
        "target_dimensions": None,
    },
}
"""`quick`: minutes on two cores. `paper`: the source's sizes, hours on two cores."""

"""How long a fit of BMCI takes, foretold from the stages that count."""

from __future__ import annotations

from functools import lru_cache
from time import perf_counter

import numpy as np

from insula.samples import Samples
from insula.systems.bmci.settings import BMCISettings
from insula.systems.pictures import unique_pictures
from insula.training.threads import one_thread

# All on one core, as measured.
_STEP = 4.5e-5  # s a trial, time step and epoch of the recurrent network
_NODE, _TRY = 7e-6, 1.1e-9  # s a tree and picture; and in addition for each feature tried, target and level of the tree
_RULE = 24  # targets that trying one feature costs even where there are none
_WHOLE = 40  # main components of a whole embedding that trees see, of 27 and 39 in two studies
_BACK = 3  # a training step of a network, in passes forwards


def estimate_seconds(settings: BMCISettings, train: Samples) -> float:
    """Return roughly how long one fit takes on one core, s.

    What a picture costs a network is measured here, once for each architecture.
    """
    seen = train.has("eeg") & train.has("picture")
    counts = np.unique(train.units("subject")[seen].astype(str), return_counts=True)[1]
    counts = np.sort(counts)[::-1][: settings.subjects]
    if not len(counts):
        return 0.0
    passes = settings.folds  # all folds together see the data folds - 1 times, the whole once more
    seconds = _picture_seconds(settings, len(unique_pictures(train.select(train.has("picture")))[0]))
    if settings.encoder == "gru":
        steps = settings.time_bins or train.select(np.flatnonzero(seen)[:1]).read("eeg").shape[-1]
        once = settings.embeddings == "in-fold"
        seconds += _STEP * counts.sum() * steps * settings.training.epochs * (1 if once else passes)
    vision = settings.vision
    rows = counts * (vision.views if vision is not None and vision.source == "augmented" else 1)
    kinds = sum(kind in ("forest", "extra-trees") for kind in settings.regressors)
    width = settings.components or rows.max()
    tried = width**0.5 if settings.max_features == "sqrt" else width * float(settings.max_features)
    targets = settings.target_dimensions or _WHOLE
    each = _NODE + _TRY * tried * (targets + _RULE) * np.log2(rows.max() + 1)
    return float(seconds + kinds * settings.trees * rows.sum() * passes * each)


def _picture_seconds(settings: BMCISettings, pictures: int) -> float:
    """Return roughly how long reading these pictures takes, and training what reads them."""
    if settings.backbone == "gradients":
        return 0.0
    vision, forwards = settings.vision, 1
    if vision is not None and vision.source != "frozen":
        forwards = vision.views if vision.source == "augmented" else 1
        forwards += _BACK * vision.training.epochs * (1 if vision.adapt == "none" else 2)
    return pictures * forwards * _forward_seconds(settings.backbone, settings.picture_size or 224)


@lru_cache
def _forward_seconds(backbone: str, size: int) -> float:
    """Return how long an untrained network of this architecture takes for one of eight pictures."""
    import torch

    from insula.networks.backbones import create_backbone

    network, pictures = create_backbone(backbone).eval(), torch.zeros(8, 3, size, size)
    with one_thread(), torch.inference_mode():
        network(pictures)
        start = perf_counter()
        network(pictures)
    return (perf_counter() - start) / len(pictures)

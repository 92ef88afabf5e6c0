"""The encoder in use: windows to features, normalised by session, then online, then smoothed over trials."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from insula.eeg.smoothing import initial_moments, lds, lds_causal, online_normalise
from insula.eeg.steps import in_order
from insula.errors import DataError
from insula.networks.stratified import Moments
from insula.samples import Samples
from insula.systems.mdjpt.settings import MdJPTSettings
from insula.systems.mdjpt.windows import Windows

if TYPE_CHECKING:
    from torch import nn

Places = tuple[Moments, ...]
"""Moments at the places where the encoder normalises."""

_DO = "fill in the column, since mdJPT normalises by session and smooths by trial"
_SMALL = 1e-10
_SESSIONS = 8  # of each corpus, whose moments stand for those of pre-training


def _strata(samples: Samples, settings: MdJPTSettings) -> list[np.ndarray]:
    """Return the places of what is normalised together, in order: of a session, or of a person where none is known."""
    unit = settings.stratum if samples.table["session"].notna().any() else "subject"
    return in_order(samples, unit, settings.modality, _DO)


def source_moments(network: Any, windows: Windows, samples: Samples, settings: MdJPTSettings) -> tuple[Places, float]:
    """Return the moments of sessions that were pre-trained on, and a person's usual loudness.

    Each is a mean over corpora, of each over its first sessions in the order of their names: variances are averaged.
    """
    sessions = _strata(samples, settings)
    corpora = samples.table["corpus"].to_numpy(object)
    chosen = [one for name in dict.fromkeys(corpora)
              for one in [places for places in sessions if corpora[places[0]] == name][:_SESSIONS]]  # fmt: skip
    with torch.inference_mode():
        each = [network.session_moments(windows.batches(places)) for places in chosen]
    count = np.array([1 / sum(corpora[other[0]] == corpora[places[0]] for other in chosen) for places in chosen])
    share = torch.tensor(count / count.sum(), dtype=torch.float32)[:, None, None]
    means = []
    for place in range(len(each[0])):
        mean = torch.stack([moments[place].mean for moments in each])
        deviation = torch.stack([moments[place].deviation for moments in each])
        means.append(Moments((share * mean).sum(dim=0), (share * deviation.square()).sum(dim=0).sqrt()))
    loudness = float(np.median([windows.loudness(windows.person[places[0]])[1] for places in chosen]))
    return tuple(means), loudness


def encoded(encoder: Any, samples: Samples, settings: MdJPTSettings) -> np.ndarray:
    """Return float32 (n, width): what the encoder makes of each window, before anything that takes its neighbours.

    Parameters
    ----------
    encoder : Pretrained
        Network, moments and loudness.
    samples : Samples
        All have the modality.
    settings : MdJPTSettings
        Whose moments normalise.
    """
    network: nn.Module = encoder.network
    inductive = settings.normalise == "source"
    windows = Windows(
        samples, settings.modality, settings.encoder.montage, (0.0, encoder.loudness) if inductive else None
    )
    features: np.ndarray | None = None
    short = 0
    for places in _strata(samples, settings):
        with torch.inference_mode():
            moments = encoder.source
            if not inductive:
                known = places if settings.normalise == "session" else _first(samples, places, settings.calibration)
                if len(known) >= settings.fewest:
                    moments = network.session_moments(windows.batches(known))  # type: ignore[operator]
                else:
                    short += 1
            parts = [network(batch, moments).numpy() for batch in windows.batches(places)]
        if features is None:
            features = np.empty((len(samples), parts[0].shape[1]), np.float32)
        features[places] = np.concatenate(parts)
    if short:
        what = f"{short} sessions of fewer than {settings.fewest} windows"
        warnings.warn(f"{what} are normalised by the moments of pre-training (system.fewest)", stacklevel=2)
    return np.empty((0, 0), np.float32) if features is None else features


def _first(samples: Samples, places: np.ndarray, seconds: float) -> np.ndarray:
    start = samples.table["start"].to_numpy(float)[places]
    return places[start - start.min() < seconds]


def first_moments(features: np.ndarray, samples: Samples) -> tuple[np.ndarray, np.ndarray]:
    """Return the moments that online normalisation begins with: means over people of each one's own."""
    mean, variance = initial_moments(features, samples.units("subject"))
    return mean.astype(np.float32), variance.astype(np.float32)


def finished(
    features: np.ndarray, samples: Samples, settings: MdJPTSettings, moments: tuple[np.ndarray, np.ndarray]
) -> np.ndarray:
    """Return features as classifiers get them: normalised, and smoothed over their trial.

    They are normalised by their session so far or, where `online` is off, by the moments of labelled people.
    """
    features = features.copy()
    if settings.online:
        for places in _strata(samples, settings):
            features[places] = online_normalise(features[places], *moments)
    else:
        features = ((features - moments[0]) / np.sqrt(moments[1] + _SMALL)).astype(np.float32)
    if settings.smoothing != "none":
        smooth = lds if settings.smoothing == "lds" else lds_causal
        for places in in_order(samples, "trial", settings.modality, _DO):
            features[places] = smooth(features[places])
    return features


def nearest_votes(
    queries: np.ndarray, gallery: np.ndarray, labels: np.ndarray, classes: int, neighbours: int, apart: Iterable[Any]
) -> np.ndarray:
    """Return the share of the nearest labelled rows (by cosine) in each class, (n, classes).

    Parameters
    ----------
    queries, gallery : array, shapes (n, d) and (m, d)
        Features.
    labels : int array, shape (m,)
        Of the gallery.
    classes, neighbours : int
        How many there are, and how many vote.
    apart : pair of arrays, shapes (n,) and (m,), or empty
        Rows of the gallery whose value here is that of the query do not vote; where none is left, all classes share.
    """
    if not len(gallery):
        raise DataError("no labelled window to compare with", do="label some people of the corpus")
    unit = gallery / np.maximum(np.linalg.norm(gallery, axis=1, keepdims=True), 1e-12)
    own, other = tuple(apart) or (None, None)
    votes = np.full((len(queries), classes), 1 / classes)
    for start in range(0, len(queries), 1024):
        some = slice(start, start + 1024)
        alike = queries[some] @ unit.T  # the query's own length changes no order
        if own is not None and other is not None:
            alike[own[some, None] == other] = -np.inf
        nearest = np.argsort(-alike, axis=1, kind="stable")[:, :neighbours]
        counted = np.isfinite(np.take_along_axis(alike, nearest, axis=1))
        each = (np.eye(classes)[labels[nearest]] * counted[..., None]).sum(axis=1)
        total = each.sum(axis=1, keepdims=True)
        votes[some] = np.where(total > 0, each / np.maximum(total, 1), votes[some])
    return votes

"""The teacher: a network on topographic maps that learns ratings, and the prototypes of what it learnt."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from insula.eeg.topography import topographic_matrix
from insula.errors import DataError
from insula.networks.topographic import TopographicNetwork
from insula.objectives.concordance import concordance, rating_loss
from insula.storage.cache import Cache
from insula.storage.code import code_version
from insula.storage.hashing import sha256_of
from insula.systems.neurogaze.bank import FEW, PrototypeBank, build_bank, cells_of
from insula.systems.neurogaze.recordings import Recordings
from insula.systems.neurogaze.settings import Teacher

log = logging.getLogger(__name__)

NOISE = 0.05
"""Concordance with both ratings up to which prototypes are called noise."""

_PASSES = 20  # with dropout, whose spread says how sure the teacher is
_BATCH = 512


@dataclass(frozen=True)
class TrainedBank:
    """A bank of prototypes, and what was measured of the teacher that made it."""

    bank: PrototypeBank
    facts: dict[str, Any]


def prototypes_once(recordings: Recordings, settings: Teacher, seed: int) -> TrainedBank:
    """Train a teacher and make its bank, or read what was made before of the same recordings and settings.

    A system's students and most placebos have one teacher. Where several processes want it at the same time, one trains
    and the others wait; an interrupted training resumes. A bank of another grid is made with the same teacher.

    Raises
    ------
    DataError
        Where fewer than two people have rated EEG.
    """
    training = {"bands", "map_size", "widths", "width", "dropout", "validation_share", "training"}
    about = {
        "code": code_version(),
        "settings": settings.model_dump(mode="json", include=training),
        "recordings": recordings.fingerprint(),
        "seed": seed,
    }
    held = held_people(recordings, settings, seed)

    def train(folder: Path, checkpoints: Path) -> None:
        network, history = train_teacher(recordings, held, settings, seed, checkpoints)
        save_file(network.state_dict(), folder / "teacher.safetensors")
        (folder / "history.json").write_text(json.dumps(history))

    kept = Cache().resumable("neurogaze-teacher", about, train)
    trained = kept / "teacher.safetensors"
    whole = {**about, "settings": settings.model_dump(mode="json"), "teacher": sha256_of(trained)}

    def build(folder: Path) -> None:
        network = untaught(recordings.channels, settings)
        network.load_state_dict(load_file(trained))
        taught = make_bank(network.eval(), recordings, held, settings, seed, whole)
        taught.bank.save(folder / "bank.npz")
        facts = {**json.loads((kept / "history.json").read_text()), **taught.facts}
        (folder / "facts.json").write_text(json.dumps(facts))

    folder = Cache().folder("neurogaze-bank", whole, build)
    return TrainedBank(PrototypeBank.load(folder / "bank.npz"), json.loads((folder / "facts.json").read_text()))


def held_people(recordings: Recordings, settings: Teacher, seed: int) -> np.ndarray:
    """Return which windows are of the people that are held out, bool (n,): a share of those with ratings."""
    people = np.unique(recordings.people[~recordings.support])
    if len(people) < 2:
        raise DataError(f"rated EEG of {len(people)} person", where="features", do="prototypes need two people or more")
    count = min(max(1, round(settings.validation_share * len(people))), len(people) - 1)
    chosen = np.random.default_rng([seed, 30]).permutation(people)[:count]
    return np.isin(recordings.people, chosen)


def untaught(channels: tuple[str, ...], settings: Teacher) -> TopographicNetwork:
    """Return the network before training."""
    matrix = torch.from_numpy(topographic_matrix(channels, settings.map_size))
    return TopographicNetwork(matrix, len(settings.bands), settings.widths, settings.width, settings.dropout)


def train_teacher(
    recordings: Recordings, held: np.ndarray, settings: Teacher, seed: int, checkpoints: Path | None = None
) -> tuple[TopographicNetwork, dict[str, Any]]:
    """Train on the rated windows of people who are not held out; the epoch is chosen on those of people who are.

    Returns
    -------
    The network, and what its training did: `insula.training.engine.Trained.facts`.
    """
    from insula.training.engine import train

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = untaught(recordings.channels, settings)
    rated = ~np.isnan(recordings.ratings).any(axis=1) & ~recordings.support
    sides = [rated & ~held, rated & held]
    inputs, targets = zip(*((_tensor(recordings.values[side]), _tensor(recordings.ratings[side])) for side in sides),
                          strict=True)  # fmt: skip
    trained = train(
        network, rating_loss, inputs[0], targets[0], (inputs[1], targets[1]), settings.training, seed, checkpoints
    )
    return network, trained.facts()


def make_bank(
    network: TopographicNetwork,
    recordings: Recordings,
    held: np.ndarray,
    settings: Teacher,
    seed: int,
    about: dict[str, Any],
) -> TrainedBank:
    """Make prototypes of the windows of people held out, and of support, and measure the teacher on the former."""
    features, ratings = _read(network, recordings.values)
    rated = held & ~recordings.support
    concordances = concordance(_tensor(ratings[rated]), _tensor(recordings.ratings[rated])).tolist()
    facts: dict[str, Any] = {"concordance": dict(zip(("valence", "arousal"), concordances, strict=True))}
    facts["prototypes are noise"] = bool(max(concordances) <= NOISE)
    if facts["prototypes are noise"]:
        log.warning(
            "THE PROTOTYPES ARE NOISE: on people held out the teacher's concordance is %.3f with valence and %.3f with "
            "arousal, so what they teach a face network has nothing to do with what was felt: give more "
            "people or trials, and read the face network as one without a teacher", *concordances
        )  # fmt: skip
    facts["who it is"] = _identity_probe(features[rated], recordings.people[rated], recordings.trials[rated])
    if settings.centre_people:
        features = _centred(features, recordings.people)
    features = features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-12)
    used, places = rated.copy(), np.where(np.isnan(recordings.ratings), ratings, recordings.ratings)
    if settings.key == "prediction":
        places[rated] = ratings[rated]
    if recordings.support.any():
        joining = recordings.support & _sure(network, recordings, settings, seed)
        facts["windows of support"] = int(joining.sum())
        used |= joining
    weights = np.where(recordings.support, settings.support_weight, 1.0)[used]
    cells = cells_of(places[used], settings.grid)
    bank = build_bank(features[used], cells, weights, recordings.trials[used], settings.grid, about)
    few = int((bank.counts < FEW).sum())
    facts |= {"cells": len(bank.counts), "cells without a trial": int((bank.counts == 0).sum()),
              f"cells of fewer than {FEW} trials": few}  # fmt: skip
    return TrainedBank(bank, facts)


@torch.inference_mode()
def _read(network: TopographicNetwork, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return embeddings and ratings of windows."""
    pairs = []
    for start in range(0, len(values), _BATCH):
        embedded = network.embed(_tensor(values[start : start + _BATCH]))
        pairs.append((embedded.numpy(), network.head(embedded).tanh().numpy()))
    features, ratings = zip(*pairs, strict=True)
    return np.concatenate(features), np.concatenate(ratings)


def _sure(network: TopographicNetwork, recordings: Recordings, settings: Teacher, seed: int) -> np.ndarray:
    """Return which windows of support may join a cell: labelled ones, or those of which the teacher is surest."""
    if settings.support == "labels":
        return ~np.isnan(recordings.ratings).any(axis=1)
    dropping = [part for part in network.modules() if isinstance(part, torch.nn.Dropout)]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for part in dropping:
            part.train()
        passes = np.stack([_read(network, recordings.values[recordings.support])[1] for _ in range(_PASSES)])
    network.eval()
    spread = np.full(len(recordings.support), np.inf)
    spread[recordings.support] = passes.std(axis=0).mean(axis=1)
    return spread < np.median(spread[recordings.support])


def _centred(features: np.ndarray, people: np.ndarray) -> np.ndarray:
    result = features.copy()
    for person in np.unique(people):
        result[people == person] -= features[people == person].mean(axis=0)
    return result


def _identity_probe(features: np.ndarray, people: np.ndarray, trials: np.ndarray) -> dict[str, float]:
    """Return how often a linear classifier tells whose window a feature is of, on trials it has not seen."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GroupKFold, cross_val_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    count = len(np.unique(people))
    if count < 2 or len(np.unique(trials)) < 2 * count:
        return {}
    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=200))
    right = cross_val_score(probe, features, people, groups=trials, cv=GroupKFold(2, shuffle=True, random_state=0))
    return {"right": float(right.mean()), "chance": float(np.bincount(people).max() / len(people))}


def _tensor(values: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, np.float32))

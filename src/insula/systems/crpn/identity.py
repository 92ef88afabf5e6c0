"""The identity probe: what the features that are not of emotion can learn about people, and what it takes from them.

Once the conceptual pathway has learnt emotion, a classifier of people is appended to its other encoder. The pathway is
frozen; a copy of that encoder learns, backbone and perceptron, whom the training pictures show. Nothing of it is saved.

Source: figures 3 and 4 of CRPN, AAAI 2024.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
import torch

from insula.errors import DataError
from insula.networks.pathways import ConceptualPathway, Percept
from insula.samples import Samples
from insula.systems.crpn.build import people_classifier
from insula.systems.crpn.measure import dependence, spread, validation_facts
from insula.systems.crpn.teaching import PictureData
from insula.training.engine import train
from insula.training.rows import PictureRows

TUNED = "fine-tuned non-emotion"
"""The space of the features that learnt people."""

PEOPLE = "Identity probe, on pictures held out of people who are in the training part, means over fits"
"""Title of the table."""


def people_in(pictures: Samples) -> pd.Index:
    """Return whose faces training pictures show.

    Raises
    ------
    DataError
        Where they are fewer than two.
    """
    people = pd.Index(sorted(set(pd.Series(pictures.units("identity")).dropna())), dtype=object)
    if len(people) < 2:
        what = f"the training pictures show {len(people)} known people; telling them apart takes two"
        raise DataError(what, where="identity", do="take a corpus that names them, or leave system.identity out")
    return people


def of_people(people: pd.Index, pictures: Samples) -> tuple[Samples, np.ndarray]:
    """Return the pictures that show one of these people, and their numbers, (n,)."""
    codes = people.get_indexer(pd.Index(pictures.units("identity"), dtype=object))
    return pictures.select(codes >= 0), codes[codes >= 0].astype(np.int64)


def learn_people(data: PictureData, teacher: ConceptualPathway) -> tuple[Percept, dict[str, Any]]:
    """Return the fine-tuned encoder under its classifier of people, and what the training did.

    Pictures held out are not looked at, and no epoch is chosen on them.

    Parameters
    ----------
    data : PictureData
        Whose settings have `identity`.
    teacher : ConceptualPathway
        Trained; it stays as it was.
    """
    settings = data.settings
    assert settings.identity is not None
    people = people_in(data.pictures)
    mine, codes = of_people(people, data.pictures)
    network = people_classifier(settings, teacher.other, len(people), settings.identity.epochs)
    trained = train(
        network,
        torch.nn.CrossEntropyLoss(),
        PictureRows(mine),
        torch.from_numpy(codes),
        None,
        settings.identity,
        settings.seed,
        alter=data.alter,
    )
    return network.requires_grad_(False), {"people": len(people), **trained.facts()}


def people_facts(
    spaces: Mapping[str, np.ndarray],
    codes: np.ndarray,
    held_spaces: Mapping[str, np.ndarray],
    held_codes: np.ndarray,
    named: np.ndarray,
) -> dict[str, float]:
    """Return how much of identity each kind of features holds, and how far it depends on the features of emotion.

    That dependence stands beside what it comes to by chance, where pictures are shuffled.

    Parameters
    ----------
    spaces, held_spaces : mapping of str to array, shapes (n, d) and (m, d)
        Features of training pictures, and of pictures held out, of the same people.
    codes, held_codes : int array, shapes (n,) and (m,)
        Whom they show.
    named : int array, shape (m,)
        Whom the fine-tuned classifier names.
    """
    some = spread(len(held_codes))
    others = np.random.default_rng(0).permutation(some)
    emotion = held_spaces["emotion"][some]
    return {
        **validation_facts(spaces, codes, held_spaces, held_codes, "identity"),
        "pictures held out": float(len(held_codes)),
        "chance": 1 / len(np.unique(codes)),
        "classifier": float((named == held_codes).mean()),
        **{f"dependence of {name}": dependence(emotion, held[some]) for name, held in held_spaces.items()},
        **{f"by chance of {name}": dependence(emotion, held[others]) for name, held in held_spaces.items()},
    }


def people_table(fits: Iterable[Mapping[str, Any]]) -> dict[str, pd.DataFrame]:
    """Return the table of the probe under its title, means over fits; none where no fit held pictures out for it.

    Parameters
    ----------
    fits : iterable of dict
        Facts of fits: `validation`, how much of emotion each kind of features holds, and under `identity`, `held_out`:
        `people_facts`.
    """
    rows = [
        {**fit["validation"], **fit["identity"]["held_out"]}
        for fit in fits
        if "held_out" in fit.get("identity", {}) and "validation" in fit
    ]
    if not rows:
        return {}
    mean, nothing, table = pd.DataFrame(rows).mean(), float("nan"), {}
    for space in ("emotion", "non-emotion", TUNED):
        shares = [mean[f"{label} {what}"] for label in ("identity", "emotion") for what in (
            f"from {space} features: linear probe", f"in {space} features: silhouette")]  # fmt: skip
        table[f"{space} features"] = [*shares, mean[f"dependence of {space}"], mean[f"by chance of {space}"]]
    largest = "share of the largest group"
    table["the classifier they were fine-tuned under"] = [mean["classifier"], *[nothing] * 5]
    table["always the commonest"] = [mean[f"identity: {largest}"], nothing, mean[f"emotion: {largest}"], *[nothing] * 3]
    table["chance, people drawn evenly"] = [mean["chance"], *[nothing] * 5]
    columns = ["identity: linear probe", "identity: silhouette", "emotion: linear probe", "emotion: silhouette",
               "dependence on emotion features (HSIC)", "dependence, pictures shuffled"]  # fmt: skip
    return {PEOPLE: pd.DataFrame.from_dict(table, orient="index", columns=columns).rename_axis("features")}

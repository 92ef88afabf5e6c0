"""What systems do alike while they are fitted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

from insula.emotions import Categorical, Task
from insula.errors import DataError, SettingsError
from insula.protocols.controls import shuffle_modality
from insula.samples import Samples

if TYPE_CHECKING:
    from torch import nn


def begin_with(network: nn.Module, before: nn.Module) -> None:
    """Give a network the weights of a saved one.

    Raises
    ------
    SettingsError
        Where the saved one is of another form.
    """
    try:
        network.load_state_dict(before.state_dict())
    except RuntimeError:
        do = "keep its network's settings, channels and length of windows"
        raise SettingsError("the saved network is of another form", where="start_from", do=do) from None


def labelled(samples: Samples, task: Task) -> Samples:
    """Return the samples that have a label."""
    return samples.select(task.labelled(samples.table))


def training_pictures(train: Samples, task: Categorical) -> Samples:
    """Return the samples that have a picture and a label; raises DataError where that leaves less than two classes."""
    pictured = labelled(train.select(train.has("picture")), task)
    if len(np.unique(task.targets(pictured.table))) < 2:
        raise DataError("the training pictures show one class only", do="give pictures of at least two classes")
    return pictured


def brain_given(samples: Samples, brain: str, task: Categorical, seed: int) -> Samples:
    """Return the samples with shuffled EEG where the setting `brain` names that placebo, else as they are.

    `shuffled` deals EEG out anew across all of a subject's samples, `shuffled-within` within each class.
    """
    if brain not in ("shuffled", "shuffled-within") or not len(samples):
        return samples
    return shuffle_modality(samples, "eeg", seed, task.label if brain == "shuffled-within" else None)


@contextmanager
def stage(seconds: dict[str, float], name: str) -> Iterator[None]:
    """Add the seconds that the block takes to those of a stage."""
    start = perf_counter()
    yield
    seconds[name] = seconds.get(name, 0.0) + perf_counter() - start

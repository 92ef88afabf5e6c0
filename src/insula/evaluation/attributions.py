"""What a network on EEG answers from: attributions of its electrodes, and whether they tell of what was learnt."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from insula.errors import DataError
from insula.evaluation.verdict import MINUS
from insula.samples import Samples
from insula.systems.fitting import labelled
from insula.systems.signal_network import SignalNetwork

if TYPE_CHECKING:
    import torch
    from torch import nn

Method = Literal["integrated gradients", "gradient x input", "saliency"]

_BATCH = 256
_BINS = 10  # of the time axis


def channel_attributions(
    system: SignalNetwork, samples: Samples, method: Method = "integrated gradients"
) -> pd.DataFrame:
    """Return how much each electrode moves the score of a sample's true class.

    Inputs count in deviations from the mean of the training samples, which is also where integrated gradients start.

    Parameters
    ----------
    system : SignalNetwork
        Fitted, on rows of channels x times or channels x bands.
    samples : Samples
        With the modality of the system and labels of its task; those without a label are left out. They are read
        batch by batch.
    method : str
        `integrated gradients` (Sundararajan et al. 2017), `gradient x input` or `saliency` (Simonyan et al. 2014).

    Returns
    -------
    DataFrame
        One row a class, channel and band (`band`, its number) or tenth of the window (`time`, seconds to its middle),
        with `value`: the mean absolute attribution over the samples of the class, NaN for a class without samples.

    Raises
    ------
    DataError
        Where no sample has a label, or the system cannot read the samples.
    """
    maps = _Asked(system, samples, method).maps(system.network.network)
    axis, parts = system.form.axes[1], maps.shape[3]
    places: Any = range(parts)
    if axis == "time":
        seconds = system.shape[1] / (system.form.rate or 1)
        places = (system.form.start or 0) + seconds * (np.arange(parts) + 0.5) / parts
    index = pd.MultiIndex.from_product(
        [system.task.classes, system.form.channels, places], names=["class", "channel", axis]
    )
    return pd.DataFrame({"value": _whole(maps).ravel()}, index=index).reset_index()


@dataclass(frozen=True)
class Sanity:
    """Whether attributions depend on what a network learnt, by rank correlations of maps (class x channel).

    Parameters
    ----------
    with_random : array, shape (n,)
        The network's map with that of each of n networks of random weights.
    among_random : array, shape (n, n)
        The maps of the random networks with each other.
    start : float
        The network's map with that of its own weights before training.
    halves : float
        The network's map of one half of the samples with that of the other half.
    """

    with_random: np.ndarray
    among_random: np.ndarray
    start: float
    halves: float

    @property
    def random_draw_it(self) -> bool:
        """Whether random networks draw the map: every one agrees with it, and no less than they do with each other.

        A map agrees with another where their correlation is above 0; less than the random ones with each other where
        its mean correlation with them is the lowest of all maps: one in 20 by luck for 19 random networks.
        """
        among = np.mean(self.among_random, axis=1, where=~np.eye(len(self.among_random), dtype=bool))
        return bool(self.with_random.min() > 0 and self.with_random.mean() >= among.min())

    @property
    def verdict(self) -> str:
        """`depends on what was learnt`, or `does not`.

        It does not where random networks draw the map as well, or where training changed it no more than taking other
        samples does. A network that learnt noise passes: whether it learnt anything true is for its scores to say.
        """
        return "does not" if self.random_draw_it or self.start >= self.halves else "depends on what was learnt"

    @property
    def sentence(self) -> str:
        """The verdict with its numbers."""
        apart = self.among_random[~np.eye(len(self.among_random), dtype=bool)]
        verdict = self.verdict if self.verdict.startswith("depends") else "does not depend on what was learnt"
        return (
            f"By its check the map {verdict}: rank correlation with {len(self.with_random)} networks of random weights "
            f"{self.with_random.mean():.2f} on average, {self.with_random.min():.2f} at least (among these "
            f"{apart.mean():.2f}), with its own weights before training {self.start:.2f}, between two halves of the "
            f"samples {self.halves:.2f}.".replace("-", MINUS)
        )


def check_attributions(
    system: SignalNetwork, samples: Samples, method: Method = "integrated gradients", networks: int = 19
) -> Sanity:
    """Compare the map of a network with maps of the same network with weights drawn anew.

    Parameters
    ----------
    system, samples, method
        As for `channel_attributions`.
    networks : int
        How many networks of random weights; with fewer than 19 the check is blunt.

    References
    ----------
    Adebayo, Gilmer, Muelly, Goodfellow, Hardt and Kim (2018), Sanity checks for saliency maps, NeurIPS.
    """
    asked = _Asked(system, samples, method)
    seed = system.settings.seed
    own = asked.maps(system.network.network)
    start, *others = (_map(asked.maps(_untrained(system, seed + number))) for number in range(networks + 1))
    found = _rank_correlations(np.stack([_map(own), start, *others]))
    halves = _rank_correlations(own.mean(axis=3).reshape(2, -1))[0, 1]
    return Sanity(found[0, 2:], found[2:, 2:], float(found[0, 1]), float(halves))


def cascade(system: SignalNetwork, samples: Samples, method: Method = "integrated gradients") -> pd.DataFrame:
    """Return how a map fades as layers get random weights one after the other, from the output to the input.

    Layers are those that can draw their weights anew (braindecode's `cascading_layer_reset`). Parameters outside of
    them, such as the electrodes of RBTransformer, keep what they learnt: only `check_attributions` replaces all.

    Parameters
    ----------
    system, samples, method
        As for `channel_attributions`.

    Returns
    -------
    DataFrame
        `layer` and `correlation`, the rank correlation with the map of the trained network.
    """
    import torch
    from braindecode.visualization import cascading_layer_reset

    asked = _Asked(system, samples, method)
    own, rows = _map(asked.maps(system.network.network)), []
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(system.settings.seed)
        for layer, network in cascading_layer_reset(system.network.network):
            rows.append((layer, _rank_correlations(np.stack([own, _map(asked.maps(network))]))[0, 1]))
    return pd.DataFrame(rows, columns=["layer", "correlation"])


class _Asked:
    """Samples and a method; asked for the maps of one network after the other."""

    def __init__(self, system: SignalNetwork, samples: Samples, method: Method) -> None:
        if len(system.shape) != 2:
            what = f"attributions are drawn of channels x times or bands, not of {' x '.join(system.form.axes)}"
            raise DataError(what, where=system.settings.modality)
        samples = labelled(samples.select(samples.has(system.settings.modality)), system.task)
        if not len(samples):
            what = f"no sample has both {system.settings.modality} and a label"
            raise DataError(what, where=system.task.label, do="give labelled samples")
        system.predict(samples.select(slice(0, 1)))  # refuses what the network cannot read
        self.system, self.method = system, method
        self.targets = system.task.targets(samples.table)
        self.half = pd.Series(self.targets).groupby(self.targets).cumcount().to_numpy() % 2
        self.rows = system._rows(samples, system.form.channels)

    def maps(self, network: nn.Module) -> np.ndarray:
        """Return mean absolute attributions (2 halves of the samples, classes, channels, bands or time bins)."""
        from torch.nn.functional import adaptive_avg_pool1d

        channels, parts = self.system.shape
        if self.system.form.axes[1] == "time":
            parts = min(_BINS, parts)
        sums = np.zeros((2, len(self.system.task.classes), channels, parts))
        counts = np.zeros((*sums.shape[:2], 1, 1))
        for found, places in self._attributions(network.eval()):
            group = self.half[places], self.targets[places]
            np.add.at(sums, group, adaptive_avg_pool1d(found.abs(), parts).double().numpy())
            np.add.at(counts, group, 1)
        return np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)

    def _attributions(self, network: nn.Module) -> Iterator[tuple[torch.Tensor, slice]]:
        import torch
        from captum.attr import InputXGradient, IntegratedGradients, Saliency

        kinds = {"integrated gradients": IntegratedGradients, "gradient x input": InputXGradient, "saliency": Saliency}
        tool = kinds[self.method](network)
        more = {"internal_batch_size": _BATCH} if self.method == "integrated gradients" else {}
        for number, batch in enumerate(self.rows.batches(_BATCH)):
            places = slice(number * _BATCH, number * _BATCH + len(batch))
            inputs = self.system.network.standard(batch).requires_grad_()
            yield tool.attribute(inputs, target=torch.from_numpy(self.targets[places]), **more).detach(), places


def _untrained(system: SignalNetwork, seed: int) -> nn.Module:
    """Return the system's network with the weights that this seed draws; its own seed draws those it started from."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return system._network(system.form, system.shape, len(system.task.classes))


def _whole(maps: np.ndarray) -> np.ndarray:
    """Return the mean over both halves of the samples (classes, channels, parts); a class with one sample has one."""
    return np.where(np.isnan(maps[1]), maps[0], maps.mean(axis=0))


def _map(maps: np.ndarray) -> np.ndarray:
    """Return a map as one line of numbers, a class and channel each."""
    return _whole(maps).mean(axis=2).ravel()


def _rank_correlations(maps: np.ndarray) -> np.ndarray:
    """Return Spearman's correlation of each map (rows) with each other one, over the classes that have samples."""
    from scipy.stats import rankdata

    found = np.corrcoef(rankdata(maps[:, np.isfinite(maps).all(axis=0)], axis=1))
    return found.round(12)  # the same map agrees with itself exactly

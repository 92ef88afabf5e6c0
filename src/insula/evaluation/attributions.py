"""What a network on EEG answers from: attributions of its electrodes, and whether they tell of what was learnt."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
import pandas as pd

from insula.errors import DataError
from insula.evaluation.subset import evenly
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
    system: SignalNetwork, samples: Samples, method: Method = "integrated gradients", most: int | None = None
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
    most : int, optional
        Ask of so many samples at most, evenly of all subjects and classes.

    Returns
    -------
    DataFrame
        One row a class, channel and band (`band`, as the system calls it) or tenth of the window (`time`, seconds to
        its middle), with `value`: the mean absolute attribution over the samples of the class, NaN for a class without
        samples; `n`, how many those are; and `method`.

    Raises
    ------
    DataError
        Where no sample has a label, or the system cannot read the samples.
    """
    asked = _Asked(system, samples, method, most)
    maps = asked.maps(system.network.network)
    axis, parts = system.form.axes[1], maps.shape[3]
    places: Any = system.bands
    if axis == "time":
        seconds = system.shape[1] / (system.form.rate or 1)
        places = (system.form.start or 0) + seconds * (np.arange(parts) + 0.5) / parts
    names = [system.task.classes, system.form.channels, places]
    index = pd.MultiIndex.from_product(names, names=["class", "channel", axis])
    counts = np.bincount(asked.targets, minlength=maps.shape[1]).repeat(maps[0, 0].size)
    return pd.DataFrame({"value": _whole(maps).ravel(), "n": counts, "method": method}, index=index).reset_index()


@dataclass(frozen=True)
class Sanity:
    """Whether attributions depend on what a network learnt, by rank correlations of maps (class x channel).

    Parameters
    ----------
    with_random : array, shape (n,)
        The network's map with that of each of n networks of random weights.
    among_random : array, shape (n,)
        The map of each random network with those of the other ones, on average.
    start : float
        The network's map with that of its own weights before training.
    wrong_class : float
        The network's map with the one it gives when asked about another class than the true one.
    halves : float
        The network's map of one half of the samples with that of the other half; NaN where no class has two samples.
    """

    with_random: np.ndarray
    among_random: np.ndarray
    start: float
    wrong_class: float
    halves: float

    @property
    def random_draw_it(self) -> bool:
        """Whether random networks draw the map: every one agrees with it, and no less than they do with each other.

        A map agrees with another where their correlation is above 0; less than the random ones with each other where
        its mean correlation with them is the lowest of all maps: one in 20 by luck for 19 random networks.
        """
        return bool(self.with_random.min() > 0 and self.with_random.mean() >= self.among_random.min())

    @property
    def passed(self) -> bool:
        """Whether the map depends on what was learnt.

        It does not where random networks draw the map as well, or where training changed it no more than taking other
        samples does. A network that learnt noise passes: whether it learnt anything true is for its scores to say.
        """
        return not self.random_draw_it and self.start < self.halves

    @property
    def verdict(self) -> str:
        """The sentence to read before the map."""
        if not self.passed:
            return "This map FAILS its sanity check: do not read it as what the network learnt."
        return (
            "This map passes its sanity check: networks of random weights draw others, and training changed it (rank "
            f"correlation with the map before training {self.start:.2f}). What was learnt may still be wrong: see the "
            "scores."
        ).replace("-", MINUS)

    @property
    def numbers(self) -> str:
        """What the verdict rests on, and whether the map has to do with the class that was asked about."""
        tells = "differs with" if self.wrong_class < self.halves else "does not depend on"
        return (
            f"The check: rank correlation of the map with those of {len(self.with_random)} networks of random weights "
            f"is {self.with_random.mean():.2f} on average and {self.with_random.min():.2f} at least (among these "
            f"{self.among_random.mean():.2f}), with that of its own weights before training {self.start:.2f}, between "
            f"two halves of the samples {self.halves:.2f}. The map {tells} the class that is asked about "
            f"({self.wrong_class:.2f} with that of a wrong one).".replace("-", MINUS)
        )

    def table(self) -> pd.DataFrame:
        """Return one row a random network, all else repeated."""
        return pd.DataFrame(vars(self))

    @classmethod
    def of(cls, table: pd.DataFrame) -> Self:
        """Read what `table` returned."""
        each, once = table[["with_random", "among_random"]], table.iloc[0]
        return cls(*each.to_numpy().T, *(float(once[name]) for name in ("start", "wrong_class", "halves")))


def check_attributions(
    system: SignalNetwork,
    samples: Samples,
    method: Method = "integrated gradients",
    most: int | None = None,
    networks: int = 19,
) -> Sanity:
    """Compare the map of a network with maps of the same network with weights drawn anew, and of wrong classes.

    Parameters
    ----------
    system, samples, method, most
        As for `channel_attributions`.
    networks : int
        How many networks of random weights, at least 2; with fewer than 19 the check is blunt.

    References
    ----------
    Adebayo, Gilmer, Muelly, Goodfellow, Hardt and Kim (2018), Sanity checks for saliency maps, NeurIPS. Sujatha
    Ravindran and Contreras-Vidal (2023), An empirical comparison of deep learning explainability approaches for EEG
    using simulated ground truth, Scientific Reports 13, 17709.
    """
    asked = _Asked(system, samples, method, most)
    own = asked.maps(system.network.network)
    wrong = _map(asked.maps(system.network.network, wrong_class=True))
    seeds = range(system.settings.seed, system.settings.seed + networks + 1)
    start, *others = (_map(asked.maps(_untrained(system, seed))) for seed in seeds)
    correlations = _rank_correlations(np.stack([_map(own), start, wrong, *others]))
    among = np.mean(correlations[3:, 3:], axis=1, where=~np.eye(networks, dtype=bool))
    halves = _rank_correlations(own.mean(axis=3).reshape(2, -1))[0, 1]
    return Sanity(correlations[0, 3:], among, float(correlations[0, 1]), float(correlations[0, 2]), float(halves))


def cascade(
    system: SignalNetwork, samples: Samples, method: Method = "integrated gradients", most: int | None = None
) -> pd.DataFrame:
    """Return how a map fades as layers get random weights one after the other, from the output to the input.

    Layers are those that can draw their weights anew (braindecode's `cascading_layer_reset`). Parameters outside of
    them, such as the electrodes of RBTransformer, keep what they learnt: only `check_attributions` replaces all.

    Parameters
    ----------
    system, samples, method, most
        As for `channel_attributions`.

    Returns
    -------
    DataFrame
        `layer` and `correlation`, the rank correlation with the map of the trained network.
    """
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of montage names that MNE will change, in models not used here
        from braindecode.visualization import cascading_layer_reset

    asked = _Asked(system, samples, method, most)
    own, rows = _map(asked.maps(system.network.network)), []
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(system.settings.seed)
        for layer, network in cascading_layer_reset(system.network.network):
            rows.append((layer, _rank_correlations(np.stack([own, _map(asked.maps(network))]))[0, 1]))
    return pd.DataFrame(rows, columns=["layer", "correlation"])


class _Asked:
    """Samples and a method; asked for the maps of one network after the other."""

    def __init__(self, system: SignalNetwork, samples: Samples, method: Method, most: int | None) -> None:
        if len(system.shape) != 2:
            what = f"attributions are drawn of channels x times or bands, not of {' x '.join(system.form.axes)}"
            raise DataError(what, where=system.settings.modality)
        samples = labelled(samples.select(samples.has(system.settings.modality)), system.task)
        if not len(samples):
            what = f"no sample has both {system.settings.modality} and a label"
            raise DataError(what, where=system.task.label, do="give labelled samples")
        system.predict(samples.select(slice(0, 1)))  # refuses what the network cannot read
        self.system, self.method = system, method
        self.rows = system._rows(samples, system.form.channels)  # of all: HiSTN scales by the whole trial
        targets = system.task.targets(samples.table)
        self.places = evenly(pd.DataFrame({"subject": samples.units("subject"), "class": targets}), most)
        self.targets = targets[self.places]
        self.half = pd.Series(self.targets).groupby(self.targets).cumcount().to_numpy() % 2

    def maps(self, network: nn.Module, wrong_class: bool = False) -> np.ndarray:
        """Return mean absolute attributions (2 halves of the samples, classes, channels, bands or time bins)."""
        from torch.nn.functional import adaptive_avg_pool1d

        channels, parts = self.system.shape
        if self.system.form.axes[1] == "time":
            parts = min(_BINS, parts)
        sums = np.zeros((2, len(self.system.task.classes), channels, parts))
        counts = np.zeros((*sums.shape[:2], 1, 1))
        for attribution, chosen in self._attributions(network.eval(), wrong_class):
            group = self.half[chosen], self.targets[chosen]
            np.add.at(sums, group, adaptive_avg_pool1d(attribution.abs(), parts).double().numpy())
            np.add.at(counts, group, 1)
        return np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)

    def _attributions(self, network: nn.Module, wrong_class: bool) -> Iterator[tuple[torch.Tensor, slice]]:
        import torch
        from captum.attr import InputXGradient, IntegratedGradients, Saliency

        kinds = {"integrated gradients": IntegratedGradients, "gradient x input": InputXGradient, "saliency": Saliency}
        tool = kinds[self.method](network)
        more = {"internal_batch_size": _BATCH} if self.method == "integrated gradients" else {}
        asked, classes = self.targets, len(self.system.task.classes)
        if wrong_class:
            lot = np.random.default_rng(self.system.settings.seed)
            asked = (asked + lot.integers(1, classes, len(asked))) % classes
        for start in range(0, len(self.places), _BATCH):
            chosen = slice(start, start + _BATCH)
            inputs = self.system.network.standard(self.rows[torch.from_numpy(self.places[chosen])]).requires_grad_()
            yield tool.attribute(inputs, target=torch.from_numpy(asked[chosen]), **more).detach(), chosen


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
    """Return Spearman's correlation of each map (rows) with each other one, over the classes that have samples.

    A map that is the same everywhere agrees with none; without classes there is nothing to say, which is NaN.
    """
    from scipy.stats import rankdata

    ranks = rankdata(maps[:, np.isfinite(maps).all(axis=0)], axis=1)
    if not ranks.size:
        return np.full((len(maps), len(maps)), np.nan)
    ranks -= ranks.mean(axis=1, keepdims=True)
    length = np.linalg.norm(ranks, axis=1, keepdims=True)
    ranks = np.divide(ranks, length, out=np.zeros_like(ranks), where=length > 0)
    return (ranks @ ranks.T).round(12)  # the same map agrees with itself exactly

"""A user's own estimator or network as a system: what scikit-learn fits, and any torch module."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import pandas as pd
from pydantic import Field

from insula.emotions import Continuous, LabelTask
from insula.errors import DataError, SettingsError
from insula.samples import Predictions, Samples
from insula.storage.own_code import name_of, own_object
from insula.storage.settings import Settings
from insula.systems.base import System, TrainingData
from insula.systems.baselines.plain import PlainClassifier, present_modality
from insula.systems.fitting import labelled
from insula.systems.picture_network import PictureNetwork, PictureNetworkSettings
from insula.systems.pictures import unique_pictures
from insula.systems.signal_network import SignalNetwork, SignalNetworkSettings

if TYPE_CHECKING:
    from torch import nn

    from insula.samples import Description


class OwnEstimatorSettings(Settings):
    """An estimator of scikit-learn's kind, and what it reads.

    Parameters
    ----------
    modality : str, optional
        What it is given, whole and as it is stored: `features`, `eeg` or `picture`; in a recipe by default what the
        samples have.
    seed : int
        Of every `random_state` that was left open.
    """

    modality: str | None = None
    seed: int = 0


class OwnEstimator(System):
    """Any classifier or regressor with scikit-learn's `fit` and `predict`, fitted anew on every training part.

    It is given the rows of a modality as an array (n, ...), or as a DataFrame where its features have names. Without
    `predict_proba` the class that it says has the probability one, and calibration means nothing.

    Parameters
    ----------
    settings : Settings
        What it reads.
    estimator : object
        Unfitted, or a class that needs no arguments; it is cloned, and never changed.
    """

    Settings: ClassVar[type[Settings]] = OwnEstimatorSettings
    learns: ClassVar = LabelTask | Continuous

    def __init__(self, settings: Any = None, estimator: Any = None) -> None:
        super().__init__(settings)
        self.template = estimator() if inspect.isclass(estimator) else estimator
        self.modes = {"estimator": name_of(self.template)}  # type: ignore[misc]

    def _fit(self, data: TrainingData) -> None:
        """Fit on the labelled training samples that have the modality; validation is not needed."""
        from sklearn.base import clone

        self.settings, task = _reading(self.settings, data.train), self.task
        train = labelled(data.train.select(data.train.has(self.settings.modality)), task)
        targets = task.targets(train.table)
        if isinstance(task, Continuous):
            targets = task.ratings(targets)
        if not len(train):
            raise DataError("no training sample has a label", where=task.label, do="check the label column")
        self.estimator = _seeded(clone(self.template), self.settings.seed).fit(self._read(train), targets)
        self.log.record(self.modes["estimator"], train)

    def _predict(self, samples: Samples, mode: str) -> Predictions:
        """Return class probabilities, or ratings."""
        values = self._read(samples)
        if isinstance(self.task, Continuous):
            return Predictions.rate(np.asarray(self.estimator.predict(values), float), samples.ids)
        probabilities = np.zeros((len(samples), len(self.task.classes)))
        if hasattr(self.estimator, "predict_proba"):
            probabilities[:, self.estimator.classes_] = self.estimator.predict_proba(values)
        else:
            probabilities[np.arange(len(samples)), np.asarray(self.estimator.predict(values), int)] = 1
        return Predictions.of(self.task.classes, probabilities, samples.ids, uncertainty=1 - probabilities.max(axis=1))

    def _read(self, samples: Samples) -> np.ndarray | pd.DataFrame:
        values, form = samples.read(self.settings.modality), samples.store(self.settings.modality).description
        named = form.axes == ("channel",) and form.channels
        return pd.DataFrame(values, columns=list(form.channels)) if named else values

    def _save(self, folder: Path) -> dict[str, Any]:
        """Refuse: an estimator that insula does not know cannot be written without running code to read it."""
        do = "evaluate it with `insula run`, and keep the estimator by your own means"
        raise SettingsError("an estimator of your own is not saved", where=self.modes["estimator"], do=do)

    def _load(self, folder: Path, about: dict[str, Any]) -> None:
        raise SettingsError("an estimator of one's own is not saved", where=folder, do="fit it again")


def _reading(settings: Any, samples: Samples) -> Any:
    """Return settings that say what is read: what the samples have, where they left that to them."""
    return settings if settings.modality else settings.model_copy(update={"modality": present_modality(samples)})


def _seeded(estimator: Any, seed: int) -> Any:
    """Return the estimator with every `random_state` that was left open set, so that a run can be repeated."""
    parameters = estimator.get_params() if hasattr(estimator, "get_params") else {}
    open_ones = [name for name, value in parameters.items() if name.endswith("random_state") and value is None]
    return estimator.set_params(**dict.fromkeys(open_ones, seed)) if open_ones else estimator


class OwnNetworkSettings(SignalNetworkSettings):
    """The settings of `SignalNetworkSettings`, for a network of one's own.

    Parameters
    ----------
    modality : str, optional
        `eeg`, `features` or `picture`; in a recipe, where not given, what the samples have.
    arguments : mapping
        What the network's constructor is given beside what it learns of the data.
    """

    modality: str | None = None  # type: ignore[assignment]
    arguments: dict[str, Any] = Field(default={})


class OwnNetwork(SignalNetwork):
    """A torch module on windows of EEG or on features: rows, standardised, in; logits, (n, classes), out.

    Its constructor gets what its signature asks for by name: `n_outputs` (or `classes`, `n_classes`, `num_classes`),
    `n_chans` (or `channels`), `n_times` (or `times`), `sfreq` (or `rate`), `n_features` (or `in_features`), `shape`.
    """

    Settings: ClassVar = OwnNetworkSettings
    warm_start: ClassVar = False  # none is opened from a folder

    def __init__(self, settings: Any = None, module: Any = None) -> None:
        super().__init__(settings)
        self.module = module
        self.modes = {"network": name_of(module)}  # type: ignore[misc]

    def _usable(self, samples: Samples, task: LabelTask) -> Samples:
        self.settings = _reading(self.settings, samples)
        return super()._usable(samples, task)

    def _network(self, form: Description, shape: tuple[int, ...], classes: int) -> nn.Module:
        return _built(self.module, shape, classes, form.rate, self.settings.arguments)

    def probe(self, samples: Samples, task: LabelTask) -> None:
        """Build the network for these samples and let it answer: what is wrong with it shows before any training."""
        samples = self._usable(samples, task).select(slice(1))
        if len(samples):
            store, row = samples.store(self.settings.modality), samples.rows(self.settings.modality)
            self._network(store.description, store.read(row)[0].shape, len(task.classes))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Refuse: a bundle never runs code that it names."""
        raise SettingsError("a network of one's own is not opened from a folder", where=folder, do="fit it again")


class OwnPictureNetworkSettings(PictureNetworkSettings):
    """The settings of `PictureNetworkSettings` that concern training; backbone, weights and sizes are not used.

    Parameters
    ----------
    arguments : mapping
        As in `OwnNetworkSettings`.
    """

    arguments: dict[str, Any] = Field(default={})


class OwnPictureNetwork(PictureNetwork):
    """A torch module on pictures: (n, 3, height, width) from 0 to 1 in; logits, (n, classes), out."""

    Settings: ClassVar = OwnPictureNetworkSettings
    warm_start: ClassVar = False

    def __init__(self, settings: Any = None, module: Any = None) -> None:
        super().__init__(settings)
        self.module = module
        self.modes = {"network": name_of(module)}  # type: ignore[misc]

    def _train(self, pictures: Samples, held: Samples, before: Any = None) -> None:
        self.shape = pictures.store("picture").read(np.zeros(1, int))[0].shape
        super()._train(pictures, held, before)

    def _network(self, classes: int, *, pretrained: bool = True) -> nn.Module:
        from insula.networks.picture_classifier import FromBytes

        height, width, colours = self.shape
        return FromBytes(_built(self.module, (colours, height, width), classes, None, self.settings.arguments))

    def features(self, samples: Samples) -> dict[str, np.ndarray]:
        """Return what the report draws: the logits, since nothing is known of what is inside."""
        unique, place = unique_pictures(samples)
        return {"logits": self._each(unique, self.network, len(self.task.classes))[place]}


def _built(
    module: Any, shape: tuple[int, ...], classes: int, rate: float | None, arguments: dict[str, Any]
) -> nn.Module:
    """Return an untrained network, given what its constructor asks for, after a try that it answers with logits."""
    import torch

    name = name_of(module)
    outputs = ("n_outputs", "classes", "n_classes", "num_classes", "out_features")
    offered: dict[str, Any] = dict.fromkeys(outputs, classes)
    offered |= {"shape": shape, "input_shape": shape}
    if len(shape) == 3:
        offered |= {"size": shape[1], "image_size": shape[1]}
    if len(shape) == 2:
        offered |= dict.fromkeys(("n_chans", "channels", "n_channels"), shape[0])
        offered |= dict.fromkeys(("n_times", "times"), shape[1])
        offered |= dict.fromkeys(("sfreq", "rate"), rate)
    offered |= dict.fromkeys(("n_features", "in_features", "n_inputs"), int(np.prod(shape)))
    wanted = inspect.signature(module).parameters
    given = {key: value for key, value in offered.items() if key in wanted and value is not None} | arguments
    lacking = [
        key
        for key, parameter in wanted.items()
        if parameter.default is parameter.empty and parameter.kind not in (2, 4) and key not in given
    ]
    if lacking:
        do = f"give it: --set system.arguments.{lacking[0]}=VALUE; known without are {', '.join(offered)}"
        raise SettingsError(f"{name} wants {lacking[0]!r}", where="its constructor", do=do)
    network: nn.Module = module(**given)
    with torch.no_grad():
        try:
            out = network.eval()(torch.zeros(2, *shape))
        except (RuntimeError, ValueError, TypeError, IndexError) as error:
            text = " ".join(str(error).split())
            raise DataError(f"{name} cannot read rows of shape {shape}: {text}", do="correct its forward") from None
    if not isinstance(out, torch.Tensor) or tuple(out.shape) != (2, classes):
        given_back = f"shape {tuple(out.shape)}" if isinstance(out, torch.Tensor) else type(out).__name__
        do = f"return logits of shape (n, {classes}), one for each class"
        raise DataError(f"{name} answers two rows with {given_back}", where="its forward", do=do)
    return network.train()


def chooses(named: System) -> bool:
    """Return whether a system chooses something on validation samples, so that it is worth to hold some out."""
    return not isinstance(named, OwnEstimator | PlainClassifier)


def own_system(name: Any, settings: Mapping[str, Any]) -> System:
    """Return an unfitted system from a user's own class, estimator or network, or from an import path to one.

    Parameters
    ----------
    name : str or object
        `module:name`; a class of a system or one of its instances; an estimator of scikit-learn's kind; a class of
        torch modules.
    settings : mapping
        Settings of the system.

    Raises
    ------
    SettingsError
        Where it is none of these.

    Examples
    --------
    >>> from sklearn.linear_model import RidgeClassifier
    >>> own_system(RidgeClassifier(), {}).modes
    {'estimator': 'RidgeClassifier'}
    """
    thing = own_object(name) if isinstance(name, str) else name
    where = f"system {name_of(name)}"
    cls: Any = thing if inspect.isclass(thing) else type(thing)
    if issubclass(cls, System):
        if inspect.isabstract(cls):
            lacking = ", ".join(sorted(cls.__abstractmethods__))
            raise SettingsError(
                f"{name_of(name)} lacks {lacking}", where=where, do="write what insula.systems.base says"
            )
        kept = {} if inspect.isclass(thing) else thing.settings.model_dump()
        built: System = cls(cls.Settings.parse({**kept, **settings}, where=where))
        return built
    torch = sys.modules.get("torch")  # whoever has a torch module has imported it
    if torch is not None and issubclass(cls, torch.nn.Module):
        if not inspect.isclass(thing):
            what = f"{where} is a network that exists already, and every fold begins with a new one"
            raise SettingsError(what, do=f"give the class: {cls.__name__}")
        kind: Any = OwnPictureNetwork if settings.get("modality") == "picture" else OwnNetwork
        chosen = {key: value for key, value in settings.items() if kind is OwnNetwork or key != "modality"}
        return kind(kind.Settings.parse(chosen, where=where), thing)
    if all(hasattr(cls, step) for step in ("fit", "predict", "get_params")):
        own: Any = OwnEstimator(OwnEstimatorSettings.parse(dict(settings), where=where), thing)
        return own
    do = "give a system, an estimator with fit and predict, or a class of torch.nn.Module"
    raise SettingsError(f"{name_of(name)} is nothing that learns", where=name, do=do)

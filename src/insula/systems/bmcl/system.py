"""BMCL: a picture network and an EEG network trained as a couple; the picture network then works alone.

Source: Shen et al., "Brain-machine coupled learning method for facial emotion recognition", IEEE Transactions on
Pattern Analysis and Machine Intelligence 45(9), 10703-10717, 2023, doi 10.1109/TPAMI.2023.3257846.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from insula.emotions import Categorical, Task
from insula.errors import DataError
from insula.samples import FitLog, Predictions, Roles, Samples, check_placebo, mode_of, normalised_entropy
from insula.samples.system import bundled_mode
from insula.storage.folder import load_estimator, load_system, save_estimator, save_system
from insula.systems.bmcl.settings import BMCLSettings
from insula.systems.fitting import brain_given, labelled, one_table, stage, training_pictures
from insula.systems.pictures import PictureReader, picture_groups, unique_pictures
from insula.training.strangeness import Strangeness

if TYPE_CHECKING:
    import torch

    from insula.networks.answer import Answer
    from insula.systems.bmcl.network import Coupled, Domain


class BMCL:
    """A picture network whose common channel was trained beside a network that reads the EEG of people who watched.

    Modes: `fusion` (common and private channel of the coupled picture network) and `visual` (the same network from the
    same start, trained on the same rows without any term in which EEG occurs).

    Parameters
    ----------
    settings : BMCLSettings
        See there.
    """

    trains_on: ClassVar = ("picture", "eeg")
    predicts_from: ClassVar = ("picture",)
    target_access: ClassVar = "none"
    modes: ClassVar[Mapping[str, str]] = {
        "fusion": "picture network coupled with EEG",
        "visual": "the same network, pictures alone",
    }
    placebos: ClassVar[Mapping[str, str]] = {
        "class-code": "c1: a random code per class in place of the EEG",
        "shuffled-within": "c2: EEG shuffled within each class before the couple is trained",
        "shuffled": "c3: EEG shuffled across all pictures before the couple is trained",
    }

    def __init__(self, settings: BMCLSettings | None = None) -> None:
        self.settings = settings or BMCLSettings()
        self.log = FitLog()
        self.reader = PictureReader(self.settings)
        self.networks: dict[str, Domain] = {}
        self.facts: dict[str, Any] = {"seconds": {}, "epochs": {}}

    def placebo(self, name: str) -> Self:
        """Return an unfitted twin in which `name` stands in for the brain."""
        check_placebo(self.placebos, name)
        return type(self)(self.settings.model_copy(update={"brain": name}))

    def summary(self) -> dict[str, Any]:
        """Return seconds by stage, epochs kept, and how well the EEG network tells validation labels."""
        return self.facts

    # fitting ----------------------------------------------------------------------------------------------------------

    def fit(
        self,
        train: Roles,
        validation: Roles,
        task: Task | Mapping[str, Task],
        *,
        unlabelled: Samples | None = None,
        start_from: Path | None = None,
    ) -> Self:
        """Learn from pictures with labels and from the EEG of people who saw them.

        Parameters
        ----------
        train, validation : Samples
            Rows are (subject, picture); pictures without EEG and subjects who saw part of the pictures are welcome.
            The epoch of each network is that of the best cross-entropy on validation pictures.
        task : Categorical
            The classes.
        """
        from insula.systems.bmcl.features import main_components

        train, validation, task = one_table("BMCL", train, validation, task)
        self.log, self.task = FitLog(), task
        self.facts = {"seconds": {}, "epochs": {}}
        seconds = self.facts["seconds"]
        train = training_pictures(train, task)
        validation = labelled(validation.select(validation.has("picture")), task)
        labels = task.targets(train.table)
        with stage(seconds, "picture features"):
            pictures, place = unique_pictures(train)
            features = self.reader.features(pictures)
            self.space = main_components(features, self.settings.picture_components)
            self.strangeness = Strangeness([features], picture_groups(pictures))
            self.log.record("picture space", train, "inputs")
            visual = self._visual(features)[place]
        with stage(seconds, "EEG features"):
            brains, held_brains = self._brains(train, validation, labels)
        rows, held = _rows(visual, brains), self._unwatched(validation, brains.shape[1])
        for mode in self.modes:
            with stage(seconds, f"{mode} network"):
                network = self._train(mode, rows, _tensor(labels), held, visual.shape[1])
            self.networks[mode] = network.picture
            self.log.record(f"{mode} network", train)
            if held is not None:
                self.log.record(f"epoch of the {mode} network", validation, "selection")
            watched = held_brains.any(axis=1)
            if mode == "fusion" and self.settings.brain == "eeg" and watched.any():
                said = network.eeg(_tensor(held_brains[watched])).logits.argmax(dim=1).numpy()
                right = said == task.targets(validation.table)[watched]
                self.facts["EEG network right on validation epochs"] = float(right.mean())
        return self

    def _brains(self, train: Samples, validation: Samples, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return what stands for the brains in the training rows, and the EEG of the validation rows."""
        from insula.systems.bmcl.features import BrainFeatures, class_codes

        brain, seed = self.settings.brain, self.settings.seed
        if not train.has("eeg").any():
            raise DataError("no training picture has EEG", do="give EEG, or train a picture-only system")
        train = brain_given(train, brain, self.task, seed)
        space = BrainFeatures(train, self.settings.time_bins, self.settings.eeg_components)
        self.log.record("EEG space", train.select(train.has("eeg")), "inputs")
        blocks = space(train)
        if brain == "class-code":
            blocks = class_codes(blocks, labels, self.settings.eeg_components, seed)
        return blocks, space(validation)

    def _unwatched(self, validation: Samples, width: int) -> tuple[torch.Tensor, torch.Tensor] | None:
        """Return the validation pictures, each once and without EEG as in use, with their labels."""
        if not len(validation):
            return None
        pictures, _ = unique_pictures(validation)
        visual = self._visual(self.reader.features(pictures))
        return _rows(visual, np.zeros((len(visual), width), np.float32)), _tensor(self.task.targets(pictures.table))

    def _train(
        self,
        mode: str,
        rows: torch.Tensor,
        labels: torch.Tensor,
        held: tuple[torch.Tensor, torch.Tensor] | None,
        pictures: int,
    ) -> Coupled:
        import torch

        from insula.systems.bmcl.loss import coupling_loss
        from insula.systems.bmcl.network import Coupled
        from insula.training.engine import train

        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.settings.seed)  # both networks start from the same weights
            network = Coupled(pictures, rows.shape[1] - pictures, len(self.task.classes), self.settings)
        loss = coupling_loss(network, self.settings, coupled=mode == "fusion")
        trained = train(network, loss, rows, labels, held, self.settings.training, self.settings.seed)
        self.facts["epochs"][mode] = trained.best_epoch + 1
        return network

    # predicting -------------------------------------------------------------------------------------------------------

    def _visual(self, features: np.ndarray) -> np.ndarray:
        return self.space.transform(np.asarray(features, np.float64)).astype(np.float32)

    def predict(self, samples: Samples, mode: str | None = None) -> Predictions:
        """Return class probabilities for each sample, from its picture alone.

        Parameters
        ----------
        samples : Samples
            With pictures.
        mode : str, optional
            One of `modes`.
        """
        import torch

        mode = mode_of(self.modes, mode)
        pictures, place = unique_pictures(samples)
        features = self.reader.features(pictures)
        with torch.inference_mode():
            logits = self.networks[mode](_tensor(self._visual(features))).logits
            probabilities = logits.double().softmax(dim=1).numpy()[place]
        return Predictions.of(
            self.task.classes,
            probabilities,
            samples.ids,
            uncertainty=normalised_entropy(probabilities),
            out_of_distribution=self.strangeness([features])[place],
            mode=mode,
        )

    def answering(self, mode: str | None = None) -> Answer:
        """Return what a bundle holds of a mode: pictures, uint8 (n, height, width, 3), to what is answered."""
        from insula.networks.answer import Answer
        from insula.systems.bmcl.twin import Alone
        from insula.systems.estimators import transformer_module

        mode = bundled_mode(self, mode)
        features = self.reader.as_module()
        says = Alone(features, transformer_module(self.space), self.networks[mode])
        return Answer(says, self.strangeness.as_module([features]))

    # saving -----------------------------------------------------------------------------------------------------------

    def save(self, folder: Path) -> None:
        """Write what predicting from pictures needs; the EEG networks stay behind."""
        from safetensors.torch import save_file

        folder.mkdir(parents=True, exist_ok=True)
        self.reader.save(folder)
        save_estimator(folder / "space.skops", self.space)
        save_estimator(folder / "strangeness.skops", self.strangeness.parts())
        for mode, network in self.networks.items():
            save_file(network.state_dict(), folder / f"{mode}.safetensors")
        save_system(folder, self.settings, self.task)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read a saved folder; it predicts in both modes."""
        from safetensors.torch import load_model

        from insula.systems.bmcl.network import Domain, common_channel

        about = load_system(folder)
        system = cls(BMCLSettings.parse(about["settings"], where="system.yaml"))
        system.task = Categorical(**about["task"])
        system.reader.weights = folder / "backbone.safetensors"
        system.space = load_estimator(folder / "space.skops")
        system.strangeness = Strangeness.of(load_estimator(folder / "strangeness.skops"))
        inputs, classes = system.space[-1].n_features_in_, len(system.task.classes)
        for mode in cls.modes:
            network = Domain(inputs, classes, common_channel(system.settings), system.settings)
            load_model(network, folder / f"{mode}.safetensors")
            system.networks[mode] = network.eval()
        return system


def _tensor(values: np.ndarray) -> torch.Tensor:
    import torch

    return torch.from_numpy(values)


def _rows(visual: np.ndarray, brains: np.ndarray) -> torch.Tensor:
    return _tensor(np.concatenate([visual, brains], axis=1))

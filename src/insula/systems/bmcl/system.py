"""BMCL: a picture network and an EEG network trained as a couple; the picture network then works alone.

Source: Shen et al., "Brain-machine coupled learning method for facial emotion recognition", IEEE Transactions on
Pattern Analysis and Machine Intelligence 45(9), 10703-10717, 2023, doi 10.1109/TPAMI.2023.3257846.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from insula.errors import DataError
from insula.samples import Predictions, Samples, normalised_entropy
from insula.storage.folder import load_estimator, save_estimator
from insula.systems.base import System, TrainingData
from insula.systems.bmcl.settings import BMCLSettings
from insula.systems.fitting import brain_given, labelled, stage, training_pictures
from insula.systems.pictures import PictureReader, picture_groups, unique_pictures
from insula.training.strangeness import Strangeness

if TYPE_CHECKING:
    import torch

    from insula.networks.answer import Answer
    from insula.systems.bmcl.network import Coupled, Domain


class BMCL(System):
    """A picture network whose common channel was trained beside a network that reads the EEG of people who watched.

    Modes: `fusion` (common and private channel of the coupled picture network) and `visual` (the same network from the
    same start, trained on the same rows without any term in which EEG occurs).

    Parameters
    ----------
    settings : BMCLSettings
        See there.
    """

    Settings: ClassVar = BMCLSettings
    trains_on: ClassVar = ("picture", "eeg")
    predicts_from: ClassVar = ("picture",)
    comparators: ClassVar = ("visual",)
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
        super().__init__(settings)
        self.reader = PictureReader(self.settings)
        self.networks: dict[str, Domain] = {}

    def _settings_of(self, placebo: str) -> BMCLSettings:
        """Return the settings by which the placebo stands in for the brain."""
        return self.settings.model_copy(update={"brain": placebo})

    # fitting ----------------------------------------------------------------------------------------------------------

    def _fit(self, data: TrainingData) -> None:
        """Learn from pictures with labels and from the EEG of people who saw them.

        Rows are (subject, picture); pictures without EEG and subjects who saw part of the pictures are welcome. The
        epoch of each network is that of the best cross-entropy on validation pictures.
        """
        from insula.systems.bmcl.features import main_components

        task = self.task
        self.facts = {"seconds": {}, "epochs": {}}
        seconds = self.facts["seconds"]
        train = training_pictures(data.train, task)
        validation = labelled(data.validation.select(data.validation.has("picture")), task)
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
                codes = network.eeg(_tensor(held_brains[watched])).logits.argmax(dim=1).numpy()
                right = codes == task.targets(validation.table)[watched]
                self.facts["EEG network right on validation epochs"] = float(right.mean())

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

    def _predict(self, samples: Samples, mode: str) -> Predictions:
        """Return class probabilities for each sample, from its picture alone."""
        import torch

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

    def _answering(self, mode: str) -> Answer:
        """Return what a bundle holds of a mode: pictures, uint8 (n, height, width, 3), to what is answered."""
        from insula.networks.answer import Answer
        from insula.systems.bmcl.twin import Alone
        from insula.systems.estimators import transformer_module

        features = self.reader.as_module()
        says = Alone(features, transformer_module(self.space), self.networks[mode])
        return Answer(says, self.strangeness.as_module([features]))

    # saving -----------------------------------------------------------------------------------------------------------

    def _save(self, folder: Path) -> dict[str, Any]:
        """Write what predicting from pictures needs; the EEG networks stay behind."""
        from safetensors.torch import save_file

        self.reader.save(folder)
        save_estimator(folder / "space.skops", self.space)
        save_estimator(folder / "strangeness.skops", self.strangeness.parts())
        for mode, network in self.networks.items():
            save_file(network.state_dict(), folder / f"{mode}.safetensors")
        return {}

    def _load(self, folder: Path, about: dict[str, Any]) -> None:
        from safetensors.torch import load_model

        from insula.systems.bmcl.network import Domain, common_channel

        self.reader.weights = folder / "backbone.safetensors"
        self.space = load_estimator(folder / "space.skops")
        self.strangeness = Strangeness.of(load_estimator(folder / "strangeness.skops"))
        inputs, classes = self.space[-1].n_features_in_, len(self.task.classes)
        for mode in self.modes:
            network = Domain(inputs, classes, common_channel(self.settings), self.settings)
            load_model(network, folder / f"{mode}.safetensors")
            self.networks[mode] = network.eval()


def _tensor(values: np.ndarray) -> torch.Tensor:
    import torch

    return torch.from_numpy(values)


def _rows(visual: np.ndarray, brains: np.ndarray) -> torch.Tensor:
    return _tensor(np.concatenate([visual, brains], axis=1))

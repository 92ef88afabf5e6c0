"""One subject's brain code: EEG epochs to 128-d embeddings, cross-fitted (BMCI; Liu et al. 2021)."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self

import numpy as np
from scipy.linalg import orthogonal_procrustes
from sklearn.model_selection import StratifiedGroupKFold

from insula.errors import DataError
from insula.storage.cache import Cache
from insula.storage.code import code_version
from insula.storage.folder import Rebuilt
from insula.storage.hashing import digest_array
from insula.systems.bmci.settings import BMCISettings


class Encoder(Protocol):
    """What embeds epochs, shape (n, channels, times), and can say their class from the EEG alone."""

    def embed(self, epochs: np.ndarray) -> np.ndarray:
        """Return float32 (n, d)."""

    def predict_proba(self, epochs: np.ndarray) -> np.ndarray:
        """Return class probabilities, (n, classes)."""


@dataclass(frozen=True)
class Epochs:
    """Epochs of one subject: values (n, channels, times), class codes (n,), and groups that must not be split."""

    values: np.ndarray
    labels: np.ndarray
    groups: np.ndarray


@dataclass(frozen=True)
class BrainCode:
    """What one subject's EEG becomes.

    Parameters
    ----------
    targets : array, shape (n, d)
        Embeddings of the training epochs: out-of-fold, where no network saw the epoch it embeds, or in-fold.
    encoder : Encoder
        Fitted on all training epochs.
    alignment : float
        Share of the variance of the whole encoder's embedding that the aligned fold encoders reproduce, on the epochs
        both were trained on; low values mean that out-of-fold embeddings are not in one space. NaN in-fold.
    """

    targets: np.ndarray
    encoder: Encoder
    alignment: float


def bin_epochs(epochs: np.ndarray, bins: int | None) -> np.ndarray:
    """Average the last axis into `bins` equal bins, dropping a remainder; None returns the epochs as they are.

    Examples
    --------
    >>> bin_epochs(np.arange(7.0)[None, None], 3).tolist()
    [[[0.5, 2.5, 4.5]]]
    """
    if bins is None:
        return epochs
    times = epochs.shape[-1]
    if times < bins:
        raise DataError(f"{times} samples cannot fill {bins} time bins", do="raise the rate, or lower time_bins")
    width = times // bins
    return epochs[..., : bins * width].reshape(*epochs.shape[:-1], bins, width).mean(axis=-1)


class _Scaler(Rebuilt):
    """Per-channel mean and deviation of the training epochs."""

    def __init__(self, epochs: np.ndarray) -> None:
        self.mean = epochs.mean(axis=(0, 2), keepdims=True)
        self.scale = epochs.std(axis=(0, 2), keepdims=True) + 1e-6

    def __call__(self, epochs: np.ndarray) -> np.ndarray:
        return ((epochs - self.mean) / self.scale).astype(np.float32)


class GRUEncoder:
    """The stacked recurrent network of the source, on z-scored channels."""

    def __init__(
        self,
        train: Epochs,
        validation: Epochs | None,
        classes: int,
        settings: BMCISettings,
        checkpoints: Path | None = None,
    ) -> None:
        import torch
        from torch.nn.functional import cross_entropy

        from insula.networks.recurrent import StackedGRU
        from insula.training.engine import train as fit

        self.bins = settings.time_bins
        binned = bin_epochs(train.values, self.bins)
        self.scaler = _Scaler(binned)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(settings.seed)  # one start for all folds: their spaces stay close
            self.network = StackedGRU(binned.shape[1], classes)

        def tensors(epochs: Epochs, values: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
            inputs = torch.from_numpy(self.scaler(values).swapaxes(1, 2).copy())
            return inputs, torch.from_numpy(epochs.labels)

        held = tensors(validation, bin_epochs(validation.values, self.bins)) if validation else None
        fit(
            self.network,
            lambda logits, labels: cross_entropy(logits, labels, label_smoothing=0.05),
            *tensors(train, binned),
            held,
            settings.training,
            settings.seed,
            checkpoints,
        )

    def save(self, folder: Path) -> None:
        """Write what embedding needs."""
        from safetensors.torch import save_file

        save_file(self.network.state_dict(), folder / "network.safetensors")
        np.savez(folder / "scaler.npz", **self.scaler.parts())

    @classmethod
    def load(cls, folder: Path, settings: BMCISettings, channels: int, classes: int) -> Self:
        """Read what `save` wrote."""
        from safetensors.torch import load_file

        from insula.networks.recurrent import StackedGRU

        encoder = cls.__new__(cls)
        encoder.bins = settings.time_bins
        with np.load(folder / "scaler.npz", allow_pickle=False) as kept:
            encoder.scaler = _Scaler.of(dict(kept))
        encoder.network = StackedGRU(channels, classes).eval()
        encoder.network.load_state_dict(load_file(folder / "network.safetensors"))
        return encoder

    def embed(self, epochs: np.ndarray) -> np.ndarray:
        """Return the last state, float32 (n, 128)."""
        import torch

        with torch.inference_mode():
            inputs = torch.from_numpy(self.scaler(bin_epochs(epochs, self.bins)).swapaxes(1, 2).copy())
            return self.network.embed(inputs).numpy()

    def predict_proba(self, epochs: np.ndarray) -> np.ndarray:
        """Return class probabilities, (n, classes)."""
        import torch

        with torch.inference_mode():
            return self.network.head(torch.from_numpy(self.embed(epochs))).softmax(dim=1).double().numpy()


class LinearEncoder:
    """Shrinkage discriminant analysis of the binned epoch; its embedding is the class scores."""

    def __init__(self, train: Epochs, validation: Epochs | None, classes: int, settings: BMCISettings) -> None:
        from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

        self.bins, self.classes = settings.time_bins, classes
        binned = bin_epochs(train.values, self.bins)
        self.scaler = _Scaler(binned)
        self.analysis = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")
        with warnings.catch_warnings():  # a class of one epoch has no spread of its own, which shrinkage allows for
            warnings.filterwarnings("ignore", message="Only one sample available")
            self.analysis.fit(self._flat(binned), train.labels)

    def _flat(self, binned: np.ndarray) -> np.ndarray:
        return self.scaler(binned).reshape(len(binned), -1)

    def embed(self, epochs: np.ndarray) -> np.ndarray:
        """Return class scores, float32 (n, classes)."""
        decisions = self.analysis.decision_function(self._flat(bin_epochs(epochs, self.bins)))
        if decisions.ndim == 1:
            decisions = np.column_stack([-decisions, decisions])
        scores = np.repeat(decisions.min(axis=1, keepdims=True), self.classes, axis=1)  # a class never seen is unlikely
        scores[:, self.analysis.classes_] = decisions
        return scores.astype(np.float32)

    def predict_proba(self, epochs: np.ndarray) -> np.ndarray:
        """Return class probabilities, (n, classes); a class never seen has probability 0."""
        probabilities = np.zeros((len(epochs), self.classes))
        probabilities[:, self.analysis.classes_] = self.analysis.predict_proba(
            self._flat(bin_epochs(epochs, self.bins))
        )
        return probabilities


def brain_code(
    train: Epochs,
    validation: Epochs | None,
    classes: int,
    settings: BMCISettings,
    where: str,
    checkpoints: Path | None = None,
) -> BrainCode:
    """Fit one subject's encoder and return cross-fitted embeddings of the training epochs.

    Fold encoders start from one seed, share a frozen head, and are rotated (orthogonal Procrustes) onto the encoder of
    all training epochs, fitted on the epochs that both were trained on. An embedding in-fold would be close to the
    label itself, and the virtual EEG would be label regression: the setting `embeddings="in-fold"`, the source's way,
    does just that.

    Raises
    ------
    DataError
        Where the subject has one class only, or too few pictures for two folds.
    """
    present = np.unique(train.labels)
    if len(present) < 2:
        raise DataError("the subject has one class only", where=where, do="drop the subject, or record the others")
    folds = min(settings.folds, len(np.unique(train.groups)))
    if folds < 2:
        raise DataError("the subject saw one face only", where=where, do="show more people, or drop the subject")

    def encoder(part: Epochs, name: str) -> Encoder:
        if settings.encoder == "linear":
            return LinearEncoder(part, validation, classes, settings)
        return GRUEncoder(part, validation, classes, settings, checkpoints / name if checkpoints else None)

    whole = encoder(train, "whole")
    reference = whole.embed(train.values)
    if settings.embeddings == "in-fold":
        return BrainCode(reference, whole, float("nan"))
    targets = np.empty_like(reference)
    explained = []
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=settings.seed)
    for number, (inside, outside) in enumerate(splitter.split(train.labels, train.labels, train.groups)):
        part = Epochs(train.values[inside], train.labels[inside], train.groups[inside])
        fold = encoder(part, f"fold{number}")
        seen = fold.embed(part.values)
        centre, target = seen.mean(axis=0), reference[inside]
        if settings.encoder == "linear":  # class scores share their axes: nothing to rotate
            rotation = np.eye(seen.shape[1], dtype=seen.dtype)
        else:
            rotation, _ = orthogonal_procrustes(seen - centre, target - target.mean(axis=0))
        targets[outside] = (fold.embed(train.values[outside]) - centre) @ rotation + target.mean(axis=0)
        aligned = (seen - centre) @ rotation
        explained.append(float(np.corrcoef(aligned.ravel(), (target - target.mean(axis=0)).ravel())[0, 1] ** 2))
    return BrainCode(targets, whole, float(np.mean(explained)))


def brain_code_once(
    train: Epochs, validation: Epochs | None, classes: int, settings: BMCISettings, where: str
) -> BrainCode:
    """Return `brain_code`, or read what it made before of the same epochs, labels, groups and settings.

    What differs in the picture alone (another backbone, another regressor) shares a subject's recurrent networks. A
    long training that is interrupted resumes.
    """
    if settings.encoder == "linear":
        return brain_code(train, validation, classes, settings, where)
    parts = (train, validation) if validation else (train,)
    about = {
        "settings": settings.model_dump(
            mode="json", include={"encoder", "time_bins", "training", "folds", "embeddings", "seed"}
        ),
        "epochs": [[digest_array(array) for array in (part.values, part.labels, part.groups)] for part in parts],
        "classes": classes,
        "code": code_version(),
    }

    def build(folder: Path, checkpoints: Path) -> None:
        kept = checkpoints if settings.training.epochs > 20 else None  # of a short one it would cost more than it saves
        code = brain_code(train, validation, classes, settings, where, kept)
        assert isinstance(code.encoder, GRUEncoder)
        code.encoder.save(folder)
        np.savez(folder / "code.npz", targets=code.targets, alignment=code.alignment)

    folder = Cache().resumable("brain-codes", about, build)
    with np.load(folder / "code.npz", allow_pickle=False) as code:
        encoder = GRUEncoder.load(folder, settings, train.values.shape[1], classes)
        return BrainCode(code["targets"], encoder, float(code["alignment"]))

"""Settings of mdJPT."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from insula.eeg.harmonisation import MONTAGE_60
from insula.errors import SettingsError
from insula.storage.settings import Settings
from insula.training.settings import Pretraining, Training

_IN_USE = {
    "weights", "pretrain_on", "normalise", "calibration", "fewest", "online", "smoothing", "head", "neighbours",
    "source_label",
}  # fmt: skip


class Encoder(Settings):
    """The network that is pre-trained, by default in the sizes that were published.

    Parameters
    ----------
    kind : {"mdjpt", "daest", "clisa"}
        The network, or one of its predecessors in their published sizes, which align people alone.
    montage : tuple of str
        The electrodes that every corpus is brought to.
    channel_encoder : {"linear attention", "transformer"}
        How each channel is encoded.
    dynamics : {"dynamic attention", "transformer"}
        How virtual channels become maps over time.
    patch, stride : int
        Samples of a token, and from one to the next.
    width, blocks, heads, hidden : int
        Of the encoder of channels: of a token, how many blocks, of the attention, of the feed-forward layer.
    features : int
        What is left of a token.
    projected : int
        Virtual channels, whose covariances are aligned.
    filters : int
        Maps of each dilation: a multiple of `features`.
    dilations : tuple of int
        Of the filters over time.
    attention_kernel, pooling : int
        Patches that the attention over maps looks back, and that are averaged before the projection.
    """

    kind: Literal["mdjpt", "daest", "clisa"] = "mdjpt"
    montage: tuple[str, ...] = MONTAGE_60
    channel_encoder: Literal["linear attention", "transformer"] = "linear attention"
    dynamics: Literal["dynamic attention", "transformer"] = "dynamic attention"
    patch: int = Field(32, ge=1)
    stride: int = Field(6, ge=1)
    width: int = Field(128, ge=1)
    blocks: int = Field(2, ge=1)
    heads: int = Field(8, ge=1)
    hidden: int = Field(256, ge=1)
    features: int = Field(32, ge=1)
    projected: int = Field(64, ge=1)
    filters: int = Field(128, ge=1)
    dilations: tuple[int, ...] = (1, 3, 6, 12)
    attention_kernel: int = Field(15, ge=1)
    pooling: int = Field(15, ge=1)

    @model_validator(mode="after")
    def _divisible(self) -> Self:
        for whole, part in (("width", "heads"), ("filters", "features")):
            if getattr(self, whole) % getattr(self, part):
                what = f"{whole} {getattr(self, whole)} is no multiple of {part} {getattr(self, part)}"
                raise SettingsError(what, where="encoder", do=f"give a multiple of {part}")
        return self


class HeadTraining(Training):
    """How the classifier on features is trained."""

    epochs: int = 8
    batch_size: int = 256
    learning_rate: float = 5e-4
    weight_decay: float = 2.2e-3
    optimiser: Literal["adamw", "adam", "sgd"] = "adam"
    keep: Literal["best", "last"] = "last"


class MdJPTSettings(Settings):
    """How the encoder learns without labels, and how it is used.

    Parameters
    ----------
    modality : str
        Windows of EEG, channels x times, at one rate in all corpora.
    encoder : Encoder
        The network.
    weights : Path or None
        A folder that mdJPT was saved to: its encoder is used as it is, and nothing is pre-trained.
    pretrain_on : {"other-corpora", "all"}
        `other-corpora`: corpora none of whose training rows is labelled. `all`: the whole training part. Labels are not
        looked at in either.
    pairs : {"time-aligned", "same-clip", "same-condition"}
        What two people have in common of whom the encoder is to say the same: the second of a clip; the clip; or, where
        people saw no common clips, what `condition` says.
    condition : str or None
        A column. Where it is what is classified afterwards, pre-training has seen labels of the training part.
    clips : int or None
        Clips (or windows of conditions) of a corpus in a step, drawn anew each time; None for all.
    temperature : float
        Of the contrast between people.
    contrast_weight, covariance_weight : float
        Of the two losses: alignment between people (ISA) and between corpora (CDA).
    centre : {"euclidean", "log-euclidean"}
        The mean of a person's covariances.
    two_pass : bool
        Whether the gradient is made corpus by corpus, in the memory of one; it is the same gradient.
    pretraining : Pretraining
        Steps, optimiser, device, precision.
    normalise : {"session", "calibration", "source"}
        Whose moments normalise in use. `session`: all windows of one person's session, without labels (target access
        `unlabelled`); `calibration`: its first `calibration` seconds; `source`: those of pre-training.
    stratum : {"session", "subject"}
        What is normalised together. Where a session is of one condition, its own moments would take away what tells
        conditions apart: `subject`.
    calibration : float
        Seconds.
    fewest : int
        A session of fewer windows is normalised by `source`, and a warning says so.
    online : bool
        Whether features are then normalised by the moments of their session so far.
    smoothing : {"lds", "lds-causal", "none"}
        Of features over each trial; `lds` looks at the whole of it.
    head : HeadTraining
        How the classifier on features is trained; `keep=best` chooses the epoch on validation people.
    neighbours : int
        Labelled windows that vote in the modes `nearest`.
    source_label : str or None
        A column with labels of the corpora that are pre-trained on, for the mode `prototypes`.
    seed : int
        Of weights, draws and dropout.
    """

    modality: str = "eeg"
    encoder: Encoder = Encoder()
    weights: Path | None = None
    pretrain_on: Literal["other-corpora", "all"] = "other-corpora"
    pairs: Literal["time-aligned", "same-clip", "same-condition"] = "time-aligned"
    condition: str | None = None
    clips: int | None = Field(None, ge=2)
    temperature: float = Field(0.07, gt=0)
    contrast_weight: float = Field(1.0, ge=0)
    covariance_weight: float = Field(0.01, ge=0)
    centre: Literal["euclidean", "log-euclidean"] = "euclidean"
    two_pass: bool = True
    pretraining: Pretraining = Pretraining()
    normalise: Literal["session", "calibration", "source"] = "session"
    stratum: Literal["session", "subject"] = "session"
    calibration: float = Field(60.0, gt=0)
    fewest: int = Field(30, ge=2)
    online: bool = True
    smoothing: Literal["lds", "lds-causal", "none"] = "lds"
    head: Training = HeadTraining()
    neighbours: int = Field(1, ge=1)
    source_label: str | None = None
    seed: int = 0

    def of_pretraining(self) -> dict[str, Any]:
        """Return what the pre-trained weights depend on, JSON-like."""
        return self.model_dump(mode="json", exclude=_IN_USE)

    @model_validator(mode="after")
    def _has_conditions(self) -> Self:
        if (self.pairs == "same-condition") != (self.condition is not None):
            what = "pairs of the same condition go with a column of conditions, and only with one"
            raise SettingsError(what, where="pairs", do="set system.pairs=same-condition and system.condition=COLUMN")
        return self

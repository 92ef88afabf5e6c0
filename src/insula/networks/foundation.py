"""Foundation models of EEG, as the library braindecode builds them, with weights from a file that a user has."""

from __future__ import annotations

import inspect
import json
import pickle
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

import numpy as np
import torch
from torch import nn

from insula.errors import DataError, SettingsError, WeightsError, choices
from insula.networks.braindecode import braindecode_network

if TYPE_CHECKING:
    from insula.samples import Description


@dataclass(frozen=True, kw_only=True)
class FoundationModel:
    """What is known of a foundation model.

    Parameters
    ----------
    architecture : str
        Name of braindecode's class.
    rate : int
        Samples a second that it was trained at.
    source : str
        Where its weights are.
    microvolts : float or None
        So many are one in its input; None: it reads standardised signals.
    whole : int
        Windows are a multiple of so many samples at its rate.
    gated : bool
        Whether the owner of the weights wants terms agreed to first.
    arguments : mapping
        Of the class, where they are not its defaults.
    """

    architecture: str
    rate: int
    source: str
    microvolts: float | None = None
    whole: int = 1
    gated: bool = False
    arguments: Mapping[str, Any] = field(default_factory=dict)


_HUB = "https://huggingface.co/"
FOUNDATION_MODELS = {
    "labram": FoundationModel(
        architecture="Labram", rate=200, source=f"{_HUB}braindecode/labram-pretrained", microvolts=100, whole=200
    ),
    "cbramod": FoundationModel(
        architecture="CBraMod", rate=200, source=f"{_HUB}braindecode/cbramod-pretrained", microvolts=100, whole=200
    ),
    "eegpt": FoundationModel(  # without its layer that mixes channels, which would be new: channels go by name
        architecture="EEGPT",
        rate=256,
        source=f"{_HUB}braindecode/eegpt-pretrained",
        microvolts=1000,
        arguments={"chan_proj_type": "none"},
    ),
    "biot": FoundationModel(architecture="BIOT", rate=200, source=f"{_HUB}braindecode/biot-pretrained-prest-16chs"),
    "reve": FoundationModel(architecture="REVE", rate=200, source=f"{_HUB}brain-bzh/reve-base", gated=True),
}
"""By the name they are asked for by."""

_OF_WINDOWS = {"n_outputs", "n_chans", "n_times", "chs_info", "sfreq", "input_window_seconds"}
_POSITIONS = "positions.json"
_HEAD = "body.final_layer."
_LIMIT = 15.0  # deviations, at which REVE cuts its inputs


class Foundation(nn.Module):
    """A foundation model with random weights and a new last layer, on windows at any rate.

    Windows are resampled to the rate of the model by a polyphase filter (`scipy.signal.resample_poly`).

    Parameters
    ----------
    name : str
        A key of `FOUNDATION_MODELS`.
    form : Description
        Of the windows: channels by name, and their rate.
    shape : (channels, times)
        Of a window.
    outputs : int
        Numbers that its last layer gives.
    arguments : mapping, optional
        Of braindecode's class, where the weights are of a model of another size.

    Raises
    ------
    SettingsError
        Where no model has this name, or its class no such argument.
    DataError
        Where the model does not know a channel, or windows are too short or no whole seconds.
    """

    resampling: torch.Tensor | None
    positions: torch.Tensor | None

    def __init__(
        self,
        name: str,
        form: Description,
        shape: tuple[int, ...],
        outputs: int,
        arguments: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of montage names that MNE will change
            import braindecode.models
            from braindecode.models import reve

        about = foundation_model(name)
        self.name, self.channels = name, form.channels
        allowed = inspect.signature(getattr(braindecode.models, about.architecture)).parameters
        free = sorted(set(allowed) - _OF_WINDOWS)
        if strange := sorted(set(arguments or {}) - set(free)):
            what = f"{about.architecture} of braindecode has no argument {strange[0]}"
            raise SettingsError(what, where="arguments", do=choices("arguments", strange[0], free))
        assert form.rate
        resampling = _resampling(form.rate, about.rate, shape[1])
        times = shape[1] if resampling is None else resampling.shape[1]
        if times % about.whole:
            what = f"{name} reads whole seconds, and windows have {shape[1] / form.rate:g} s"
            raise DataError(what, do=f"set corpus.window={max(1, round(times / about.whole))}")
        self._check_channels()
        self.register_buffer("resampling", resampling, persistent=False)
        there = form.model_copy(update={"rate": float(about.rate)})
        chosen = {**about.arguments, **(arguments or {})}
        # REVE fetches positions of electrodes when it is built; they are given to it here.
        with mock.patch.object(reve, "RevePositionBank", nn.Identity):
            self.body = braindecode_network(about.architecture, there, (shape[0], times), outputs, **chosen)
        self.register_buffer("positions", _standard_positions(form.channels) if name == "reve" else None)

    def _check_channels(self) -> None:
        from braindecode.models.eegpt import EEGPT_CHANNELS
        from braindecode.models.labram import LABRAM_CHANNEL_ORDER

        names = {"labram": LABRAM_CHANNEL_ORDER, "eegpt": EEGPT_CHANNELS}.get(self.name)
        if names is not None:
            _refuse_channels(self.name, set(map(str.upper, self.channels)) - set(map(str.upper, names)))

    @property
    def head(self) -> tuple[str, ...]:
        """The names of the weights that are new for each task."""
        return tuple(name for name in self.state_dict() if name.startswith(_HEAD))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Return logits, shape (n, outputs), of windows, shape (n, channels, times)."""
        if self.resampling is not None:
            inputs = inputs @ self.resampling
        if self.name == "labram":
            return self.body(inputs, ch_names=list(self.channels))
        if self.positions is not None:
            return self.body(inputs.clamp(-_LIMIT, _LIMIT), pos=self.positions.expand(len(inputs), -1, -1))
        return self.body(inputs)

    def take(self, path: Path) -> None:
        """Read weights of all but the head from a file of safetensors, or a state that torch wrote.

        What the file has beside them, such as the decoder of a pre-training, is left alone. Of places in time (LaBraM)
        the first are taken, as many as windows have. REVE's positions of electrodes are read beside it.

        Raises
        ------
        WeightsError
            Where it is absent or damaged, or of another architecture.
        """
        state, own = self._read(path), self.state_dict()
        kept = {name: value for name, value in own.items() if name.startswith("body.") and name not in self.head}
        kept.pop("body.chans_id", None)  # of the recording, not of the model
        for name, value in kept.items():
            inner = name.removeprefix("body.")
            if inner not in state:
                raise WeightsError(f"weights of {self.name} lack {inner}", where=path, do=self._advice)
            if inner == "temporal_embedding":
                state[inner] = state[inner][:, : value.shape[1]]
            if state[inner].shape != value.shape:
                sizes = [" x ".join(map(str, one.shape)) or "one number" for one in (state[inner], value)]
                what = f"{inner} is {sizes[0]} in the weights of {self.name} and {sizes[1]} here"
                raise WeightsError(what, where=path, do=self._advice)
            own[name] = state[inner]
        if self.positions is not None:
            own["positions"] = _own_positions(path.with_name(_POSITIONS), self.channels)
        self.load_state_dict(own)

    @property
    def _advice(self) -> str:
        return "set system.arguments to the sizes of the model that was saved, on as many channels"

    def _read(self, path: Path) -> dict[str, torch.Tensor]:
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        about = FOUNDATION_MODELS[self.name]
        agreed = ", agree to its owner's terms" if about.gated else ""
        do = f"get the file from {about.source}{agreed}, and set system.weights to its path"
        if not path.is_file():
            raise WeightsError(f"no weights of {self.name}, and none are fetched", where=path, do=do)
        try:
            safe = path.suffix == ".safetensors"
            state = load_file(path) if safe else torch.load(path, "cpu", weights_only=True)
        except (SafetensorError, RuntimeError, pickle.UnpicklingError, EOFError, ValueError, OSError):
            raise WeightsError("this file holds no weights, or more than weights", where=path, do=do) from None
        if isinstance(state, Mapping):
            state = next((state[key] for key in ("state_dict", "model") if isinstance(state.get(key), Mapping)), state)
        if not isinstance(state, Mapping) or not all(isinstance(value, torch.Tensor) for value in state.values()):
            raise WeightsError("this file holds no weights by name", where=path, do=do)
        return dict(state)


def foundation_model(name: str) -> FoundationModel:
    """Return what is known of a foundation model; raises SettingsError where no model has this name."""
    if name not in FOUNDATION_MODELS:
        what = f"unknown foundation model {name!r}"
        raise SettingsError(what, where="model", do=choices("models", name, FOUNDATION_MODELS))
    return FOUNDATION_MODELS[name]


def _resampling(rate: float, wanted: int, times: int) -> torch.Tensor | None:
    """Return the matrix (times, times at the other rate) that resamples a window; None where there is nothing to do."""
    if rate == wanted:
        return None
    from scipy.signal import resample_poly

    ratio = Fraction(wanted / rate).limit_denominator(1000)
    matrix = resample_poly(np.eye(times), ratio.numerator, ratio.denominator)  # (wanted, times)
    return torch.from_numpy(matrix.T.copy()).float()


def _standard_positions(channels: tuple[str, ...]) -> torch.Tensor:
    import mne

    places = mne.channels.make_standard_montage("colin27_1005").get_positions()["ch_pos"]
    return _positions("reve", {name: list(place) for name, place in places.items()}, channels)


def _own_positions(path: Path, channels: tuple[str, ...]) -> torch.Tensor:
    try:
        places = {name: [float(x), float(y), float(z)] for name, (x, y, z) in json.loads(path.read_text()).items()}
    except (OSError, ValueError, AttributeError, TypeError):
        do = f"get it from {_HUB}brain-bzh/reve-positions, and put it beside the weights"
        raise WeightsError("no positions of electrodes, which REVE was trained with", where=path, do=do) from None
    return _positions("reve", places, channels)


def _positions(model: str, places: Mapping[str, list[float]], channels: tuple[str, ...]) -> torch.Tensor:
    by_name = {name.upper(): place for name, place in places.items()}
    _refuse_channels(model, {name.upper() for name in channels} - set(by_name))
    return torch.tensor([by_name[name.upper()] for name in channels], dtype=torch.float32)


def _refuse_channels(model: str, unknown: set[str]) -> None:
    if unknown:
        what = f"{model} does not know {len(unknown)} channels: {', '.join(sorted(unknown)[:5])}"
        raise DataError(what, do="leave them out, or use the model cbramod, which reads channels of any name")

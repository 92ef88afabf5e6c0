"""Published networks for windows of EEG, as the library braindecode builds them."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from insula.errors import DataError

if TYPE_CHECKING:
    from torch import nn

    from insula.samples import Description


def braindecode_network(
    architecture: str, form: Description, shape: tuple[int, ...], outputs: int, **arguments: Any
) -> nn.Module:
    """Return an untrained network of braindecode.

    Parameters
    ----------
    architecture : str
        Name of its class.
    form : Description
        Of windows of signal: channels by name, and their rate.
    shape : (channels, times)
        Of a window.
    outputs : int
        Numbers that its last layer gives.
    **arguments
        Of its class, where they are not its defaults.

    Raises
    ------
    DataError
        Where windows are too short for it.
    """
    import mne

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of montage names that MNE will change, and of models not used here
        import braindecode.models

        info = mne.create_info(list(form.channels), form.rate, "eeg")
        info.set_montage(mne.channels.make_standard_montage("colin27_1005"), match_case=False, on_missing="ignore")
        build: Any = getattr(braindecode.models, architecture)
        sizes = {"n_chans": shape[0], "n_times": shape[1], "n_outputs": outputs, "sfreq": form.rate}
        try:
            return build(**sizes, chs_info=info["chs"], **arguments)
        except (ValueError, RuntimeError) as error:
            what = f"{architecture} cannot read {shape[0]} channels x {shape[1]} samples"
            raise DataError(what, do=f"use longer windows ({str(error).splitlines()[0]})") from None

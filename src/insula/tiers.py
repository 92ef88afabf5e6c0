"""Tiers of installation: which extra brings a library, and one line where it is missing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

from insula.errors import MissingTierError

TIERS: dict[str, tuple[str, ...]] = {
    "train": (
        "torch", "torchvision", "timm", "sklearn", "scipy", "skimage", "safetensors",
        "mapie", "captum", "fairlearn", "joblib", "threadpoolctl", "matplotlib", "jinja2", "openTSNE",
        "onnx", "onnxscript", "pyarrow", "pooch", "filelock",
    ),
    "eeg": ("mne", "mne_bids", "mne_icalabel", "autoreject", "braindecode", "pyriemann", "pyxdf"),
    "label": ("sqlalchemy", "skactiveml", "matplotlib", "filelock"),
    "postgres": ("psycopg",),
    "sign": ("cryptography",),
    "scale": ("dask", "distributed", "ray"),
    "heic": ("pi_heif",),
    "develop": ("edfio",),
}  # fmt: skip
"""Extras of the package, and the modules that each brings beside what `pip install insula` brings.

The first module stands for its tier; a module of two tiers is said to be of the first.
"""


def need(tier: str) -> None:
    """Raise where a tier is not installed, told by the module that stands for it: before long work, not amidst it.

    Raises
    ------
    MissingTierError
    """
    module = TIERS[tier][0]
    if not _installed(module):
        raise MissingTierError(module, tier)


def missing_tier(error: ImportError) -> MissingTierError | None:
    """Return what names the tier of a module that an import did not find; None where it is of no tier, or installed."""
    module = (error.name or "").partition(".")[0]
    tier = next((tier for tier, modules in TIERS.items() if module in modules), None)
    return None if tier is None or _installed(module) else MissingTierError(module, tier)


@contextmanager
def naming_tier() -> Iterator[None]:
    """Say which tier is missing where a library is imported inside the block, or in a function that this decorates.

    Examples
    --------
    >>> with naming_tier():
    ...     raise ModuleNotFoundError("No module named 'a_typing_error'", name="a_typing_error")
    Traceback (most recent call last):
    ...
    ModuleNotFoundError: No module named 'a_typing_error'
    """
    try:
        yield
    except MissingTierError:
        raise
    except ImportError as error:
        missing = missing_tier(error)
        if missing is None:
            raise
        raise missing from error


def _installed(module: str) -> bool:
    return find_spec(module) is not None

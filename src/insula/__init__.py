"""insula: emotion from faces and from EEG, each teaching the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from insula.deployment.predictor import recognise

__version__ = "0.1.0"
__all__ = ["recognise"]

_DOORS = {"recognise": "insula.deployment.predictor"}
"""Names that are at hand after `import insula`, and where each is from: loaded when it is first asked for."""


def __getattr__(name: str) -> Any:
    if name not in _DOORS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_DOORS[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_DOORS])

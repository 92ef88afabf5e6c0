"""insula: emotion from faces and from EEG, each teaching the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from insula.corpora.catalogue import corpus
    from insula.deployment.embedding import embed
    from insula.deployment.predictor import recognise
    from insula.evaluation.arrays import evaluate
    from insula.front_door import audit, compare, fit, load, run
    from insula.samples import Samples
    from insula.systems.catalogue import system

__version__ = "0.1.0"
__all__ = ["Samples", "audit", "compare", "corpus", "embed", "evaluate", "fit", "load", "recognise", "run", "system"]

_DOORS = {
    "Samples": "insula.samples",
    "audit": "insula.front_door",
    "compare": "insula.front_door",
    "corpus": "insula.corpora.catalogue",
    "embed": "insula.deployment.embedding",
    "evaluate": "insula.evaluation.arrays",
    "fit": "insula.front_door",
    "load": "insula.front_door",
    "recognise": "insula.deployment.predictor",
    "run": "insula.front_door",
    "system": "insula.systems.catalogue",
}
"""Names that are at hand after `import insula`, and where each is from: loaded when it is first asked for."""


def __getattr__(name: str) -> Any:
    if name not in _DOORS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_DOORS[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_DOORS])

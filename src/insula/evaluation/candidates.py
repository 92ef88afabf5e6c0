"""What a recipe wants fitted: the system, its placebos, the controls, and other people's models beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from insula.errors import SettingsError, choices
from insula.evaluation.recipe import Recipe
from insula.evaluation.study import Study, protocol_of
from insula.samples import Samples
from insula.storage.code import code_version
from insula.storage.hashing import sha256_of
from insula.storage.own_code import is_own, name_of, own_files
from insula.systems.base import System
from insula.systems.baselines.plain import present_modality
from insula.systems.catalogue import system as build_system

_CONTROLS = {
    "majority": "majority class of the training part",
    "linear": "logistic regression on plain features",
    "permuted": "the system itself, labels permuted",
}
_OF_RATINGS = {
    "majority": "constant: mean of the training ratings",
    "linear": "ridge regression on plain features",
}
ZERO = ("zero", "constant: zero")
"""A control of ratings that needs no fit: the name and title of its arm."""


@dataclass(frozen=True)
class Fitting:
    """One system to fit on one fold: `system`, `placebo` with its name, or `control` with its name."""

    kind: str
    name: str
    repeat: int
    fold: int

    @property
    def plain(self) -> bool:
        """Whether it learns what is scored and nothing beside it: a control or a peer."""
        return self.kind == "control" and self.name != "permuted"

    def __str__(self) -> str:
        return f"{self.name}, repeat {self.repeat}, fold {self.fold}"


@dataclass(frozen=True)
class Plan:
    """A recipe with its studies opened and audited, and everything it wants fitted."""

    recipe: Recipe
    studies: list[Study]
    fittings: list[Fitting]

    def key(self, fitting: Fitting) -> dict[str, Any]:
        """Return what decides the outcome of a fit: the same key is the same fit, whichever recipe asks for it."""
        study = self.studies[fitting.repeat]
        names = {"name", "repeats", "reported", "placebos", "controls", "practice", "peers", "groups", "label_curves"}
        peer = peers(self.recipe).get(fitting.name) if fitting.kind == "control" else None
        return {
            "recipe": self.recipe.model_dump(mode="json", exclude=names),
            "peer": peer,
            "files": files(peer or self.recipe.system),
            "data": study.fingerprint,
            "task": (study.task if fitting.plain else study.learnt).model_dump(mode="json"),
            "fitting": [fitting.kind, fitting.name, fitting.repeat, fitting.fold],
            "code": code_version(),
        }


def controls(recipe: Recipe) -> dict[str, str]:
    """Return the arms that a recipe wants beside its system, with their titles: its controls, then its peers.

    A continuous task always has the constant predictor (`majority`) and a ridge regression (`linear`) among them.

    Raises
    ------
    SettingsError
        Where a control or a peer is unknown.
    """
    unknown = [name for name in recipe.controls if name not in _CONTROLS]
    if unknown:
        raise SettingsError(f"unknown control {unknown[0]!r}", do=choices("controls", unknown[0], _CONTROLS))
    titles = {name: _CONTROLS[name] for name in recipe.controls}
    if recipe.scored_task().get("kind") == "continuous":
        titles |= _OF_RATINGS
    return titles | {name: next(iter(_build(peer, 0).modes.values())) for name, peer in peers(recipe).items()}


def peers(recipe: Recipe) -> dict[str, dict[str, Any]]:
    """Return the settings of a recipe's peers, by the names of their arms.

    Raises
    ------
    SettingsError
        Where two arms have one name.

    Examples
    --------
    >>> recipe = Recipe.load("bmci", ["peers=[{name: onnx-file, preset: emotiefflib-b2, file: b2.onnx}]"])
    >>> list(peers(recipe))
    ['onnx-file emotiefflib-b2']
    """
    by_name: dict[str, dict[str, Any]] = {}
    for peer in recipe.peers:
        name = " ".join(str(peer[key]) for key in ("name", "preset") if peer.get(key))
        if name in by_name or name in (*_CONTROLS, ZERO[0]):
            raise SettingsError(f"two arms have the name {name!r}", where="peers", do="run them one after the other")
        by_name[name] = peer
    return by_name


def files(settings: Mapping[str, Any]) -> dict[str, str]:
    """Return the sha256 of every file that settings name, in groups of settings, too, and of those of saved systems.

    A fit made with another content, or with other code of one's own, is another fit.
    """
    hashes = own_files(settings["name"]) if is_own(settings.get("name", "")) else {}
    for name, value in settings.items():
        if isinstance(value, Mapping):
            hashes |= {f"{name}.{inner}": sha256 for inner, sha256 in files(value).items()}
        elif isinstance(value, str) and value and (path := Path(value)).is_file():
            hashes[name] = sha256_of(path)
        elif isinstance(value, str) and value and (path / "system.yaml").is_file():
            hashes |= {str(file): sha256_of(file) for file in sorted(path.rglob("*")) if file.is_file()}
    return hashes


def candidate(recipe: Recipe, fitting: Fitting) -> System:
    """Return the unfitted system that a fitting is about; it knows which units its protocol holds out."""
    system = _candidate(recipe, fitting)
    system.held_out = protocol_of(recipe, fitting.repeat).disjoint
    return system


def _candidate(recipe: Recipe, fitting: Fitting) -> System:
    seed = recipe.seed + fitting.repeat
    if fitting.kind == "placebo":
        return own_system(recipe, seed).placebo(fitting.name)
    if fitting.kind == "control" and fitting.name in ("majority", "linear"):
        return build_system(fitting.name, modality=recipe.control_modality, seed=seed)
    if fitting.plain:
        return _build(peers(recipe)[fitting.name], seed)
    system = own_system(recipe, seed)
    return system if fitting.kind == "system" else system.alone()


def with_modalities(recipe: Recipe, samples: Samples) -> Recipe:
    """Return a recipe that names what its system and its linear control read, where it left that to the samples."""
    present = present_modality(samples)
    settings = getattr(own_system(recipe, 0), "settings", None)
    changes: dict[str, Any] = {} if recipe.control_modality else {"control_modality": present}
    if present is not None and getattr(settings, "modality", present) is None:
        changes["system"] = {**recipe.system, "modality": present}
    return recipe.model_copy(update=changes)


def system_name(recipe: Recipe) -> str:
    """Return what the system of a recipe is called."""
    return name_of(recipe.system["name"])


def own_system(recipe: Recipe, seed: int) -> System:
    """Return the unfitted system of a recipe."""
    return _build(recipe.system, seed)


def _build(settings: dict[str, Any], seed: int) -> System:
    settings = dict(settings)
    if "name" not in settings:
        raise SettingsError("the recipe names no system", do="give name: the system's name")
    return build_system(settings.pop("name"), settings.pop("preset", None), **{"seed": seed, **settings})

"""A recipe: one YAML file that describes an experiment."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from importlib import resources
from pathlib import Path
from typing import Any, Self

import yaml
from pydantic import Field, field_serializer

from insula.emotions.task_values import named_tasks
from insula.errors import SettingsError, choices
from insula.storage.own_code import described
from insula.storage.settings import Settings
from insula.systems.catalogue import SYSTEMS


def _of_systems() -> dict[str, tuple[str, str]]:
    """Return the recipes of systems: `recipe.yaml` in a folder of the system's own name."""
    folders = {name: path.split(":")[0].rpartition(".")[0] for name, path in SYSTEMS.items()}
    own = {name: folder for name, folder in folders.items() if folder.endswith(f".{name.replace('-', '_')}")}
    there = Path(__file__).parents[1] / "systems"
    return {name: (folder, "recipe.yaml") for name, folder in own.items()
            if (there / folder.rpartition(".")[2] / "recipe.yaml").is_file()}  # fmt: skip


RECIPES = {
    **_of_systems(),
    "neurogaze-simulated": ("insula.systems.neurogaze", "simulated.yaml"),
    "crpn-simulated": ("insula.systems.crpn", "simulated.yaml"),
    "crpn-style": ("insula.systems.crpn", "style.yaml"),
    "crpn-identity": ("insula.systems.crpn", "identity.yaml"),
    "ucmc-simulated": ("insula.systems.ucmc", "simulated.yaml"),
    "face-recogniser": ("insula.systems.faces", "recogniser.yaml"),
    "watermelon": ("insula.systems.baselines", "watermelon.yaml"),
    "pictures": ("insula.systems.compact_recogniser", "pictures.yaml"),
    "recordings": ("insula.systems.baselines", "recordings.yaml"),
}
"""Recipes that come with insula: a name, and the package and file that hold it."""

SWEEPS = {
    "bmci-regimes": ("insula.systems.bmci", "regimes.yaml"),
    "bmci-tables": ("insula.systems.bmci", "tables.yaml"),
    "crpn-tables": ("insula.systems.crpn", "tables.yaml"),
    "eeg-baselines": ("insula.systems.baselines", "eeg.yaml"),
    "eeg-protocols": ("insula.systems.baselines", "protocols.yaml"),
    "faces": ("insula.systems.faces", "recipe.yaml"),
    "mdjpt-eegmat": ("insula.systems.mdjpt", "eegmat.yaml"),
    "mdjpt-simulated": ("insula.systems.mdjpt", "simulated.yaml"),
    "neurogaze-ablations": ("insula.systems.neurogaze", "ablations.yaml"),
    "ucmc-ablations": ("insula.systems.ucmc", "ablations.yaml"),
    "ucmc-mahnob-features": ("insula.systems.ucmc", "mahnob.yaml"),
    "ucmc-robustness": ("insula.systems.ucmc", "robustness.yaml"),
    "ucmc-tables": ("insula.systems.ucmc", "tables.yaml"),
    "rbtransformer-null": ("insula.systems.rbtransformer", "null.yaml"),
}
"""Sweeps, of many recipes each, that come with insula."""


_PARTS = ("corpus", "system", "protocol")
_FIELDS = re.compile(r"[^:,\[\]'\"]*\{(?:subject|session)\}[^:,\[\]]*$")  # what YAML would take for a mapping


class Recipe(Settings):
    """What is evaluated, on what, under which protocol.

    Parameters
    ----------
    name : str
        Of the experiment.
    corpus : dict
        `name`, and the corpus's settings.
    test : dict, optional
        What is tested, where it lies elsewhere: `root`, and whatever else differs from `corpus`; or `name`, and the
        settings of another corpus. All of `corpus` is then learnt from, and the protocol's units are kept apart between
        the two; people are, where all are known.
    task : dict
        As in `insula.emotions`; `classes` may be left out, and are then those that occur in the corpus.
        Several tasks stand under their names, `{emotion: {kind: categorical}, valence: {kind: continuous}}`: the
        system learns all at once, and one of them is scored.
    scored : str, optional
        Which of several tasks is scored.
    protocol : dict
        `name`, and changes to the named protocol.
    system : dict
        `name`, `preset`, and the system's settings.
    pipeline : str, optional
        A published way to preprocess EEG (`insula.eeg.pipelines`): it fills in `corpus.preprocessing`, `corpus.window`,
        `corpus.hop` and `steps`, each where the recipe does not say otherwise.
    steps : tuple of dict
        What is done to the samples before the system and the controls see them: `name`, and the settings of the step
        (`insula.eeg.steps`).
    placebos : tuple of str or None
        Placebos to run; None for all that the system has.
    controls : tuple of str
        Of `majority`, `linear` and `permuted` (the system itself with labels permuted).
    control_modality : str, optional
        What the linear control reads; by default the first of `picture`, `features` and `eeg` that the samples have.
    peers : tuple of dict
        Other people's models, scored beside the system on the same samples: `name`, `preset`, and their settings, as of
        a system.
    groups : tuple of str or None
        Columns of the corpus to tell results by group for; ages and other numbers are cut at their quartiles. None for
        `gender`, `ethnicity`, `race` and `age`, and `face_gender`, `face_eth` and `face_age`, as far as the corpus has
        them and they are of one person a scored unit. Where several corpora are tested, the corpus is a group, too.
    robustness : bool
        Whether to predict the test part of each repeat's first fold once more, from inputs made noisy, cut or missing.
    reported : tuple of dict
        Published figures, shown beside ours as "reported": `title`, `value`, `source`, `note`.
    label_curves : dict or None
        How well the system does with fewer labels, and which are best asked for: the settings of
        `insula.labelling.curves.CurveSettings`, such as `until: 0.5`; None for no curves.
    repeats : int
        Times the whole is repeated with the next seed; a simulated study is drawn anew each time.
    seed : int
        The first seed.
    practice : str
        What flatters the figures of a recipe that follows published practice, in words; every figure is marked as
        published, and the passport says why.
    """

    name: str
    corpus: dict[str, Any]
    test: dict[str, Any] | None = None
    task: dict[str, Any] = Field(default={"kind": "categorical", "label": "emotion"})
    scored: str | None = None
    protocol: dict[str, Any]
    system: dict[str, Any]
    pipeline: str | None = None
    steps: tuple[dict[str, Any], ...] = ()
    placebos: tuple[str, ...] | None = None
    controls: tuple[str, ...] = ("majority", "linear", "permuted")
    control_modality: str | None = None
    peers: tuple[dict[str, Any], ...] = ()
    groups: tuple[str, ...] | None = None
    robustness: bool = False
    reported: tuple[dict[str, str], ...] = ()
    label_curves: dict[str, Any] | None = None
    repeats: int = Field(default=1, ge=1)
    seed: int = 0
    practice: str = ""

    def scored_task(self) -> dict[str, Any]:
        """Return the plain values of the task that is scored."""
        named = named_tasks(self.task)
        if named and self.scored is None:
            what, do = f"one task is scored, of {', '.join(named)}", f"set scored={next(iter(named))}"
            raise SettingsError(what, where="scored", do=do)
        if self.scored is not None and self.scored not in named:
            do = choices("tasks", self.scored, named) if named else "leave it out: there is one task"
            raise SettingsError(f"no task {self.scored!r}", where="scored", do=do)
        return named[self.scored] if self.scored else self.task

    @field_serializer("system")
    def _in_words(self, system: dict[str, Any]) -> dict[str, Any]:
        """Write an estimator or a class of a user's own, which stands in a recipe in Python alone, as what it is."""
        name = system.get("name")
        return system if name is None or isinstance(name, str) else {**system, "name": described(name)}

    @classmethod
    def load(cls, source: str | Path, changes: Iterable[str] | Mapping[str, Any] = ()) -> Self:
        """Read a recipe by name or path and apply changes: `corpus.pictures=200`, or a mapping of keys to values.

        A change of `corpus.name` or `system.name` drops the settings of the one it replaces.

        Examples
        --------
        >>> recipe = Recipe.load("bmci", ["corpus.pictures=60", "repeats=2"])
        >>> recipe.corpus["pictures"], recipe.repeats
        (60, 2)
        >>> Recipe.load("bmci", ["corpsu.pictures=60"])
        Traceback (most recent call last):
        ...
        insula.errors.SettingsError: unknown key 'corpsu' (recipe bmci): did you mean corpus? known keys are ...
        """
        values = read_yaml(source)
        if is_sweep(values):
            raise SettingsError("this is a sweep of many recipes", where=source, do="use `insula run`")
        for key, value in changes.items() if isinstance(changes, Mapping) else map(parse_change, changes):
            apply(values, key, value)
        corpus = values.get("corpus")
        of_own = isinstance(corpus, dict) and corpus.get("name") == "recordings" and "root" in corpus
        if of_own and (is_folder(source) or source == "recordings"):
            from insula.evaluation.own_folder import understood

            values = understood(values)
        return cls.complete(values, where=f"recipe {source}")

    @classmethod
    def complete(cls, values: dict[str, Any], *, where: str) -> Self:
        """Build a recipe from plain values, its pipeline filled in; corpus, system and protocol must be named."""
        values = {key: {"name": value} if key in _PARTS and isinstance(value, str) else value
                  for key, value in values.items()}  # fmt: skip
        name = values.get("pipeline")
        recipe = cls.parse(fill_in(values) if isinstance(name, str) else values, where=where)
        for part in _PARTS:
            name = getattr(recipe, part).get("name")
            if not isinstance(name, str):
                raise SettingsError(f"{part}.name is {name!r}", where=where, do="give a name")
        return recipe


def fill_in(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the plain values of a recipe with what its pipeline says, where they do not say otherwise.

    Examples
    --------
    >>> filled = fill_in({"pipeline": "deap", "corpus": {"name": "deap", "window": 4}})
    >>> filled["corpus"]["window"], filled["corpus"]["preprocessing"]["rate"], filled["steps"]
    (4, 128.0, [{'name': 'subtract-baseline'}])
    """
    from insula.eeg.pipelines import pipeline

    chosen = pipeline(values["pipeline"])
    corpus = values.get("corpus")
    cutting = chosen.model_dump(mode="json", include={"preprocessing", "window", "hop"}, exclude_none=True)
    filled = {**cutting, **corpus} if isinstance(corpus, dict) else corpus
    return {"steps": list(chosen.steps), **values, "corpus": filled}


def is_sweep(values: dict[str, Any]) -> bool:
    """Return whether plain values, as read from a file, describe a sweep of recipes and not one recipe."""
    return {"base", "grids"} <= set(values)


def parse_change(text: str) -> tuple[str, Any]:
    """Return key and value of a change such as `corpus.pictures=200`.

    The value is YAML; a pattern of names such as `{subject}_{session}` may be written as it is.

    Examples
    --------
    >>> parse_change("corpus.who={subject}_{session}"), parse_change("corpus.windows={seconds: 2}")
    (('corpus.who', '{subject}_{session}'), ('corpus.windows', {'seconds': 2}))
    """
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise SettingsError(f"cannot read the change {text!r}", do="write it as key=value, as in seed=1")
    if _FIELDS.match(value):
        return key.strip(), value
    try:
        return key.strip(), yaml.safe_load(value)
    except yaml.YAMLError:
        raise SettingsError(f"cannot read the value of {key!r}", where=value, do="write a YAML value") from None


def apply(values: dict[str, Any], key: str, value: Any) -> None:
    """Set a key such as `corpus.pictures` in plain values.

    A change of `corpus.name` or `system.name` drops the settings of the one it replaces.

    Examples
    --------
    >>> values = {"corpus": {"name": "simulated-study", "pictures": 60}}
    >>> apply(values, "corpus.pictures", 80)
    >>> values
    {'corpus': {'name': 'simulated-study', 'pictures': 80}}
    """
    path = key.split(".")
    if path in (["corpus", "name"], ["system", "name"]):
        before = values.get(path[0])
        if isinstance(before, dict) and before.get("name") == value:
            return
        values[path[0]] = {"name": value}
        return
    for part in path[:-1]:
        values = values.setdefault(part, {})
        if not isinstance(values, dict):
            raise SettingsError(f"{part!r} holds a value, not settings", where=key, do="drop what follows it")
    values[path[-1]] = value


def is_folder(source: str | Path) -> bool:
    """Return whether a folder of one's own stands in place of a recipe."""
    return str(source) not in RECIPES | SWEEPS and Path(source).is_dir()


def read_yaml(source: str | Path) -> dict[str, Any]:
    """Return the plain values of a recipe or sweep that comes with insula, lies in a YAML file, or suits a folder."""
    named = RECIPES | SWEEPS
    if is_folder(source):
        from insula.evaluation.own_folder import recipe_name

        values = read_yaml(recipe_name(Path(source)))
        values["corpus"]["root"] = str(source)
        return values | {"name": Path(source).resolve().name}
    if str(source) in named:
        package, name = named[str(source)]
        text = resources.files(package).joinpath(name).read_text()
    else:
        path = Path(source)
        if not path.exists() and (path.parent != Path() or str(source).endswith("/")):
            raise SettingsError("no such file or folder", where=source, do="correct the path")
        if path.is_file() and path.suffix.lower() not in (".yaml", ".yml"):
            do = f"give a YAML file or, for data of your own, their folder: {path.parent}"
            raise SettingsError("this is no recipe", where=source, do=do)
        if not path.is_file():
            do = f"give a YAML file, a folder of one's own, or a name; {choices('names', source, named)}"
            raise SettingsError(f"no recipe {str(source)!r}", do=do)
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            raise SettingsError("the recipe is no UTF-8 text", where=source, do="save it as UTF-8") from None
    try:
        values = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise SettingsError("the recipe is no YAML", where=source, do=" ".join(str(error).split())) from None
    if not isinstance(values, dict):
        raise SettingsError("the recipe is empty or a list", where=source, do="write keys and values")
    strange = [key for key in values if not isinstance(key, str)]
    if strange:
        raise SettingsError(f"key {strange[0]!r} is no text", where=source, do="write names as keys")
    return values

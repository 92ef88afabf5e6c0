"""Tasks from plain values, as recipes and saved systems write them; what is wrong with them in one line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError

from insula.emotions.tasks import OneTask, Several, Task
from insula.errors import SettingsError, choices


def parse_task(values: dict) -> Task:
    """Build a task from plain values, as a recipe writes them.

    Raises
    ------
    SettingsError
        In one line for all that is missing or wrong.

    Examples
    --------
    >>> parse_task({"kind": "categorical", "label": "emotion", "classes": "london2"}).classes
    ('neutral', 'happiness')
    """
    named = named_tasks(values)
    if not named:
        return parse_one(values)
    others = values if values.get("kind") == "several" else {}
    tasks = {name: parse_one(one, f"task.{name}") for name, one in named.items()}
    return Several.parse({**others, "tasks": tasks}, where="task")


def named_tasks(values: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the plain values of each of several tasks by its name, none where the values are those of one task."""
    tasks = values.get("tasks") if values.get("kind") == "several" else values
    if not isinstance(tasks, Mapping) or not any(isinstance(one, dict) for one in tasks.values()):
        return {}
    other = next((name for name, one in tasks.items() if not isinstance(one, dict)), None)
    if other is not None:
        do = f"give it as {other}: {{kind: categorical, classes: [a, b]}}, or leave it out"
        raise SettingsError(f"among several tasks {other!r} is none", where="task", do=do)
    return {name: {"label": name, **one} for name, one in tasks.items()}


def usual_task(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the plain values of one task, with its usual kind and label where it does not say; refuse several."""
    named = named_tasks(values)
    if named:
        what = f"one task is wanted here, and these are several: {', '.join(named)}"
        raise SettingsError(what, where="task", do="keep one, as in task: {kind: categorical, label: emotion}")
    return {"kind": "categorical", "label": "emotion", **values}


def parse_one(values: dict, where: str = "task") -> OneTask:
    """Build a task of one label from plain values; `where` they stand is said of what is wrong with them."""
    try:
        return TypeAdapter(OneTask).validate_python(values)
    except ValidationError as error:
        raise _task_error(values.get("kind"), error, where) from None


_WANTED = {
    "threshold": "task.threshold=5",
    "tie": "task.tie=high (or low: where a rating equal to the threshold falls)",
    "scale": "task.scale=[1,9]",
    "classes": "task.classes=[a,b]",
    "label": "task.label=COLUMN",
}

OF_RATINGS = (
    f"for ratings set task.kind=binary with {_WANTED['threshold']} and {_WANTED['tie']}, or task.kind=cut, which needs "
    f"no more, or task.kind=continuous or ordinal with {_WANTED['scale']}"
)
"""What to set where a label is a rating, in words."""


def _task_error(kind: object, error: ValidationError, where: str) -> SettingsError:
    """Return one line for all that a task lacks, or has and should not."""
    missing, wrong, advice = [], [], []
    for one in error.errors():
        name = str(one["loc"][-1]) if one["loc"] else "kind"
        if one["type"].startswith("union_tag"):
            kinds = ("categorical", "binary", "ordinal", "cut", "continuous", "votes")
            return SettingsError(f"no task of the kind {kind!r}", where=where, do=choices("kinds", kind, kinds))
        if one["type"] == "extra_forbidden":
            wrong.append(f"has no {name}")
            advice.append(f"leave task.{name} out")
        elif one["type"] == "missing":
            missing.append(name)
        else:
            wrong.append(f"cannot have this {'.'.join(str(part) for part in one['loc'][1:]) or kind}: {one['msg']}")
            advice.append("see insula.emotions")
    if missing:
        wrong.insert(0, f"lacks {' and '.join(missing)}")
        advice.insert(0, f"set {' and '.join(_WANTED.get(name, f'task.{name}') for name in missing)}")
    do = "; ".join(dict.fromkeys(advice)).replace("task.", f"{where}.")
    return SettingsError(f"a {kind} task {', '.join(wrong)}", where=where, do=do)

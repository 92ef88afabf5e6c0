"""Label Studio: the page it shows, the tasks it reads, and the export it writes."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as Xml

from insula.errors import DataError
from insula.labelling.ledger import Answer, Ledger
from insula.labelling.media import CLIP, SUFFIXES
from insula.labelling.question import Question
from insula.storage.hashing import sha256_of

KEY = "insula"
"""The field of a task's data that says which request it is: `PROJECT/REQUEST`, and nothing of the item itself."""

_ANSWER = "answer"
_EXPORT = "export it from Label Studio as JSON (not JSON-MIN)"


def page(question: Question, kinds: Sequence[str]) -> str:
    """Return the labelling interface, as Label Studio's settings take it.

    Parameters
    ----------
    question : Question
        What is asked.
    kinds : sequence of str
        Kinds of media of every task (`insula.labelling.media`).

    Examples
    --------
    >>> print(page(Question(label="emotion", classes=("fear", "joy")), ["picture"]))
    <View>
      <Image name="picture" value="$picture" />
      <Header value="emotion" />
      <Choices name="answer" toName="picture" choice="single-radio" required="true">
        <Choice value="fear" />
        <Choice value="joy" />
      </Choices>
    </View>
    """
    view = Xml.Element("View")
    for kind in kinds:
        Xml.SubElement(view, "Video" if kind == CLIP else "Image", name=kind, value=f"${kind}")
    Xml.SubElement(view, "Header", value=question.label)
    common = {"name": _ANSWER, "toName": kinds[0]}
    if question.scale is not None:
        low, high = question.scale
        step = 10.0 ** math.floor(math.log10((high - low) / 20))  # twenty steps or more
        limits = {"min": f"{low:g}", "max": f"{high:g}", "step": f"{step:g}"}
        Xml.SubElement(view, "Number", common | limits, required="true")
    else:
        choices = Xml.SubElement(view, "Choices", common, choice="single-radio", required="true")
        for name in question.classes:
            Xml.SubElement(choices, "Choice", value=name)
    Xml.indent(view)
    return Xml.tostring(view, encoding="unicode")


def media_name(request: int, kind: str) -> str:
    """Return the place of a request's file within a round's folder.

    Examples
    --------
    >>> media_name(17, "clip")
    'media/00017-clip.mp4'
    """
    return f"media/{request:05d}-{kind}{SUFFIXES[kind]}"


def task(project: str, request: int, folder: str, kinds: Sequence[str]) -> dict[str, Any]:
    """Return one task, as Label Studio imports it; its files are served from the folder above `folder`."""
    files = {kind: f"/data/local-files/?d={folder}/{media_name(request, kind)}" for kind in kinds}
    return {"data": {KEY: f"{project}/{request}", **files}}


@dataclass
class Imported:
    """What an export held.

    Parameters
    ----------
    new, known : int
        Answers (and skips) that were recorded, and that were there already.
    skipped, drafts, empty : int
        Of all: tasks that were skipped, which counts as asked; unfinished answers and such without a choice, which are
        left out.
    strange_tasks : int
        Tasks that are none of ours, left out.
    strange_answers : list of str
        Answers that do not fit the question, left out: the page was changed in Label Studio.
    """

    new: int = 0
    known: int = 0
    skipped: int = 0
    drafts: int = 0
    empty: int = 0
    strange_tasks: int = 0
    strange_answers: list[str] = field(default_factory=list)


def import_export(ledger: Ledger, path: Path, annotator: str | None = None) -> Imported:
    """Record the answers of an export; doing so again changes nothing.

    Annotators are called as Label Studio calls them: by e-mail where the export has it, else by number. The answers of
    a round that was asked of one annotator are theirs.

    Parameters
    ----------
    ledger : Ledger
        That asked.
    path : Path
        Label Studio's export, as JSON.
    annotator : str, optional
        The name of the one person who answered, whatever Label Studio calls them.

    Raises
    ------
    DataError
        Where the file is no such export, belongs to another ledger, or `annotator` or a round names one annotator and
        several have answered. Nothing is then recorded.
    """
    asked = ledger.requests().set_index("id")
    found, answers = Imported(), []
    people: dict[str, set[str]] = {}
    for one, key in _tasks(path, ledger, found):
        if key not in asked.index:
            found.strange_tasks += 1
            continue
        request = asked.loc[key]
        found.drafts += len(one.get("drafts") or ())
        for annotation in _list(one, "annotations", path):
            said = _answer(annotation, ledger.question, found, path)
            if said is None:
                continue
            person = _person(annotation, path)
            name = annotator or request["annotator"] or person
            people.setdefault(name, set()).add(person)
            answers.append(Answer(request["item"], name, said, _moment(annotation, path)))
    _one_person_each(people, {annotator, *asked["annotator"]} - {None, ""}, path)
    found.new = ledger.record(answers, sha256_of(path))
    found.known = len(answers) - found.new
    return found


def _tasks(path: Path, ledger: Ledger, found: Imported) -> list[tuple[dict[str, Any], int]]:
    """Return the tasks of an export that this ledger asked, each with its request."""
    ours = []
    elsewhere = 0
    tasks = _read(path)
    for one in tasks:
        key = one["data"].get(KEY)
        project, _, request = key.partition("/") if isinstance(key, str) else ("", "", "")
        if project == ledger.project and request.isdigit():
            ours.append((one, int(request)))
        elif request.isdigit():
            elsewhere += 1
        else:
            found.strange_tasks += 1
    if elsewhere:
        what = f"{elsewhere} of {len(tasks)} tasks were asked by another ledger than {ledger.place}"
        raise DataError(what, where=path, do="give the --ledger that asked them")
    if tasks and not ours:
        raise DataError("no task in it is from `insula label queue`", where=path, do=_EXPORT)
    return ours


def _read(path: Path) -> list[dict[str, Any]]:
    """Return the tasks of an export, each of which has its data and its annotations."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", where=path, do="give an export of Label Studio") from None
    except ValueError:
        raise DataError("this is no JSON", where=path, do=_EXPORT) from None
    tasks: list[Any] = values if isinstance(values, list) else [None]
    for one in tasks:
        if not isinstance(one, dict) or not isinstance(one.get("data"), dict) or "annotations" not in one:
            raise DataError("this is no export of Label Studio with its annotations", where=path, do=_EXPORT)
    return tasks


def _list(values: dict[str, Any], name: str, path: Path) -> list[dict[str, Any]]:
    found = values.get(name) or []
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise DataError(f"{name} of task {values.get('id')} cannot be read", where=path, do=_EXPORT)
    return found


def _answer(annotation: dict[str, Any], question: Question, found: Imported, path: Path) -> str | None:
    """Return the answer of an annotation, empty where it was skipped; None, counted, where there is none to record."""
    if annotation.get("was_cancelled"):
        found.skipped += 1
        return ""
    said: list[str] = []
    for one in _list(annotation, "result", path):
        value = one.get("value")
        if one.get("from_name") == _ANSWER and isinstance(value, dict):
            said += [str(name) for name in value.get("choices") or ()]
            said += [repr(float(value["number"]))] if isinstance(value.get("number"), int | float) else []
    if not said:
        found.empty += 1
        return None
    if len(said) > 1 or not question.accepts(said[0]):
        found.strange_answers.append(" and ".join(said))
        return None
    return said[0]


def _person(annotation: dict[str, Any], path: Path) -> str:
    who = annotation.get("completed_by")
    if isinstance(who, dict):
        who = who.get("email") or who.get("id")
    if not isinstance(who, int | str) or who == "":
        raise DataError(f"annotation {annotation.get('id')} does not say who made it", where=path, do=_EXPORT)
    return str(who)


def _moment(annotation: dict[str, Any], path: Path) -> datetime:
    """Return when an annotation was last changed; Label Studio's clock is UTC."""
    said = annotation.get("updated_at") or annotation.get("created_at")
    try:
        moment = datetime.fromisoformat(str(said))
    except ValueError:
        what = f"annotation {annotation.get('id')} does not say when it was made"
        raise DataError(what, where=path, do=_EXPORT) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _one_person_each(people: dict[str, set[str]], named: set[str | None], path: Path) -> None:
    """Refuse answers of several people that would be taken for those of one."""
    for name, found in people.items():
        if name in named and len(found) > 1:
            what = f"{len(found)} people answered ({', '.join(sorted(found))}), and not {name} alone"
            raise DataError(what, where=path, do="import without --annotator, or ask everyone")

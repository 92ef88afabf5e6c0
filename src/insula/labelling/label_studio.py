"""Label Studio: the page it shows, the tasks it reads, and the export it writes."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as Xml

from insula.errors import DataError, SettingsError
from insula.labelling.database import keepable
from insula.labelling.ledger import Answer, Ledger
from insula.labelling.media import CLIP, SUFFIXES
from insula.labelling.question import Question
from insula.storage.hashing import sha256_of
from insula.storage.tables import encoding_of

KEY = "insula"
"""The field of a task's data that says which request it is: `PROJECT/REQUEST`, and nothing of the item itself."""

_ANSWER = "answer"
_DIGITS = 18  # of a request at most, as databases count
_AHEAD = timedelta(days=1)  # by which the clock of another machine may be wrong
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # what XML 1.0 cannot hold
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
    shown = _by_shown(question)
    view = Xml.Element("View")
    for kind in kinds:
        Xml.SubElement(view, "Video" if kind == CLIP else "Image", name=kind, value=f"${kind}")
    Xml.SubElement(view, "Header", value=_shown(question.label))
    common = {"name": _ANSWER, "toName": kinds[0]}
    if question.scale is not None:
        low, high = question.scale
        step = 10.0 ** math.floor(math.log10((high - low) / 20))  # twenty steps or more
        limits = {"min": f"{low:g}", "max": f"{high:g}", "step": f"{step:g}"}
        Xml.SubElement(view, "Number", common | limits, required="true")
    else:
        choices = Xml.SubElement(view, "Choices", common, choice="single-radio", required="true")
        for name in shown:
            Xml.SubElement(choices, "Choice", value=name)
    Xml.indent(view)
    return Xml.tostring(view, encoding="unicode")


def _shown(name: str) -> str:
    """Return a name as a page can hold it: on one line, a sign that no XML has replaced by one that says so."""
    return " ".join(_NOT_XML.sub("\N{REPLACEMENT CHARACTER}", name).split())


def _by_shown(question: Question) -> dict[str, str]:
    """Return the classes of a question by what the page shows of each.

    Raises
    ------
    SettingsError
        Where two look alike.
    """
    names = {_shown(name): name for name in question.classes}
    if len(names) < len(question.classes):
        raise SettingsError(
            "two classes look alike on a page", where=f"label {question.label}", do="rename one of them"
        )
    return names


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
    joined : list of str
        Annotators whose names differ in case alone, as in `A@x.org is a@x.org`: they count as one.
    """

    new: int = 0
    known: int = 0
    skipped: int = 0
    drafts: int = 0
    empty: int = 0
    strange_tasks: int = 0
    strange_answers: list[str] = field(default_factory=list)
    joined: list[str] = field(default_factory=list)


def import_export(ledger: Ledger, path: Path, annotator: str | None = None) -> Imported:
    """Record the answers of an export; doing so again changes nothing.

    Annotators are called as Label Studio calls them: by e-mail where the export has it, else by number; names that
    differ in case alone are one annotator, called as the ledger has it already. The answers of a round that was asked
    of one annotator are theirs.

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
    imported, answers = Imported(), []
    people: dict[str, set[str]] = {}
    spelt = {name.casefold(): name for name in [*ledger.history()["annotator"], *asked["annotator"]]}
    tasks = _tasks(path, ledger, imported)
    if not any(key in asked.index for _, key in tasks):
        raise DataError("the ledger asked none of its tasks", where=path, do="give the --ledger that asked them")
    for one, key in tasks:
        if key not in asked.index:
            imported.strange_tasks += 1
            continue
        request, where = asked.loc[key], f"{path}, task {one.get('id')}"
        imported.drafts += len(_list(one, "drafts", where))
        for annotation in _list(one, "annotations", where):
            choice = _answer(annotation, ledger.question, imported, where)
            if choice is None:
                continue
            person = _person(annotation, where)
            wanted = annotator or request["annotator"] or person
            if not wanted:
                raise DataError("an annotation does not say who made it", where=where, do="give --annotator NAME")
            name = spelt.setdefault(wanted.casefold(), wanted)
            people.setdefault(name, set()).update([spelt.setdefault(person.casefold(), person)] if person else [])
            if name != wanted and f"{wanted} is {name}" not in imported.joined:
                imported.joined.append(f"{wanted} is {name}")
            answers.append(Answer(request["item"], name, choice, _moment(annotation, where)))
    _one_person_each(people, {annotator and spelt.get(annotator.casefold()), *asked["annotator"]} - {None, ""}, path)
    imported.new = ledger.record(answers, sha256_of(path))
    imported.known = len(answers) - imported.new
    return imported


def _tasks(path: Path, ledger: Ledger, imported: Imported) -> list[tuple[dict[str, Any], int]]:
    """Return the tasks of an export that this ledger asked, each with its request."""
    ours = []
    elsewhere = 0
    tasks = _read(path)
    for one in tasks:
        key = one["data"].get(KEY)
        project, _, request = key.partition("/") if isinstance(key, str) else ("", "", "")
        numbered = request.isascii() and request.isdecimal() and len(request) <= _DIGITS
        if project == ledger.project and numbered:
            ours.append((one, int(request)))
        elif numbered:
            elsewhere += 1
        else:
            imported.strange_tasks += 1
    if elsewhere:
        what = f"{elsewhere} of {len(tasks)} tasks were asked by another ledger than {ledger.place}"
        raise DataError(what, where=path, do="give the --ledger that asked them")
    if not tasks:
        raise DataError("it holds no task", where=path, do=_EXPORT)
    if not ours:
        raise DataError("no task in it is from `insula label queue`", where=path, do=_EXPORT)
    return ours


def _read(path: Path) -> list[dict[str, Any]]:
    """Return the tasks of an export, each of which has its data and its annotations."""
    try:
        values = json.loads(path.read_text(encoding=encoding_of(path)))
        json.dumps(values, ensure_ascii=False).encode()  # fails for half a character, which JSON can write
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", where=path, do="give an export of Label Studio") from None
    except UnicodeEncodeError:
        raise DataError("it holds text that is no Unicode", where=path, do=_EXPORT) from None
    except RecursionError:
        raise DataError("it is nested too deeply to be read", where=path, do=_EXPORT) from None
    except ValueError:
        raise DataError("this is no JSON", where=path, do=_EXPORT) from None
    tasks: list[Any] = values if isinstance(values, list) else [None]
    for one in tasks:
        if not isinstance(one, dict) or not isinstance(one.get("data"), dict) or "annotations" not in one:
            raise DataError("this is no export of Label Studio with its annotations", where=path, do=_EXPORT)
    return tasks


def _list(values: dict[str, Any], name: str, where: str) -> list[dict[str, Any]]:
    entries = values.get(name) or []
    if not isinstance(entries, list) or not all(isinstance(one, dict) for one in entries):
        raise DataError(f"{name} cannot be read", where=where, do=_EXPORT)
    return entries


def _answer(annotation: dict[str, Any], question: Question, imported: Imported, where: str) -> str | None:
    """Return the answer of an annotation, empty where it was skipped; None, counted, where there is none to record."""
    skipped = annotation.get("was_cancelled") or False
    if not isinstance(skipped, bool):
        raise DataError(f"was_cancelled is {skipped!r}, and not true or false", where=where, do=_EXPORT)
    if skipped:
        imported.skipped += 1
        return ""
    classes = _by_shown(question)
    choices = [
        classes.get(answer, answer)
        for one in _list(annotation, "result", where)
        if one.get("from_name") == _ANSWER and isinstance(one.get("value"), dict)
        for answer in _answers_in(one["value"])
    ]
    if not choices:
        imported.empty += 1
        return None
    if len(choices) > 1 or not question.accepts(choices[0]):
        imported.strange_answers.append(" and ".join(choices))
        return None
    return choices[0]


def _answers_in(value: dict[str, Any]) -> list[str]:
    """Return the choices and the number of a result, as text."""
    choices, number = value.get("choices") or [], value.get("number")
    answers = [str(name) for name in (choices if isinstance(choices, list) else [choices])]
    if isinstance(number, int | float) and not isinstance(number, bool):
        answers.append(repr(float(str(number))))  # by its text, as a long integer may be no float
    elif number is not None:
        answers.append(repr(number))
    return answers


def _person(annotation: dict[str, Any], where: str) -> str | None:
    """Return who made an annotation; None where it does not say."""
    who = annotation.get("completed_by")
    if isinstance(who, dict):
        who = who.get("email") or who.get("id")
    if who is None or who == "":
        return None
    if isinstance(who, bool) or not isinstance(who, int | str) or not keepable(str(who)) or not str(who).strip():
        raise DataError(f"completed_by {who!r} is no name", where=where, do="correct it in the export")
    return str(who).strip()


def _moment(annotation: dict[str, Any], where: str) -> datetime:
    """Return when an annotation was last changed; Label Studio's clock is UTC."""
    name = "updated_at" if annotation.get("updated_at") else "created_at"
    text = annotation.get(name)
    try:
        if not isinstance(text, str):
            raise ValueError
        moment = datetime.fromisoformat(text)
        moment = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise DataError(f"{name} of an annotation is no time: {text!r}", where=where, do=_EXPORT) from None
    if moment > datetime.now(UTC) + _AHEAD:
        what = f"{name} of an annotation is in the future: {text}"
        raise DataError(what, where=where, do="check the clock of this machine and of Label Studio's")
    return moment


def _one_person_each(people: dict[str, set[str]], named: set[str | None], path: Path) -> None:
    """Refuse answers of several people that would be taken for those of one."""
    for name, annotators in people.items():
        if name in named and len(annotators) > 1:
            what = f"{len(annotators)} people answered ({', '.join(sorted(annotators))}), and not {name} alone"
            raise DataError(what, where=path, do="import without --annotator, or ask everyone")

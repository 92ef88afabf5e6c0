"""A pool of small pictures to label, and people who label them in Label Studio."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from insula.labelling.question import Question
from insula.labelling.queue import Pool
from insula.samples import ArrayStore, Description, Samples, provenance
from insula.storage.atomic import write_file

QUESTION = Question(label="emotion", classes=("fear", "joy", "neutral"))
TIME = "2026-03-01T10:00:00.123456Z"


def picture_pool(count: int = 12) -> Pool:
    """Return pictures of some pixels, one a trial."""
    names = [f"{number:04d}" for number in range(count)]
    table = provenance(corpus="toy", subject="S1", session="1", trial=names, stimulus=names)
    values = np.random.default_rng(0).integers(0, 256, (count, 16, 16, 3), dtype=np.uint8)
    store = ArrayStore(values, Description(kind="picture", axes=("row", "column", "colour")))
    samples = Samples(table, {}).with_modality("picture", "pictures", store, range(count))
    return Pool(samples, np.array([f"toy/S1/1/{name}" for name in names], object), np.zeros(count, bool), QUESTION)


def annotation(who: object, answer: str | float | None, at: str = TIME, **changes: object) -> dict[str, Any]:
    """Return what Label Studio exports of one answer; none is an annotation without a choice."""
    if isinstance(answer, str):
        value: dict[str, Any] = {"type": "choices", "value": {"choices": [answer]}}
    else:
        value = {"type": "number", "value": {"number": answer}}
    result = [] if answer is None else [{"from_name": "answer", "to_name": "picture", "id": "x", **value}]
    return {"id": 1, "completed_by": who, "created_at": TIME, "updated_at": at, "was_cancelled": False,
            "lead_time": 2.5, "result": result, **changes}  # fmt: skip


def label_all(folder: Path, export: Path, annotate: Callable[[int], list[dict[str, Any]]]) -> None:
    """Let people answer the tasks of a round's folder, and write Label Studio's export.

    Parameters
    ----------
    folder : Path
        Of the round.
    export : Path
        The file to write.
    annotate : callable
        From a task's place in the round to its annotations.
    """
    tasks = json.loads((folder / "tasks.json").read_text())
    done = [
        {**task, "id": place + 1, "annotations": annotate(place), "drafts": [], "predictions": [], "meta": {}}
        for place, task in enumerate(tasks)
    ]
    with write_file(export) as temporary:
        temporary.write_text(json.dumps(done))


def two_people(place: int) -> list[dict[str, Any]]:
    """Return the answers of two people who agree on two tasks of three."""
    first = QUESTION.classes[place % 3]
    return [annotation(1, first), annotation({"id": 2, "email": "ben@lab"}, "joy" if place % 3 == 0 else first)]

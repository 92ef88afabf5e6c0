"""What Label Studio is given, and what is read of what it gives back."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar, cast
from xml.etree import ElementTree as Xml

import av
import numpy as np
import pandas as pd
import pytest
from ledgers import QUESTION, TIME, annotation, label_all, picture_pool, two_people
from PIL import Image

from insula.errors import DataError, SettingsError
from insula.labelling.label_studio import import_export, page
from insula.labelling.ledger import Ledger
from insula.labelling.question import Question
from insula.labelling.queue import Pool, ranked, uncertainty, write_queue
from insula.samples import ArrayStore, Description, Predictions, Samples, provenance
from insula.systems.base import System

POOL = picture_pool()
LATER = "2026-03-02T09:00:00.000000Z"


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "ledger.sqlite", QUESTION)


@pytest.fixture
def folder(ledger: Ledger, tmp_path: Path) -> Path:
    """A round of six pictures."""
    write_queue(ledger, POOL, POOL.items(), tmp_path / "round-1", count=6)
    return tmp_path / "round-1"


def trials() -> Pool:
    """Return two trials of four windows of two seconds, the second without a face and all but without EEG."""
    table = provenance(
        corpus="c", subject="S1", session="1", trial=list("aaaabbbb"), start=[0, 1, 2, 3, 10, 12, 14, 16.0],
        stop=[2, 3, 4, 5, 12, 14, 16, 18.0],
    )  # fmt: skip
    samples = Samples(table, {})
    faces = np.random.default_rng(0).integers(0, 256, (4, 20, 30, 3), dtype=np.uint8)
    form = Description(kind="picture", axes=("row", "column", "colour"))
    samples = samples.with_modality("picture", "faces", ArrayStore(faces, form), [0, 1, 2, 3, -1, -1, -1, -1])
    form = Description(kind="signal", axes=("channel", "time"), rate=64, channels=("Cz", "Pz"), units="uV")
    waves = np.random.default_rng(0).standard_normal((5, 2, 128)).astype(np.float32)
    waves[0, 0, :5] = np.inf
    samples = samples.with_modality("eeg", "eeg", ArrayStore(waves, form), [0, 1, 2, 3, -1, -1, -1, 4])
    return Pool(samples, np.array([f"c/S1/1/{name}" for name in "aaaabbbb"], object), np.zeros(8, bool), QUESTION)


def test_tasks_name_files_that_are_there_and_nothing_of_the_item(ledger: Ledger, folder: Path) -> None:
    tasks = json.loads((folder / "tasks.json").read_text())
    assert len(tasks) == 6 and all(set(task) == {"data"} for task in tasks)
    assert "toy" not in (folder / "tasks.json").read_text() and "S1" not in (folder / "tasks.json").read_text()
    view = Xml.parse(folder / "page.xml").getroot()
    wanted = {one.get("value", "").removeprefix("$") for one in view.iter() if one.get("value", "").startswith("$")}
    for task, item in zip(tasks, ledger.requests()["item"], strict=True):
        assert set(task["data"]) == wanted | {"insula"}
        shown = np.asarray(Image.open(folder.parent / task["data"]["picture"].removeprefix("/data/local-files/?d=")))
        place = list(POOL.units).index(item)
        np.testing.assert_array_equal(shown, POOL.samples.select([place]).read("picture")[0])
    assert len(list((folder / "media").iterdir())) == 6
    control = next(one for one in view.iter("Choices"))
    assert {one.get("name") for one in view.iter("Image")} == {control.get("toName")}
    assert [one.get("value") for one in control] == list(QUESTION.classes)


def test_the_page_asks_for_a_rating_on_its_scale_and_survives_any_name() -> None:
    number = next(Xml.fromstring(page(Question(label="a <b> & c", scale=(-1, 1)), ["eeg"])).iter("Number"))
    assert (number.get("min"), number.get("max"), number.get("step"), number.get("toName")) == ("-1", "1", "0.1", "eeg")
    odd = Question(label="x", classes=('"quoted"', "<tag> & more"))
    assert [one.get("value") for one in Xml.fromstring(page(odd, ["clip"])).iter("Choice")] == list(odd.classes)


def test_a_trial_is_shown_as_a_clip_and_its_eeg_drawn_and_what_is_missing_is_said(
    ledger: Ledger, tmp_path: Path
) -> None:
    pool = trials()
    first, second = write_queue(ledger, pool, pool.items()[::-1], tmp_path / "round", count=2)
    names = {first.item[-1]: first.id, second.item[-1]: second.id}
    media = tmp_path / "round" / "media"
    frames, seconds = {}, {}
    for name, number in names.items():
        with av.open(str(media / f"{number:05d}-clip.mp4")) as container:
            stream = container.streams.video[0]
            frames[name] = [frame.to_ndarray(format="rgb24") for frame in container.decode(stream)]
            seconds[name] = 1 / float(stream.average_rate)
        with Image.open(media / f"{number:05d}-eeg.png") as picture:
            picture.verify()
    assert len(frames["a"]) == 4 and seconds["a"] == 1.0 and len(frames["b"]) == 1
    face = pool.samples.select([2]).read("picture")[0]
    tall, wide = frames["a"][2].shape[0] // 20, frames["a"][2].shape[1] // 30
    seen = frames["a"][2].reshape(20, tall, 30, wide, 3).mean(axis=(1, 3))
    assert np.abs(seen.mean(axis=2) - face.mean(axis=2)).mean() < 6  # brightness, which the codec keeps
    assert np.ptp(frames["b"][0][:5]) < 10  # a grey picture with a word on it
    kinds = {one.tag: one.get("value") for one in Xml.parse(tmp_path / "round" / "page.xml").getroot()}
    assert kinds["Video"] == "$clip" and kinds["Image"] == "$eeg"


def test_overlapping_windows_are_drawn_once_and_a_gap_is_one() -> None:
    from insula.labelling.media import _course

    pool = trials()
    times, values = _course(pool.samples.select([0, 1, 2]))  # 0 to 2 s, 1 to 3 s, 2 to 4 s
    assert values.shape == (2, 256) and times[-1] == pytest.approx(4 - 1 / 64)
    np.testing.assert_array_equal(values[:, 128:], pool.samples.select([2]).read("eeg")[0])
    times, values = _course(pool.samples.select([0, 3]))  # nothing is known of 2 to 3 s
    assert np.isnan(values[:, 128]).all() and values.shape == (2, 257) and times[-1] == pytest.approx(5 - 1 / 64)


def test_the_same_command_finishes_a_round_and_changes_nothing_of_a_whole_one(ledger: Ledger, tmp_path: Path) -> None:
    folder = tmp_path / "round"
    requests = ledger.ask(POOL.items(), "round", count=4)  # killed before the folder was written
    assert write_queue(ledger, POOL, POOL.items(), folder, count=4) == requests
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert write_queue(ledger, POOL, POOL.items(), folder, count=4) == requests
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == before


def test_what_is_in_the_way_stays_and_nothing_is_asked(ledger: Ledger, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("x")
    other = Ledger(tmp_path / "other.sqlite", QUESTION)
    for owner, place in ((ledger, tmp_path / "mine"), (other, folder), (ledger, tmp_path / "mine" / "notes.txt")):
        with pytest.raises(SettingsError, match="something else"):
            write_queue(owner, POOL, POOL.items(), place)
    assert len(ledger.requests()) == 6 and other.requests().empty
    deaf = Pool(Samples(POOL.samples.table[["corpus", "subject", "session", "trial", "stimulus", "identity", "start",
                "stop"]], {}), POOL.units, POOL.labelled, QUESTION)  # fmt: skip
    with pytest.raises(DataError, match="nothing to show"):
        write_queue(other, deaf, POOL.items(), tmp_path / "next")
    assert other.requests().empty


def test_items_without_a_score_come_last_and_an_order_is_drawn_once() -> None:
    items = POOL.items()
    assert items == picture_pool().items() and items != sorted(items)
    scores = pd.Series({items[5]: 0.2, items[3]: 0.9, items[7]: np.nan})
    assert ranked(items, scores)[:3] == [items[3], items[5], items[0]]


def exported(folder: Path, annotate: Callable = two_people, name: str = "export.json") -> Path:
    label_all(folder, folder.parent / name, annotate)
    return folder.parent / name


def test_an_export_is_recorded_once(ledger: Ledger, folder: Path) -> None:
    found = import_export(ledger, exported(folder))
    assert (found.new, found.known) == (12, 0) and not found.strange_answers
    said = ledger.answered()
    assert set(said["annotator"]) == {"1", "ben@lab"} and said.groupby("annotator").size().tolist() == [6, 6]
    assert said["answered_at"].unique().tolist() == [pd.Timestamp(TIME)]
    again = import_export(ledger, exported(folder))
    assert (again.new, again.known) == (0, 12) and ledger.answered().equals(said)
    assert ledger.rounds()[["asked", "answered"]].values.tolist() == [[6, 6]]


def test_a_later_export_adds_what_is_new_and_corrects(ledger: Ledger, folder: Path) -> None:
    import_export(ledger, exported(folder, lambda place: two_people(place) if place < 2 else []))
    found = import_export(ledger, exported(folder, lambda place: [annotation(1, "fear", LATER)] if place < 3 else []))
    assert found.new == 3
    mine = ledger.answered().query("annotator == '1'")
    assert mine["answer"].tolist() == ["fear"] * 3 and len(ledger.history()) == 7


def test_what_is_no_answer_is_counted_and_left_out(ledger: Ledger, folder: Path) -> None:
    kinds = [
        [annotation(1, None, was_cancelled=True)], [annotation(1, None)], [annotation(1, "happy")],
        [annotation(1, "joy", result=[*annotation(1, "joy")["result"], *annotation(1, "fear")["result"]])],
        [annotation(1, 3.0)], [annotation(1, "joy")],
    ]  # fmt: skip
    path = exported(folder, lambda place: kinds[place])
    tasks = json.loads(path.read_text())
    tasks[0]["drafts"] = [{"id": 3}]
    own = {"id": 9, "data": {"text": "a task of somebody else"}, "annotations": [annotation(1, "joy")]}
    gone = {"id": 10, "data": {"insula": f"{ledger.project}/99"}, "annotations": [annotation(1, "joy")]}
    path.write_text(json.dumps([*tasks, own, gone]))
    found = import_export(ledger, path)
    assert (found.new, found.skipped, found.empty, found.drafts, found.strange_tasks) == (2, 1, 1, 1, 2)
    assert found.strange_answers == ["happy", "joy and fear", "3.0"]
    assert ledger.history()["answer"].tolist().count("") == 1 and len(ledger.answered()) == 1


def test_ratings_are_read(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.sqlite", Question(label="valence", scale=(1, 9)))
    write_queue(ledger, POOL, POOL.items(), tmp_path / "round", count=2)
    found = import_export(ledger, exported(tmp_path / "round", lambda place: [annotation(1, 9.5 if place else 4)]))
    assert found.new == 1 and found.strange_answers == ["9.5"] and ledger.answered()["answer"].tolist() == ["4.0"]


def test_the_answers_of_a_round_for_one_are_theirs(ledger: Ledger, tmp_path: Path) -> None:
    write_queue(ledger, POOL, POOL.items(), tmp_path / "anna", count=3, annotator="anna")
    import_export(ledger, exported(tmp_path / "anna", lambda place: [annotation(1, "joy")]))
    assert set(ledger.answered()["annotator"]) == {"anna"} and ledger.rounds()["answered"].tolist() == [3]
    with pytest.raises(DataError, match="2 people answered"):
        import_export(ledger, exported(tmp_path / "anna"))


def test_one_person_has_the_name_that_is_given(ledger: Ledger, folder: Path) -> None:
    import_export(ledger, exported(folder, lambda place: [annotation(1, "joy")]), "carla")
    assert set(ledger.answered()["annotator"]) == {"carla"}
    with pytest.raises(DataError, match="2 people answered"):
        import_export(ledger, exported(folder), "carla")


@pytest.mark.parametrize(("content", "said"), [
    ("{", "no JSON"), ("\xff", "no JSON"), ('{"a": 1}', "no export"), ("[1]", "no export"),
    ('[{"id": 1, "choice": "joy"}]', "no export"),
    ('[{"data": {}, "annotations": []}]', "no task in it is from"),
    ('[{"data": {"insula": "other/3"}, "annotations": []}]', "another ledger"),
    ("[]", "no task"), ("[" * 100_000, "nested too deeply"), ('["\\ud800"]', "no Unicode"),
])  # fmt: skip
def test_what_is_no_export_of_ours_is_refused_in_one_line(
    ledger: Ledger, tmp_path: Path, content: str, said: str
) -> None:
    path = tmp_path / "export.json"
    path.write_text(content, encoding="latin-1")
    with pytest.raises(DataError, match=said) as raised:
        import_export(ledger, path)
    assert "\n" not in str(raised.value) and "export.json" in str(raised.value)
    assert ledger.history().empty
    with pytest.raises(DataError, match="cannot be read"):
        import_export(ledger, tmp_path / "nothing.json")


@pytest.mark.parametrize(("change", "said"), [
    ({"completed_by": None}, "--annotator NAME"), ({"completed_by": ""}, "--annotator NAME"),
    ({"completed_by": {}}, "--annotator NAME"), ({"completed_by": True}, "completed_by True is no name"),
    ({"completed_by": [1]}, "is no name"), ({"completed_by": "a\0b"}, "is no name"),
    ({"updated_at": "yesterday"}, "updated_at .* no time"), ({"updated_at": 20260301}, "updated_at .* no time"),
    ({"updated_at": None, "created_at": ""}, "created_at .* no time"),
    ({"updated_at": "0001-01-01T00:00:00+14:00"}, "updated_at .* no time"),
    ({"updated_at": "9000-01-01T00:00:00Z"}, "in the future"),
    ({"was_cancelled": "false"}, "was_cancelled"), ({"result": ["joy"]}, "result cannot be read"),
])  # fmt: skip
def test_a_broken_annotation_is_named_and_nothing_is_recorded(
    ledger: Ledger, folder: Path, change: dict, said: str
) -> None:
    path = exported(folder, lambda place: [annotation(1, "joy", **(change if place == 5 else {}))])
    with pytest.raises(DataError, match=said) as raised:
        import_export(ledger, path)
    assert "export.json, task 6" in str(raised.value) and "\n" not in str(raised.value)
    assert ledger.history().empty


def test_a_name_that_is_given_stands_for_one_that_is_missing(ledger: Ledger, folder: Path) -> None:
    found = import_export(ledger, exported(folder, lambda place: [annotation(None, "joy")]), "carla")
    assert found.new == 6 and set(ledger.answered()["annotator"]) == {"carla"}


def test_an_export_of_which_the_ledger_asked_nothing_is_refused(ledger: Ledger, folder: Path, tmp_path: Path) -> None:
    keys = ["99", "9" * 30, "\u00b2"]  # the last is a digit, and no number
    tasks = [{"data": {"insula": f"{ledger.project}/{key}"}, "annotations": [annotation(1, "joy")]} for key in keys]
    (tmp_path / "gone.json").write_text(json.dumps(tasks))
    with pytest.raises(DataError, match="asked none of its tasks"):
        import_export(ledger, tmp_path / "gone.json")


def test_a_choice_may_be_text_and_what_is_no_number_is_no_rating(ledger: Ledger, folder: Path, tmp_path: Path) -> None:
    text = [{"from_name": "answer", "type": "choices", "value": {"choices": "joy"}}]
    found = import_export(ledger, exported(folder, lambda place: [annotation(1, None, result=text)]))
    assert found.new == 6 and set(ledger.answered()["answer"]) == {"joy"}
    rating = Ledger(tmp_path / "rating.sqlite", Question(label="valence", scale=(0, 9)))
    write_queue(rating, POOL, POOL.items(), tmp_path / "rating", count=4)
    numbers = [True, "3", 10**400, 3]
    values = [[{"from_name": "answer", "type": "number", "value": {"number": number}}] for number in numbers]
    found = import_export(
        rating, exported(tmp_path / "rating", lambda place: [annotation(1, None, result=values[place])])
    )
    assert found.strange_answers == ["True", "'3'", "inf"] and rating.answered()["answer"].tolist() == ["3.0"]


def test_a_place_where_no_folder_can_be_made_is_refused_before_anything_is_asked(
    ledger: Ledger, tmp_path: Path
) -> None:
    (tmp_path / "films.yaml").touch()
    for place in (tmp_path / "films.yaml" / "x", tmp_path / ("x" * 300)):
        with pytest.raises(SettingsError, match="cannot be made") as raised:
            write_queue(ledger, POOL, POOL.items(), place)
        assert "\n" not in str(raised.value)
    assert ledger.requests().empty and ledger.rounds().empty


def system_of(modality: str, *classes: str) -> System:
    """Return a stand-in that reads one modality and answers with some classes."""

    class Known:
        predicts_from = (modality,)
        modes: ClassVar[dict[str, str]] = {modality: "from it"}

        def predict(self, samples: Samples, mode: str | None = None) -> Predictions:
            return Predictions.of(classes, np.full((len(samples), len(classes)), 1 / len(classes)), samples.ids)

    return cast("System", Known())


def test_a_bundle_of_another_corpus_orders_nothing() -> None:
    with pytest.raises(DataError, match="reads eeg, and the corpus has picture"):
        uncertainty(POOL, system_of("eeg", *QUESTION.classes))
    with pytest.raises(DataError, match="knows low, high, and asked is emotion"):
        uncertainty(POOL, system_of("picture", "low", "high"))
    assert len(uncertainty(POOL, system_of("picture", "joy", "awe"))) == 12


def test_an_annotator_spelt_two_ways_is_one_and_an_export_may_be_in_any_encoding(ledger: Ledger, folder: Path) -> None:
    people = ["A@x.org", "a@x.org", "b@x.org"]
    path = folder / "export.json"
    label_all(folder, path, lambda place: [annotation(people[place % 3], "joy")])
    text = path.read_text()
    for encoding in ("utf-8-sig", "utf-16"):
        path.write_text(text, encoding=encoding)
        tally = import_export(ledger, path)
        assert tally.joined == ["a@x.org is A@x.org"]
    assert tally.new == 0 and set(ledger.answered()["annotator"]) == {"A@x.org", "b@x.org"}


def test_a_page_is_well_formed_whatever_a_class_is_called_and_its_answers_come_back(tmp_path: Path) -> None:
    odd = Question(label="x\x1b", classes=("a\x08b", "two\nlines", "\ud800half", "<&>\"'"))
    values = [one.get("value") for one in Xml.fromstring(page(odd, ["picture"])).iter("Choice")]
    assert values == ["a\ufffdb", "two lines", "\ufffdhalf", "<&>\"'"]
    with pytest.raises(SettingsError, match="two classes look alike"):
        page(Question(label="x", classes=("a b", "a\nb")), ["picture"])
    pool = Pool(POOL.samples, POOL.units, np.zeros(len(POOL.units), bool), Question(label="x", classes=odd.classes[:2]))
    ledger = Ledger(tmp_path / "odd.sqlite", pool.question)
    write_queue(ledger, pool, pool.items(), tmp_path / "round", count=2)
    label_all(tmp_path / "round", tmp_path / "export.json", lambda place: [annotation(1, values[place])])
    assert import_export(ledger, tmp_path / "export.json").new == 2
    assert set(ledger.answered()["answer"]) == set(odd.classes[:2])

"""The round trip of `insula label`, as a person would go."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import ClassVar

import pandas as pd
import pytest
from ledgers import annotation, label_all
from PIL import Image

from insula.cli import main

pytestmark = pytest.mark.slow

CLASSES = ("fear", "joy", "neutral")


@pytest.fixture
def label(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    def call(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["insula", "label", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        return (ended.value.code if isinstance(ended.value.code, int) else 0), out, err

    return call


@pytest.fixture
def faces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """A folder of ten pictures, two of them labelled, and the words that name it; the current folder is another."""
    root = tmp_path / "faces"
    root.mkdir()
    for number in range(10):
        Image.new("RGB", (32, 32), (20 * number, 0, 0)).save(root / f"{number}.png")
    labels = ["fear", "joy", *[None] * 8]
    table = pd.DataFrame({"path": [f"{number}.png" for number in range(10)], "emotion": labels})
    table.to_csv(root / "faces.csv", index=False)
    monkeypatch.setenv("INSULA_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    changes = [f"corpus.root={root}", "corpus.manifest=faces.csv", "corpus.faces=cropped", "corpus.size=32",
               f"task.classes=[{', '.join(CLASSES)}]"]  # fmt: skip
    yield ["folder", *(word for change in changes for word in ("--set", change))]


def answers(place: int) -> list[dict]:
    first = CLASSES[place % 3]
    return [annotation(1, first), annotation(2, "joy" if place == 0 else first)]


def test_queue_two_annotators_import_agreement_export_and_the_next_round(label: Callable, faces: list[str]) -> None:
    code, out, err = label("queue", *faces, "--count", 5, "-o", "labels/round-1", "--json")
    assert code == 0, err
    first = json.loads(out)
    assert len(first["asked"]) == 5 and first["left"] == 3  # the two with a label are not asked
    assert label("agreement")[0] == 2  # nobody has answered yet

    label_all(Path("labels/round-1"), Path("export.json"), answers)
    assert json.loads(label("import", "export.json", "--json")[1])["new"] == 10
    assert "0 new, 10 known before" in label("import", "export.json")[1]
    status = json.loads(label("status", "--json")[1])
    assert status["rounds"][0]["answered"] == 5 and [one["items"] for one in status["annotators"]] == [5, 5]
    assert "round-1" in label("status")[1]

    found = json.loads(label("agreement", "--json")[1])
    assert found["pairs"][0]["same"] == 0.8 and 0 < found["alpha"] < 1 and len(found["classes"]) == 3
    assert "Pairs of annotators" in label("agreement")[1]

    code, out, _ = label("export", "-o", "labels.csv")
    assert code == 0 and "1 of them without a label" in out
    table = pd.read_csv("labels.csv")
    assert set(table["item"]) == set(first["asked"]) and table["emotion"].isna().sum() == 1
    assert label("export", "-o", "votes.csv", "--merge", "votes")[0] == 0
    assert pd.read_csv("votes.csv").filter(like="emotion_").sum().sum() == 10

    second = json.loads(label("queue", *faces, "--count", 5, "-o", "labels/round-2", "--json")[1])
    assert len(second["asked"]) == 3 and not set(second["asked"]) & set(first["asked"]) and second["left"] == 0
    assert "nothing is left to ask" in label("queue", *faces, "-o", "labels/round-3")[2]
    assert len(json.loads(label("queue", *faces, "--all", "-o", "labels/round-3", "--json")[1])["asked"]) == 2


def test_the_highest_scores_are_asked_first(label: Callable, faces: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("INSULA_LEDGER", "a/ledger.sqlite")
        items = json.loads(label("queue", *faces, "-o", "a/all", "--json")[1])["asked"]
    scores = pd.DataFrame({"item": items, "score": range(len(items))})
    scores.to_csv("scores.csv", index=False)
    code, out, err = label("queue", *faces, "--scores", "scores.csv", "--count", 2, "-o", "labels/one", "--json")
    assert code == 0, err
    assert json.loads(out)["asked"] == items[:-3:-1]


def test_a_bundle_says_what_it_is_least_sure_of(
    label: Callable, faces: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import numpy as np

    from insula.samples import Predictions, Samples

    class Sure:
        """A system that is the surer, the redder a picture is, and that must not see a label."""

        predicts_from = ("picture",)
        modes: ClassVar[dict[str, str]] = {"visual": "from the picture"}

        def predict(self, samples: Samples, mode: str | None = None) -> Predictions:
            assert "emotion" not in samples.table
            red = samples.read("picture")[:, 0, 0, 0] / 255
            return Predictions.of(CLASSES[:2], np.stack([0.5 + red / 2, 0.5 - red / 2], axis=1), samples.ids)

    monkeypatch.setattr("insula.deployment.bundle.open_bundle", lambda folder: Sure())
    asked = json.loads(label("queue", *faces, "--bundle", "b", "--count", 3, "-o", "labels/one", "--json")[1])["asked"]
    assert [item.rpartition("/")[2].split(".")[0] for item in asked] == ["2", "3", "4"]  # 0 and 1 have a label


def test_a_round_that_was_asked_before_is_said_to_be_found_again(label: Callable, faces: list[str]) -> None:
    assert "found again" not in label("queue", *faces, "--count", 6, "-o", "labels/round-1")[1]
    out = label("queue", *faces, "--count", 2, "-o", "labels/round-1")[1]
    assert "found again, as it was asked 20" in out and "6 items" in out
    assert json.loads(label("queue", *faces, "-o", "labels/round-1", "--json")[1])["found_again"]


def test_names_are_shown_as_they_are_and_what_is_not_known_as_a_dash(label: Callable, faces: list[str]) -> None:
    label("queue", *faces, "--count", 1, "-o", "labels/round-1")
    names = "a[/red]b", "[bold]c:smile:\x1b[31m"
    label_all(Path("labels/round-1"), Path("export.json"), lambda place: [annotation(who, "joy") for who in names])
    assert label("import", "export.json")[0] == 0
    for words in ("status", "agreement"):
        code, out, err = label(words)
        assert code == 0 and "a[/red]b" in out and "[bold]c:smile:" in out and "\x1b" not in out, err
        assert "nan" not in out
    assert "not known where all answers are the same" in out
    later = "2026-03-03T10:00:00Z"
    label_all(Path("labels/round-1"), Path("later.json"), lambda place: [annotation(names[0], "fear", later)])
    label("import", "later.json")
    assert "interval not known, too few items" in label("agreement")[1]


def test_bad_input_is_one_line_and_exit_code_2(label: Callable, faces: list[str], tmp_path: Path) -> None:
    Path("full").mkdir()
    Path("full/file").touch()
    Path("export.json").write_text("[]x")
    Path("scores.csv").write_text("item,score\nnobody,1\n")
    assert label("queue", *faces, "--count", 2, "-o", "labels/one")[0] == 0
    bad = [
        (("queue", "no-such-corpus", "-o", "labels/two"), "no-such-corpus"),
        (("queue", *faces, "-o", "full"), "something else"),
        (("queue", *faces, "-o", "labels/two", "--scores", "scores.csv"), "items are called as"),
        (("queue", *faces, "-o", "labels/two", "--scores", "gone.csv"), "no such file"),
        (("queue", *faces, "-o", "labels/two", "--bundle", "gone"), "gone"),
        (("queue", *faces, "-o", "labels/two", "--set", "task.classes=[a, b]"), "asks for emotion"),
        (("queue", *faces[:-2], "--set", "corpus.label=mood", "-o", "labels/two"), "mood"),
        (("queue", *faces, "-o", "scores.csv/x"), "cannot be made"),
        (("import", "export.json"), "no JSON"),
        (("import", "gone.json"), "cannot be read"),
        (("status", "--ledger", "gone.sqlite"), "there is no ledger"),
        (("status", "--ledger", "postgresql://me:hush@127.0.0.1:1/x"), "127.0.0.1:1"),
        (("export", "-o", "labels"), "is a folder"),
    ]
    for words, said in bad:
        code, _, err = label(*words)
        assert code == 2 and said in err and err.count("\n") == 1 and "hush" not in err, (words, err)
    assert json.loads(label("status", "--json")[1])["rounds"][0]["asked"] == 2

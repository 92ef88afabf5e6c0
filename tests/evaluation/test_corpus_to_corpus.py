"""Train on one corpus of faces and test on others: the recipes of the documentation, on fakes in the true layouts."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pandas as pd
import pytest

from insula.corpora.fakes import FAKES
from insula.emotions import LABEL_SPACES
from insula.evaluation.experiment import run
from insula.evaluation.label_sets import label_set_metrics, label_set_table, label_sets
from insula.evaluation.recipe import Recipe
from insula.evaluation.report import write_report
from insula.evaluation.results import Results
from insula.storage.cache import Cache

pytestmark = pytest.mark.filterwarnings("ignore:.* published pictures are there", "ignore:.* rows of FER")

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "provenance-and-splits.md"
# what the fakes need: their drawn faces are whole pictures, and learning is not what is tested
SMALL = ["system.name=linear", "controls=[majority]", "corpus.corpora.fed-ro={faces: cropped, size: 48}"]


def done(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch, *changes: str) -> Results:
    """Run a recipe of the page on fakes and write its report to `folder/run`."""
    text = re.search(rf'```yaml title="{name}.yaml"\n(.*?)```', PAGE.read_text(), re.DOTALL)
    assert text is not None
    (folder / "recipe.yaml").write_text(text[1])
    recipe = Recipe.load(folder / "recipe.yaml", [*SMALL, *changes])
    for corpus in recipe.corpus["corpora"]:
        FAKES[corpus](folder)
    monkeypatch.setenv("INSULA_DATA", str(folder))
    results = run(recipe, Cache(folder / "cache"))
    write_report(results, folder / "run")
    return results


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setattr("insula.evaluation.report.plots", lambda *_: [])
    return monkeypatch


def test_raf_db_to_fed_ro_says_of_how_many_of_400_pictures_it_is(tmp_path: Path, quick: pytest.MonkeyPatch) -> None:
    results = done("raf-db-to-fed-ro", tmp_path, quick, "corpus.corpora.raf-db.size=48")
    assert set(results.predictions["unit"].str.split("/").str[0]) == {"fed-ro"}
    told = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert told["n"] == 21 and "corpora" not in told and set(told["arms"]["plain"]) == {"title", "7way", "present_only"}
    passport = json.loads((tmp_path / "run" / "passport.json").read_text())
    assert "fed-ro: test: 21 of 400 published pictures are there" in passport["corpus"]["notes"]
    page = (tmp_path / "run" / "report.html").read_text()
    assert "Tested on fed-ro" in page and "21 of 400 published pictures" in page
    assert "By corpus and label set" not in page  # one corpus, which has every class


def test_official_parts_of_two_corpora_are_told_by_corpus_too(tmp_path: Path, quick: pytest.MonkeyPatch) -> None:
    changes = ["corpus.corpora.raf-db.size=48", "protocol={name: as-given}"]
    results = done("raf-db-to-fed-ro", tmp_path, quick, *changes)
    told = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert {name: one["n"] for name, one in told["corpora"].items()} == {"fed-ro": 21, "raf-db": 14}
    assert results.cluster is None  # nobody is known


def test_fer_plus_to_three_corpora_tells_each_by_itself(tmp_path: Path, quick: pytest.MonkeyPatch) -> None:
    sizes = [f"corpus.corpora.{name}.size=48" for name in ("fer2013", "affectnet", "ck-plus")]
    results = done("fer-plus-to-three", tmp_path, quick, *sizes, "corpus.corpora.ck-plus.faces=cropped")
    assert results.classes == LABEL_SPACES["ferplus8"]
    told = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert {name: one["n"] for name, one in told["corpora"].items()} == {"affectnet": 16, "ck-plus": 42, "fed-ro": 21}
    assert told["n"] == 79
    for name, one in told["corpora"].items():
        rows = results.rows("plain")
        rows = rows[rows["corpus"] == name]
        expected = label_set_metrics(
            rows["truth"].to_numpy(object), rows[[f"p_{c}" for c in results.classes]].to_numpy(), results.classes
        )
        assert {key: one["arms"]["plain"][key] for key in expected} == expected
    present = {name: one["arms"]["plain"]["present_only"]["present_names"] for name, one in told["corpora"].items()}
    assert set(results.classes) - set(present["ck-plus"]) == {"neutral"}
    assert set(results.classes) - set(present["fed-ro"]) == {"contempt"}
    assert label_set_table(results, label_sets(results))[["corpus", "n"]].to_numpy().tolist() == [
        ["affectnet", 16], ["ck-plus", 42], ["fed-ro", 21],
    ]  # fmt: skip
    page = (tmp_path / "run" / "report.html").read_text()
    assert "By corpus and label set" in page and "21 of 400 published pictures" in page
    assert "of affectnet and ck-plus and fed-ro together" in page
    groups = pd.read_csv(tmp_path / "run" / "groups.csv").query("arm == 'plain' and column == 'corpus'")
    assert groups.set_index("group")["units"].to_dict() == {"affectnet": 16, "ck-plus": 42, "fed-ro": 21}
    assert Results.open(tmp_path / "run").groups == results.groups
    units = results.rows("plain").set_index("unit")
    people = units.groupby("corpus")["identity"].nunique()
    assert results.cluster == "identity" and people.to_dict() == {"affectnet": 16, "ck-plus": 7, "fed-ro": 21}


def test_pictures_of_one_person_stay_together_in_intervals(tmp_path: Path, quick: pytest.MonkeyPatch) -> None:
    changes = ["corpus.corpora={fer2013: {label_mode: majority, size: 48}, ck-plus: {faces: cropped, size: 48}}",
               "protocol.test_corpora=[ck-plus]"]  # fmt: skip
    quick.setitem(globals(), "SMALL", SMALL[:2])
    results = done("fer-plus-to-three", tmp_path, quick, *changes)
    assert results.cluster == "identity"
    assert results.predictions["identity"].nunique() == 7 and results.predictions["unit"].nunique() == 42
    told = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert told["n"] == 42 and "corpora" not in told
    assert "By corpus and label set" in (tmp_path / "run" / "report.html").read_text()  # there is no neutral

"""The report: complete, self-contained, marked where the split leaks, and written whole."""

from __future__ import annotations

import base64
import csv
import json
import re
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser

import pytest
from made_up_results import CLASSES, make_passport, make_results

from insula.evaluation.metrics import classification_metrics
from insula.evaluation.plots import plots
from insula.evaluation.report import write_report
from insula.evaluation.results import Results
from insula.evaluation.table import metrics_table

pytestmark = pytest.mark.slow


class Page(HTMLParser):
    """What a test needs to know of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.words: list[str] = []
        self.feed(text)
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def all(self, tag: str) -> list[dict]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def results() -> Results:
    return make_results(studies=2, units=60)


@pytest.fixture(scope="module")
def run(results, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    write_report(results, folder)
    return folder


@pytest.fixture(scope="module")
def page(run) -> Page:
    return Page((run / "report.html").read_text())


def test_a_run_leaves_its_files_and_nothing_else(run):
    written = [
        "groups.csv",
        "metrics.csv",
        "metrics.json",
        "metrics.md",
        "metrics.tex",
        "passport.json",
        "report.html",
        "results",
    ]
    assert sorted(path.name for path in run.iterdir()) == written
    assert json.loads((run / "passport.json").read_text())["seeds"] == [0, 1, 2, 3, 4]
    rows = list(csv.DictReader((run / "metrics.csv").open()))
    assert [row["arm"] for row in rows][:2] == ["fusion", "visual"]
    assert {row["split"] for row in rows} == {"clean"}


def test_the_page_loads_nothing_from_anywhere(run, page):
    text = (run / "report.html").read_text()
    assert not page.all("script")
    assert not page.all("link")
    assert not re.search(r"url\(|@import|src=\"(?!data:)", text)
    assert all(image["src"].startswith("data:image/svg+xml;base64,") for image in page.all("img"))


def test_every_picture_and_table_can_be_heard(page):
    assert len(page.all("img")) == 9
    assert all(len(image["alt"]) > 40 for image in page.all("img"))
    assert len(page.all("table")) == len(page.all("caption"))
    assert page.all("html")[0]["lang"] == "en"
    assert all("scope" in head for head in page.all("th"))


def test_the_verdict_comes_first(page, results):
    words = page.text
    places = [words.index(part) for part in ("right in", "The figures", "Pictures", "Reported, not ours", "Passport")]
    assert places == sorted(places)


def test_the_data_stand_beside_the_verdict_and_each_interval_answers_a_question(tmp_path):
    passport = make_passport()
    passport["corpus"]["origin"] = "simulated brains & drawn faces"
    results = make_results(studies=1, repeats=2, units=60, passport=passport, embedding=None)
    said = write_report(results, tmp_path)
    words = Page((tmp_path / "report.html").read_text()).text
    head = words[: words.index("The figures")]
    assert f"{said.kind.capitalize()} on simulated brains & drawn faces" in head
    for question in said.questions:
        assert f"{question.asked} {question.answer}" in head
    assert Results.open(tmp_path).origin == "simulated brains & drawn faces"


def test_the_main_table_can_be_pasted_and_names_arms_as_every_other_file_does(run, page, results):
    tex, text = ((run / f"metrics.{kind}").read_text() for kind in ("tex", "md"))
    rows = [line.removesuffix(r" \\") for line in tex.splitlines() if line.endswith(r"\\")][1:]
    assert len(rows) == len(results.arms) == len(text.strip().splitlines()) - 4
    for arm, row, line in zip(results.arms, rows, text.strip().splitlines()[4:], strict=True):
        assert row.split(" & ")[:2] == [arm.name, arm.title] and len(row.split(" & ")) == line.count(" | ") + 1
        assert line.startswith(f"| {arm.name} | {arm.title} | ") and f"{arm.title} {arm.name}" in page.text
    assert tex.startswith("% ") and text.startswith(("Fusion", "It is"))


def test_every_arm_and_fact_is_in_the_page(page, results):
    for arm in results.arms:
        assert arm.title in page.text
    for part in ("mean over 4 fits", "No identity of the test part", "never on the test part", "found no leak"):
        assert part in page.text, part
    assert "88.51 %" in page.text
    assert "They are reported, not ours" in page.text


def test_a_clean_run_has_no_banner(page):
    assert "as published" not in page.text.lower().replace("“as_published”: false", "")
    assert not any("alert" in tag.get("role", "") for tag in page.all("div"))


def test_a_leaking_run_is_marked_everywhere(tmp_path):
    leaking = make_results(studies=1, units=40, passport=make_passport(as_published=True))
    write_report(leaking, tmp_path)
    page = Page((tmp_path / "report.html").read_text())
    assert page.all("div")[0]["role"] == "alert"
    assert page.text.count("Leaking split, as published.") == len(page.all("img")) + 3  # pictures and the three tables
    rows = csv.DictReader((tmp_path / "metrics.csv").open())
    assert {row["split"] for row in rows} == {"leaking split, as published"}
    for image in page.all("img"):
        drawn = base64.b64decode(image["src"].partition(",")[2]).decode()
        assert "<!-- leaking split, as published -->" in drawn


def test_hostile_names_stay_text(tmp_path, monkeypatch):
    monkeypatch.setattr("insula.evaluation.report.plots", lambda *_: [])
    hostile = make_results(studies=1, units=30, facts={"<script>alert(1)</script>": "<b>"}, embedding=None)
    write_report(hostile, tmp_path)
    assert "<script>" not in (tmp_path / "report.html").read_text()


def test_pictures_are_whole_and_drawn_alike_again(results, page):
    import matplotlib

    before = dict(matplotlib.rcParams)
    again = [plot.picture for plot in plots(results, metrics_table(results))]
    assert again == [image["src"] for image in page.all("img")]
    assert dict(matplotlib.rcParams) == before
    for picture in again:
        ElementTree.fromstring(base64.b64decode(picture.partition(",")[2]))


def test_a_bare_run_still_makes_a_report(tmp_path):
    """No baseline, no groups, no embedding, one fold: what is not there is not drawn."""
    rich = make_results(studies=1, units=30, folds=1)
    rows = rich.predictions.drop(columns=["identity", "face_gender", "face_eth", "uncertainty"])
    keep = ("fusion", "majority")
    bare = make_results(
        predictions=rows[rows["arm"].isin(keep)],
        arms=tuple(arm for arm in rich.arms if arm.name in keep),
        comparators=("majority",), embedding=None, reported=(), facts={}, passport={},
    )  # fmt: skip
    write_report(bare, tmp_path)
    page = Page((tmp_path / "report.html").read_text())
    assert len(page.all("img")) == 5
    assert "No placebo was run" in page.text
    assert "Reported, not ours" not in page.text


def test_an_interrupted_report_leaves_the_old_one(run, results, monkeypatch):
    before = (run / "report.html").read_text()
    monkeypatch.setattr("insula.evaluation.report.render_report", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_report(results, run)
    assert (run / "report.html").read_text() == before


def test_the_table_agrees_with_its_parts(results):
    table = metrics_table(results).set_index("arm")
    rows = results.predictions[results.predictions["arm"] == "fusion"]
    said = classification_metrics(
        rows["truth"].to_numpy(), rows["predicted"].to_numpy(), rows[[f"p_{name}" for name in CLASSES]].to_numpy(),
        CLASSES,
    )  # fmt: skip
    for name, value in said.items():
        assert table.loc["fusion", name] == pytest.approx(value), name
    assert table.loc["visual", "difference"] == pytest.approx(
        table.loc["fusion", "accuracy"] - table.loc["visual", "accuracy"]
    )
    assert (table["low"] <= table["accuracy"]).all()
    assert (table["accuracy"] <= table["high"]).all()
    compared = table.loc[list(results.comparators)]
    assert (compared["p_holm"] >= compared["p"]).all()
    assert table.drop(index=list(results.comparators))["p"].isna().all()
    assert table.loc["fusion", "agreement"] < table.loc["fusion", "accuracy"]  # a third of the labels is wrong


def test_without_wrong_labels_there_is_no_agreement_column():
    assert "agreement" not in metrics_table(make_results(studies=1, units=30, label_noise=0.0))

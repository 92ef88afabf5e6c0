"""What a sweep leaves: one page with verdicts first, tables and figures as files, a report for each cell."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import yaml
from made_up_results import make_passport, make_results
from matplotlib.axes import Axes
from small_sweep import SMALL

from insula.errors import SettingsError
from insula.evaluation.chance import chance_of
from insula.evaluation.draw_sweep import _SIGNS, gain_map, gains
from insula.evaluation.report import NONE
from insula.evaluation.results import Results
from insula.evaluation.statistics import holm
from insula.evaluation.sweep import Sweep, TableSettings
from insula.evaluation.sweep_report import headlines, write_sweep
from insula.evaluation.sweep_run import Outcome, gain_of
from insula.evaluation.sweep_tables import NOT_RUN, show

pytestmark = pytest.mark.slow


def small(**changes: object) -> Sweep:
    return Sweep(**{**SMALL, **changes})  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def sweep() -> Sweep:
    rows = [
        {"title": "fusion", "arm": "fusion"}, {"title": "picture", "arm": "visual"}, {"title": "no such", "arm": "new"},
    ]  # fmt: skip
    tables = [
        {"name": "T1", "title": "Accuracy", "across": ["split", "way"], "rows": rows,
         "reported": [{"title": "others", "value": "99 %", "source": "somebody 2020"}]},
        {"name": "T2", "title": "Agreement", "kind": "system", "table": "R2", "where": {"split": "7:3"}, "by": "way"},
        {"name": "T3", "title": "Recall", "kind": "recall", "arms": ["visual", "fusion"], "where": {"split": "5:5"},
         "by": "way"},
    ]  # fmt: skip
    figures = [*SMALL["figures"], {"name": "F1", "title": "Maps", "kind": "embedding", "where": {"split": "5:5"}}]  # type: ignore[misc]
    return small(tables=tables, figures=figures)


@pytest.fixture(scope="module")
def outcomes(sweep: Sweep) -> list[Outcome]:
    found = []
    for number, cell in enumerate(sweep.cells()):
        passport = make_passport()
        passport["corpus"]["origin"] = "real EEG"
        if cell.recipe.practice:
            passport |= {"as_published": True, "practice": cell.recipe.practice}
        r2 = pd.DataFrame({"regressor": ["forest", "ridge"], "S1": [0.1 * number, 0.2]})
        results = make_results(studies=1, units=60, folds=1, seed=number, passport=passport, measured={"R2": r2})
        found.append(Outcome(cell, results))
    return found


@pytest.fixture(scope="module")
def folder(sweep: Sweep, outcomes: list[Outcome], tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("runs") / "small"
    write_sweep(sweep, outcomes, target)
    return target


def test_everything_is_there_and_nothing_else(folder: Path) -> None:
    assert sorted(path.name for path in folder.iterdir()) == [
        "F1.png", "F1.svg", "T1.csv", "T2.csv", "T3.csv", "cells", "cells.csv", "cells.md", "cells.tex",
        "gains-map.png", "gains-map.svg",
        "gains.png", "gains.svg",
        "passport.json", "report.html", "sweep.yaml",
    ]  # fmt: skip
    assert sorted(path.name for path in (folder / "cells").iterdir()) == [
        "01-clean-7-3", "02-clean-5-5", "03-as-published-7-3", "04-as-published-5-5",
    ]  # fmt: skip
    assert not [path for path in folder.parent.iterdir() if path.name.startswith(".")]
    for cell in (folder / "cells").iterdir():
        assert Results.open(cell).measured["R2"].columns.tolist() == ["regressor", "S1"]
        assert (cell / "report.html").is_file()


def test_the_page_says_verdicts_first_and_loads_nothing(folder: Path, outcomes: list[Outcome]) -> None:
    text = (folder / "report.html").read_text()
    assert '<p class="answer">On real EEG: ' in text
    parts = (
        "of 2 cells; 2 cells were run as published",
        "<h2>Pictures</h2>",
        ">Accuracy<",
        "<h2>Every cell</h2>",
    )
    places = [text.index(part) for part in parts]
    assert places == sorted(places)
    assert not re.search(r"<script|<link|url\(|@import|src=\"(?!data:)", text)
    for one in outcomes:
        assert one.verdict.sentence.split(":")[0] in text and one.cell.title in text
    links = re.findall(r'href="([^"]+)"', text)
    assert len(links) == 4 and all((folder / link).is_file() for link in links)
    assert "not ours" in text and "99 %" in text


def test_cells_as_published_are_marked_in_every_table_and_figure(folder: Path, outcomes: list[Outcome]) -> None:
    mark = "faces shared, as published"
    text = (folder / "report.html").read_text()
    tables = re.findall(r"<table>.*?</table>", text, flags=re.DOTALL)
    assert [mark in table for table in tables] == [True, False, True, True, True], "all but what others reported"
    heads = re.findall(r'<th scope="col" class="lines leaking">([^<]*)</th>', tables[0])
    assert heads == ["7:3\nas published", "5:5\nas published"]
    assert tables[0].count('<td class="lines leaking">') == 2 * 3, "two columns of three rows"
    assert tables[2].count('<th scope="row" class="leaking">as published</th>') == 2
    assert f"<!-- {mark} -->" in (folder / "gains.svg").read_text(), "one of its cells is"
    assert f"<!-- {mark} -->" not in (folder / "F1.svg").read_text(), "the first of these cells is clean"
    cell = (folder / "cells" / "03-as-published-7-3" / "report.html").read_text()
    assert "Faces shared, as published: no figure here" in cell
    assert set(pd.read_csv(folder / "cells.csv")["practice"]) == {"clean", mark}


def test_tables_hold_what_the_cells_say(folder: Path, outcomes: list[Outcome]) -> None:
    accuracy = pd.read_csv(folder / "T1.csv").set_index(["split", "way", "row"])
    assert len(accuracy) == 8, "two arms of four cells; the third was not run"
    row = accuracy.loc[("5:5", "clean", "fusion")]
    assert row["accuracy"] == pytest.approx(outcomes[1].results.accuracy("fusion"))
    assert row["gain"] == pytest.approx(gain_of(outcomes[1].results, "fusion").value)
    assert f">{NOT_RUN}</td>" in (folder / "report.html").read_text()
    assert pd.read_csv(folder / "T2.csv")["S1"].tolist() == pytest.approx([0.0, 0.2, 0.2, 0.2])
    recall = pd.read_csv(folder / "T3.csv").set_index(["way", "class"]).loc[("clean", "fear")]
    assert recall["change"] == pytest.approx(recall["recall_fusion"] - recall["recall_visual"])


def test_a_table_in_the_form_of_the_source_keeps_reported_ours_and_blank_apart(outcomes: list[Outcome]) -> None:
    settings = TableSettings.parse(
        {"name": "T9", "title": "In form", "across": ["split"], "blank": ["RAF-DB"], "rows": [
            {"title": "cited", "reported": {"RAF-DB": "85.16", "weights": "138M"}},
            {"title": "fusion", "arm": "fusion", "where": {"way": "clean"}, "reported": {"RAF-DB": "89.71"}},
        ]}, where="test")  # fmt: skip
    shown = show(settings, outcomes, {})
    assert [title for _, title in shown.head] == [
        "", "reported, not ours:\nRAF-DB", "reported, not ours:\nweights", "7:3", "5:5", "ours:\nRAF-DB",
    ]  # fmt: skip
    (_, cited), (_, ours) = shown.rows
    assert cited == ("cited", "85.16", "138M", "", "", "")
    assert ours[:3] == ("fusion", "89.71", "") and ours[-1] == NOT_RUN
    assert [cell.split()[0] for cell in ours[3:5]] == [
        f"{100 * outcome.results.accuracy('fusion'):.1f}" for outcome in outcomes[:2]
    ]
    assert shown.data["row"].tolist() == ["fusion"] * 2 and set(shown.data["reported: RAF-DB"]) == {"89.71"}


def test_passport_and_sweep_say_how_to_repeat_it(folder: Path, sweep: Sweep) -> None:
    passport = json.loads((folder / "passport.json").read_text())
    assert [cell["title"] for cell in passport["cells"]] == [cell.title for cell in sweep.cells()]
    assert passport["cells"][2]["practice"] == "faces shared" and passport["sweep"]["grid"] == "sizes"
    again = yaml.safe_load((folder / "sweep.yaml").read_text())
    assert Sweep(**again) == sweep


def test_writing_again_replaces_and_keeps_what_is_not_its_own(
    folder: Path, sweep: Sweep, outcomes: list[Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "notes.txt").write_text("mine")
    before = (folder / "report.html").read_text()
    monkeypatch.setattr("insula.evaluation.sweep_report.write_report", lambda _, place: place.mkdir(parents=True))
    monkeypatch.setattr("insula.evaluation.sweep_report.cells_table", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_sweep(sweep, outcomes, folder)
    assert (folder / "report.html").read_text() == before and (folder / "notes.txt").read_text() == "mine"
    assert not [path for path in folder.parent.iterdir() if path.name.startswith(".")]
    (folder / "notes.txt").unlink()


def test_a_line_a_cell_for_the_terminal(outcomes: list[Outcome]) -> None:
    table = headlines(outcomes)
    assert table["cell"].tolist() == [one.cell.title for one in outcomes] and "practice" in table
    assert "practice" not in headlines(outcomes[:2])
    first = outcomes[0].results
    correct = first.rows(first.headline).groupby("unit")["correct"].mean()
    assert float(table["adjusted chance"].iloc[0]) == pytest.approx(100 * chance_of(first).threshold, abs=0.05)
    assert float(table["accuracy %"].iloc[0]) == pytest.approx(100 * correct.mean(), abs=0.05)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"across": ["size"], "rows": [{"title": "x", "arm": "fusion"}]}, "no cell has its rows and the axes size"),
        ({"kind": "recall", "arms": ["visual", "fusion"], "where": {"way": "odd"}}, "no cell has the levels"),
        ({"kind": "recall", "arms": ["visual", "new"]}, "arms are two that were run, not visual, new"),
        ({"kind": "recall"}, "arms are two that were run, not none"),
        ({"kind": "paired", "arms": ["new"]}, "no arm new in the cell"),
        ({"kind": "paired"}, "no arm is named in the cell"),
        ({"kind": "system", "table": "R3"}, "the system made no table 'R3'; it made R2"),
    ],
)
def test_a_table_that_no_cell_can_fill_is_named(outcomes: list[Outcome], table: dict, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        show(TableSettings(name="T", title="T", **table), outcomes, {})


def _values(panel: Axes) -> list[str]:
    return [label.get_text().split("\n")[0] for label in panel.get_xticklabels()]


def test_many_cells_that_no_factor_orders_are_drawn_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("insula.evaluation.draw_sweep._MOST_ROWS", 2)
    cells = [{"title": f"cell {seed}", "set": {"seed": seed}} for seed in range(3)]
    sweep, results = small(grids={"sizes": [{"cells": cells}]}), make_results(studies=1, units=40, folds=1)
    figure = gains([Outcome(cell, results) for cell in sweep.cells()], sweep.axes, {}, {})
    assert len(figure.subfigs[0].axes[0].get_yticklabels()) == 3


def test_a_placebo_that_gains_are_counted_from_gains_nothing(outcomes: list[Outcome]) -> None:
    first = outcomes[0]
    assert first.placebo_gain is not None
    placebos = tuple(arm.name for arm in first.results.arms if arm.kind == "placebo")
    alone = Outcome(first.cell, replace(first.results, comparators=placebos))
    assert alone.placebo_gain is None and "best placebo" not in headlines([alone])
    assert headlines([alone, first])["best placebo"].iloc[0] == NONE


def test_figures_of_gains_draw_slices_cells_beside_and_a_whole_grid() -> None:
    axes: dict = {"corpus.label_noise": [0.3, 0.0], "corpus.subjects": [1, 3]}
    base = [{"cells": [{"title": "the base"}]}, {"design": "one-at-a-time", "axes": axes},
            {"cells": [{"title": "far away", "set": {"corpus.pictures": 900}}]}]  # fmt: skip
    results = make_results(studies=1, units=40, folds=1)
    slices = small(grids={"sizes": base})
    drawn = [Outcome(cell, results) for cell in slices.cells()]
    figure = gains(drawn, slices.axes, {"corpus.label_noise": "noise"}, {"corpus.label_noise": {0.1: "usual"}})
    panels = [axes for part in figure.subfigs for axes in part.axes]
    assert [panel.get_title() for panel in panels] == ["noise", "corpus.subjects", ""]
    assert _values(panels[0]) == ["base", "0.3", "0"], "the base does not say its number: names stay in their order"
    assert [label.get_text() for label in panels[2].get_yticklabels()] == ["far away"]
    assert gain_map(drawn, slices.axes, {}) is None
    numbers = gains(drawn[1:], slices.axes, {}, {"corpus.label_noise": {0.1: "usual"}})
    assert _values(numbers.subfigs[0].axes[0]) == ["0", "0.3"]
    assert "usual" in [text.get_text() for text in numbers.subfigs[0].axes[0].texts]

    grid = small(grids={"sizes": [{"axes": {**axes, "corpus.pictures": [70, 140]}}]})
    drawn = [Outcome(cell, results) for cell in grid.cells()]
    figure = gain_map(drawn, grid.axes, {})
    assert figure is not None
    assert [panel.get_title() for panel in figure.axes[:2]] == ["corpus.label_noise 0", "corpus.label_noise 0.3"]
    signs = [text.get_text() for panel in figure.axes[:2] for text in panel.texts]
    assert signs == [_SIGNS[drawn[0].verdict.kind]] * 8


def test_every_cell_is_tested_against_the_same_arm_with_p_corrected_over_cells(outcomes: list[Outcome]) -> None:
    shown = show(TableSettings(name="T", title="T", kind="paired", arms=("visual",)), outcomes, {})
    data = shown.data.set_index("cell")
    raw = []
    for outcome in outcomes:
        results = outcome.results
        right = {arm: results.rows(arm).set_index("unit")["correct"] for arm in (results.headline, "visual")}
        gain = (right[results.headline] - right["visual"]).mean()
        assert data.loc[outcome.cell.title, "gain"] == pytest.approx(gain)
        raw.append(outcome.table.loc["visual", "p"])
    assert data["p_holm"].tolist() == pytest.approx(list(holm(raw)))
    assert [mark for mark, _ in shown.rows] == [outcome.results.mark for outcome in outcomes]
    assert shown.head[2][1].startswith("against ")

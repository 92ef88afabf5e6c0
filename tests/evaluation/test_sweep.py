"""Sweeps: cells made from axes, refused in one line, run as one piece of work, and resumed."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_sweep import SMALL, write_small

from insula.eeg.steps import parse_steps
from insula.errors import SettingsError
from insula.evaluation import experiment
from insula.evaluation.recipe import SWEEPS, Recipe
from insula.evaluation.study import protocol_of
from insula.evaluation.sweep import Sweep
from insula.evaluation.sweep_run import cells_table, run_sweep
from insula.storage.cache import Cache


def load(folder: Path, changes: list[str] | None = None, **others: object) -> Sweep:
    return Sweep.load(write_small(folder, **others), changes or [])


@pytest.mark.parametrize("name", SWEEPS)
def test_sweeps_that_come_with_insula_name_cells_that_their_tables_and_figures_show(name: str) -> None:
    sweep = Sweep.load(name)
    for grid in sweep.grids:
        cells = sweep.model_copy(update={"grid": grid}).cells()
        assert len({cell.title for cell in cells}) == len(cells)
        assert len(cells) <= 24 or grid != "coarse"
        assert all(protocol_of(cell.recipe, 0).as_published <= bool(cell.recipe.practice) for cell in cells)
        for cell in cells:
            parse_steps(cell.recipe.steps)
    cells = sweep.cells()
    for table in sweep.tables:
        wheres = [row.where for row in table.rows] or [table.where]
        assert all(any(cell.at(where) for cell in cells) for where in wheres), table.name
    assert all(any(cell.at(figure.where) for cell in cells) for figure in sweep.figures)


def test_a_product_has_every_combination_and_the_last_axis_varies_fastest(tmp_path: Path) -> None:
    cells = load(tmp_path).cells()
    assert [cell.title for cell in cells] == ["clean, 7:3", "clean, 5:5", "as published, 7:3", "as published, 5:5"]
    assert cells[1].recipe.protocol["test_share"] == 0.5 and cells[1].recipe.practice == ""
    assert cells[3].recipe.protocol["name"] == "stimulus-disjoint" and cells[3].recipe.practice == "faces shared"
    assert cells[3].levels == {"way": "as published", "split": "5:5"}


def test_one_at_a_time_keeps_the_rest_at_the_base_and_merges_what_equals_it(tmp_path: Path) -> None:
    cells = load(tmp_path, ["grid=noise", "corpus.label_noise=0.3"]).cells()
    assert [cell.title for cell in cells] == ["the base", "share of wrong labels 0", "another seed"]
    assert [cell.value("corpus.label_noise") for cell in cells] == [0.3, 0.0, 0.3]
    assert cells[2].recipe.seed == 5


def test_changes_go_to_the_base_of_every_cell(tmp_path: Path) -> None:
    sweep = load(tmp_path, ["corpus.pictures=84", "name=mine"])
    assert sweep.name == "mine" and {cell.recipe.corpus["pictures"] for cell in sweep.cells()} == {84}
    assert SMALL["base"]["corpus"]["pictures"] == 70  # type: ignore[index]


@pytest.mark.parametrize(
    ("changes", "others", "message"),
    [
        (["grid=huge"], {}, "no grid 'huge'"),
        (["corpsu.pictures=3"], {}, "unknown key 'corpsu'"),
        ([], {"tabels": []}, "unknown key 'tabels'"),
        ([], {"base": 3}, "base"),
        ([], {"base": {"name": "x", "corpus": {}, "protocol": {}, "system": {}}}, "corpus.name is None"),
        ([], {"grids": {}}, "grids"),
        ([], {"tables": [{"name": "cells", "title": "Cells"}]}, "cells.csv is of all cells"),
    ],
)
def test_a_sweep_with_a_mistake_is_one_line(
    tmp_path: Path, changes: list[str], others: dict[str, object], message: str
) -> None:
    with pytest.raises(SettingsError, match=message) as caught:
        load(tmp_path, changes, **others).cells()
    assert "\n" not in str(caught.value)


def test_a_sweep_is_no_recipe(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="a sweep of many recipes"):
        Recipe.load(write_small(tmp_path))


def test_cells_are_run_once_resumed_and_marked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INSULA_CACHE", str(tmp_path / "cache"))
    sweep, cache, done = load(tmp_path), Cache(), []
    whole = experiment.fit_and_predict

    def dies(*arguments: object) -> None:
        if len(done) == 3:
            raise KeyboardInterrupt
        done.append(arguments)
        whole(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(experiment, "fit_and_predict", dies)
    with pytest.raises(KeyboardInterrupt):
        run_sweep(sweep, cache)
    monkeypatch.setattr(experiment, "fit_and_predict", lambda *arguments: done.append(arguments) or whole(*arguments))
    steps: list[tuple[int, int]] = []
    outcomes = run_sweep(sweep, cache, progress=lambda ready, total, _: steps.append((ready, total)))
    assert len(done) == 8, "four cells of a system and a control, none fitted twice"
    assert steps[0] == (3, 8) and (8, 8) in steps and steps[-1] == (4, 4), "fits, then what is read of each cell"
    assert [outcome.results.mark for outcome in outcomes] == ["", "", *["faces shared, as published"] * 2]
    assert "so no figure proves anything" in outcomes[2].verdict.sentence

    table = cells_table(sweep, outcomes)
    assert len(table) == 8 and table["cell"].tolist() == [1, 1, 2, 2, 3, 3, 4, 4]
    plain = table[(table["arm"] == "plain") & (table["cell"] == 1)].iloc[0]
    control = table[(table["arm"] == "majority") & (table["cell"] == 1)].iloc[0]
    assert plain["against"] == "majority" and plain["gain"] == pytest.approx(plain["accuracy"] - control["accuracy"])
    assert plain["gain_low"] < plain["gain"] < plain["gain_high"] and plain["split"] == "7:3"
    assert plain["verdict"] in {"helps", "undecided", "contributes nothing", "harms"}


def test_fits_that_cells_share_are_done_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INSULA_CACHE", str(tmp_path / "cache"))
    done, whole = [], experiment.fit_and_predict
    monkeypatch.setattr(experiment, "fit_and_predict", lambda *arguments: done.append(arguments) or whole(*arguments))
    cells = [{"title": "few", "set": {}}, {"title": "more", "set": {"controls": ["majority", "permuted"]}}]
    outcomes = run_sweep(load(tmp_path, grids={"sizes": [{"cells": cells}]}, tables=[]), Cache())
    assert len(done) == 3
    assert outcomes[0].results.accuracy("plain") == outcomes[1].results.accuracy("plain")

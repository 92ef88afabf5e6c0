"""Sweeps through the command, on tiny studies; a cluster; and a disk that fills on the way."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import yaml

from commands import TINY, Said, sets
from insula.evaluation import experiment
from insula.evaluation.recipe import Recipe
from insula.evaluation.results import Results

Command = Callable[..., Said]

pytestmark = pytest.mark.slow

QUICK = [*TINY[:3], "system.name=linear", "controls=[majority]", "repeats=1", "protocol.test_share=0.3"]


def two_cells(folder: Path, changes: list[str]) -> Path:
    """Write a sweep of the recipe bmci, tiny, under right and wrong labels."""
    base = Recipe.load("bmci", changes).model_dump(mode="json")
    grid = [
        {"cells": [{"title": "some wrong labels"}]},
        {"design": "one-at-a-time", "axes": {"corpus.label_noise": [0.0]}},
    ]
    figures = [{"name": "gains", "title": "Gains", "kind": "gains"}]
    values = {"name": "two", "grid": "both", "base": base, "grids": {"both": grid}, "figures": figures}
    (folder / "two.yaml").write_text(yaml.safe_dump(values, sort_keys=False))
    return folder / "two.yaml"


def test_a_sweep_of_bmci_writes_one_page_and_a_folder_for_each_cell(insula: Command, tmp_path: Path) -> None:
    source = two_cells(tmp_path, [*TINY, "placebos=[class-code, visual-logits]", "controls=[majority]"])
    said = insula("run", source, "-o", tmp_path / "out", "--jobs", 1)
    assert said.code == 0, said.err
    assert "of 2 cells" in said.out and "some wrong labels" in said.out and "best placebo" in said.out
    cells = pd.read_csv(tmp_path / "out" / "cells.csv")
    assert set(cells["corpus.label_noise"]) == {0.3, 0.0}
    assert {"fusion", "visual", "class-code", "visual-logits", "majority"} <= set(cells["arm"])
    assert (tmp_path / "out" / "gains.png").stat().st_size > 10_000
    assert len(list((tmp_path / "out" / "cells").glob("*/report.html"))) == 2
    as_json = insula("run", source, "-o", tmp_path / "out", "--jobs", 1, "--json")
    assert [cell["cell"] for cell in json.loads(as_json.out)["cells"]] == ["some wrong labels", "corpus.label_noise 0"]


def test_outputs_of_others_and_mistakes_are_one_line(insula: Command, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("mine")
    for words, message in (
        (("run", two_cells(tmp_path, QUICK), "-o", tmp_path / "out"), "holds something else"),
        (("run", "bmci-regimes", "--set", "grid=huge"), "no grid 'huge'"),
        (("run", "bmci-regimes", "--set", "corpus.pictuers=60"), "pictuers"),
        (("fit", "bmci-tables", "-o", tmp_path / "bundle"), "a sweep of many recipes"),
        (("run", "bmci", *sets(QUICK), "-o", tmp_path / "new", "--engine", "spark"), "unknown engine 'spark'"),
    ):
        said = insula(*words)
        assert said.code == 2 and message in said.err and "Traceback" not in said.err
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["thesis.txt"]


def test_a_cluster_is_a_word_on_the_command(insula: Command, tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None,
                                  protocol="tcp", host="127.0.0.1") as cluster:  # fmt: skip
        address = cluster.scheduler_address.replace("tcp://", "dask://")
        said = insula("run", "bmci", *sets(QUICK), "-o", tmp_path / "out", "--engine", address)
    assert said.code == 0, said.err
    assert (tmp_path / "out" / "report.html").is_file()


@pytest.mark.parametrize("where", ["fit", "report"])
def test_a_disk_that_fills_is_one_line_and_finished_fits_are_kept(
    insula: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    words = ("run", "bmci", *sets([*QUICK, f"seed={len(where)}"]), "-o", tmp_path / "out", "--jobs", 1)
    whole, done = experiment.fit_and_predict, []

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    def second_fails(*arguments: object) -> None:
        done.append(arguments)
        (full if len(done) == 2 and where == "fit" else whole)(*arguments)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(experiment, "fit_and_predict", second_fails)
        if where == "report":
            patch.setattr(Results, "save", full)
        said = insula(*words)
    assert said.code == 2 and said.err.count("insula: the disk is full") == 1 and "Traceback" not in said.err
    assert [path for path in tmp_path.iterdir() if path.name.startswith((".", "out"))] == []

    monkeypatch.setattr(experiment, "fit_and_predict", lambda *arguments: done.append(arguments) or whole(*arguments))
    before = len(done)
    assert insula(*words).code == 0 and (tmp_path / "out" / "report.html").is_file()
    assert len(done) - before == (1 if where == "fit" else 0), "what was finished is not fitted again"

"""Commands that evaluate, audit and compare."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from insula.cli.console import Jobs, Json, Leaking, Sets, print_table, processes, progress_bar

if TYPE_CHECKING:
    import pandas as pd

    from insula.evaluation.results import Results

_CURVES = ("label_curves", "label_efficiency")  # tables of a run with label curves


def demo(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder to write.")] = Path("runs/demo"),
    jobs: Jobs = 0,
    as_json: Json = False,
) -> None:
    """Run the main job on the built-in simulated study: minutes on two cores, no download.

    Three simulated people watch drawn faces; their EEG teaches a recogniser that then works from the picture alone.
    """
    from insula.deployment.demo import write_extras
    from insula.evaluation.experiment import run as run_experiment
    from insula.evaluation.recipe import Recipe
    from insula.evaluation.results import check_output
    from insula.storage.cache import Cache
    from insula.tiers import need

    need("eeg")  # which brings what trains
    check_output(output)
    recipe = Recipe.load("bmci", ["name=demo", "repeats=1", "system.encoder=linear"])
    cache = Cache()
    with progress_bar(not as_json) as step:
        results = run_experiment(recipe, cache, processes(jobs), step)
    _finish(results, output, as_json)
    if not as_json:
        typer.echo("a bundle and its sheets are being made: a minute more", err=True)
    written = write_extras(recipe, cache, output)
    if not as_json:
        typer.echo(f"bundle   {written.bundle}  ({written.megabytes:.0f} MB)\nsheet    {written.sheet}")
        typer.echo(f"photographs  {written.photographs}  (the recogniser in the box: `insula predict photo.jpg`)")


def run(
    recipe: Annotated[
        str,
        typer.Argument(
            help="A recipe or sweep of insula's (an unknown name lists them), a YAML file, or a folder of your own."
        ),
    ],
    changes: Sets = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder to write; runs/RECIPE if not given.")
    ] = None,
    jobs: Jobs = 0,
    engine: Annotated[
        str | None,
        typer.Option("--engine", help="A cluster in place of --jobs: dask, ray, dask://HOST:PORT or ray://HOST:PORT."),
    ] = None,
    as_published: Leaking = False,
    as_json: Json = False,
) -> None:
    """Evaluate a recipe: folds, seeds, placebos and controls; writes a report, metrics.csv and passport.json.

    A sweep, many recipes in one file, writes one page, cells.csv and a folder for each cell.

    Interrupted, the same command goes on where it stopped.

    With --engine, INSULA_CACHE must be a folder that every machine sees.

    Examples: insula run bmci --set repeats=1   |   insula run bmci-regimes --set grid=coarse
    """
    from insula.evaluation.recipe import Recipe, is_sweep, read_yaml
    from insula.evaluation.results import check_output
    from insula.front_door import run as run_recipe

    words = [*(changes or []), *(["protocol.as_published=true"] if as_published else [])]
    if is_sweep(read_yaml(recipe)):
        _run_sweep(recipe, words, output, processes(jobs), engine, as_json)
        return
    loaded = Recipe.load(recipe, words)
    folder = output or Path("runs") / loaded.name
    check_output(folder)
    with progress_bar(not as_json) as step:
        results = run_recipe(loaded, jobs=processes(jobs), engine=engine, progress=step)
    _finish(results, folder, as_json)


def _run_sweep(
    source: str, changes: list[str], output: Path | None, jobs: int, engine: str | None, as_json: bool
) -> None:
    """Run a sweep, write its folder, and print a line for each cell."""
    from insula.errors import SettingsError
    from insula.evaluation.results import check_output
    from insula.evaluation.sweep import Sweep
    from insula.evaluation.sweep_report import MARK, headlines, write_sweep
    from insula.evaluation.sweep_run import run_sweep
    from insula.storage.cache import Cache

    sweep = Sweep.load(source, changes)
    if any(cell.recipe.label_curves is not None for cell in sweep.cells()):
        raise SettingsError("a sweep draws no label curves", where="label_curves", do="run the recipe by itself")
    folder = output or Path("runs") / sweep.name
    check_output(folder, MARK)
    with progress_bar(not as_json) as step:
        outcomes = run_sweep(sweep, Cache(), jobs, step, engine)
        step(1, 1, "writing the report")
        summary = write_sweep(sweep, outcomes, folder, jobs)
    table = headlines(outcomes)
    if as_json:
        cells = json.loads(table.to_json(orient="records"))
        typer.echo(json.dumps({"output": str(folder), "summary": summary, "cells": cells}))
        return
    print_table(table, f"{sweep.name}, grid {sweep.grid}: points over the model without the ingredient or best control")
    typer.echo(f"\n{summary}.\n\nreport   {folder / 'report.html'}")


def _finish(results: Results, output: Path, as_json: bool) -> None:
    """Write a run's folder and print its table, verdict and paths."""
    from insula.evaluation.report import write_report
    from insula.evaluation.table import metrics_table
    from insula.labelling.efficiency import efficiency_in_words

    verdict = write_report(results, output)
    if as_json:
        curves = {name: _records(results.tables[name]) for name in _CURVES if name in results.tables}
        typer.echo(json.dumps({"output": str(output), "verdict": verdict.sentence, "kind": verdict.kind,
                               "metrics": _records(metrics_table(results)), **curves}))  # fmt: skip
        return
    if results.rated:
        print_table(_short_ratings(results), f"Error of each {results.series or 'unit'}, with 95 % intervals")
    else:
        print_table(_short(metrics_table(results)), "Accuracy by scored unit, with 95 % intervals")
    for note in results.passport["corpus"]["notes"]:
        typer.echo(f"note: {note}")
    typer.echo(f"\n{verdict.sentence}\n")
    if "label_efficiency" in results.tables:
        print_table(efficiency_in_words(results.tables["label_efficiency"]), "Labels that are enough")
        typer.echo()
    typer.echo(f"report   {output / 'report.html'}")


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    records: list[dict[str, Any]] = json.loads(table.to_json(orient="records"))
    return records


def _short(metrics: pd.DataFrame) -> pd.DataFrame:
    """Return the columns of a run's metrics that fit a terminal, in percent and points."""
    import pandas as pd

    def interval(low: float, high: float, sign: str = "") -> str:
        return "" if pd.isna(low) else f"{100 * low:{sign}.1f} to {100 * high:{sign}.1f}"

    def chance(p: float) -> str:
        return "" if pd.isna(p) else f"{p:.2g}" if p >= 0.001 else "< 0.001"

    rows = []
    for row in metrics.to_dict("records"):
        difference = row.get("difference", float("nan"))
        rows.append(
            {
                "arm": row["arm"],
                "": row["title"],
                "accuracy %": f"{100 * row['accuracy']:.1f}",
                "95 % interval": interval(row["low"], row["high"]),
                "macro-F1": f"{row['macro_f1']:.2f}",
                "headline minus this": "" if pd.isna(difference) else f"{100 * difference:+.1f}",
                "95 % interval ": interval(row.get("difference_low"), row.get("difference_high"), "+"),
                "p (Holm)": chance(row.get("p_holm", float("nan"))),
            }
        )
    return pd.DataFrame(rows)


def _short_ratings(results: Results) -> pd.DataFrame:
    """Return the columns of a run of ratings that fit a terminal."""
    import pandas as pd

    from insula.evaluation.rating_report import rating_rows
    from insula.evaluation.table import metrics_table

    shown = [
        {
            "arm": row["name"],
            "": row["title"],
            "error": row["own"][0],
            "95 % interval": row["own"][1],
            "Pearson": row["own"][2],
            "pooled: error": row["pooled"][0],
            "Pearson ": row["pooled"][2],
            "concordance": row["pooled"][4],
            "headline errs less by, %": row["difference"],
            "p (Holm)": row["p"],
        }
        for row in rating_rows(results, metrics_table(results))
    ]
    return pd.DataFrame(shown)


def audit(
    table: Annotated[Path, typer.Argument(help="CSV with provenance columns: one row a sample.")],
    split: Annotated[Path, typer.Argument(help="CSV with the columns index,part (part: train, validation or test).")],
    unit: Annotated[list[str] | None, typer.Option(help="Unit that must not be shared: trial, subject, ...")] = None,
    spellings: Annotated[str, typer.Option(help="Names such as P001 and p1: told, or joined to one person.")] = "told",
    same_people: Annotated[
        Path | None,
        typer.Option(help="CSV with the columns corpus,person,other_corpus,other_person: who has two names."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Audit anybody's split; exit code 3 where a trial, a moment or a unit you name is on both sides.

    The table's columns may be corpus, subject, session, trial, stimulus, identity, start and stop (seconds).
    """
    from insula.errors import LeakageError, printable
    from insula.protocols.tables import audit_files

    try:
        report = audit_files(table, split, unit, spellings, same_people)
    except LeakageError as error:
        if as_json:
            typer.echo(json.dumps({"clean": False, "leak": str(error)}))
        else:
            typer.echo(f"leak: {error}", err=True)
        raise typer.Exit(3) from None
    if as_json:
        typer.echo(json.dumps(report.to_dict()))
    else:
        looked = [name for name in report.checks if name != "fitted steps"]
        typer.echo(f"clean, as far as was looked: {', '.join(looked)}")
        for name, count in report.shared.items():
            if count:
                typer.echo(f"shared and not forbidden: {count} of {name}; forbid it with --unit {name}")
        for warning in report.warnings:
            typer.echo(f"note: {printable(warning)}")


def compare(
    runs: Annotated[list[Path], typer.Argument(help="Folders that `insula run` wrote.")],
    as_json: Json = False,
) -> None:
    """Put runs side by side, with paired tests over the units they share."""
    from insula.evaluation.compare import compare as compare_runs

    table = compare_runs(runs)
    if as_json:
        typer.echo(table.to_json(orient="records"))
    else:
        print_table(table, "Runs")

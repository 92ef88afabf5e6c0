"""The command `insula`: a thin skin over the package; every import that costs time sits inside its command."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    import pandas as pd

    from insula.evaluation.results import Results

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="Emotion from faces and from EEG, each teaching the other; every figure with its split, audit and placebos.",
)

_state = {"debug": False}

Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines instead of a table.")]
Sets = Annotated[list[str] | None, typer.Option("--set", help="Change a key of the recipe, as in corpus.pictures=200.")]
Jobs = Annotated[int, typer.Option("--jobs", min=0, help="Processes; 0 for one a core.")]
Leaking = Annotated[bool, typer.Option("--as-published", help="Allow a leaking split; every figure is marked.")]


@app.callback()
def _options(debug: Annotated[bool, typer.Option(help="Show a traceback on an error.")] = False) -> None:
    _state["debug"] = debug


def main() -> None:
    """Run the command; an error of insula's is one line and exit code 2."""
    from insula.errors import InsulaError, LeakageError
    from insula.storage.atomic import disk_full, full_disk

    try:
        app()
    except InsulaError as error:
        if _state["debug"]:
            raise
        typer.echo(f"insula: {error}", err=True)
        sys.exit(3 if isinstance(error, LeakageError) else 2)
    except Exception as error:
        if _state["debug"]:
            raise
        if isinstance(error, OSError) and disk_full(error, Path.cwd()):
            typer.echo(f"insula: {full_disk()}", err=True)
            sys.exit(2)
        text = " ".join(str(error).split()) or "no message"
        typer.echo(f"insula: {type(error).__name__}: {text} (insula --debug shows where)", err=True)
        sys.exit(2)


@contextmanager
def _progress(show: bool) -> Iterator[Callable[[int, int, str], None]]:
    """Yield a callback that draws a bar with an estimate of the time left."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), disable=not show or not sys.stderr.isatty()) as bar:
        task = bar.add_task("preparing", total=None)

        def step(done: int, total: int, what: str) -> None:
            bar.update(task, completed=done, total=total, description=what)

        try:
            yield step
        except KeyboardInterrupt:
            bar.stop()
            typer.echo("insula: stopped; what was finished is kept, and the same command goes on from there", err=True)
            raise


def _table(frame: pd.DataFrame, title: str) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    for column in frame.columns:
        table.add_column(str(column), justify="right" if frame[column].dtype.kind in "fiu" else "left")
    for values in frame.itertuples(index=False):
        table.add_row(*(f"{value:.3g}" if isinstance(value, float) else str(value) for value in values))
    Console(width=None if sys.stdout.isatty() else 140).print(table)


def _jobs(jobs: int) -> int:
    return jobs or os.cpu_count() or 1


def _finish(results: Results, output: Path, as_json: bool) -> None:
    """Write a run's folder and print its table, verdict and paths."""
    from insula.evaluation.report import write_report
    from insula.evaluation.table import metrics_table

    said = write_report(results, output)
    if as_json:
        typer.echo(json.dumps({"output": str(output), "verdict": said.sentence, "kind": said.kind,
                               "metrics": json.loads(metrics_table(results).to_json(orient="records"))}))  # fmt: skip
        return
    _table(_short(metrics_table(results)), "Accuracy by scored unit, with 95 % intervals")
    typer.echo(f"\n{said.sentence}\n\nreport   {output / 'report.html'}")


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


@app.command()
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

    check_output(output)
    recipe = Recipe.load("bmci", ["name=demo", "repeats=1"])
    cache = Cache()
    with _progress(not as_json) as step:
        results = run_experiment(recipe, cache, _jobs(jobs), step)
    _finish(results, output, as_json)
    written = write_extras(recipe, cache, output)
    if not as_json:
        typer.echo(f"bundle   {written.bundle}  ({written.megabytes:.0f} MB)\nsheet    {written.sheet}")


@app.command()
def run(
    recipe: Annotated[
        str, typer.Argument(help="A recipe or sweep of insula's (an unknown name lists them), or a YAML file.")
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
    from insula.evaluation.experiment import run as run_experiment
    from insula.evaluation.recipe import Recipe, is_sweep, read_yaml
    from insula.evaluation.results import check_output
    from insula.storage.cache import Cache

    words = [*(changes or []), *(["protocol.as_published=true"] if as_published else [])]
    if is_sweep(read_yaml(recipe)):
        _run_sweep(recipe, words, output, _jobs(jobs), engine, as_json)
        return
    loaded = Recipe.load(recipe, words)
    folder = output or Path("runs") / loaded.name
    check_output(folder)
    with _progress(not as_json) as step:
        results = run_experiment(loaded, Cache(), _jobs(jobs), step, engine)
    _finish(results, folder, as_json)


def _run_sweep(
    source: str, changes: list[str], output: Path | None, jobs: int, engine: str | None, as_json: bool
) -> None:
    """Run a sweep, write its folder, and print a line for each cell."""
    from insula.evaluation.results import check_output
    from insula.evaluation.sweep import Sweep
    from insula.evaluation.sweep_report import MARK, headlines, write_sweep
    from insula.evaluation.sweep_run import run_sweep
    from insula.storage.cache import Cache

    sweep = Sweep.load(source, changes)
    folder = output or Path("runs") / sweep.name
    check_output(folder, MARK)
    with _progress(not as_json) as step:
        outcomes = run_sweep(sweep, Cache(), jobs, step, engine)
        step(1, 1, "writing the report")
        summary = write_sweep(sweep, outcomes, folder, jobs)
    table = headlines(outcomes)
    if as_json:
        cells = json.loads(table.to_json(orient="records"))
        typer.echo(json.dumps({"output": str(folder), "summary": summary, "cells": cells}))
        return
    _table(table, f"{sweep.name}, grid {sweep.grid}: points over the model without the ingredient or best control")
    typer.echo(f"\n{summary}.\n\nreport   {folder / 'report.html'}")


@app.command()
def fit(
    recipe: Annotated[str, typer.Argument(help="A recipe that comes with insula, or a YAML file.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Bundle folder to write.")],
    changes: Sets = None,
    as_json: Json = False,
) -> None:
    """Train and write a bundle that predicts without EEG; a validation part is held out to choose epochs."""
    from insula.deployment.fitting import fit_bundle
    from insula.evaluation.recipe import Recipe
    from insula.storage.cache import Cache

    loaded = Recipe.load(recipe, changes or [])
    facts = fit_bundle(loaded, output, Cache())
    size = sum(path.stat().st_size for path in output.rglob("*") if path.is_file()) / 1e6
    if as_json:
        typer.echo(json.dumps({"bundle": str(output), "megabytes": size, "facts": facts}, default=float))
    else:
        typer.echo(f"bundle   {output}  ({size:.0f} MB)\ncard     {output / 'card.md'}")


def _answers(table: pd.DataFrame) -> pd.DataFrame:
    """Return the columns of predictions that fit a terminal."""
    import pandas as pd

    def number(column: str, scale: float, digits: int) -> pd.Series:
        values = pd.to_numeric(table[column]) * scale
        return values.map(f"{{:.{digits}f}}".format).where(values.notna(), "")

    shown = {
        "picture": table["path"].map(lambda path: Path(path).name),
        "face": number("face", 1, 0),
        "label": table["label"],
        "%": number("probability", 100, 0),
        "set": table["set"],
        "strangeness": number("out_of_distribution", 1, 1),
        "mode": table["mode"],
        "remark": table["reason"].fillna(table["quality"].replace("", None)),
    }
    return pd.DataFrame(shown).fillna("")


@app.command()
def predict(
    bundle: Annotated[Path, typer.Argument(help="A folder that `insula fit` wrote.")],
    inputs: Annotated[list[Path], typer.Argument(help="Pictures, or folders of pictures.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder for table and annotated pictures.")
    ] = None,
    mode: Annotated[
        str | None, typer.Option(help="fusion, visual or virtual; the bundle's first if not given.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Say which emotion each face in a picture shows, on this machine alone, or why that is not said.

    Prints a table and writes predictions.csv and annotated pictures (to runs/predictions if no folder is given).
    """
    from insula.deployment.predictor import predict_to_folder
    from insula.errors import DataError

    folder = output or Path("runs/predictions")
    table = predict_to_folder(bundle, inputs, folder, mode)
    if as_json:
        typer.echo(table.to_json(orient="records"))
        return
    if not table["face"].notna().any():  # a face that is too strange to be judged is an answer; no face at all is none
        raise DataError("nothing could be read", where=table["reason"].iloc[0] if len(table) else "no picture")
    _table(_answers(table), "Predictions")
    typer.echo(f"table     {folder / 'predictions.csv'}\npictures  {folder}")


@app.command()
def audit(
    table: Annotated[Path, typer.Argument(help="CSV with provenance columns: one row a sample.")],
    split: Annotated[Path, typer.Argument(help="CSV with the columns index,part (part: train, validation or test).")],
    unit: Annotated[list[str] | None, typer.Option(help="Unit that must not be shared: trial, subject, ...")] = None,
    as_json: Json = False,
) -> None:
    """Audit anybody's split; exit code 3 where a trial, a moment or a unit you name is on both sides.

    The table's columns may be corpus, subject, session, trial, stimulus, identity, start and stop (seconds).
    """
    from insula.errors import LeakageError
    from insula.protocols.tables import audit_files

    try:
        found = audit_files(table, split, unit)
    except LeakageError as error:
        if as_json:
            typer.echo(json.dumps({"clean": False, "leak": str(error)}))
        else:
            typer.echo(f"leak: {error}", err=True)
        raise typer.Exit(3) from None
    if as_json:
        typer.echo(json.dumps(found.to_dict()))
    else:
        looked = [name for name in found.checks if name != "fitted steps"]
        typer.echo(f"clean, as far as was looked: {', '.join(looked)}")
        for name, count in found.shared.items():
            if count:
                typer.echo(f"shared and not forbidden: {count} of {name}; forbid it with --unit {name}")
        for warning in found.warnings:
            typer.echo(f"note: {warning}")


@app.command()
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
        _table(table, "Runs")


corpora = typer.Typer(no_args_is_help=True, help="What can be read, what a folder lacks, licence and access.")
app.add_typer(corpora, name="corpora")


@corpora.command("list")
def corpora_list(as_json: Json = False) -> None:
    """List the corpora that insula reads or simulates."""
    import pandas as pd

    from insula.corpora.catalogue import cards

    table = pd.DataFrame([card.model_dump(mode="json") for card in cards()])
    if as_json:
        typer.echo(table.to_json(orient="records"))
    else:
        _table(table[["name", "title", "licence", "access"]], "Corpora")


@corpora.command("card")
def corpora_card(name: Annotated[str, typer.Argument(help="Name of a corpus.")], as_json: Json = False) -> None:
    """Show a corpus's card: what it holds, licence, access, size and citation."""
    from insula.corpora.catalogue import card

    values: dict[str, Any] = card(name).model_dump(mode="json")
    if as_json:
        typer.echo(json.dumps(values))
    else:
        for key, value in values.items():
            typer.echo(f"{key:11} {', '.join(value) if isinstance(value, list) else value}")


@corpora.command("check")
def corpora_check(
    name: Annotated[str, typer.Argument(help="Name of a corpus.")],
    root: Annotated[Path | None, typer.Argument(help="Its folder.")] = None,
    changes: Annotated[list[str] | None, typer.Option("--set", help="A setting, as in events=events.csv.")] = None,
    as_json: Json = False,
) -> None:
    """Name precisely what a folder lacks; exit code 2 where it lacks anything."""
    from insula.corpora.catalogue import corpus
    from insula.evaluation.recipe import apply, parse_change

    settings: dict[str, Any] = {"root": root} if root else {}
    for change in changes or []:
        apply(settings, *parse_change(change))
    lacks = corpus(name, **settings).check()
    if as_json:
        typer.echo(json.dumps({"corpus": name, "lacks": lacks}))
    else:
        typer.echo("\n".join(lacks) if lacks else f"{name}: all there")
    if lacks:
        raise typer.Exit(2)


@corpora.command("fetch")
def corpora_fetch(
    name: Annotated[str, typer.Argument(help="Name of an open corpus.")],
    to: Annotated[Path, typer.Option("--to", help="Folder to fetch into.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Fetch an open corpus, each file checked by its published sha256; the same command goes on where it stopped.

    Licence, size and where the hashes are from are shown first. A set of thousands of files is left to its archive's
    own tool, whose command is shown.
    """
    from insula.corpora.catalogue import card
    from insula.corpora.sources import source
    from insula.storage.fetch import fetch_listed

    place = source(name)
    typer.echo(f"corpus    {card(name).title}\nlicence   {card(name).licence}\nsize      {place.size}")
    if place.tool:
        typer.echo(f"fetch it  {place.tool.replace('FOLDER', str(to))}")
        return
    typer.echo(f"from      {place.base}\nhashes    sha256 of each file, as {place.base}{place.checksums} lists them")
    if not yes:
        typer.confirm(f"Fetch into {to}?", abort=True)
    with _progress(True) as step:
        files = fetch_listed(place.base, place.checksums, to, step)
    typer.echo(f"{len(files)} files are in {to}; insula corpora check {name} {to}")


if __name__ == "__main__":
    main()

"""What commands share: their common options, a progress bar, tables in a terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import pandas as pd
    from rich.text import Text

Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines instead of a table.")]
Sets = Annotated[list[str] | None, typer.Option("--set", help="Change a key of the recipe, as in corpus.pictures=200.")]
Jobs = Annotated[int, typer.Option("--jobs", min=0, help="Processes; 0 for one a core.")]
Leaking = Annotated[bool, typer.Option("--as-published", help="Allow a leaking split; every figure is marked.")]


@contextmanager
def progress_bar(show: bool) -> Iterator[Callable[[int, int, str], None]]:
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


def print_table(frame: pd.DataFrame, title: str) -> None:
    """Print a table: a dash where a value is missing, and every text as it is, whatever it would mean to a terminal."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=_plain(title), title_justify="left")
    for column in frame.columns:
        table.add_column(_plain(column), justify="right" if frame[column].dtype.kind in "fiu" else "left")
    for values in frame.itertuples(index=False):
        table.add_row(*map(_plain, values))
    Console(width=None if sys.stdout.isatty() else 140).print(table)


def _plain(value: object) -> Text:
    """Return a cell; names come from outside, and one such as `a[/red]` is no markup."""
    from pandas import isna
    from pandas.api.types import is_scalar
    from rich.text import Text

    if is_scalar(value) and isna(value):
        return Text("-")
    text = f"{value:.3g}" if isinstance(value, float) else str(value)
    return Text("".join(sign if sign.isprintable() or sign == "\n" else "\N{REPLACEMENT CHARACTER}" for sign in text))


def processes(jobs: int) -> int:
    """Return how many processes `--jobs` means."""
    return jobs or os.cpu_count() or 1

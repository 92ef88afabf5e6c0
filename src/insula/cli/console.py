"""What commands share: their common options, a progress bar, tables in a terminal."""

from __future__ import annotations

import os
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import pandas as pd
    from rich.text import Text

    from insula.storage.progress import Step

Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines instead of a table.")]
Sets = Annotated[list[str] | None, typer.Option("--set", help="Change a key of the recipe, as in corpus.pictures=200.")]
Jobs = Annotated[int, typer.Option("--jobs", min=0, help="Processes; 0 for one a core.")]
Leaking = Annotated[bool, typer.Option("--as-published", help="Allow a leaking split; every figure is marked.")]


_OFTEN = 20.0  # s between two lines about progress


@contextmanager
def progress_bar(show: bool) -> Iterator[Step]:
    """Yield a callback that draws a bar with an estimate of the time left; in a file it is a line now and then."""
    try:
        if not show:
            yield lambda done, total, what: None
        elif sys.stderr.isatty():
            with _bar() as step:
                yield step
        else:
            yield _lines()
    except KeyboardInterrupt:
        typer.echo("insula: stopped; what was finished is kept, and the same command goes on from there", err=True)
        raise


@contextmanager
def _bar() -> Iterator[Step]:
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
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("preparing", total=None)
        yield lambda done, total, what: bar.update(task, completed=done, total=total, description=what)


def _lines(clock: Callable[[], float] = time.monotonic) -> Step:
    """Return a callback that writes a line where work of another size begins, at its end, and every 20 s at most."""
    begun = printed = clock()
    size = before = 0

    def step(done: int, total: int, what: str) -> None:
        nonlocal begun, printed, size, before
        now, first = clock(), total != size
        if first:
            size, before = total, done
        elif done < total and now - printed < _OFTEN:
            return
        left = ""
        if before < done < total:
            left = f", about {_span((now - begun) * (total - done) / (done - before))} left"
        typer.echo(f"{done} of {total} after {_span(now - start)}{left}: {what}", err=True)
        printed = now
        if first:
            begun = now

    start = begun
    return step


def _span(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60} h {minutes % 60:02d} min" if minutes >= 60 else f"{minutes}:{rest:02d} min"


_WHOLE, _HEAD = 20, 14  # letters up to which a cell, and a head, are not broken into lines


def print_table(frame: pd.DataFrame, title: str) -> None:
    """Print a table: a dash where a value is missing, and every text as it is, whatever it would mean to a terminal.

    Where a terminal is too narrow for its words, each row becomes a paragraph.
    """
    from rich.console import Console
    from rich.padding import Padding
    from rich.table import Table

    table = Table(title=_plain(title), title_justify="left")
    rows = [[_plain(value) for value in values] for values in frame.itertuples(index=False)]
    for place, column in enumerate(frame.columns):
        longest = max((len(row[place]) for row in rows), default=0)
        head = textwrap.fill(str(column).strip(), max(longest, _HEAD), break_long_words=False)
        numbers = frame[column].dtype.kind in "fiu"
        table.add_column(_plain(head), justify="right" if numbers else "left", no_wrap=longest <= _WHOLE,
                         min_width=min(longest, _WHOLE))  # fmt: skip
    for row in rows:
        table.add_row(*row)
    console = Console(width=None if sys.stdout.isatty() else 140)
    if console.measure(table, options=console.options.update(max_width=10_000)).minimum <= console.width:
        console.print(table)
        return
    console.print(_plain(title), style="italic")
    names = [str(column).strip() for column in frame.columns[1:]]
    for first, *rest in rows:
        about = [f"{column} {value}".strip() for column, value in zip(names, rest, strict=True) if value]
        console.print(first, style="bold")
        console.print(Padding(_plain(", ".join(about)), (0, 0, 0, 2)))


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

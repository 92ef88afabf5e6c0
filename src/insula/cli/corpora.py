"""Commands about corpora: what can be read, what a folder lacks, where to get it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from insula.cli.console import Json, print_table, progress_bar
from insula.errors import printable

commands = typer.Typer(no_args_is_help=True, help="What can be read, what a folder lacks, licence and access.")


@commands.command("list")
def corpora_list(as_json: Json = False) -> None:
    """List the corpora that insula reads or simulates."""
    import pandas as pd

    from insula.corpora.catalogue import cards

    table = pd.DataFrame([card.model_dump(mode="json") for card in cards()])
    if as_json:
        typer.echo(table.to_json(orient="records"))
    else:
        print_table(table[["name", "title", "licence", "access"]], "Corpora")


@commands.command("card")
def corpora_card(name: Annotated[str, typer.Argument(help="Name of a corpus.")], as_json: Json = False) -> None:
    """Show a corpus's card: what it holds, licence, access, size and citation."""
    from insula.corpora.catalogue import card

    values: dict[str, Any] = card(name).model_dump(mode="json")
    if as_json:
        typer.echo(json.dumps(values))
    else:
        for key, value in values.items():
            typer.echo(f"{key:11} {', '.join(value) if isinstance(value, list) else value}")


@commands.command("check")
def corpora_check(
    name: Annotated[str, typer.Argument(help="Name of a corpus.")],
    root: Annotated[Path | None, typer.Argument(help="Its folder.")] = None,
    changes: Annotated[list[str] | None, typer.Option("--set", help="A setting, as in events=events.csv.")] = None,
    as_json: Json = False,
) -> None:
    """Name precisely what a folder lacks; exit code 2 where it lacks anything.

    That it holds more or fewer pictures than were published is a note, and stops nothing.
    """
    from insula.corpora.catalogue import corpus
    from insula.evaluation.recipe import apply, parse_change

    settings: dict[str, Any] = {"root": root} if root else {}
    for change in changes or []:
        key, value = parse_change(change)
        apply(settings, key.removeprefix("corpus."), value)  # as it is called in a recipe
    one = corpus(name, **settings)
    lacks = one.check()
    notes: list[str] = one.notes() if hasattr(one, "notes") else []
    if as_json:
        typer.echo(json.dumps({"corpus": name, "lacks": lacks, "notes": notes}))
    else:
        whole = f"{name}: nothing is broken" if notes else f"{name}: all there"
        typer.echo("\n".join(map(printable, [*(lacks or [whole]), *(f"note: {note}" for note in notes)])))
    if lacks:
        raise typer.Exit(2)


@commands.command("fetch")
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
    with progress_bar(True) as step:
        files = fetch_listed(place.base, place.checksums, to, step)
    typer.echo(f"{len(files)} files are in {to}; insula corpora check {name} {to}")

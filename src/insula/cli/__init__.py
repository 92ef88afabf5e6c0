"""The command `insula`: a thin skin over the package; every import that costs time sits inside its command."""

from __future__ import annotations

import os
import sys
import warnings
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from insula.cli import corpora, experiments, labelling, recognisers, recordings

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="Emotion from faces and from EEG, each teaching the other; every figure with its split, audit and placebos.",
)

_state = {"debug": False}

for command in (
    experiments.demo, experiments.run, recognisers.fit, recognisers.predict, recordings.embed, recognisers.export,
    recognisers.seal, experiments.audit, experiments.compare,
):  # fmt: skip
    app.command()(command)
app.add_typer(corpora.commands, name="corpora")
app.add_typer(labelling.commands, name="label")


@app.callback()
def _options(debug: Annotated[bool, typer.Option(help="Show a traceback on an error.")] = False) -> None:
    _state["debug"] = debug


def _once() -> Callable[..., None]:
    """Return what prints a warning as a plain line, each text once, however often and wherever it is given."""
    from insula.errors import printable

    shown: set[str] = set()

    def show(message: Warning | str, *about: object, **more: object) -> None:
        text = printable(" ".join(str(message).split()))
        if text not in shown:
            shown.add(text)
            typer.echo(text, err=True)

    return show


def _alone() -> AbstractContextManager[None]:
    """Return what lets one process of those that torchrun started run the command, helped by the others."""
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        return nullcontext()
    from insula.training.devices import leading

    return leading()


def main() -> None:
    """Run the command; an error of insula's, and a library that is missing, is one line and exit code 2."""
    from insula.errors import InsulaError, LeakageError, printable
    from insula.storage.atomic import disk_full, full_disk
    from insula.tiers import naming_tier

    warnings.showwarning = _once()
    try:
        with naming_tier(), _alone():
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
        text = printable(" ".join(str(error).split())) or "no message"
        typer.echo(f"insula: {type(error).__name__}: {text} (insula --debug shows where)", err=True)
        sys.exit(2)

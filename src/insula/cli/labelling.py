"""Commands by which people label: what is asked next, what was answered, and how far annotators agree."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from insula.cli.console import Json, Sets, print_table
from insula.errors import SettingsError

if TYPE_CHECKING:
    import pandas as pd

    from insula.labelling.agreement import Agreement
    from insula.labelling.queue import Pool

commands = typer.Typer(no_args_is_help=True, help="Let people label, with Label Studio, and keep a ledger of it.")

Where = Annotated[
    str,
    typer.Option(
        "--ledger", envvar="INSULA_LEDGER", show_default=True, show_envvar=True,
        help="A file (SQLite), or postgresql://user@host/database.",
    ),
]  # fmt: skip
_LEDGER = "labels/ledger.sqlite"
_TIME = "%Y-%m-%d %H:%M UTC"


@commands.command("queue")
def label_queue(
    source: Annotated[str, typer.Argument(help="A recipe (its corpus and task are used), or a corpus by name.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the round to write; it names the round.")],
    count: Annotated[int, typer.Option(min=1, help="Items to ask at most.")] = 50,
    bundle: Annotated[Path | None, typer.Option(help="Ask first what this bundle is least sure of.")] = None,
    scores: Annotated[Path | None, typer.Option(help="Ask first what a CSV of item,score puts highest.")] = None,
    annotator: Annotated[str, typer.Option(help="Ask one person by name, and not everyone.")] = "",
    everything: Annotated[bool, typer.Option("--all", help="Ask of items with a label, too.")] = False,
    changes: Sets = None,
    ledger: Where = _LEDGER,
    as_json: Json = False,
) -> None:
    """Choose what to label next and write it for Label Studio: tasks.json, page.xml and media/.

    Items are those without a label, at random where neither --bundle nor --scores is given. What was asked before is
    not asked again. Interrupted, the same command finishes the round.

    Examples: insula label queue folder --set corpus.root=faces --set task.classes=basic7 -o labels/round-1
    """
    from insula.labelling.ledger import Ledger
    from insula.labelling.queue import open_pool, ranked, write_queue
    from insula.storage.cache import Cache

    if bundle is not None and scores is not None:
        raise SettingsError("two orders for one queue", where="--bundle, --scores", do="give one of them")
    pool = open_pool(source, changes or [], Cache())
    items = ranked(pool.items(labelled=everything), _scores(pool, bundle, scores))
    opened = Ledger(ledger, pool.question)
    how = f"bundle {bundle}" if bundle else f"scores {scores}" if scores else "at random"
    before = opened.rounds().set_index("round")["asked_at"].get(output.name)
    asked = write_queue(opened, pool, items, output, count=count, annotator=annotator, how=how)
    left = len(opened.unasked(items, annotator))
    if as_json:
        content = {"folder": str(output), "ledger": opened.place, "asked": [one.item for one in asked], "left": left}
        typer.echo(json.dumps({**content, "found_again": before is not None}))
        return
    again = "" if before is None else f"found again, as it was asked {before:{_TIME}}: "
    what = f"{again}{len(asked)} items for {annotator or 'everyone'}, {left} left to ask"
    typer.echo(f"round    {output}  ({what})\nledger   {opened.place}")
    typer.echo(f"next     in Label Studio: paste {output / 'page.xml'} as interface, serve {output}, import tasks.json")


def _scores(pool: Pool, bundle: Path | None, scores: Path | None) -> pd.Series | None:
    """Return the scores by which items are ordered; None for none."""
    if bundle is not None:
        from insula.deployment.bundle import open_bundle
        from insula.labelling.queue import uncertainty

        return uncertainty(pool, open_bundle(bundle))
    if scores is None:
        return None
    from insula.labelling.queue import read_scores

    table = read_scores(scores)
    if not set(table.index) & set(pool.units):
        example = next(unit for unit in pool.units if unit is not None)
        raise SettingsError("no score is of an item of the corpus", where=scores, do=f"items are called as {example}")
    return table


@commands.command("import")
def label_import(
    export: Annotated[Path, typer.Argument(help="What Label Studio exported, as JSON.")],
    annotator: Annotated[str | None, typer.Option(help="Who answered, where it was one person.")] = None,
    ledger: Where = _LEDGER,
    as_json: Json = False,
) -> None:
    """Record the answers of Label Studio's export; doing so again changes nothing.

    Annotators are called as Label Studio calls them, by e-mail or number.
    """
    from insula.labelling.label_studio import import_export
    from insula.labelling.ledger import Ledger

    tally = import_export(Ledger(ledger), export, annotator)
    if as_json:
        typer.echo(json.dumps(asdict(tally)))
        return
    typer.echo(f"recorded  {tally.new} new, {tally.known} known before; {tally.skipped} of them skipped")
    for one in tally.joined:
        typer.echo(f"joined    {one}: their names differ in case alone")
    left_out = {
        "unfinished": tally.drafts, "without an answer": tally.empty, "tasks that are not ours": tally.strange_tasks,
        f"no answer to the question: {', '.join(sorted(set(tally.strange_answers)))}": len(tally.strange_answers),
    }  # fmt: skip
    for what, number in left_out.items():
        if number:
            typer.echo(f"left out  {number} {what}")


@commands.command("status")
def label_status(ledger: Where = _LEDGER, as_json: Json = False) -> None:
    """Show rounds, and who answered how much."""
    from insula.labelling.ledger import Ledger

    opened = Ledger(ledger)
    rounds, answers = opened.rounds(), opened.answered()
    people = answers.groupby("annotator")["answered_at"].agg(["size", "max"]).reset_index()
    people.columns = ["annotator", "items", "last"]
    if as_json:
        content = {"ledger": opened.place, "question": opened.question.model_dump(), "rounds": _records(rounds)}
        typer.echo(json.dumps({**content, "annotators": _records(people)}))
        return
    typer.echo(f"ledger    {opened.place}\nquestion  {opened.question}")
    if len(rounds):
        print_table(_dated(rounds.assign(annotator=rounds["annotator"].replace("", "everyone"))), "Rounds")
    if len(people):
        print_table(_dated(people), "Annotators")


def _dated(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table with its times as people read them."""
    times = table.select_dtypes("datetimetz")
    return table.assign(**{name: times[name].dt.strftime(_TIME) for name in times})


def _records(table: pd.DataFrame) -> list[dict]:
    return json.loads(table.to_json(orient="records", date_format="iso"))


@commands.command("agreement")
def label_agreement(ledger: Where = _LEDGER, as_json: Json = False) -> None:
    """Show how far annotators agree: Cohen's kappa of each pair, Krippendorff's alpha of all, and each class."""
    from insula.labelling.agreement import agreement
    from insula.labelling.ledger import Ledger

    opened = Ledger(ledger)
    score = agreement(opened.answered(), opened.question)
    if as_json:
        figures = {"alpha": score.alpha, "low": score.low, "high": score.high, "items": score.items}
        tables = {"pairs": _records(score.pairs), "classes": _records(score.classes)}
        typer.echo(json.dumps({**_finite(figures), "annotators": score.annotators, **tables}))
        return
    typer.echo(
        f"alpha     {_in_words(score)} ({score.items} items that two or more of {score.annotators} annotators answered)"
    )
    print_table(score.pairs, "Pairs of annotators")
    if len(score.classes):
        print_table(score.classes, "Classes")


def _in_words(score: Agreement) -> str:
    """Return alpha and its interval; where one is not known, why."""
    if math.isnan(score.alpha):
        return "is not known where all answers are the same"
    interval = f"{score.low:.2f} to {score.high:.2f}" if math.isfinite(score.low) else "not known, too few items"
    return f"{score.alpha:.2f}, 95 % interval {interval}"


def _finite(values: dict[str, float]) -> dict[str, float | None]:
    """Return values as JSON can hold them: none where there is no number."""
    return {name: value if value == value else None for name, value in values.items()}


@commands.command("export")
def label_export(
    output: Annotated[Path, typer.Option("--output", "-o", help="CSV file to write.")],
    merge: Annotated[
        Literal["one", "votes", "all"],
        typer.Option(
            help="One label an item (the most named, or the mean), votes for each class, or all: the latest answer of "
            "each person. What was corrected stays in the ledger."
        ),
    ] = "one",
    ledger: Where = _LEDGER,
    as_json: Json = False,
) -> None:
    """Write the labels: a line an item, or (all) a line an answer."""
    from insula.labelling.agreement import merged
    from insula.labelling.ledger import Ledger
    from insula.storage.atomic import write_file
    from insula.storage.tables import as_csv

    opened = Ledger(ledger)
    table = merged(opened.answered(), opened.question, merge)
    if output.is_dir():
        raise SettingsError("the output is a folder", where=output, do="give a file")
    with write_file(output) as temporary:
        temporary.write_text(as_csv(table), encoding="utf-8")
    ties = int(table[opened.question.label].isna().sum()) if merge == "one" else 0
    if as_json:
        typer.echo(json.dumps({"file": str(output), "lines": len(table), "ties": ties}))
    else:
        tied = f", {ties} of them without a label: their annotators are divided" if ties else ""
        typer.echo(f"labels   {output}  ({len(table)} lines{tied})")

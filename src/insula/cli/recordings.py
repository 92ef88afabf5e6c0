"""What a bundle says of recordings, in the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from insula.cli.console import Json, print_table

if TYPE_CHECKING:
    import pandas as pd

    from insula.deployment.bundle import Bundle


def embed(
    bundle: Annotated[Path, typer.Argument(help="A folder that `insula fit` wrote of a system that embeds.")],
    recordings: Annotated[
        list[str],
        typer.Argument(help="Recordings of EEG, folders of them, or patterns in quotes.", metavar="RECORDING..."),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Table to write: .csv, .parquet, or .json, a row a line.")
    ] = Path("vectors.csv"),
    normalise: Annotated[
        str, typer.Option(help="By the moments of the whole session; of its beginning, calibration; or source.")
    ] = "session",
    calibration: Annotated[
        float | None, typer.Option(help="Seconds of each recording whose moments normalise.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Write a vector for each window of recordings, by an encoder that learnt from many corpora.

    insula fit mdjpt -o BUNDLE writes such a bundle; insula embed BUNDLE recording.edf -o vectors.csv uses it, without
    torch. Any cap and any rate will do: electrodes are found by name, and the person's own loudness scales the signal.
    A recording is one session of one person. One that cannot be read is named and skipped; exit code 2 where none could
    be.
    """
    import json

    from insula.deployment.embedding import embedded, write_vectors
    from insula.deployment.encoder import open_encoder
    from insula.errors import printable

    done = write_vectors(embedded(open_encoder(bundle), recordings, normalise, calibration), output)
    if as_json:
        typer.echo(json.dumps({"table": str(output), "recordings": done.to_dict("records")}))
        return
    for row in done.itertuples():
        typer.echo(printable(f"skipped   {row.recording}: {row.reason}" if row.reason else
                             f"windows   {row.windows:,} of {row.recording}"))  # fmt: skip
    typer.echo(f"table     {output}")


def print_recordings(bundle: Bundle, inputs: list[str], output: Path | None, *, as_json: bool, **how: Any) -> None:
    """Say what each window of recordings shows, and write it as a table."""
    from insula.deployment.prediction_files import check_folder
    from insula.deployment.recordings import predict_recordings
    from insula.errors import DataError, printable
    from insula.storage.atomic import write_file
    from insula.storage.tables import as_csv

    if output is not None:
        check_folder(output)
    table = predict_recordings(bundle, inputs, **how)
    answered = table["time"].notna()
    if output is not None:
        with write_file(output / "predictions.csv") as temporary:
            temporary.write_text(as_csv(table), encoding="utf-8")
    if as_json:
        typer.echo(table.to_json(orient="records"))
    else:
        for path, rows in table[answered].groupby("path", sort=False):
            print_table(_windows(rows, bundle.classes), Path(str(path)).name)
        for row in table[~answered].itertuples():
            typer.echo(printable(f"skipped   {row.path}: {row.reason}"))
        if output is not None:
            typer.echo(f"table     {output / 'predictions.csv'}")
    if not answered.any():
        path, reason = table[["path", "reason"]].iloc[0]
        raise DataError(f"nothing could be read: {reason}", where=path)


def _windows(rows: pd.DataFrame, classes: Sequence[str]) -> pd.DataFrame:
    """Return the columns of windows that fit a terminal."""
    import pandas as pd

    shown = {"from s": rows["time"].map("{:.1f}".format), "to s": rows["stop"].map("{:.1f}".format)}
    if classes:
        share = (100 * rows["probability"].astype(float)).map("{:.0f}".format).replace("nan", "")
        shown |= {"label": rows["label"].fillna(""), "%": share, "then": rows["second"]}
        shown |= {"smoothed": rows["smoothed_label"], "how sure": rows["sure"]}
    else:
        shown["rating"] = rows["rating"].map("{:.2f}".format)
    return pd.DataFrame({**shown, "remark": rows["reason"]}).fillna("")

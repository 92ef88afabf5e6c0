"""What a bundle says of recordings, in the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from insula.cli.console import print_table

if TYPE_CHECKING:
    import pandas as pd

    from insula.deployment.bundle import Bundle


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

"""Commands that make a recogniser, use it, and hand it on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from insula.cli.console import Json, Sets, print_table

if TYPE_CHECKING:
    import pandas as pd


def fit(
    recipe: Annotated[str, typer.Argument(help="A recipe that comes with insula, or a YAML file.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Bundle folder to write.")],
    changes: Sets = None,
    int8: Annotated[
        bool, typer.Option("--int8", help="Write networks in eight bits, too, and measure what that loses.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Train and write a bundle; a validation part is held out to choose epochs.

    A system that EEG only teaches (bmci, neurogaze) predicts from pictures; one that reads EEG predicts from EEG, in
    Python. The bundle's card says which. Eight bits answer by default where they are faster and lose at most one point.
    """
    from insula.deployment.fitting import fit_bundle
    from insula.evaluation.recipe import Recipe
    from insula.storage.cache import Cache

    loaded = Recipe.load(recipe, changes or [])
    facts = fit_bundle(loaded, output, Cache(), int8=int8)
    size = sum(path.stat().st_size for path in output.rglob("*") if path.is_file()) / 1e6
    graphs = json.loads((output / "manifest.json").read_text()).get("graphs", {})
    small = {mode: about["int8"] for mode, about in graphs.items() if "int8" in about}
    if as_json:
        told = {"bundle": str(output), "megabytes": size, "facts": facts, "eight_bits": small}
        typer.echo(json.dumps(told, default=float))
        return
    typer.echo(f"bundle   {output}  ({size:.0f} MB)\ncard     {output / 'card.md'}")
    for mode, about in small.items():
        typer.echo(f"8 bits   {mode}: {about['measured']}")


def predict(
    bundle: Annotated[Path, typer.Argument(help="A folder that `insula fit` wrote.")],
    inputs: Annotated[list[Path], typer.Argument(help="Pictures, videos, or folders of them.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder for the table and annotated copies.")
    ] = None,
    mode: Annotated[
        str | None, typer.Option(help="fusion, visual or virtual; the bundle's first if not given.")
    ] = None,
    rate: Annotated[float, typer.Option(help="Frames of a video to look at, a second.")] = 5.0,
    smooth: Annotated[float, typer.Option(help="Seconds over which a video is smoothed; 0 for not.")] = 0.5,
    as_json: Json = False,
) -> None:
    """Say which emotion each face shows, in pictures and over videos, on this machine alone, or why that is not said.

    Prints a table and writes predictions.csv, annotated pictures and videos, and of each video its curves and a page of
    frames (to runs/predictions if no folder is given). A file without a face, or that cannot be read, is named and
    skipped; exit code 2 where nothing could be read at all.
    """
    from insula.deployment.predictor import NO_FACE, predict_to_folder
    from insula.errors import DataError

    folder = output or Path("runs/predictions")
    table = predict_to_folder(bundle, inputs, folder, mode, rate=rate, smooth=smooth)
    if as_json:
        typer.echo(table.to_json(orient="records"))
    else:
        _print_predictions(table, folder)
    if not (table["face"].notna() | (table["reason"] == NO_FACE)).any():
        path, reason = table[["path", "reason"]].iloc[0]
        raise DataError(f"nothing could be read: {reason}", where=path)  # which says what to do


def _print_predictions(table: pd.DataFrame, folder: Path) -> None:
    """Print what was said, where it was written, and what was skipped or broke off."""
    found, without = table[table["face"].notna()], table[table["face"].isna()]
    filmed = found["track"].notna()
    if not filmed.all():
        print_table(_answers(found[~filmed]), "Predictions")
    if filmed.any():
        print_table(_tracks(found), "Faces of videos")
    typer.echo(f"table     {folder / 'predictions.csv'}")
    if len(found):
        typer.echo(f"pictures  {folder}")
    if len(without):
        typer.echo(f"faces     {len(found)} in {found['path'].nunique()} of {table['path'].nunique()} files")
    partly = without["path"].isin(found["path"])  # a video of which the beginning was read
    for row, broke in zip(without.itertuples(), partly, strict=True):
        typer.echo(f"{'broke off' if broke else 'skipped  '} {row.path}: {row.reason}")


def export(
    bundle: Annotated[Path, typer.Argument(help="A folder that `insula fit` wrote, of what predicts from pictures.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="ONNX file to write.")],
    mode: Annotated[str | None, typer.Option(help="One of the bundle's modes; its first if not given.")] = None,
    int8: Annotated[
        Path | None, typer.Option(help="Write eight bits, measured on the pictures of faces in this folder.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Write a graph of a bundle as one ONNX file of its own: faces in, calibrated probabilities and more out."""
    from dataclasses import asdict

    from insula.deployment.exporting import export_bundle

    loss = export_bundle(bundle, output, mode, int8)
    size = output.stat().st_size / 1e6
    if as_json:
        told = {"file": str(output), "megabytes": size, "eight_bits": asdict(loss) if loss else {}}
        typer.echo(json.dumps(told))
        return
    typer.echo(f"file     {output}  ({size:.0f} MB)")
    if loss is not None:
        typer.echo(f"8 bits   {loss}")


def _percent(values: pd.Series) -> pd.Series:
    """Return shares as whole percentages, blank where there is none."""
    import pandas as pd

    shares = pd.to_numeric(values) * 100
    return shares.map("{:.0f}".format).where(shares.notna(), "")


def _answers(table: pd.DataFrame) -> pd.DataFrame:
    """Return the columns of predictions of pictures that fit a terminal."""
    import pandas as pd

    strangeness = pd.to_numeric(table["out_of_distribution"])
    shown = {
        "picture": table["path"].map(lambda path: Path(path).name),
        "face": table["face"].map("{:.0f}".format),
        "label": table["label"],
        "%": _percent(table["probability"]),
        "set": table["set"],
        "strangeness": strangeness.map("{:.1f}".format).where(strangeness.notna(), ""),
        "mode": table["mode"],
        "remark": table["reason"].fillna(table["quality"].replace("", None)),
    }
    return pd.DataFrame(shown).fillna("")


def _tracks(table: pd.DataFrame) -> pd.DataFrame:
    """Return a line for each face of each video."""
    import pandas as pd

    from insula.deployment.tracks import track_summary

    found = track_summary(table)
    shown = {
        "video": found["path"].map(lambda path: Path(path).name),
        "face": found["track"],
        "from s": found["start"].map("{:.1f}".format),
        "to s": found["stop"].map("{:.1f}".format),
        "frames": found["frames"],
        "label": found["label"],
        "mean %": _percent(found["probability"]),
        "% of the time": _percent(found["share"]),
        "remark": found["remark"],
    }
    return pd.DataFrame(shown).fillna("")

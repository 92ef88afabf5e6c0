"""Commands that make a recogniser, use it, and hand it on."""

from __future__ import annotations

import json
import shlex
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from insula.cli.console import Json, Sets, print_table, progress_bar
from insula.errors import printable

if TYPE_CHECKING:
    import pandas as pd


def fit(
    recipe: Annotated[str, typer.Argument(help="A folder of one's own, a recipe of insula's, or a YAML file.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Bundle folder to write.")],
    changes: Sets = None,
    int8: Annotated[
        bool, typer.Option("--int8", help="Write networks in eight bits, too, and measure what that loses.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Train and write a bundle; a validation part is held out to choose epochs.

    insula fit FOLDER -o BUNDLE learns from pictures in folders named as their classes, in parts train, val and test
    where they are there. It says first what it found, how long the training takes, and in the end how often the bundle
    is right on pictures that were held out.

    A system that EEG only teaches (bmci, neurogaze) predicts from pictures; one that reads EEG, from recordings. The
    bundle's card says which. Eight bits answer by default where they are faster and lose at most one point.
    """
    from insula.deployment.fitting import fit_bundle
    from insula.evaluation.recipe import Recipe
    from insula.storage.cache import Cache
    from insula.storage.progress import followed

    loaded = Recipe.load(recipe, changes or [])
    tell = (lambda line: None) if as_json else typer.echo
    with progress_bar(not as_json) as step, followed(step):
        facts = fit_bundle(loaded, output, Cache(), int8=int8, tell=tell)
    size = sum(path.stat().st_size for path in output.rglob("*") if path.is_file()) / 1e6
    manifest = json.loads((output / "manifest.json").read_text())
    small = {mode: about["int8"] for mode, about in manifest.get("graphs", {}).items() if "int8" in about}
    if as_json:
        content = {"bundle": str(output), "megabytes": size, "facts": facts, "eight_bits": small,
                "tested": manifest.get("tested"), "notes": manifest["notes"]}  # fmt: skip
        typer.echo(json.dumps(content, default=float))
        return
    typer.echo(f"bundle   {output}  ({size:.0f} MB)\ncard     {output / 'card.md'}")
    for mode, about in small.items():
        typer.echo(f"8 bits   {mode}: {about['measured']}")


def predict(
    inputs: Annotated[
        list[str],
        typer.Argument(
            help="Pictures, films, recordings, folders of them, or patterns in quotes; a bundle may stand before.",
            metavar="INPUT...",
        ),
    ],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder for the table, annotated copies and curves of films.")
    ] = None,
    recogniser: Annotated[
        str | None,
        typer.Option(
            help="What answers: a bundle, fer, FILE.onnx, emotiefflib-b0=FILE.onnx; by default the one in the box."
        ),
    ] = None,
    faces: Annotated[
        str | None,
        typer.Option(help="detect; cropped where each picture is one face already; auto.", metavar="HOW"),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Withhold answers that are unsure or of unusual pictures, and say why.")
    ] = False,
    mode: Annotated[str | None, typer.Option(help="A mode of the bundle, such as fusion, visual or virtual.")] = None,
    rate: Annotated[float, typer.Option(help="Frames of a film to look at, a second.")] = 5.0,
    smooth: Annotated[float, typer.Option(help="Seconds over which a film is smoothed; 0 for not.")] = 0.5,
    changes: Annotated[
        list[str] | None, typer.Option("--set", help="Of recordings, as in unit=uV, 'rename={E1: Cz}'.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Say which emotion each face shows, and how surely, in pictures and over films, on this machine alone.

    insula predict photo.jpg: with the recogniser in the box; insula predict BUNDLE photo.jpg: with one that `insula
    fit` wrote; insula predict BUNDLE recording.edf: window by window, with one that reads EEG. A table is printed; with
    -o it is written as predictions.csv, with annotated pictures and films, and of each film its curves and a page of
    frames. A file without a face, or that cannot be read, is named and skipped; exit code 2 where nothing could be read
    at all.
    """
    from glob import has_magic

    from insula.deployment.bundle import open_bundle
    from insula.deployment.prediction_files import predict_to_folder
    from insula.deployment.predictor import NO_FACE, Predictor
    from insula.deployment.recognisers import is_bundle
    from insula.errors import DataError, SettingsError

    if recogniser is None and is_bundle(Path(inputs[0])):
        recogniser, *inputs = inputs
    misplaced = next((name for name in inputs if is_bundle(Path(name))), None)
    if misplaced is not None:
        do = f"name one bundle, before what it looks at: insula predict {misplaced} FILE"
        raise SettingsError("a bundle stands where pictures or recordings should", where=misplaced, do=do)
    first = Path(inputs[0]) if inputs else Path()
    if recogniser is None and len(inputs) > 1 and not (first.exists() or first.suffix or has_magic(inputs[0])):
        do = "correct the first name, or leave it out for the recogniser in the box"
        raise SettingsError("no bundle and no picture here", where=first, do=do)
    if not inputs:
        raise SettingsError(
            "nothing to look at", do=f"name pictures, films or recordings: insula predict {recogniser} FILE"
        )
    if recogniser is not None and is_bundle(Path(recogniser)):
        bundle = open_bundle(Path(recogniser))
        if not bundle.reads_pictures:
            from insula.cli.recordings import print_recordings

            if faces is not None:
                raise SettingsError("a recording has no faces", where="--faces", do="leave it out")
            settings = {"mode": mode, "smooth": smooth, "strict": strict, "changes": _changed(changes or [])}
            print_recordings(bundle, inputs, output, as_json=as_json, **settings)
            return
    if changes:
        raise SettingsError("pictures have no such setting", where=f"--set {changes[0]}", do="leave it out")
    predictor = Predictor(recogniser, faces, strict=strict)  # type: ignore[arg-type]
    how = {"mode": mode, "rate": rate, "smooth": smooth}
    looking = predictor.predict if output is None else partial(predict_to_folder, predictor, folder=output)
    table = looking(inputs, **how)  # type: ignore[arg-type]
    if as_json:
        typer.echo(table.to_json(orient="records"))
    else:
        _print_predictions(table, output)
    if not (table["face"].notna() | (table["reason"] == NO_FACE)).any():
        from insula.eeg.reading import SUFFIXES, suffix_of

        path, reason = table[["path", "reason"]].iloc[0]
        if suffix_of(Path(path)) in SUFFIXES:
            do = f"give a bundle that reads EEG before it: insula predict BUNDLE {shlex.quote(path)}"
            raise DataError("what answers reads faces, and this is a recording", where=path, do=do)
        raise DataError(f"nothing could be read: {reason}", where=path)  # which says what to do


def _changed(changes: list[str]) -> dict[str, Any]:
    """Return settings by their names, as they are called in a recipe or without its `corpus.`."""
    if not changes:
        return {}
    from insula.evaluation.recipe import parse_change

    return {key.removeprefix("corpus."): value for key, value in map(parse_change, changes)}


def _print_predictions(table: pd.DataFrame, folder: Path | None) -> None:
    """Print what was answered, where it was written, and what was skipped or broke off."""
    faces, without = table[table["face"].notna()], table[table["face"].isna()]
    filmed = faces["track"].notna()
    if not filmed.all():
        print_table(_answers(faces[~filmed]), "Faces")
    if filmed.any():
        print_table(_tracks(faces), "Faces of films")
    if folder is not None:
        typer.echo(f"table     {folder / 'predictions.csv'}")
        if len(faces):
            typer.echo(f"pictures  {folder}")
    if len(without):
        typer.echo(f"faces     {len(faces)} in {faces['path'].nunique()} of {table['path'].nunique()} files")
    partly = without["path"].isin(faces["path"])  # a video of which the beginning was read
    for row, broke in zip(without.itertuples(), partly, strict=True):
        typer.echo(printable(f"{'broke off' if broke else 'skipped  '} {row.path}: {row.reason}"))


def export(
    bundle: Annotated[Path, typer.Argument(help="A folder that `insula fit` wrote.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="ONNX file to write.")],
    mode: Annotated[str | None, typer.Option(help="One of the bundle's modes; its first if not given.")] = None,
    int8: Annotated[
        Path | None, typer.Option(help="Write eight bits, measured on the pictures of faces in this folder.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Write a graph of a bundle as one ONNX file of its own: faces or EEG in, calibrated probabilities and more out."""
    from dataclasses import asdict

    from insula.deployment.exporting import export_bundle

    loss = export_bundle(bundle, output, mode, int8)
    size = output.stat().st_size / 1e6
    if as_json:
        content = {"file": str(output), "megabytes": size, "eight_bits": asdict(loss) if loss else {}}
        typer.echo(json.dumps(content))
        return
    typer.echo(f"file     {output}  ({size:.0f} MB)")
    if loss is not None:
        typer.echo(f"8 bits   {loss}")


def seal(
    bundle: Annotated[Path | None, typer.Argument(help="A folder that `insula fit` wrote.", show_default=False)] = None,
    key: Annotated[Path | None, typer.Option(help="Sign the bundle with this private key.")] = None,
    check: Annotated[Path | None, typer.Option(help="Check that who holds this public key signed the bundle.")] = None,
    new_key: Annotated[Path | None, typer.Option(help="Write a new private key there, and FILE.pub beside it.")] = None,
) -> None:
    """Sign a bundle, so that others can tell who made it; or check it against its seal and a signature.

    insula seal --new-key me.key; insula seal BUNDLE --key me.key; give others me.key.pub; they run insula seal BUNDLE
    --check me.key.pub: exit code 2 where it was altered, is not signed, or by another key. Without a key the hashes of
    its files are checked alone.
    """
    from insula.errors import SettingsError
    from insula.storage import signature
    from insula.storage.folder import verify

    if new_key is not None:
        typer.echo(f"public   {signature.new_key(new_key)}\nprivate  {new_key}  (keep it to yourself)")
    elif bundle is None:
        raise SettingsError("no bundle was named", do="insula seal BUNDLE --key FILE, or insula seal --new-key FILE")
    elif key is not None:
        signature.sign(bundle, key)
        typer.echo(f"signed   {bundle}")
    elif check is not None:
        signature.check(bundle, check)
        typer.echo(f"whole, and signed by the owner of {check}: {bundle}")
    else:
        verify(bundle)
        typer.echo(f"whole: {bundle}")


def _percent(values: pd.Series) -> pd.Series:
    """Return shares as whole percentages, blank where there is none."""
    import pandas as pd

    shares = pd.to_numeric(values) * 100
    return shares.map("{:.0f}".format).where(shares.notna(), "")


def _answers(table: pd.DataFrame) -> pd.DataFrame:
    """Return the columns of predictions of pictures that fit a terminal; beside answers an empty one is left out."""
    import pandas as pd

    how_sure = table["sure"].fillna("").str.replace(r": [^(]*", " ", regex=True).str.strip()  # labels stand beside it
    shown = {
        "picture": table["path"].map(lambda path: Path(path).name),
        "face": table["face"].map("{:.0f}".format),
        "label": table["label"],
        "%": _percent(table["probability"]),
        "then": table["second"],
        "valence": _decimal(table["valence"]),
        "arousal": _decimal(table["arousal"]),
        "how sure": how_sure.where(table["label"].notna(), "no answer"),
        "remark": table["reason"].fillna(table["quality"].replace("", None)),
    }
    columns = pd.DataFrame(shown).fillna("")
    return columns.loc[:, (columns != "").any()] if table["label"].notna().any() else columns


def _decimal(values: pd.Series) -> pd.Series:
    """Return numbers with their sign and one decimal, blank where there is none."""
    import pandas as pd

    numbers = pd.to_numeric(values)
    return numbers.map("{:+.1f}".format).where(numbers.notna(), "")


def _tracks(table: pd.DataFrame) -> pd.DataFrame:
    """Return a line for each face of each video."""
    import pandas as pd

    from insula.deployment.tracks import track_summary

    tracks = track_summary(table)
    shown = {
        "video": tracks["path"].map(lambda path: Path(path).name),
        "face": tracks["track"],
        "from s": tracks["start"].map("{:.1f}".format),
        "to s": tracks["stop"].map("{:.1f}".format),
        "frames": tracks["frames"],
        "label": tracks["label"],
        "mean %": _percent(tracks["probability"]),
        "% of the time": _percent(tracks["share"]),
        "remark": tracks["remark"],
    }
    return pd.DataFrame(shown).fillna("")

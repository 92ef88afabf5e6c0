"""A bundle of mdJPT gives the vectors of the trained encoder, for recordings of any cap, and without torch."""

from __future__ import annotations

import json
import shutil
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import insula
from insula.deployment.bundle import open_bundle
from insula.deployment.encoder import open_encoder
from insula.deployment.fitting import fit_bundle
from insula.errors import BundleError, DataError, SettingsError
from insula.evaluation.recipe import Recipe
from insula.storage.cache import Cache
from own_eeg import raw_of, rested_and_tense, write_edf
from standin import reseal
from without import modules_after

pytestmark = pytest.mark.filterwarnings("ignore:understood", "ignore:band")


@pytest.fixture(scope="module")
def studied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with recordings, and a bundle that embeds."""
    folder = tmp_path_factory.mktemp("study")
    (folder / "own").mkdir()
    rested_and_tense(folder / "own", write_edf)
    system = "system={name: mdjpt, preset: tiny, pairs: same-condition, condition: state}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("INSULA_CACHE", str(folder / "cache"))
        changes = [system, "protocol.target=unlabelled"]
        fit_bundle(Recipe.load(folder / "own", changes), folder / "bundle", Cache())
    return folder


def test_vectors_are_those_of_the_trained_encoder_whatever_the_cap(studied: Path, tmp_path: Path) -> None:
    about = json.loads((studied / "bundle" / "manifest.json").read_text())["embeds"]
    assert max(about["parity"]["difference"].values()) < 1e-4
    table = insula.embed(studied / "bundle", [studied / "own" / "S01_a.edf", studied / "own" / "S01_b.edf"])
    assert table["start"].tolist() == [0, 2, 4, 6] * 2 and list(table)[3:] == [f"e{n:04d}" for n in range(1, 17)]
    vectors = table.iloc[:, 3:].to_numpy()
    assert np.isfinite(vectors).all() and np.ptp(vectors, axis=0).max() > 0
    # the same signal ten times as large, with another channel before it
    raw = raw_of([True] * 4, 1)
    more = raw.copy().add_channels([raw.copy().pick(["Fz"]).rename_channels({"Fz": "Oz"})])
    values = 3e6 * more.reorder_channels(["Oz", "Pz", "C4", "C3", "Fz"]).get_data()
    again = insula.embed(insula.load(studied / "bundle"), values, ["Oz", "Pz", "C4", "C3", "Fz"], 128)
    assert again.shape == (4, 19)


def test_windows_are_embedded_as_they_are_and_by_whose_moments_makes_a_difference(studied: Path) -> None:
    windows = np.random.default_rng(0).normal(size=(6, 3, 256)).astype(np.float32)
    by = {how: insula.embed(studied / "bundle", windows, ["Fz", "Cz", "T7"], 128, normalise=how, **more)
          for how, more in (("session", {}), ("source", {}), ("calibration", {"calibration": 5.0}))}  # fmt: skip
    vectors = {how: table.filter(like="e0").to_numpy() for how, table in by.items()}
    assert not np.allclose(vectors["session"], vectors["source"])
    assert not np.allclose(vectors["session"], vectors["calibration"])
    louder = insula.embed(studied / "bundle", 7 * windows, ["Fz", "Cz", "T7"], 128)
    np.testing.assert_allclose(louder.filter(like="e0"), vectors["session"], atol=1e-5)
    with pytest.warns(UserWarning, match="1 recording of fewer than 2 windows: normalised by .*source"):
        insula.embed(studied / "bundle", windows[:1], ["Fz", "Cz", "T7"], 128)


@pytest.mark.parametrize("ending", ["csv", "parquet", "json"])
def test_the_command_writes_a_table_and_one_bad_file_costs_itself_alone(
    studied: Path, tmp_path: Path, ending: str
) -> None:
    (tmp_path / "broken.edf").write_bytes(b"0       nothing")
    write_edf(raw_of([True], 0).crop(tmax=1.0), tmp_path / "short")
    others = raw_of([True] * 4, 0).rename_channels(
        dict(zip(("Fz", "C3", "C4", "Pz"), ("O1", "O2", "T7", "T8"), strict=True))
    )
    write_edf(others, tmp_path / "apart")
    output = tmp_path / f"vectors.{ending}"
    from typer.testing import CliRunner

    from insula.cli import app

    files = [tmp_path / "broken.edf", tmp_path / "short.edf", tmp_path / "apart.edf", studied / "own" / "S02_b.edf"]
    answer = CliRunner().invoke(app, ["embed", str(studied / "bundle"), *map(str, files), "-o", str(output)])
    assert answer.exit_code == 0, answer.exception
    lines = answer.output.splitlines()
    assert len([line for line in lines if line.startswith("skipped")]) == 3
    assert "no electrode of the bundle's montage" in answer.output and "shorter" in answer.output
    read = {"csv": pd.read_csv, "parquet": pd.read_parquet, "json": lambda path: pd.read_json(path, lines=True)}
    assert read[ending](output).shape == (4, 19)


def test_no_torch_is_imported(studied: Path, tmp_path: Path) -> None:
    code = "from insula.cli import main; main()"
    recording = studied / "own" / "S02_b.edf"
    loaded = modules_after(code, "embed", studied / "bundle", recording, "-o", tmp_path / "vectors.csv")
    assert "mne" in loaded and not loaded & {"torch", "sklearn", "braindecode", "safetensors"}
    assert len(pd.read_csv(tmp_path / "vectors.csv")) == 4


def test_what_cannot_be_embedded_says_why_in_one_line(studied: Path, small_bundle: Path, tmp_path: Path) -> None:
    recording = studied / "own" / "S01_a.edf"
    windows = np.ones((4, 2, 256), np.float32)
    bundle = studied / "bundle"
    wrong = [
        (SettingsError, "this bundle does not embed", lambda: insula.embed(small_bundle, recording)),
        (SettingsError, "unknown normalise 'people'", lambda: insula.embed(bundle, recording, normalise="people")),
        (SettingsError, "seconds of calibration go with",
         lambda: insula.embed(bundle, recording, normalise="calibration")),
        (SettingsError, "with no channels and no rate", lambda: insula.embed(bundle, windows)),
        (DataError, "no electrode of the bundle's montage", lambda: insula.embed(bundle, windows, ["O1", "O2"], 128)),
        (DataError, "windows of 256 samples at 64 Hz", lambda: insula.embed(bundle, windows, ["Fz", "Cz"], 64)),
        (DataError, "cannot be read|no such", lambda: insula.embed(bundle, tmp_path / "absent.edf")),
        (BundleError, "gives vectors and no answers .*insula embed", lambda: open_bundle(bundle)),
    ]  # fmt: skip
    for kind, words, act in wrong:
        with pytest.raises(kind, match=words) as caught:
            act()
        assert "\n" not in str(caught.value)


def test_weights_of_another_architecture_are_refused(studied: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(studied / "bundle", tmp_path / "copy"))
    about = json.loads((copy / "manifest.json").read_text())["embeds"]
    reseal(copy, embeds={**about, "montage": about["montage"][:-1]})
    with pytest.raises(BundleError, match="the graph is refused"):
        open_encoder(copy)
    (copy / "features.onnx").write_bytes((copy / "tokens.onnx").read_bytes())
    reseal(copy, embeds=about)
    with pytest.raises(BundleError, match="the graph is refused"):
        open_encoder(copy)
    with warnings.catch_warnings(), pytest.raises(SettingsError, match="mdJPT's own network, not by clisa"):
        warnings.simplefilter("ignore")
        from insula.systems.catalogue import system
        from insula.systems.mdjpt.bundle import Embedding
        from insula.systems.mdjpt.settings import Encoder

        Embedding(None, system("mdjpt", "tiny", encoder=Encoder(kind="clisa")).settings)  # type: ignore[arg-type]

"""Foundation models with weights from a file: what is kept, what learns, what is refused; nothing is fetched."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from insula.emotions import Categorical
from insula.errors import InsulaError
from insula.networks.foundation import Foundation
from insula.samples import ArrayStore, Samples
from insula.systems.catalogue import system
from toy import CLASSES, toy_windows

ROWS = toy_windows(subjects=2, sessions=1)
TASK = Categorical(label="emotion", classes=CLASSES)
FORM = ROWS.store("eeg").description
SMALL: dict[str, dict[str, Any]] = {
    "labram": {"num_layers": 1, "num_heads": 2},
    "cbramod": {"n_layer": 1, "nhead": 2},
    "eegpt": {"depth": 1, "embed_dim": 16, "num_heads": 2},
    "biot": {"embed_dim": 16, "num_layers": 1, "num_heads": 2},
    "reve": {"embed_dim": 16, "depth": 1, "heads": 2, "head_dim": 8},
}
PLACES = {name: [0.01 * number, 0.02, 0.03] for number, name in enumerate((*FORM.channels, "Oz"))}


@pytest.fixture(scope="module", params=SMALL)
def model(request: pytest.FixtureRequest) -> str:
    return request.param


def state(model: str, channels: int = 6) -> dict[str, torch.Tensor]:
    """Return weights as braindecode names them: of random numbers, on other classes than the task's."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        form = FORM.model_copy(update={"channels": FORM.channels[:channels]})
        network = Foundation(model, form, (channels, 512), 5, SMALL[model])
        own = {name.removeprefix("body."): value for name, value in network.state_dict().items() if "body." in name}
        return {name: torch.rand_like(value) if value.is_floating_point() else value for name, value in own.items()}


def written(folder: Path, model: str, **changes: Any) -> Path:
    path = folder / f"{model}.safetensors"
    save_file(state(model, **changes) | {"decoder.weight": torch.zeros(2)}, path)
    (folder / "positions.json").write_text(json.dumps(PLACES))
    return path


def fitted(model: str, weights: Path | None, rows: Samples = ROWS, **settings: Any) -> Any:
    about = {"model": model, "arguments": SMALL[model], "weights": weights}
    training = {"epochs": 1, "batch_size": 16, "learning_rate": 0.01}
    return system("foundation", **{**about, "training": training, **settings}).fit(rows, rows.select([]), TASK)


def test_a_probe_keeps_the_weights_of_the_file_and_learns_its_head(model: str, tmp_path: Path) -> None:
    path, given = written(tmp_path, model), state(model)
    probe = fitted(model, path)
    after = probe.network.network.network.body.state_dict()
    kept = [name for name in after if not name.startswith("final_layer") and name != "chans_id"]
    for name in kept:
        wanted = given[name][:, : after[name].shape[1]] if name == "temporal_embedding" else given[name]
        assert torch.equal(after[name], wanted), name
    begun = Foundation(model, FORM, (6, 256), 3, SMALL[model])
    assert set(probe.head) == set(begun.head) and probe.facts["begins with"].startswith(f"{path.name}, sha256")
    probe.save(tmp_path / "saved")
    path.unlink()  # what was saved needs it no longer
    again = type(probe).load(tmp_path / "saved").predict(ROWS)
    assert np.allclose(again.probabilities, probe.predict(ROWS).probabilities, atol=1e-6)


def test_positions_of_electrodes_are_those_that_reve_was_trained_with(tmp_path: Path) -> None:
    network = Foundation("reve", FORM, (6, 256), 3, SMALL["reve"])
    network.take(written(tmp_path, "reve"))
    assert network.positions.tolist() == torch.tensor([PLACES[name] for name in FORM.channels]).tolist()
    (tmp_path / "positions.json").write_text("[]")
    with pytest.raises(InsulaError, match=r"no positions of electrodes.*positions\.json.*reve-positions, and put it"):
        network.take(tmp_path / "reve.safetensors")


def test_fine_tuning_moves_what_was_given_less_than_the_head(tmp_path: Path) -> None:
    given = state("biot")
    tuned = fitted("biot", written(tmp_path, "biot"), tune="fine-tune", backbone_rate=0.01)
    after = dict(tuned.network.network.body.named_parameters())
    moved = max((after[name] - given[name]).abs().max().item() for name in after if "final_layer" not in name)
    assert 0 < moved < 0.01 * 0.01 * 10, "at most the slowed rate in each of its steps"


def test_without_weights_it_is_the_control_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        control = fitted("biot", None)
    assert "biot has random weights: the control" in caplog.text and control.facts["begins with"] == "random weights"


def test_a_state_that_torch_wrote_is_read_and_code_in_it_is_not_run(tmp_path: Path) -> None:
    network = Foundation("biot", FORM, (6, 256), 3, SMALL["biot"])
    torch.save({"epoch": 3, "state_dict": state("biot")}, tmp_path / "biot.pth")
    network.take(tmp_path / "biot.pth")
    assert torch.equal(network.body.encoder.channel_tokens.weight, state("biot")["encoder.channel_tokens.weight"])
    torch.save({"weights": Path("x")}, tmp_path / "code.pth")
    with pytest.raises(InsulaError, match=r"no weights, or more than weights .*code\.pth"):
        network.take(tmp_path / "code.pth")


@pytest.mark.parametrize(
    ("name", "message"),
    [("labram", r"huggingface\.co/braindecode/labram-pretrained, and set"), ("reve", r"reve-base, agree to its owner")],
)
def test_an_absent_file_is_one_line_with_its_source(tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(InsulaError, match=rf"no weights of {name}, and none are fetched .*nowhere.*{message}"):
        fitted(name, tmp_path / "nowhere.safetensors")


def test_weights_of_another_architecture_are_refused_with_key_and_shapes(tmp_path: Path) -> None:
    with pytest.raises(
        InsulaError, match=r"encoder\.channel_tokens\.weight is 4 x 16 in the weights .*and 6 x 16 here"
    ):
        fitted("biot", written(tmp_path, "biot", channels=4))
    with pytest.raises(InsulaError, match=r"weights of cbramod lack patch_embedding\.mask_encoding"):
        fitted("cbramod", written(tmp_path, "biot"))
    (tmp_path / "page.safetensors").write_text("<html>You need to agree to share your contact information")
    with pytest.raises(InsulaError, match=r"holds no weights.*page\.safetensors.*agree to its owner's terms"):
        fitted("reve", tmp_path / "page.safetensors")


def test_windows_channels_units_and_arguments_that_do_not_fit_are_refused() -> None:
    store = ROWS.store("eeg")

    def altered(values: np.ndarray, **changes: Any) -> Samples:
        other = ArrayStore(values, store.description.model_copy(update=changes))
        return ROWS.with_modality("eeg", "other", other, range(len(ROWS)))

    values = store.read(ROWS.rows("eeg"))
    with pytest.raises(InsulaError, match=r"labram reads whole seconds, and windows have 1\.5 s: set corpus\.window="):
        fitted("labram", None, altered(values[..., :192]))
    with pytest.raises(InsulaError, match=r"eegpt does not know 1 channels: EXG1"):
        fitted("eegpt", None, altered(values, channels=(*FORM.channels[:5], "EXG1")))
    with pytest.raises(InsulaError, match=r"cbramod reads microvolts, and these are in V"):
        fitted("cbramod", None, altered(values, units="V"))
    with pytest.raises(InsulaError, match=r"BIOT of braindecode has no argument depth \(arguments\)"):
        fitted("biot", None, arguments={"depth": 1})
    with pytest.raises(InsulaError, match=r"unknown foundation model 'laBraM' \(model\): did you mean labram"):
        system("foundation", model="laBraM").fit(ROWS, ROWS.select([]), TASK)


def test_windows_are_resampled_to_the_rate_of_the_model() -> None:
    network = Foundation("cbramod", FORM, (6, 256), 3, SMALL["cbramod"])
    time = np.arange(256) / 128
    wave = torch.from_numpy(np.sin(2 * np.pi * 7 * time)).float() @ network.resampling
    wanted = np.sin(2 * np.pi * 7 * np.arange(400) / 200)
    assert wave.shape == (400,) and np.abs(wave.numpy() - wanted)[40:-40].max() < 0.02

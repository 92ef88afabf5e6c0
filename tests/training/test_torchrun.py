"""Pre-training in processes that torchrun starts: all of them call it, or the first does and the others help."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import torch

from insula.training.pretraining import pretrain
from insula.training.settings import Pretraining

SCRIPT = """
import sys
from pathlib import Path
import torch
from insula.errors import SettingsError
from insula.training.devices import leading
from insula.training.pretraining import pretrain
from insula.training.settings import Pretraining
from test_pretraining import Denoising, untrained

SETTINGS = Pretraining(epochs=1, steps=3, draws=3, learning_rate=0.05)

def trained(**changes):
    network = untrained()
    pretrain(network, Denoising(), SETTINGS.model_copy(update=changes), 0)
    return network.weight.detach()

def refused(run):
    try:
        run()
    except SettingsError as error:
        return str(error)

folder = Path(sys.argv[1])
weights = {"together": trained(), "again": trained()}
weights["few"] = refused(lambda: trained(draws=1))
rank = torch.distributed.is_torchelastic_launched() and int(__import__("os").environ["RANK"])
odd = Denoising()
odd.fingerprint = f"rows of {rank}"
weights["unlike"] = refused(lambda: pretrain(untrained(), odd, SETTINGS, 0))
with leading():
    weights["led"], weights["led again"] = trained(), trained()
    weights["few led"] = refused(lambda: trained(draws=1))
    (folder / f"rank {rank}").touch()
torch.save(weights, folder / "weights.pt")
"""


def test_torchrun_gives_the_weights_of_one_process_however_often_and_one_of_it_writes(tmp_path: Path) -> None:
    from test_pretraining import Denoising, untrained

    (tmp_path / "script.py").write_text(SCRIPT)
    paths = os.pathsep.join([str(Path(__file__).parent), *filter(None, sys.path)])
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [*command, str(tmp_path / "script.py"), str(tmp_path)],
        env={**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[:3000]
    one = untrained()
    pretrain(one, Denoising(), Pretraining(epochs=1, steps=3, draws=3, learning_rate=0.05), 0)
    several = torch.load(tmp_path / "weights.pt", weights_only=True)
    for name in ("together", "again", "led", "led again"):
        torch.testing.assert_close(several[name], one.weight.detach(), rtol=1e-4, atol=1e-6)
    for name in ("few", "few led"):
        wanted = "2 processes share 1 draws of a step (torchrun): set pretraining.draws=2 or more, or start fewer"
        assert several[name] == wanted
    assert "pre-train on unlike data" in several["unlike"]
    assert [path.name for path in tmp_path.glob("rank *")] == ["rank 0"]

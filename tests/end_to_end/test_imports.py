"""What may be loaded when: the runtime does without what trains, and `insula --help` without nearly everything."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from without import BROUGHT, modules_after, run_without

HEAVY = {
    "torch", "torchvision", "timm", "pytorch_lightning", "sklearn", "scipy", "skimage", "mne", "matplotlib",
}  # fmt: skip
MAIN = "from insula.cli import main; main()"


@pytest.mark.parametrize("code", ["import insula", "import insula.cli", MAIN])
def test_the_front_door_and_the_help_load_next_to_nothing(code: str) -> None:
    loaded = modules_after(code, *(["--help"] if code == MAIN else []))
    assert "insula" in loaded and not loaded & (HEAVY | {"pandas", "numpy", "PIL", "onnxruntime", "av"})


def test_what_predicts_and_audits_imports_nothing_that_trains() -> None:
    modules = (
        "emotions", "samples", "protocols", "protocols.tables", "faces", "storage.weights", "storage.folder",
        "evaluation.recipe", "evaluation.experiment", "deployment.predictor", "deployment.bundle", "deployment.fitting",
        "deployment.draw_tracks", "deployment.sheet", "systems.catalogue", "corpora.catalogue",
    )  # fmt: skip
    assert not modules_after("import " + ", ".join(f"insula.{module}" for module in modules)) & HEAVY


def test_an_audit_loads_nothing_that_trains(tmp_path: Path) -> None:
    table, split = tmp_path / "table.csv", tmp_path / "split.csv"
    pd.DataFrame({"subject": ["a", "b"], "trial": [1, 2], "start": 0, "stop": 1}).to_csv(table, index=False)
    pd.DataFrame({"index": [0, 1], "part": ["train", "test"]}).to_csv(split, index=False)
    loaded = modules_after(MAIN, "audit", table, split, "--unit", "subject")
    assert "pandas" in loaded and not loaded & (HEAVY | {"PIL", "onnxruntime"})


def test_cards_of_corpora_need_the_runtime_alone() -> None:
    done = run_without(BROUGHT, "from insula.corpora.catalogue import cards; print(len(cards()))")
    assert int(done.stdout) > 20, done.stderr

"""What an import may load: `import insula` and `insula --help` are light."""

from __future__ import annotations

import subprocess
import sys

import pytest


def _loaded(code: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print('\\n'.join(sys.modules))"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return {name.split(".")[0] for name in done.stdout.split()}


@pytest.mark.parametrize("code", ["import insula", "import insula.cli"])
def test_importing_insula_loads_neither_torch_nor_mne(code: str) -> None:
    assert not _loaded(code) & {"torch", "mne", "sklearn", "matplotlib", "scipy", "pandas", "pytorch_lightning"}


def test_catalogues_load_nothing_they_name() -> None:
    code = "import insula.systems.catalogue, insula.corpora.catalogue"
    assert not _loaded(code) & {"torch", "mne", "sklearn", "pytorch_lightning"}

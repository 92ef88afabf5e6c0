"""Where benchmarks find what they need."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[1]
PEER = ROOT / ".venv-peers" / "bin" / "python"  # of the environment with what is measured beside insula

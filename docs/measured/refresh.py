"""Measure again what the documentation quotes: `python docs/measured/refresh.py NAME...`, or `--list`.

Runs the command of each name, copies its passport, tables and figures beside this file, and fills the pages in. A run
goes to `runs/measured/NAME` and, interrupted, goes on from there; `--from FOLDER` copies a run that was made before.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import quotes
from blocks import MEASURED, ROOT

KEPT = (".csv", ".svg")


class Run(NamedTuple):
    """A measured run: what tables call it, the command (`--output FOLDER` is added), and what data a script reads."""

    title: str
    command: str
    data: tuple[str, ...] = ()


RUNS = {
    "watermelon": Run("trials kept whole", "insula run watermelon"),
    "watermelon-leaking": Run("windows at random", "insula run watermelon --set protocol.name=random --as-published"),
    "watermelon-subjects": Run(
        "subjects kept whole", "insula run watermelon --set protocol.name=subject-disjoint --set protocol.folds=2"
    ),
    "demo": Run("demo", "insula demo"),
    "bmci": Run("simulated", "insula run bmci"),
    "semi-simulated": Run(
        "semi-simulated", "insula run bmci --set corpus.name=semi-simulated --set corpus.root=$INSULA_DATA"
    ),
    "bmci-tables": Run("tables T1 to T3", "insula run bmci-tables"),
    "bmci-regimes": Run("regime map", "insula run bmci-regimes --set grid=coarse"),
    "eeg-baselines": Run("EEG classifiers", "insula run eeg-baselines --set corpus.root=$INSULA_DATA/eegmat"),
    "eeg-steps": Run(
        "steps before classifiers", "insula run eeg-baselines --set grid=steps --set corpus.root=$INSULA_DATA/eegmat"
    ),
    "eeg-protocols": Run("three splits", "insula run eeg-protocols --set corpus.root=$INSULA_DATA/eegmat"),
    "rbtransformer-null": Run("noise, three splits", "insula run rbtransformer-null"),
    "mdjpt-simulated": Run("simulated", "insula run mdjpt-simulated"),
    "mdjpt-eegmat": Run("EEGMAT", "insula run mdjpt-eegmat --set corpus.root=$INSULA_DATA/eegmat"),
    "bmcl": Run("simulated", "insula run bmcl --set repeats=1"),
    "crpn-simulated": Run("drawn faces, labels a third wrong", "insula run crpn-simulated"),
    "crpn-tables": Run("tables of the source in form", "insula run crpn-tables"),
    "crpn-style": Run("faces and drawings of them", "insula run crpn-style"),
    "crpn-identity": Run("six people", "insula run crpn-identity"),
    "neurogaze-simulated": Run("drawn faces, simulated brains", "insula run neurogaze-simulated"),
    "neurogaze-ablations": Run("grids and weights", "insula run neurogaze-ablations"),
    "ucmc-simulated": Run("simulated pairs", "insula run ucmc-simulated"),
    "ucmc-ablations": Run("objectives on and off", "insula run ucmc-ablations"),
    "ucmc-tables": Run("beside other methods", "insula run ucmc-tables"),
    "ucmc-robustness": Run("wrong labels, missing rows", "insula run ucmc-robustness"),
    "face-recognisers": Run(
        "recognisers on photographs",
        "insula run faces --set corpus.name=london-faces --set corpus.root=$INSULA_DATA/london-faces",
    ),
    "face-recognisers-all": Run(
        "every baseline on photographs",
        "insula run faces --set grid=all --set corpus.name=london-faces --set corpus.root=$INSULA_DATA/london-faces",
    ),
    "compact-recogniser": Run(
        "the recogniser in the box",
        "python docs/measured/measure_recogniser.py --bundle runs/compact-recogniser",
        ("fer2013-train", "london-faces"),
    ),
    "simulator": Run("simulator", "python tests/corpora/calibrate_simulated_study.py", ("size-cont-emo",)),
    "simulated-caps": Run("simulated caps", "python tests/corpora/calibrate_simulated_caps.py"),
    "faces": Run("faces", "python docs/measured/measure_faces.py", ("london-faces", "portraits")),
}


def measure(name: str) -> Path:
    """Run the command of a name and return the folder it wrote."""
    folder = ROOT / "runs" / "measured" / name
    words = [os.path.expandvars(word) for word in shlex.split(RUNS[name].command)]
    script = words[0] == "python"
    module = [sys.executable] if script else [sys.executable, "-m", "insula.cli"]
    subprocess.run([*module, *words[1:], "--output", str(folder)], cwd=ROOT, check=True)
    if script:
        (folder / "passport.json").write_text(json.dumps(passport(RUNS[name]), indent=2) + "\n")
    return folder


def passport(run: Run) -> dict[str, Any]:
    """Return the passport of a script, which is no experiment: its code, libraries and data."""
    from insula.evaluation.passport import commit, library_versions
    from insula.storage.code import code_version
    from insula.storage.hashing import digest, sha256_of

    def fingerprint(folder: Path) -> str:
        return digest([sha256_of(path) for path in sorted(folder.rglob("*")) if path.is_file()])

    return {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "as_published": False,
        "data": {name: fingerprint(Path(os.environ["INSULA_DATA"]) / name) for name in run.data},
        "code": {"version": code_version(), **commit()},
        "libraries": library_versions(),
        "platform": {"system": platform.system(), "machine": platform.machine(), "python": platform.python_version()},
    }


def keep(name: str, folder: Path) -> None:
    """Copy what is quoted of a run: passport, tables, figures, what was measured on the way, and its verdict."""
    target = MEASURED / name
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    for path in folder.iterdir():
        if path.name == "passport.json" or path.suffix in KEPT:
            shutil.copy(path, target / path.name)
    for title, table in _measured(folder).items():
        table.to_csv(target / f"{re.sub('[^a-z0-9]+', '-', title.lower()).strip('-')}.csv", index=False)
    known = {"title": RUNS[name].title, "command": RUNS[name].command, **_verdict(folder)}
    (target / "about.json").write_text(json.dumps(known, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _is_run(folder: Path) -> bool:
    return (folder / "results" / "about.json").is_file()


def _measured(folder: Path) -> dict[str, pd.DataFrame]:
    """Return the tables of what systems measured while they were fitted, by title; none of a sweep or a script."""
    from insula.evaluation.results import Results

    return dict(Results.open(folder).measured) if _is_run(folder) else {}


def _verdict(folder: Path) -> dict[str, str]:
    from insula.evaluation.results import Results
    from insula.evaluation.verdict import verdict

    if not _is_run(folder):
        return {}
    said = verdict(Results.open(folder))
    return {"kind": said.kind, "verdict": said.sentence}


def main() -> int:
    """Measure, copy, and fill the pages in."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(RUNS))
    parser.add_argument("--from", dest="folder", type=Path, help="copy this run's folder; run nothing")
    parser.add_argument("--list", action="store_true", help="print names and commands")
    asked = parser.parse_args()
    if asked.list or not asked.names:
        print("\n".join(f"{name:20} {run.command}" for name, run in RUNS.items()))
        return 0
    unknown = [name for name in asked.names if name not in RUNS]
    if unknown:
        parser.error(f"no run is named {unknown[0]}: see --list")
    if asked.folder and len(asked.names) != 1:
        parser.error("--from goes with one name")
    for name in asked.names:
        keep(name, asked.folder or measure(name))
    return quotes.main()


if __name__ == "__main__":
    sys.exit(main())

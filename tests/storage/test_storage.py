"""Storage: writes are whole or absent, hashes notice changes, sealed folders refuse what is not theirs."""

from __future__ import annotations

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from insula.errors import BundleError, DataError, SettingsError
from insula.storage.atomic import write_file, write_folder
from insula.storage.cache import Cache
from insula.storage.folder import seal, verify
from insula.storage.hashing import digest_array
from insula.storage.settings import Settings
from insula.storage.tables import read_csv


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "table.csv"
    target.write_text("old")
    with pytest.raises(RuntimeError), write_file(target) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert target.read_text() == "old" and [path.name for path in tmp_path.iterdir()] == ["table.csv"]


def test_a_failed_folder_leaves_the_old_folder_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "run"
    with write_folder(target) as temporary:
        (temporary / "a").write_text("1")
    with pytest.raises(RuntimeError), write_folder(target) as temporary:
        (temporary / "b").write_text("2")
        raise RuntimeError
    assert [path.name for path in target.iterdir()] == ["a"] and [path.name for path in tmp_path.iterdir()] == ["run"]


def test_cache_builds_once_and_only_what_succeeded(tmp_path: Path) -> None:
    cache, built = Cache(tmp_path), []

    def build(folder: Path) -> None:
        built.append(folder)
        (folder / "x").write_text("1")
        if len(built) == 1:
            raise RuntimeError

    with pytest.raises(RuntimeError):
        cache.folder("kind", {"a": 1}, build)
    first = cache.folder("kind", {"a": 1}, build)
    assert cache.folder("kind", {"a": 1}, build) == first and len(built) == 2
    assert cache.folder("kind", {"a": 2}, build) != first


def test_one_builds_an_entry_and_the_others_wait_for_it(tmp_path: Path) -> None:
    built, started = [], threading.Barrier(3)

    def build(folder: Path) -> None:
        time.sleep(0.2)
        built.append((folder / "x").write_text("whole"))

    def want() -> str:
        started.wait()
        return (Cache(tmp_path).folder("kind", {"a": 1}, build) / "x").read_text()

    with ThreadPoolExecutor(3) as pool:
        assert [one.result() for one in [pool.submit(want) for _ in range(3)]] == ["whole"] * 3
    assert len(built) == 1 and len(list((tmp_path / "kind").iterdir())) == 1, "no lock is left behind"


def test_long_work_goes_on_from_its_checkpoints_which_leave_with_the_work(tmp_path: Path) -> None:
    def build(folder: Path, checkpoints: Path) -> None:
        if not checkpoints.exists():
            checkpoints.mkdir(parents=True)
            (checkpoints / "half").write_text("first half, ")
            raise RuntimeError("power cut")
        (folder / "x").write_text((checkpoints / "half").read_text() + "second half")

    with pytest.raises(RuntimeError, match="power cut"):
        Cache(tmp_path).resumable("kind", {"a": 1}, build)
    assert (Cache(tmp_path).resumable("kind", {"a": 1}, build) / "x").read_text() == "first half, second half"
    assert not list((tmp_path / "checkpoints").iterdir())


def test_array_hash_sees_type_shape_and_content() -> None:
    array = np.arange(6, dtype=np.int32)
    others = [array.reshape(2, 3), array.astype(np.int64), array[::-1], array + 1]
    assert len({digest_array(each) for each in [array, *others]}) == 5
    assert digest_array(np.asfortranarray(array.reshape(2, 3))) == digest_array(array.reshape(2, 3))


@pytest.fixture
def sealed(tmp_path: Path) -> Path:
    (tmp_path / "part").mkdir()
    (tmp_path / "part" / "weights").write_bytes(b"12345")
    seal(tmp_path, system="demo")
    return tmp_path


def test_sealed_folder_is_accepted_as_written(sealed: Path) -> None:
    assert verify(sealed)["system"] == "demo"


@pytest.mark.parametrize("harm", ["altered", "missing", "added", "manifest", "fact", "types", "none"])
def test_sealed_folder_refuses_every_change(sealed: Path, harm: str, tmp_path: Path) -> None:
    weights = sealed / "part" / "weights"
    if harm == "altered":
        weights.write_bytes(b"12346")
    elif harm == "missing":
        weights.unlink()
    elif harm == "added":
        (sealed / "more").write_text("x")
    elif harm == "manifest":
        (sealed / "manifest.json").write_text(json.dumps({"files": 3})[:-2])
    elif harm == "fact":
        manifest = json.loads((sealed / "manifest.json").read_text())
        (sealed / "manifest.json").write_text(json.dumps({**manifest, "system": "other"}))
    elif harm == "types":
        (sealed / "manifest.json").write_text(json.dumps({"files": [1], "sha256": 3}))
    else:
        (sealed / "manifest.json").unlink()
    with pytest.raises(BundleError) as caught:
        verify(sealed)
    assert "\n" not in str(caught.value)


class _Options(Settings):
    rate: float = 1.0


def test_settings_refuse_unknown_keys_and_wrong_values_in_one_line() -> None:
    with pytest.raises(SettingsError, match=r"unknown key 'rat' \(eeg\): did you mean rate\? known keys are rate"):
        _Options.parse({"rat": 1}, where="eeg")
    with pytest.raises(SettingsError, match=r"rate: .* \(eeg\)"):
        _Options.parse({"rate": "fast"}, where="eeg")
    assert _Options(rate=1).digest() == _Options().digest() != _Options(rate=2).digest()


def test_csv_that_is_none_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "binary.csv").write_bytes(bytes(range(256)))
    for name in ("empty.csv", "binary.csv", "absent.csv"):
        with pytest.raises(DataError) as caught:
            read_csv(tmp_path / name)
        assert "\n" not in str(caught.value) and name in str(caught.value)

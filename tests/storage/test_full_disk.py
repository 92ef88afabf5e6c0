"""A disk that fills: one clear line, nothing half-written, and what was finished stays."""

from __future__ import annotations

import errno
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from insula.errors import MachineError
from insula.storage import atomic
from insula.storage.atomic import disk_full, write_file, write_folder, write_into
from insula.storage.cache import Cache

Writer = Callable[[Path], AbstractContextManager[Path]]


@pytest.fixture(params=[write_file, write_folder, write_into])
def writer(request: pytest.FixtureRequest) -> Writer:
    return request.param


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_is_said_and_leaves_nothing(writer: Writer, code: int, tmp_path: Path) -> None:
    with (
        pytest.raises(MachineError, match="the disk is full.*free some space.*what was finished is kept"),  # noqa: RUF043
        writer(tmp_path / "runs" / "one") as temporary,
    ):
        (temporary / "part" if temporary.is_dir() else temporary).write_text("half")
        raise OSError(code, "no")
    assert list((tmp_path / "runs").iterdir()) == []


def test_another_error_stays_what_it_is(writer: Writer, tmp_path: Path) -> None:
    with pytest.raises(PermissionError), writer(tmp_path / "one"):
        raise PermissionError(errno.EACCES, "no")
    with pytest.raises(ValueError, match="odd"), writer(tmp_path / "one"):
        raise ValueError("odd")


def test_an_error_that_does_not_say_why_is_judged_by_the_space_that_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = RuntimeError("file write failed")
    assert not disk_full(failed, tmp_path)
    monkeypatch.setattr(atomic.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 4096}))
    assert disk_full(failed, tmp_path)
    assert not disk_full(PermissionError(errno.EACCES, "no"), tmp_path)


def test_the_same_error_travels_between_processes(tmp_path: Path) -> None:
    import pickle

    error = pickle.loads(pickle.dumps(atomic.full_disk(tmp_path)))
    assert isinstance(error, MachineError) and str(error) == str(atomic.full_disk(tmp_path))


def test_what_was_finished_before_the_disk_filled_is_kept(tmp_path: Path) -> None:
    """A limit on the size of files stands in for a full disk: NumPy's own writes fail as they do there."""
    code = """
import resource, signal, sys
from pathlib import Path
import numpy as np
from insula.storage.cache import Cache
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
cache = Cache(Path(sys.argv[1]))
for size in (1_000, 1_000_000):
    try:
        cache.folder("fits", size, lambda folder: np.save(folder / "values.npy", np.zeros(size)))
    except Exception as error:
        print(type(error).__name__, error)
"""
    said = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert said.stdout.startswith("MachineError the disk is full") and said.stdout.count("\n") == 1
    assert [path.name for path in (tmp_path / "fits").iterdir()] == [Cache(tmp_path).path("fits", 1_000).name]

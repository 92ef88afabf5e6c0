"""An entry of the cache that was damaged names itself and is made anew; what a killed process left is removed."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from insula.errors import MachineError
from insula.storage import atomic, hashing
from insula.storage.atomic import remove_leftovers, write_file, write_folder, write_into
from insula.storage.cache import Cache
from insula.storage.hashing import sha256_of

KEY = {"a": 1}


def build(folder: Path) -> None:
    (folder / "part").mkdir()
    np.save(folder / "part" / "values.npy", np.arange(1000.0))
    (folder / "facts.json").write_text("{}")


def flip(path: Path, place: int) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)


def swap_for_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def swap_for_link(path: Path) -> None:
    path.rename(path.parent.parent / "elsewhere")
    path.symlink_to(path.parent.parent / "elsewhere")


HARMS: dict[str, Callable[[Path], object]] = {
    "one bit of an array": lambda entry: flip(entry / "part" / "values.npy", 4000),
    "one bit of the hashes": lambda entry: flip(entry / "manifest.json", 60),
    "cut off": lambda entry: os.truncate(entry / "part" / "values.npy", 5000),
    "empty": lambda entry: os.truncate(entry / "facts.json", 0),
    "lost": lambda entry: (entry / "facts.json").unlink(),
    "hashes lost": lambda entry: (entry / "manifest.json").unlink(),
    "part lost": lambda entry: shutil.rmtree(entry / "part"),
    "file added": lambda entry: (entry / "quality.json").write_text("[]"),
    "folder added": lambda entry: (entry / "more").mkdir(),
    "a manifest inside": lambda entry: (entry / "part" / "manifest.json").write_text("{}"),
    "a pipe": lambda entry: os.mkfifo(entry / "pipe"),
    "a folder for a file": lambda entry: swap_for_folder(entry / "facts.json"),
    "a folder for the hashes": lambda entry: swap_for_folder(entry / "manifest.json"),
    "a link for a file": lambda entry: swap_for_link(entry / "facts.json"),
    "a file for the entry": lambda entry: (shutil.rmtree(entry), entry.write_text("x")),
    "a dead link for the entry": lambda entry: (shutil.rmtree(entry), entry.symlink_to("nowhere")),
    "not readable": lambda entry: (entry / "facts.json").chmod(0),
    "not a folder to look into": lambda entry: (entry / "part").chmod(0),
    "not to be looked into at all": lambda entry: entry.chmod(0),
    "not to be moved": lambda entry: (flip(entry / "facts.json", 0), (entry / "part").chmod(0o500), entry.chmod(0o500)),
}


@pytest.mark.parametrize("harm", HARMS)
def test_a_damaged_entry_names_itself_and_is_made_anew(tmp_path: Path, harm: str) -> None:
    if harm.startswith("not ") and os.geteuid() == 0:
        pytest.skip("root may read everything")
    entry = Cache(tmp_path).folder("kind", KEY, build)
    HARMS[harm](entry)
    with pytest.warns(UserWarning, match=f"damaged, and is made anew: .*{entry.name}"):
        assert Cache(tmp_path).folder("kind", KEY, build) == entry
    assert np.load(entry / "part" / "values.npy").sum() == np.arange(1000.0).sum()
    assert sorted(path.name for path in entry.iterdir()) == ["facts.json", "manifest.json", "part"]
    assert Cache(tmp_path).holds(entry)
    assert not list(entry.parent.glob(".insula-*"))


def test_an_entry_that_cannot_be_mended_says_where_another_cache_may_lie(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    entry = Cache(tmp_path).folder("kind", KEY, build)
    flip(entry / "facts.json", 0)
    monkeypatch.setattr("filelock.FileLock.acquire", refused)
    with pytest.raises(MachineError, match=r"cannot be written.*INSULA_CACHE"):
        Cache(tmp_path).folder("kind", KEY, build)


def test_a_file_is_hashed_once_a_process_unless_it_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, reads = tmp_path / "file", []
    path.write_bytes(b"1234")
    once = hashing.hashlib.file_digest
    monkeypatch.setattr(hashing.hashlib, "file_digest", lambda *about: reads.append(1) or once(*about))
    first = sha256_of(path)
    path.write_bytes(b"1235")  # within the tick of the clock, and of one size
    assert sha256_of(path) != first and len(reads) == 2
    monkeypatch.setattr(hashing, "_RECENT", -1e9)  # as if both were long ago
    assert sha256_of(path) == sha256_of(path) and len(reads) == 3


KILLED = """
import os, signal
from pathlib import Path
from insula.storage.atomic import scratch_folder, write_file, write_folder, write_into
from insula.storage.cache import Cache
def build(folder):
    (folder / "half").write_text("half")
    place = folder.parent
    with scratch_folder() as scratch, write_file(place / "table.csv") as table, write_into(place) as into:
        (scratch / "x").write_text("x")
        table.write_text("half")
        print("working", flush=True)
        os.kill(os.getpid(), signal.SIGKILL if "{0}" == "kill" else signal.SIGSTOP)
Cache(Path("{1}")).folder("kind", {{"a": 1}}, build)
"""


@pytest.mark.parametrize("fate", ["kill", "stop"])
def test_what_a_killed_process_left_is_removed_and_what_a_living_one_writes_is_not(tmp_path: Path, fate: str) -> None:
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-c", KILLED.format(fate, tmp_path)]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE)
    assert process.stdout is not None and process.stdout.readline() == b"working\n"
    if fate == "kill":
        process.wait()
    left = [*tmp_path.glob(".insula-*"), *(tmp_path / "kind").glob(".insula-*")]
    assert len(left) == 5, "a scratch folder, two targets, the entry and its lock"
    for folder in (tmp_path, tmp_path / "kind"):
        remove_leftovers(folder)
    assert [path.exists() for path in left] == [fate == "stop"] * 5
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()


@pytest.mark.parametrize("mask", [0o022, 0o027, 0o077])
def test_what_is_written_has_the_permissions_that_the_user_gives_files(tmp_path: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        with write_file(tmp_path / "file") as temporary:
            temporary.unlink()
            os.close(os.open(temporary, os.O_CREAT | os.O_WRONLY, 0o600))  # as safetensors does
        for write in (write_folder, write_into):
            with write(tmp_path / write.__name__) as temporary:
                (temporary / "part").mkdir()
                os.close(os.open(temporary / "part" / "private", os.O_CREAT | os.O_WRONLY, 0o600))
    finally:
        os.umask(before)
    for path in tmp_path.rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o777 if path.is_dir() else 0o666) & ~mask, path


def test_a_folder_is_looked_through_once_a_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = []
    monkeypatch.setattr(atomic.Path, "glob", lambda *_: looks.append(1) or [])
    for number in range(3):
        with write_file(tmp_path / f"{number}.png") as temporary:
            temporary.touch()
    assert len(looks) == 1

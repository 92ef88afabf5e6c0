"""A PostgreSQL server of the tests' own, on a free port of this machine alone, gone when they end."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest


def programs() -> Path:
    """Return the folder of PostgreSQL's programs; skip where there is none."""
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    found = [Path(name).resolve().parent for name in (shutil.which("postgres"),) if name]
    found += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    folder = next((folder for folder in found if (folder / "initdb").exists()), None)
    if folder is None:
        pytest.skip("no PostgreSQL server is installed")
    return folder


STARTS_AND_STOPS_WITHIN = 180
"""Seconds; a second or two where nobody else is at work."""


@contextmanager
def server() -> Iterator[str]:
    """Start a server and yield the URL of a role that may make databases; stop it, and nothing else, at the end."""
    folder, place, password = programs(), Path(tempfile.mkdtemp(prefix="insula-postgresql-")), secrets.token_hex(8)
    options = _unprivileged(place)
    (place / "password").write_text(password)
    data = place / "data"
    subprocess.run(
        [folder / "initdb", "-D", data, "-U", "insula", "-E", "UTF8", "--locale=C", "-A", "scram-sha-256",
         "--pwfile", place / "password", "--no-sync"],
        check=True, capture_output=True, cwd=place, **options,
    )  # fmt: skip
    process, url = None, ""
    try:
        for turn in range(5):
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                port = free.getsockname()[1]
            url = f"postgresql://insula:{password}@127.0.0.1:{port}"
            with (place / "log").open("w") as log:
                process = subprocess.Popen(
                    [folder / "postgres", "-F", "-D", data, "-h", "127.0.0.1", "-p", str(port), "-k", place],
                    cwd=place, stdout=log, stderr=log, **options,
                )  # fmt: skip
            if _answers(url, process):
                break
            said = (place / "log").read_text()
            if "Address already in use" not in said or turn == 4:  # somebody may take a free port before it does
                raise RuntimeError(f"the server did not start: {said}")
        yield url
    finally:
        if process is not None and process.poll() is None:
            process.send_signal(signal.SIGINT)
            process.wait(timeout=STARTS_AND_STOPS_WITHIN)
        shutil.rmtree(place, ignore_errors=True)


def new_database(url: str, name: str) -> str:
    """Make a database and return its URL."""
    import psycopg

    with psycopg.connect(f"{url}/postgres", autocommit=True) as connection:
        connection.execute(psycopg.sql.SQL("CREATE DATABASE {}").format(psycopg.sql.Identifier(name)))
    return f"{url}/{name}"


def _unprivileged(place: Path) -> dict[str, Any]:
    """Return how a process becomes somebody else where we are root, whom the server refuses to serve."""
    if os.geteuid() != 0:
        return {}
    names = {entry.pw_name for entry in pwd.getpwall()}
    user = pwd.getpwnam("postgres" if "postgres" in names else "nobody")
    os.chown(place, user.pw_uid, user.pw_gid)
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def _answers(url: str, process: subprocess.Popen) -> bool:
    """Wait until a server answers; return whether it does, or ended instead."""
    import psycopg

    late = time.monotonic() + STARTS_AND_STOPS_WITHIN
    while process.poll() is None and time.monotonic() < late:
        try:
            psycopg.connect(f"{url}/postgres", connect_timeout=10).close()
        except psycopg.OperationalError:
            time.sleep(0.1)
        else:
            return True
    return False

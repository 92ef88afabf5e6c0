"""Fetching from a server of one's own: hashes, interruptions, and files that are in the way."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from typer.testing import CliRunner

from insula.errors import DataError, SettingsError
from insula.storage.fetch import fetch_listed, read_checksums

FILES = {"RECORDS": b"a\nb\n", "Subject00_1.edf": b"rest" * 1000, "sub/Subject00_2.edf": b"task" * 1000}


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        self.server.asked.append(self.path)  # type: ignore[attr-defined]


@pytest.fixture
def site(tmp_path: Path) -> Path:
    folder = tmp_path / "site"
    lines = []
    for name, content in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
        lines.append(f"{hashlib.sha256(content).hexdigest()} {name}\n")
    (folder / "SHA256SUMS.txt").write_text("".join(lines))
    return folder


@pytest.fixture
def server(site: Path) -> Iterator[ThreadingHTTPServer]:
    found = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(site)))
    found.asked = []  # type: ignore[attr-defined]
    thread = threading.Thread(target=found.serve_forever)
    thread.start()
    yield found
    found.shutdown()
    thread.join()
    found.server_close()


@pytest.fixture
def base(server: ThreadingHTTPServer) -> str:
    return f"http://127.0.0.1:{server.server_port}/"


def asked(server: ThreadingHTTPServer) -> list[str]:
    return [path for path in server.asked if "SHA256" not in path]  # type: ignore[attr-defined]


def test_every_file_comes_and_is_checked(base: str, tmp_path: Path) -> None:
    steps: list[tuple[int, int, str]] = []
    paths = fetch_listed(base, "SHA256SUMS.txt", tmp_path / "to", lambda *step: steps.append(step))
    assert {path.relative_to(tmp_path / "to").as_posix(): path.read_bytes() for path in paths} == FILES
    assert steps[0] == (0, 3, "RECORDS")


def test_the_same_call_goes_on_where_it_stopped(
    base: str, server: ThreadingHTTPServer, site: Path, tmp_path: Path
) -> None:
    gone = site / "sub" / "Subject00_2.edf"
    gone.rename(site / "away")
    with pytest.raises(DataError, match="cannot be fetched: 404"):
        fetch_listed(base, "SHA256SUMS.txt", tmp_path / "to")
    (site / "away").rename(gone)
    server.asked.clear()  # type: ignore[attr-defined]
    fetch_listed(base, "SHA256SUMS.txt", tmp_path / "to")
    assert asked(server) == ["/sub/Subject00_2.edf"]


def test_a_wrong_hash_is_one_line_and_leaves_nothing(base: str, site: Path, tmp_path: Path) -> None:
    (site / "Subject00_1.edf").write_bytes(b"something else")
    with pytest.raises(DataError, match="not the published file") as error:
        fetch_listed(base, "SHA256SUMS.txt", tmp_path / "to")
    assert "\n" not in str(error.value)
    assert "Subject00_1.edf" in str(error.value)
    left = {path.name for path in (tmp_path / "to").rglob("*") if path.is_file()}
    assert left == {"SHA256SUMS.txt", "RECORDS"}


def test_a_file_of_ones_own_is_not_overwritten(base: str, tmp_path: Path) -> None:
    (tmp_path / "to").mkdir()
    mine = tmp_path / "to" / "Subject00_1.edf"
    mine.write_bytes(b"mine")
    with pytest.raises(DataError, match="move it away"):
        fetch_listed(base, "SHA256SUMS.txt", tmp_path / "to")
    assert mine.read_bytes() == b"mine"


@pytest.mark.parametrize("name", ["../out.edf", "/etc/out", "a/../../out", "c:out", "..\\out"])
def test_a_list_that_leads_out_of_the_folder_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / "sums").write_text(f"{'0' * 64}  {name}\n")
    with pytest.raises(DataError, match="leads out of the folder"):
        read_checksums(tmp_path / "sums")


def test_a_page_that_is_no_list_is_refused(tmp_path: Path) -> None:
    (tmp_path / "sums").write_text("<html>")
    with pytest.raises(DataError, match="no line of a list"):
        read_checksums(tmp_path / "sums")


def test_the_command_says_licence_size_and_hashes_before_it_asks(
    base: str, server: ThreadingHTTPServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from insula.cli import app
    from insula.corpora import sources

    here = sources.SOURCES["eegmat"].model_copy(update={"base": base})
    monkeypatch.setitem(sources.SOURCES, "eegmat", here)
    command = ["corpora", "fetch", "eegmat", "--to", str(tmp_path / "to")]
    refused = CliRunner().invoke(app, command, input="n\n")
    assert refused.exit_code == 1
    assert "ODC-BY 1.0" in refused.output
    assert "180 MB" in refused.output
    assert f"{base}SHA256SUMS.txt" in refused.output
    assert server.asked == []  # type: ignore[attr-defined]
    assert CliRunner().invoke(app, [*command, "--yes"]).exit_code == 0
    assert (tmp_path / "to" / "Subject00_1.edf").read_bytes() == FILES["Subject00_1.edf"]


def test_large_sets_are_left_to_their_archives_tool(tmp_path: Path) -> None:
    from insula.cli import app

    said = CliRunner().invoke(app, ["corpora", "fetch", "dens", "--to", str(tmp_path / "dens")])
    assert said.exit_code == 0
    assert f"openneuro-py download --dataset=ds003751 --target-dir={tmp_path / 'dens'}" in said.output
    assert not (tmp_path / "dens").exists()


def test_a_corpus_that_is_not_open_says_how_to_get_it() -> None:
    from insula.corpora.sources import source

    with pytest.raises(SettingsError, match="hci-tagging"):
        source("mahnob-hci")

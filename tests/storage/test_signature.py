"""A bundle is signed by who holds a key; everything else is refused in one line."""

from __future__ import annotations

import stat
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from insula.cli import main
from insula.errors import BundleError, DataError
from insula.storage.folder import seal, verify
from insula.storage.signature import check, new_key, sign


@pytest.fixture
def signed(tmp_path: Path) -> tuple[Path, Path]:
    bundle = tmp_path / "bundle"
    bundle.mkdir()
    (bundle / "graph.onnx").write_bytes(b"12345")
    seal(bundle, system="demo")
    public = new_key(tmp_path / "me.key")
    sign(bundle, tmp_path / "me.key")
    return bundle, public


def test_who_has_the_public_key_can_tell_who_signed(signed: tuple[Path, Path]) -> None:
    check(*signed)
    assert verify(signed[0])["system"] == "demo", "a signature is no file that was added"
    assert stat.S_IMODE((signed[1].parent / "me.key").stat().st_mode) == 0o600


def resealed(bundle: Path) -> None:
    (bundle / "graph.onnx").write_bytes(b"54321")
    seal(bundle, system="demo")


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (resealed, "another key, or altered"),
        (lambda bundle: (bundle / "graph.onnx").write_bytes(b"5"), "was altered"),
        (lambda bundle: (bundle / "manifest.sig").unlink(), "not signed"),
        (lambda bundle: (bundle / "manifest.sig").write_bytes(b""), "another key, or altered"),
        (lambda bundle: sign(bundle, bundle.parent / "other"), "another key, or altered"),
    ],
)
def test_what_the_owner_of_the_key_did_not_sign_is_refused(
    signed: tuple[Path, Path], harm: Callable[[Path], object], words: str
) -> None:
    new_key(signed[0].parent / "other")
    harm(signed[0])
    with pytest.raises(BundleError, match=words):
        check(*signed)


def test_no_key_is_replaced_and_what_is_none_is_one_line(signed: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no key can be written"):
        new_key(tmp_path / "me.key")
    for key, use in ((tmp_path / "me.key", check), (signed[1], sign), (tmp_path / "bundle" / "graph.onnx", sign)):
        with pytest.raises(DataError, match=r"no (public|private) key of ed25519.*--new-key"):
            use(signed[0], key)
    with pytest.raises(DataError, match="cannot be read"):
        check(signed[0], tmp_path / "absent")


def test_the_command_signs_and_checks(
    signed: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle, public = signed
    (bundle / "manifest.sig").unlink()
    codes = []
    for words in (("--check", public), ("--key", public.with_suffix("")), ("--check", public), ()):
        monkeypatch.setattr(sys, "argv", ["insula", "seal", str(bundle), *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
        codes.append(ended.value.code or 0)
    assert codes == [2, 0, 0, 0]
    assert "is not signed" in capsys.readouterr().err

"""Signatures of sealed folders: who holds a private key signs the manifest; who has the public one can tell."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from insula.errors import BundleError, DataError
from insula.storage.atomic import write_file
from insula.storage.folder import MANIFEST, SIGNATURE, verify
from insula.tiers import naming_tier

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey


def new_key(path: Path) -> Path:
    """Write a private key of ed25519, which its owner alone can read, and beside it the public one, `.pub`.

    Parameters
    ----------
    path : Path
        Of the private key; a file that is there is never replaced.

    Returns
    -------
    Path
        Of the public key, for those who are to check.

    Raises
    ------
    DataError
        Where something lies there, or nothing can be written.
    """
    with naming_tier():
        from cryptography.hazmat.primitives import serialization as form
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key, public = Ed25519PrivateKey.generate(), path.with_name(f"{path.name}.pub")
    private = key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption())
    shown = key.public_key().public_bytes(form.Encoding.PEM, form.PublicFormat.SubjectPublicKeyInfo)
    for place, content, mode in ((path, private, 0o600), (public, shown, 0o644)):
        try:
            handle = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        except OSError as error:
            raise DataError(f"no key can be written: {error.strerror}", where=place, do="name a new file") from None
        with os.fdopen(handle, "wb") as file:
            file.write(content)
    return public


def sign(folder: Path, key: Path) -> None:
    """Check a sealed folder, and write the signature of its manifest into it.

    Raises
    ------
    BundleError
        Where the folder is not as its manifest says.
    DataError
        Where the file is no private key.
    """
    verify(folder)
    with naming_tier():
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

    private: Ed25519PrivateKey = _key(key, lambda text: load_pem_private_key(text, None), Ed25519PrivateKey, "private")
    signature = private.sign((folder / MANIFEST).read_bytes())
    with write_file(folder / SIGNATURE) as temporary:
        temporary.write_bytes(signature)


def check(folder: Path, key: Path) -> None:
    """Refuse a folder that is not as its manifest says, or whose manifest the owner of a key has not signed.

    Parameters
    ----------
    folder : Path
        A bundle.
    key : Path
        The public key.

    Raises
    ------
    BundleError
        Where it was altered, is not signed, or is signed by another key.
    DataError
        Where the file is no public key.
    """
    with naming_tier():
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
        from cryptography.hazmat.primitives.serialization import load_pem_public_key

    public: Ed25519PublicKey = _key(key, load_pem_public_key, Ed25519PublicKey, "public")
    verify(folder)
    do = "take it from who has the key, or ask for the key of who signed it"
    try:
        public.verify((folder / SIGNATURE).read_bytes(), (folder / MANIFEST).read_bytes())
    except OSError:
        raise BundleError("the bundle is not signed", where=folder, do=do) from None
    except InvalidSignature:
        raise BundleError("the bundle was signed by another key, or altered since", where=folder, do=do) from None


def _key(path: Path, load: Callable[[bytes], Any], kind: type, name: str) -> Any:
    """Read a key of ed25519."""
    try:
        key = load(path.read_bytes())
    except OSError as error:
        raise DataError(f"the key cannot be read: {error.strerror}", where=path, do="check its name") from None
    except Exception:  # whatever cryptography says of a file that is none
        key = None
    if not isinstance(key, kind):
        do = "make a pair of keys with `insula seal --new-key FILE`"
        raise DataError(f"this is no {name} key of ed25519", where=path, do=do)
    return key

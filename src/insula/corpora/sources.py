"""Open corpora: where they are fetched from, and how large that is."""

from __future__ import annotations

from insula.corpora.catalogue import card
from insula.errors import SettingsError
from insula.storage.settings import Settings


class Source(Settings):
    """Where an open corpus is fetched from.

    Parameters
    ----------
    size : str
        What is fetched.
    base, checksums : str
        Address of a folder of files, and the name of its list of sha256.
    tool : str
        Or the command that fetches the set, `FOLDER` standing for where to.
    """

    size: str
    base: str = ""
    checksums: str = ""
    tool: str = ""


def _openneuro(accession: str, size: str) -> Source:
    return Source(size=size, tool=f"openneuro-py download --dataset={accession} --target-dir=FOLDER")


#: Sets of thousands of files are left to the tools that their archives maintain, which check what they fetch.
SOURCES = {
    "eegmat": Source(
        size="36 people x 2 recordings at 500 Hz as EDF, about 180 MB",
        base="https://physionet.org/files/eegmat/1.0.0/",
        checksums="SHA256SUMS.txt",
    ),
    "dens": _openneuro("ds003751", "thousands of files; the archive's page says how large"),
    "emoeeg-mc": _openneuro("ds005540", "thousands of files; the archive's page says how large"),
    "music-emotion": _openneuro("ds002721", "hundreds of files; the archive's page says how large"),
    "faced": Source(
        size="123 people; the archive's page says how large",
        tool="synapse get -r syn50614194 --downloadLocation FOLDER (needs a free account); in BIDS form: nemar dataset "
        "clone nm000112, then nemar dataset get in it",
    ),
}
"""By the corpus's name."""


def source(name: str) -> Source:
    """Return where a corpus is fetched from.

    Raises
    ------
    SettingsError
        For an unknown corpus, and for one that is not open: the message says how to get it.

    Examples
    --------
    >>> source("eegmat").checksums
    'SHA256SUMS.txt'
    """
    if name not in SOURCES:
        what = f"{name} cannot be fetched ({card(name).access})"
        raise SettingsError(what, do=f"those that can are {', '.join(SOURCES)}")
    return SOURCES[name]

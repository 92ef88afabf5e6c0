"""What a corpus is: a card, a check of its folder, and its samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Protocol, runtime_checkable

import pandas as pd
from pydantic import Field

from insula.errors import InsulaError
from insula.samples import Samples
from insula.storage.below import first_of
from insula.storage.cache import Cache
from insula.storage.settings import Settings


def _real(about: Mapping[str, Any]) -> str:
    """Return what a corpus that does not say so is made of: only what is simulated must say that it is."""
    kinds = set(about.get("modalities", ()))
    return "real pictures" if kinds == {"picture"} else "real EEG" if kinds <= {"eeg", "features"} else "real data"


class Card(Settings):
    """What a person needs to know of a corpus before using it.

    `origin` says which of its brains, faces and labels are real and which simulated, in words that fit behind "on":
    it stands beside every verdict. Where a corpus leaves it out, all of them are real.

    Examples
    --------
    >>> about = {"title": "", "licence": "", "access": "", "size": "", "citation": "", "labels": ""}
    >>> Card(name="mine", modalities=("picture",), **about).origin
    'real pictures'
    """

    name: str
    title: str
    licence: str
    access: str
    size: str
    citation: str
    labels: str
    modalities: tuple[str, ...]
    origin: str = Field(default_factory=_real)
    notes: str = ""


class SimulatedCard(Card):
    """The card of a corpus that is made here."""

    licence: str = "made here; no rights reserved"
    access: str = "simulated, nothing to fetch"
    citation: str = "none: it is part of insula"


def origin_of(corpus: Corpus) -> str:
    """Return whether a corpus is real or simulated, in words; a corpus made of others has their words."""
    return corpus.origin if hasattr(corpus, "origin") else corpus.card.origin


def not_here(people: Sequence[str]) -> list[str]:
    """Return a line that names people of a published set who are not in a folder, which is read as what it is.

    Examples
    --------
    >>> not_here(["s02"]), not_here([])
    (['of the set lacks s02: what is here is read alone'], [])
    """
    return [f"of the set lacks {first_of(people)}: what is here is read alone"] if people else []


@runtime_checkable
class Corpus(Protocol):
    """A corpus, real or simulated.

    Attributes
    ----------
    card : Card
        Licence, access, size, citation.
    settings : Settings
        Where it lies, and how its pictures and recordings are prepared.
    pictures : str
        How a bundle trained on it reads pictures: `detect` (find the faces first), `whole`, or `none`.
    """

    card: ClassVar[Card]
    settings: Settings

    @property
    def pictures(self) -> str:
        """Return how pictures are read: `detect`, `whole` or `none`."""

    def check(self) -> list[str]:
        """Return what the folder lacks or what is broken, one line each; empty where all is well."""

    def samples(self, cache: Cache) -> Samples:
        """Return the samples; prepared arrays lie in the cache, memory-mapped."""

    def truth(self) -> pd.DataFrame | None:
        """Return sealed true labels where the study is simulated, for the scorer alone.

        One row a stimulus, indexed by the qualified unit (`samples.units("stimulus")`), columns named as the labels
        they correct; None where the labels are all there is.
        """


class BaseCorpus:
    """What corpora share: a subclass has a card, settings, what it `_lacks`, if that may be anything, and samples.

    Parameters
    ----------
    settings : Settings
        Of the class that the subclass names `Settings`.
    """

    card: ClassVar[Card]

    def __init__(self, settings: Any) -> None:
        self.settings = settings

    @property
    def pictures(self) -> str:
        """Return how a bundle reads pictures: not at all."""
        return "none"

    def check(self) -> list[str]:
        """Return what is missing or broken, one line each."""
        try:
            return self._lacks()
        except InsulaError as error:
            return [str(error)]

    def _lacks(self) -> list[str]:
        return []

    def truth(self) -> pd.DataFrame | None:
        """Return None: the labels are all there is."""
        return None

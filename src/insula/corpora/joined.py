"""Several corpora as one: what one of them lacks, a picture, EEG or a label, is missing in its rows."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import pandas as pd
from pydantic import Field, model_validator

from insula.corpora.catalogue import corpus
from insula.corpora.contract import Card, Corpus, origin_of
from insula.errors import SettingsError
from insula.samples import Samples, concat
from insula.storage.cache import Cache
from insula.storage.settings import Settings

_PART = "part"  # the column of official parts; see the protocol `as-given`


class JoinedSettings(Settings):
    """Which corpora are joined.

    Parameters
    ----------
    corpora : mapping of str to dict
        Settings by name of corpus, as in `{"dreamer": {"last": 60}, "simulated-faces": {}}`. Beside the corpus's own
        settings there may be `without`, columns that are left out: a label of the same name and of other classes; and
        `corpus`, which corpus it is where the name is one of your own: two folders of recordings have two names.
    seed : int
        Added to the seed of each corpus that has one.

    Raises
    ------
    SettingsError
        Where fewer than two are named.
    """

    corpora: dict[str, dict[str, Any]]
    seed: int = Field(0, ge=0)

    @model_validator(mode="after")
    def _several(self) -> Self:
        if len(self.corpora) < 2:
            raise SettingsError(f"{len(self.corpora)} corpora to join", where="corpora", do="name two or more")
        return self


class Joined:
    """Rows of several corpora in one table, for systems that learn from data that are not paired.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> faces, films = {"pictures": 14, "identities": 4, "size": 24}, {"subjects": 2, "films": 2, "seconds": 4}
    >>> both = Joined(JoinedSettings(corpora={"simulated-faces": faces, "simulated-ratings": films}))
    >>> both.samples(Cache(Path(tempfile.mkdtemp())))
    Samples(22: picture 14, features 8)
    """

    card: ClassVar[Card] = Card(
        name="joined",
        title="Several corpora as one",
        licence="those of its corpora",
        access="that of its corpora",
        size="the sum of its corpora",
        citation="those of its corpora",
        labels="those of its corpora; missing where a corpus does not have them",
        modalities=("any",),
        origin="as in its corpora",
        notes="Units are told apart by corpus. What has no label of the task may train and is never scored.",
    )
    Settings: ClassVar[type[JoinedSettings]] = JoinedSettings

    def __init__(self, settings: JoinedSettings) -> None:
        self.settings = settings
        self.parts = {name: self._part(name, dict(values)) for name, values in settings.corpora.items()}

    def _part(self, name: str, values: dict[str, Any]) -> Corpus:
        values.pop("without", None)
        name = values.pop("corpus", name)
        part = corpus(name, **values)
        if "seed" not in type(part.settings).model_fields:
            return part
        return corpus(name, **{**values, "seed": part.settings.seed + self.settings.seed})  # type: ignore[attr-defined]

    @property
    def pictures(self) -> str:
        """How pictures are read: as in the first corpus that has any."""
        return next((part.pictures for part in self.parts.values() if part.pictures != "none"), "none")

    @property
    def origin(self) -> str:
        """What is real and what is simulated, of each corpus."""
        return ", and ".join(dict.fromkeys(origin_of(part) for part in self.parts.values()))

    def check(self) -> list[str]:
        """Return what each corpus lacks, its name first."""
        return [f"{name}: {lack}" for name, part in self.parts.items() for lack in part.check()]

    def notes(self) -> list[str]:
        """Return what one should know of each corpus, its name first: pictures that are not there, rows unlabelled."""
        parts = {name: part for name, part in self.parts.items() if hasattr(part, "notes")}
        return [f"{name}: {note}" for name, part in parts.items() for note in part.notes()]

    def samples(self, cache: Cache) -> Samples:
        """Return the samples of all corpora, one corpus after the other.

        Where one gives official parts (the column `part`), all rows of those that give none are of the training part;
        the protocol `corpus-to-corpus` tests such a corpus whole, where it is named.
        """
        dropped = {name: values.get("without", ()) for name, values in self.settings.corpora.items()}
        parts = [self._named(name, part.samples(cache)).without(dropped[name]) for name, part in self.parts.items()]
        if any(_PART in samples.table for samples in parts):
            parts = [one if _PART in one.table else one.with_columns(**{_PART: "train"}) for one in parts]
        return concat(parts)

    def truth(self) -> pd.DataFrame | None:
        """Return the sealed labels of those corpora that have any; of the others labels are all there is."""
        sealed = []
        for name, part in self.parts.items():
            truth = part.truth()
            if truth is not None and "corpus" in self.settings.corpora[name]:
                truth = truth.set_axis([f"{name}/{unit.partition('/')[2]}" for unit in truth.index])
            sealed += [] if truth is None else [truth]
        return pd.concat(sealed) if sealed else None

    def _named(self, name: str, samples: Samples) -> Samples:
        """Return the samples of a part under the name that it was given, where it is not that of its corpus."""
        return samples.with_columns(corpus=name) if "corpus" in self.settings.corpora[name] else samples

"""Train here, test there: a corpus from two folders, one of which is learnt from and the other tested."""

from __future__ import annotations

from typing import Any

import pandas as pd

from insula.corpora.catalogue import corpus
from insula.corpora.contract import Corpus
from insula.corpora.folder import Folder
from insula.samples import Samples, concat
from insula.storage.cache import Cache

_PART = "part"  # the column of official parts; see the protocol `as-given`


class TwoRoots:
    """The samples of two corpora, or of two folders of one, with the column `part` that keeps them apart.

    What the first calls its test part is left out, and of the second only that is tested, where it has one. People of
    one corpus who have one name in both folders are one person: the audit finds them on both sides.

    Parameters
    ----------
    train, test : dict
        `name` and settings of a corpus. Nothing is set aside for a test, since it lies elsewhere.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from insula.corpora.fakes import fake_folder
    >>> here, there = (Path(tempfile.mkdtemp()) for _ in range(2))
    >>> fake_folder(here), fake_folder(there)
    (None, None)
    >>> own = {"name": "folder", "faces": "cropped", "size": 32}
    >>> both = TwoRoots({**own, "root": here / "folder"}, {**own, "root": there / "folder"})
    >>> both.samples(Cache(here / "cache")).table["part"].value_counts().to_dict()
    {'train': 12, 'test': 12}
    """

    def __init__(self, train: dict[str, Any], test: dict[str, Any]) -> None:
        self.train, self.test = _built(train, test_share=0.0), _built(test, test_share=0.0, validation_share=0.0)
        self.card, self.settings = self.train.card, self.train.settings
        self.framing = getattr(self.train, "framing", "eyes")

    @property
    def _both(self) -> dict[str, Corpus]:
        return {"train": self.train, "test": self.test}

    @property
    def pictures(self) -> str:
        """How pictures are read: as in the folder that is learnt from."""
        return self.train.pictures

    def check(self) -> list[str]:
        """Return what either folder lacks, which of them it is first."""
        return [f"{part}: {lack}" for part, one in self._both.items() for lack in one.check()]

    def notes(self) -> list[str]:
        """Return what one should know of either folder, which of them it is first."""
        both = {part: one for part, one in self._both.items() if hasattr(one, "notes")}
        return [f"{part}: {note}" for part, one in both.items() for note in one.notes()]

    def samples(self, cache: Cache) -> Samples:
        """Return the samples of both folders, one after the other."""
        train, test = self.train.samples(cache), self.test.samples(cache)
        parts = train.table[_PART].where(train.table[_PART] != "test") if _PART in train.table else "train"
        train = train.with_columns(**{_PART: parts})
        tested = "test"
        if _PART in test.table and (test.table[_PART] == "test").any():
            tested = test.table[_PART].where(test.table[_PART] == "test")
        test = test.with_columns(**{_PART: tested})
        if type(self.test) is Folder and not self.test.names_stimuli:  # two files of one name are two pictures
            test = Samples(test.table.assign(stimulus="test/" + test.table["stimulus"]), test.stores, test.one_person)
        return concat([train, test])

    def truth(self) -> pd.DataFrame | None:
        """Return the sealed labels of those folders that have any."""
        sealed = [truth for one in self._both.values() if (truth := one.truth()) is not None]
        return pd.concat(sealed) if sealed else None


def _built(values: dict[str, Any], **shares: float) -> Corpus:
    settings = dict(values)
    name = settings.pop("name")
    one = corpus(name, **settings)
    shares = {key: value for key, value in shares.items() if key in type(one.settings).model_fields}
    return corpus(name, **{**settings, **shares}) if shares else one

"""The Chinese Facial Affective Picture System, with the EEG of people who watched it."""

from __future__ import annotations

from collections.abc import Sized
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import ClassVar, Literal

import pandas as pd
from pydantic import Field

from insula.corpora.contract import BaseCorpus, Card
from insula.corpora.folder import Folder, FolderSettings
from insula.corpora.pairing import pair, stimulus_names
from insula.corpora.places import corpus_folder
from insula.corpora.recording_files import NAMES
from insula.corpora.recording_tables import seconds
from insula.corpora.recordings import Recordings, RecordingsSettings
from insula.eeg import reading, ready_epochs
from insula.eeg.artefacts import Artefacts
from insula.eeg.preprocessing import Preprocessing
from insula.eeg.ready_epochs import EpochForm, open_epochs, ready_store
from insula.errors import DataError, InsulaError
from insula.samples import Samples, concat, provenance
from insula.storage.cache import Cache
from insula.storage.settings import Settings
from insula.storage.tables import read_table

_CARD = Card(
    name="cfaps",
    title="Chinese Facial Affective Picture System, watched with EEG",
    licence="that of the authors of CFAPS, given on request; nothing is public",
    access="by request: photographs from the authors of CFAPS. The EEG that Hangzhou Dianzi University recorded was "
    "never released: bring EEG of your own. A folder with manifest.csv (image_id,path,label,identity) and eeg/, as in "
    "the notes",
    size="870 photographs in seven classes; in the source 6 people x 870 trials of 500 ms, 62 channels at 1000 Hz",
    citation="Gong, Huang, Wang and Luo (2011), Revision of the Chinese Facial Affective Picture System, Chinese "
    "Mental Health Journal 25(1), 40-46; with EEG: Liu et al. (2021), 10.11959/j.issn.2096-6652.202107",
    labels="emotion: basic7, posed (the manifest's column label)",
    modalities=("picture", "eeg"),
    notes="eeg/ holds, for each person, a recording (S1.vhdr, .edf, .bdf, .set) with S1_events.csv: onset,image_id; or "
    "ready epochs S1.npy (float, epochs x channels x times, microvolts; or S1.npz with the array epochs) with S1.csv: "
    "image_id, a row an epoch, and epochs.yaml: {channels: [Fz, ...], rate: 1000, start: -0.2}. Both tables may have "
    "trial; S1.csv also session and onset (seconds). Recordings go through ICA as in the source, which learns from all "
    "of a recording, test trials included: the protocol must then say target: unlabelled. Ready epochs are taken as "
    "cleaned. Without eeg/ there are pictures alone.",
)


class CfapsSettings(Settings):
    """Where photographs and EEG lie, and how they are prepared.

    Parameters
    ----------
    root : Path, optional
        The folder with `manifest.csv` and `eeg/`, or the folder above it; by default in `INSULA_DATA`.
    faces, size
        As of the corpus `folder`.
    rename, channels
        As of the corpus `recordings`.
    marked : {"keep", "drop"}
        Whether an epoch that preprocessing marked keeps its EEG; the row stays either way.
    preprocessing : Preprocessing
        By default as in the source, as far as it says: 1 to 75 Hz, eyes and muscles taken out, 0 to 500 ms; and epochs
        of more than 150 uV marked. Of ready epochs rate, reference, epoch, baseline and marks are used.
    """

    root: Path | None = None
    faces: Literal["detect", "cropped"] = "detect"
    size: int = Field(96, ge=16)
    rename: dict[str, str | None] | str | None = None
    channels: Literal["common"] | tuple[str, ...] | None = None
    marked: Literal["keep", "drop"] = "keep"
    preprocessing: Preprocessing = Preprocessing(artefacts=Artefacts(ica="infomax", peak_to_peak=150.0))


class _Photographs(Folder):
    """The manifest's pictures, called by their `image_id`."""

    def _manifest(self, path: Path) -> pd.DataFrame:
        table = super()._manifest(path)
        if "image_id" not in table:
            raise DataError("no column 'image_id'", where=path, do="the columns are image_id,path,label,identity")
        names = read_table(path, NAMES)["image_id"]
        if names.isna().any() or names.duplicated().any():
            row = int((names.isna() | names.duplicated()).to_numpy().argmax())
            what = f"row {row} has no image_id" if names.isna()[row] else f"the image_id {names[row]!r} is there twice"
            raise DataError(what, where=path, do="give each picture its own")
        return table.drop(columns="image_id").assign(stimulus=names)


class _Watched(Recordings):
    card: ClassVar[Card] = _CARD


class Cfaps(BaseCorpus):
    """Photographs of faces, and epochs of people who saw them.

    Samples have the modalities `picture` and `eeg` and the label `emotion` (basic7): one row a person and picture seen,
    and a row without subject for each picture that nobody saw. `stimulus` is the `image_id`. A picture shown twice is
    two trials of it. `eeg_quality` and `eeg_cleaned_on` are as of the corpus `recordings`.
    """

    card: ClassVar[Card] = _CARD
    Settings: ClassVar[type[CfapsSettings]] = CfapsSettings
    settings: CfapsSettings

    @property
    def pictures(self) -> str:
        """How a bundle prepares a new picture."""
        return "whole" if self.settings.faces == "cropped" else "detect"

    def _lacks(self) -> list[str]:
        """Return what is missing or broken, one line each: a file, a column, an image."""
        folder, ready = self._folder, self._ready
        lacks = folder.check()
        try:
            stimuli = folder.stimuli()
        except InsulaError:
            return lacks  # which say why
        for path in ready:
            try:
                index = self._index(path)
                self._check_length(path, open_epochs(path, self._form, self.settings.preprocessing), index)
                stimulus_names(index["image_id"], stimuli, path.with_suffix(".csv"))
            except InsulaError as error:
                lacks.append(str(error))
        try:
            recordings = self._recordings
            if recordings:
                broken = recordings.check()
                lacks += broken
                for one in recordings.study.files if not broken else ():
                    shown = recordings.study.events_of(one)["image_id"]
                    stimulus_names(shown, stimuli, recordings.study.table_of(one))
        except InsulaError as error:
            lacks.append(str(error))
        return list(dict.fromkeys(lacks))

    def samples(self, cache: Cache) -> Samples:
        """Return the samples; crops and epochs lie in the cache, memory-mapped.

        Raises
        ------
        DataError
            Naming the file, column or image that is missing or broken.
        """
        pictures = self._folder.everything(cache)
        pictures = Samples(pictures.table.rename(columns={"label": "emotion"}), pictures.stores)
        parts = [self._ready_samples(path, cache) for path in self._ready]
        if self._recordings:
            parts.append(self._recordings.samples(cache))
        if parts:
            return pair(concat(parts), pictures, where=self._eeg)
        alone = pictures.select(pictures.has("picture"))
        return Samples(alone.table.assign(corpus=_CARD.name).reset_index(drop=True), alone.stores)

    @cached_property
    def _root(self) -> Path:
        return corpus_folder(self.settings.root, _CARD.name)

    @property
    def _eeg(self) -> Path:
        return self._root / "eeg"

    @cached_property
    def _folder(self) -> Folder:
        settings = self.settings
        layout = FolderSettings(
            root=self._root, manifest="manifest.csv", label="label", classes="basic7", faces=settings.faces,
            size=settings.size,
        )  # fmt: skip
        return _Photographs(layout)

    @cached_property
    def _form(self) -> EpochForm:
        return EpochForm.read(self._eeg / "epochs.yaml")

    @cached_property
    def _ready(self) -> list[Path]:
        """Files of ready epochs, one a person."""
        files = sorted(path for path in self._eeg.glob("*") if path.suffix.lower() in ready_epochs.SUFFIXES)
        for one, other in pairwise(files):
            if one.stem == other.stem:
                raise DataError(f"{other.name} is of the same person", where=one, do="keep one of the two")
        return files

    @cached_property
    def _recordings(self) -> Recordings | None:
        """What `eeg/` holds of recordings."""
        if not any(path.suffix.lower() in reading.SUFFIXES for path in self._eeg.rglob("*")):
            return None
        settings = self.settings
        watched = _Watched(
            RecordingsSettings(
                root=self._eeg, stimulus="image_id", label=None, rename=settings.rename, channels=settings.channels,
                marked=settings.marked, preprocessing=settings.preprocessing,
            )
        )  # fmt: skip
        if watched.study.kind == "windows":
            path = watched.study.files[0].path
            where = path.with_name(f"{path.stem}_events.csv")
            raise DataError("no such file", where=where, do="give a row a picture shown: onset (seconds) and image_id")
        people = {one.subject for one in watched.study.files}
        for path in self._ready:
            if path.stem in people:
                raise DataError(f"there is a recording of {path.stem}, too", where=path, do="keep one of the two")
        return watched

    def _index(self, path: Path) -> pd.DataFrame:
        """Return which image each ready epoch answers, and `session`, `trial` and `onset` (missing where unknown)."""
        index = path.with_suffix(".csv")
        table = read_table(index, NAMES)
        if "image_id" not in table:
            columns = ", ".join(map(str, table.columns))
            raise DataError("no column 'image_id'", where=index, do=f"its columns are {columns}")
        for name in ("image_id", "session", "trial"):
            if name in table and table[name].isna().any():
                what = f"row {table[name].isna().idxmax()} names no {name.removesuffix('_id')}"
                raise DataError(what, where=index, do=f"give each epoch its {name}")
        numbers = pd.Series(range(1, len(table) + 1)).astype("str")
        defaults = {"session": "1", "trial": numbers, "onset": float("nan")}
        table = table.assign(**{name: table.get(name, value) for name, value in defaults.items()})
        return table.assign(onset=seconds(table["onset"], index))

    def _check_length(self, path: Path, epochs: Sized, index: pd.DataFrame) -> None:
        count = len(epochs)
        if count != len(index):
            what = f"{len(index)} rows for the {count} epochs of {path.name}"
            raise DataError(what, where=path.with_suffix(".csv"), do="give a row an epoch, in their order")

    def _ready_samples(self, path: Path, cache: Cache) -> Samples:
        """Return one sample an epoch; it has a time where the index has the column `onset` (seconds)."""
        index, settings = self._index(path), self.settings.preprocessing
        store, quality = ready_store(path, self._form, settings, cache)
        self._check_length(path, store, index)
        onset = index["onset"].to_numpy()
        table = provenance(
            corpus=_CARD.name, subject=path.stem, session=index["session"].to_numpy(object),
            trial=index["trial"].to_numpy(object), stimulus=index["image_id"].to_numpy(object), n=len(index),
            start=onset + settings.epoch[0], stop=onset + settings.epoch[1],
        )  # fmt: skip
        rows = pd.Series(range(len(index)))
        if settings.marks:
            table["eeg_quality"] = pd.array(quality, dtype="str")
            if self.settings.marked == "drop":
                rows = rows.mask(quality != "", -1)
        if settings.artefacts and settings.artefacts.autoreject:
            table["eeg_cleaned_on"] = pd.array([path.stem] * len(table), dtype="str")
        return Samples(table, {}).with_modality("eeg", path.stem, store, rows)

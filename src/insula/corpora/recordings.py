"""EEG recordings of one's own: a folder or a BIDS tree of EDF, BDF, BrainVision, EEGLAB and FIF files."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import pandas as pd

from insula.corpora.contract import BaseCorpus, Card
from insula.corpora.folder import Folder, FolderSettings
from insula.corpora.pairing import pair, stimulus_names
from insula.corpora.recording_channels import Names, names_in, read_names, readable_of, shared_channels
from insula.corpora.recording_files import RecordingFile
from insula.corpora.recording_folders import unread
from insula.corpora.recording_notes import label_notes, lines_of, notes_about, people_notes
from insula.corpora.recording_tables import (
    StudyFolder,
    annotated,
    tidy_events,
    usual_labels,
    windows_within,
)
from insula.eeg.checks import check_events, check_recording, check_scales
from insula.eeg.epoch_store import Windows, cleaning_columns, count_windows, epoch_store, learnt_from, window_store
from insula.eeg.filters import check_length
from insula.eeg.montage import some
from insula.eeg.preprocessing import Preprocessing, epochs_within
from insula.eeg.reading import read_recording, trigger_events
from insula.errors import DataError, InsulaError
from insula.samples import PROVENANCE, ArrayStore, Recording, Samples, Store, provenance
from insula.storage.cache import Cache
from insula.storage.hashing import digest
from insula.storage.settings import Settings, TextKeys


class RecordingsSettings(Settings):
    """Where recordings lie, what happened when, and how they are cut.

    Parameters
    ----------
    root : Path
        A folder, searched with its subfolders, or the root of a BIDS tree. Files are EDF, BDF, BrainVision (`.vhdr`),
        EEGLAB (`.set`) or, outside BIDS, FIF of raw recordings (`.fif`, `.fif.gz`), of a split one the first part.
    who : str
        How the path below `root`, without suffix, says who and when: `{subject}_{session}`, `{subject}/*_{session}`.
        As it is by default, each file is a person. Not used in a BIDS tree, nor where a table with the column
        `recording` says `subject` (and `session`). A session has one clock, so two recordings cannot share one.
    events : str
        A CSV or TSV file, absolute or in `root`: one row an event, with `onset` (seconds from the recording's start),
        and `recording` (path or file name) or `subject` (and `session`); also `duration`, `stimulus`, `trial`, labels.
        Or `annotations`: those of the files, whose text is the label or, with `pictures`, the stimulus. Or `none`:
        windows. Or `auto`: tables named `RECORDING_events.tsv` or `.csv` beside the files (as in BIDS), else
        `events.tsv` or `.csv` in `root`, else windows.
    labels : str, optional
        A CSV or TSV file of recordings: `recording` or `subject` (and `session`), and labels or other columns, which
        hold for all of a recording, or of a person. In a BIDS tree `participants.tsv` is joined besides. In any table
        `insula.corpora.recording_files.OTHER_NAMES`, such as `file` and `participant_id`, will do.
    label : str, optional
        The column that is the label; None where there is none. What software writes for nothing (`nan`, `NA`, `none`,
        `null`) is no label.
    markers : mapping of str to str, optional
        From values of the label column to labels (`{"S 11": anger}`); events with another value are no events.
    classes : str or tuple of str, optional
        A label space, or its classes, that labels are mapped into; by default words are kept under their usual names.
    stimulus : str
        The events' column that names what was shown (in BIDS `stim_file`).
    rename : mapping of str to str, or str, optional
        From channels as the files name them to 10-05 electrodes, or to null, which leaves one out; or a YAML file in
        `root` that holds this.
    channels : "common", or tuple of str, optional
        Electrodes to read; `common` for those that all recordings have. By default recordings must have the same.
    unit : str, optional
        What the values in the files are (`uV`, `mV` or `V`), whatever their headers say.
    windows : Windows
        How recordings without events are cut.
    within : bool
        Whether events that last are cut into `windows`, from onset to end, in place of one epoch each: a trial has then
        as many samples as fit.
    pictures : FolderSettings, optional
        The pictures that were shown, as of the corpus `folder`: `stimulus` is then joined to them.
    marked : {"keep", "drop"}
        Whether an epoch that preprocessing marked keeps its EEG; the row stays either way.
    preprocessing : Preprocessing
        How the EEG is cleaned and cut.

    Examples
    --------
    In a recipe, for people who watched pictures; `happy.png` was shown at 12.5 s to somebody in `S01.vhdr`::

        corpus:
          name: recordings
          root: my-study/eeg                      # S01.vhdr, S02.vhdr, ...
          events: ../events.csv                   # recording,onset,duration,stimulus
          pictures: {root: my-study/pictures, manifest: pictures.csv}    # path,emotion,identity
          rename: {EXG1: null, FP1-x: Fp1}
          preprocessing:
            artefacts: {ica: infomax, peak_to_peak: 150}

    `insula corpora check recordings my-study/eeg --set events=../events.csv` says what is wrong before anything runs.
    """

    root: Path
    who: str = "{subject}"
    events: str = "auto"
    labels: str | None = None
    label: str | None = "emotion"
    markers: TextKeys | None = None
    classes: str | tuple[str, ...] | None = None
    stimulus: str = "stimulus"
    rename: dict[str, str | None] | str | None = None
    channels: Literal["common"] | tuple[str, ...] | None = None
    unit: str | None = None
    windows: Windows = Windows()
    within: bool = False
    pictures: FolderSettings | None = None
    marked: Literal["keep", "drop"] = "keep"
    preprocessing: Preprocessing = Preprocessing()


class Recordings(BaseCorpus):
    """Epochs around events, or windows, of recordings on disk.

    Samples have the modality `eeg` (microvolts, channels x times) and, with `pictures`, `picture`: then there is one
    row a trial, and one without subject for each picture that nobody saw. `file` names the recording; `eeg_quality` is
    what was marked ("" for nothing), `eeg_cleaned_on` what cleaning learnt from (`insula.eeg.artefacts`), if it does.

    Examples
    --------
    >>> import tempfile
    >>> from insula.corpora.fakes import fake_recordings
    >>> root = Path(tempfile.mkdtemp())
    >>> fake_recordings(root)
    >>> corpus = Recordings(RecordingsSettings(root=root / "recordings", label="trial_type"))
    >>> samples = corpus.samples(Cache(root / "cache"))
    >>> samples, sorted(set(samples.table["trial_type"]))
    (Samples(24: eeg 24), ['anger', 'happiness', 'neutral'])
    """

    card: ClassVar[Card] = Card(
        name="recordings",
        title="EEG recordings of one's own (EDF, BDF, BrainVision, EEGLAB, FIF; folder or BIDS)",
        licence="that of the recordings",
        access="on this computer: a folder of recordings with a table of events or of labels, or a BIDS tree; "
        "insula run FOLDER says what it understood; insula corpora check recordings FOLDER --set events=events.csv",
        size="as large as the folder; memory does not grow with it",
        citation="that of the recordings",
        labels="one column, by default emotion: of a table of events, of a table of recordings, or annotations",
        modalities=("picture", "eeg"),
        origin="real recordings",
        notes="events.csv: recording,onset,duration,stimulus,emotion (seconds; a row an event). Without events: "
        "windows, labelled by labels.csv: recording,subject,session,emotion. Each file is a person unless who "
        "({subject}_{session}), a table or BIDS says otherwise. With pictures (as of the corpus folder) stimuli are "
        "joined to them, and BMCI can learn from both. Channels that are no 10-05 electrode need rename. ICA, RANSAC "
        "and autoreject learn from all of a recording, test trials included: the protocol must then say target: "
        "unlabelled.",
    )
    Settings: ClassVar[type[RecordingsSettings]] = RecordingsSettings
    settings: RecordingsSettings

    @property
    def pictures(self) -> str:
        """How a bundle prepares a new picture."""
        return Folder(self.settings.pictures).pictures if self.settings.pictures else "none"

    def _lacks(self) -> list[str]:
        """Return what is missing or broken, one line each; headers are read, and a few seconds of each signal."""
        files, wanted = self.study.files, None
        if self.settings.channels is not None:
            wanted = self._channels(readable_of(files) or files)
        lacks, errors, readable = list[str](), list[InsulaError](), list[RecordingFile]()
        events: list[pd.DataFrame] = []
        rates: dict[float, str] = {}
        shown = self._shown()
        for one in files:
            try:
                recording = self._recording(one, wanted)
                check_recording(recording, where=one.path)
                check_length(recording.n_times / recording.rate, self.settings.preprocessing.band[0], where=one.path)
                readable.append(one)
                rates.setdefault(recording.rate, one.name)
                self._check_events(one, recording)
                if shown is not None:
                    stimulus_names(recording.events["stimulus"], shown, self.study.table_of(one))
                events.append(recording.events)
            except InsulaError as error:
                errors.append(error)
        try:
            if readable and wanted is None:
                self._channels(readable)
        except InsulaError as error:
            lacks.append(str(error))
        try:
            if events:
                usual_labels(pd.concat(events, ignore_index=True), self.settings.label, self.settings.classes)
        except InsulaError as error:
            lacks.append(str(error))
        if len(rates) > 1 and self.settings.preprocessing.rate is None:
            examples = ", ".join(f"{rate:g} Hz in {name}" for rate, name in sorted(rates.items()))
            lacks.append(f"recordings differ in sampling rate ({examples}): set preprocessing.rate")
        return list(dict.fromkeys([*lines_of(errors), *lacks, *(self._folder.check() if self._folder else [])]))

    def notes(self) -> list[str]:
        """Return what one should know and nothing stops at: what is not read, labels and their counts, copies."""
        settings = self.settings
        notes = unread(settings.root) if settings.root.is_dir() else []
        try:
            study, (rows, where) = self.study, self.study.rows_as_written()
        except InsulaError:
            return notes  # the rest `check` says
        opened: dict[RecordingFile, Recording] = {}
        wanted = None
        with suppress(InsulaError):
            wanted = self._channels(study.files)
        for one in study.files:
            with suppress(InsulaError):
                opened[one] = self._recording(one, wanted)
        cut = study.kind == "windows" and settings.events == "auto"
        notes += [*study.notes, *people_notes(study.files, settings.who), *notes_about(opened, cut, settings.unit)]
        if settings.label is None or settings.pictures or (study.kind == "annotations" and not opened):
            return notes
        if study.kind == "annotations" or settings.markers:
            rows = pd.concat([one.events.assign(place=place) for place, one in enumerate(opened.values())] or [rows])
        what, named = "recordings" if study.kind == "windows" else "events", bool(settings.classes or settings.markers)
        return notes + label_notes(rows, settings.label, what, where, named=named)

    def _shown(self) -> list[str] | None:
        """Return what stimuli may be called; None where there are no pictures, or where their own check says why."""
        with suppress(InsulaError):
            return self._folder.stimuli() if self._folder else None
        return None

    def recordings(self) -> Iterator[Recording]:
        """Yield the recordings, read lazily; channels are the same in each, in the same order.

        Events have the columns of `Recording.events` and those of the tables; where there are none the whole recording
        is one event.
        """
        wanted = self._channels(self.study.files)
        for one in self.study.files:
            yield self._recording(one, wanted)

    def samples(self, cache: Cache) -> Samples:
        """Return one sample an event or a window; what is cut lies in the cache, memory-mapped, a store a recording.

        Raises
        ------
        DataError
            Where a recording or a table cannot be used, naming it.

        Warns
        -----
        UserWarning
            Naming events that no epoch or window fits; they are left out. And what `notes` says.
        """
        parts: list[pd.DataFrame] = []
        stores: dict[str, Store] = {}
        short: list[str] = []
        cut = self._windows if self.study.kind == "windows" else self._epochs
        for one, recording in zip(self.study.files, self.recordings(), strict=True):
            check_scales(recording, where=one.path)
            self._check_events(one, recording)
            rows, store, left = cut(recording, cache)
            if left:
                short.append(f"{left} of {one.name}")
            stores[f"eeg {len(stores)}"] = store
            parts.append(rows.assign(file=one.name, eeg_store=f"eeg {len(parts)}", eeg_row=range(len(rows))))
        near = [f"events too near an end of their recording are left out: {some(short, 3)}"] if short else []
        for note in [*near, *self.notes()]:
            warnings.warn(note, stacklevel=2)
        table = usual_labels(pd.concat(parts, ignore_index=True), self.settings.label, self.settings.classes)
        if self.settings.marked == "drop" and "eeg_quality" in table:
            marked = (table["eeg_quality"] != "").to_numpy()
            table = table.assign(eeg_store=table["eeg_store"].mask(marked), eeg_row=table["eeg_row"].mask(marked, -1))
        pointers = {"eeg_store": table.pop("eeg_store").astype("str"), "eeg_row": table.pop("eeg_row")}
        seen = Samples(table.assign(file=table["file"].astype("str"), **pointers), stores)
        where = self.study.above or self.settings.root
        return pair(seen, self._folder.everything(cache), where=where) if self._folder else seen

    def _epochs(self, recording: Recording, cache: Cache) -> tuple[pd.DataFrame, Store, int]:
        """Return one row an event, the epochs, and how many events did not fit."""
        events, settings = self._cut(recording.events)
        inside = epochs_within(events, recording.n_times, recording.rate, settings)
        lost = int((~inside).sum()) + len(set(recording.events["trial"]) - set(events["trial"]))
        recording = replace(recording, events=events[inside])
        store = epoch_store(recording, settings, cache)
        if self.settings.within:  # a window within an event is not locked to its onset
            store = ArrayStore(store.values, store.description.model_copy(update={"start": None}))
        events = recording.events
        start = events["onset"].to_numpy()
        rows = self._rows(recording, events, start + settings.epoch[0], start + settings.epoch[1])
        return rows.assign(**cleaning_columns(recording, settings, cache)), store, lost

    def _cut(self, events: pd.DataFrame) -> tuple[pd.DataFrame, Preprocessing]:
        """Return the onsets of epochs, and how these are cut: each event, or each window within the events."""
        if not self.settings.within:
            return events, self.settings.preprocessing
        seconds = self.settings.windows.seconds
        cutting = self.settings.preprocessing.model_copy(update={"epoch": (0.0, seconds), "baseline": None})
        return windows_within(events, seconds, self.settings.windows.hop or seconds), cutting

    def _windows(self, recording: Recording, cache: Cache) -> tuple[pd.DataFrame, Store, int]:
        """Return one row a window, the windows, and 0."""
        settings = self.settings.preprocessing
        store, clock = window_store([recording], settings, self.settings.windows, cache)
        events = recording.events.iloc[np.zeros(len(clock), int)]
        rows = self._rows(recording, events, clock["start"].to_numpy(), clock["stop"].to_numpy())
        if settings.marks:
            rows["eeg_quality"] = clock["quality"]
        return rows.assign(**learnt_from(recording, settings, len(rows))), store, 0

    def _rows(self, recording: Recording, events: pd.DataFrame, start: np.ndarray, stop: np.ndarray) -> pd.DataFrame:
        ids = {name: events[name].to_numpy(object) for name in ("trial", "stimulus", "identity") if name in events}
        more = events.drop(columns=["onset", "duration", *ids]).reset_index(drop=True)
        rows = provenance(len(events), corpus=self.card.name, subject=recording.subject, session=recording.session,
                          start=start, stop=stop, **ids)  # fmt: skip
        return rows.join(more)

    @cached_property
    def study(self) -> StudyFolder:
        """The files and their tables."""
        settings = self.settings
        opened = StudyFolder.open(settings.root, settings.who, settings.events, settings.labels)
        if settings.pictures and opened.kind == "windows":
            raise DataError("no events say when a picture was shown", where=settings.root, do="set events")
        return opened

    @cached_property
    def _folder(self) -> Folder | None:
        """The pictures, with labels in our classes."""
        settings = self.settings.pictures
        if settings is None:
            return None
        return Folder(settings.model_copy(update={"classes": settings.classes or self.settings.classes}))

    @cached_property
    def _rename(self) -> Names:
        return read_names(self.settings.rename, self.settings.root)

    def _channels(self, files: Sequence[RecordingFile]) -> tuple[str, ...]:
        return shared_channels(files, self._rename, self.settings.channels, self.settings.unit)

    def _recording(self, one: RecordingFile, channels: Sequence[str] | None) -> Recording:
        """Return a recording with its events and what its tables say."""
        study, unit, who = self.study, self.settings.unit, (one.subject, one.session)
        rename, bad = names_in(one, self._rename, unit)
        recording = read_recording(one.path, self.card.name, *who, rename=rename, channels=channels, unit=unit)
        if study.kind == "annotations" and annotated(recording.events).empty:
            recording = replace(recording, events=trigger_events(one.path))
        bad = [name for name in recording.channels if name in bad and name not in recording.bad]
        events = self._events(one, recording)
        facts = study.facts.iloc[[study.files.index(one)] * len(events)].set_axis(events.index)
        events = events.join(facts.drop(columns=facts.columns.intersection(events.columns)))
        key = digest([recording.fingerprint, bad]) if bad else recording.fingerprint
        return replace(recording, events=events, bad=(*recording.bad, *bad), fingerprint=key)

    def _events(self, one: RecordingFile, recording: Recording) -> pd.DataFrame:
        settings, kind = self.settings, self.study.kind
        if kind == "windows":
            whole = {"onset": [0.0], "duration": [recording.n_times / recording.rate], "trial": [one.session]}
            return pd.DataFrame({**whole, "stimulus": pd.array([None], dtype="str")})
        if kind == "tables":
            raw, stimulus = self.study.events_of(one), settings.stimulus
        else:  # what an annotation says is what was shown, if pictures are known, and the label if not
            raw, stimulus = annotated(recording.events), "text" if settings.pictures else "stimulus"
            if settings.label and (settings.markers is not None or not settings.pictures):
                raw = raw.assign(**{settings.label: raw["text"]})
            raw = raw if stimulus == "text" else raw.drop(columns="text")
        where = self.study.table_of(one)
        return tidy_events(raw, stimulus=stimulus, label=settings.label, markers=settings.markers, where=where)

    def _check_events(self, one: RecordingFile, recording: Recording) -> None:
        """Refuse a recording in which nothing can be cut, an event outside it, and a label that its tables lack."""
        events, settings, where = recording.events, self.settings, self.study.table_of(one)
        check_events(events, recording.n_times, recording.rate, where=where)
        if self.study.kind == "windows":
            count_windows(recording, settings.preprocessing, settings.windows, where=one.path)
            return self._check_label(events, where)
        cut, preprocessing = self._cut(events)
        if not epochs_within(cut, recording.n_times, recording.rate, preprocessing).any():
            what, do = "no event of the recording", "add one (BrainVision's lie in a .vmrk file), or leave it out"
            place = where if where == one.path else f"{one.path.name} in {where}"
            raise DataError(f"{what} that an epoch fits around", where=place, do=do)
        self._check_label(events, where)

    def _check_label(self, events: pd.DataFrame, where: Path) -> None:
        """Refuse events that lack the label, where tables should give it."""
        settings = self.settings
        label = settings.label
        if label and label not in events and not settings.pictures and (self.study.kind == "tables" or settings.labels):
            names = [name for name in events if name not in (*PROVENANCE, "onset", "duration")]
            do = f"set label, as in --set corpus.label={[*names, 'null'][0]}; there is {some(names) or 'no column'}"
            where = settings.root / settings.labels if settings.labels else where
            raise DataError(f"no label column {label!r}", where=where, do=do)

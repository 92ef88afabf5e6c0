"""EEG emotion sets in BIDS as a corpus of trials."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from insula.corpora.bids_events import Layout, Part, trials_in
from insula.corpora.bids_labels import Lists, Rated, in_order, listed, of_person, rated
from insula.corpora.contract import Card
from insula.corpora.places import corpus_folder
from insula.corpora.recording_channels import names_in, shared_channels
from insula.corpora.recording_files import RecordingFile, find_recordings
from insula.corpora.recording_folders import is_bids
from insula.corpora.trials import Trial, TrialCorpus, TrialSettings, part_of
from insula.eeg.checks import check_recording
from insula.eeg.reading import read_recording
from insula.errors import DataError, InsulaError
from insula.samples import Recording
from insula.storage.tables import read_table


class BidsEmotionSettings(TrialSettings):
    """The settings of `TrialSettings`, and the set's layout.

    Examples
    --------
    In a recipe, for a set whose events have the columns `trial_type` (emotions) and `valence`::

        corpus:
          name: bids-emotion
          root: my-set
          layout: {labels: {trial_type: null, valence: [1, 9]}, stimulus: stim_file}
    """

    layout: Layout = Layout(labels={"trial_type": None})


class BidsEmotion(TrialCorpus):
    """Windows of the trials of a BIDS set.

    A person's recordings of one BIDS session are one sitting: its clock runs over them in the order of their names. A
    recording without trials (rest) only adds to the clock. Labels that a trial lacks are missing.
    """

    card: ClassVar[Card] = Card(
        name="bids-emotion",
        title="An EEG emotion set of one's own in BIDS",
        licence="that of the recordings",
        access="on this computer: a BIDS tree with events.tsv",
        size="as large as the folder; memory does not grow with it",
        citation="that of the recordings",
        labels="columns of events.tsv, named by layout.labels; by default trial_type",
        modalities=("eeg", "features"),
        notes="layout says which events are trials and where labels are; the corpora dens, emoeeg-mc and music-emotion "
        "are this reader with a layout. For epochs around events use the corpus recordings.",
    )
    Settings: ClassVar[type[BidsEmotionSettings]] = BidsEmotionSettings
    settings: BidsEmotionSettings

    def _lacks(self) -> list[str]:
        """Return what is missing or broken, one line each; headers, tables and a few seconds of EEG are read."""
        files, channels = self._files, self._channels()
        used = {one.events for one in files}
        stray = [path for path in sorted(self._root.glob("sub-*/**/eeg/*_events.tsv")) if path not in used]
        lacks = [f"no recording for this table of events ({path}): fetch it again" for path in stray]
        read: list[tuple[Recording, list[Part]]] = []
        for one in files:
            try:
                recording = self._recording(one, channels)
                check_recording(recording, where=one.path)
                read.append((recording, self._parts(one, recording)))
            except InsulaError as error:
                lacks.append(str(error))
        if not lacks:
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", UserWarning)  # a README that names too few is as published
                    lacks = self._unplayed(self._trials(read))
            except InsulaError as error:
                lacks.append(str(error))
        return list(dict.fromkeys(lacks))

    def trials(self) -> list[Trial]:
        """Return the trials in the order of play, read lazily.

        Raises
        ------
        DataError
            If a recording or a table cannot be used, naming it, or no trial at all has one of the labels.

        Warns
        -----
        UserWarning
            Where the README does not list as many stimuli as were played; these trials have no emotion.
        """
        channels = self._channels()
        recordings = [(one, self._recording(one, channels)) for one in self._files]
        return self._trials([(recording, self._parts(one, recording)) for one, recording in recordings])

    def _trials(self, read: Sequence[tuple[Recording, list[Part]]]) -> list[Trial]:
        """Return the trials of recordings, each on its sitting's clock, and with the README's labels."""
        clock: dict[tuple[str, str], float] = {}
        people: dict[str, list[tuple[Recording, float, Part]]] = {}
        for recording, parts in read:
            sitting = (recording.subject, recording.session)
            begin = clock.get(sitting, 0.0)
            clock[sitting] = begin + recording.n_times / recording.rate
            people.setdefault(recording.subject, []).extend((recording, begin, part) for part in parts)
        trials = []
        for person, sittings in people.items():
            named = self._named(person, [part for _, _, part in sittings])
            trials += [
                Trial(part_of(recording, part.start, part.stop), str(number), begin + part.start, labels, stimulus)
                for number, ((recording, begin, part), (stimulus, labels)) in enumerate(
                    zip(sittings, named, strict=True), start=1
                )
            ]
        names = dict.fromkeys(name for trial in trials for name in trial.labels)
        empty = [name for name in names if all(trial.labels[name] is None for trial in trials)]
        if empty:
            what = f"no trial has the label {empty[0]!r}"
            raise DataError(what, where=self._root, do="fetch the set's tables again, or set layout")
        return trials

    @cached_property
    def _root(self) -> Path:
        return corpus_folder(self.settings.root, self.card.name)

    @cached_property
    def _files(self) -> list[RecordingFile]:
        if self._root.is_dir() and not is_bids(self._root):
            raise DataError("no BIDS tree", where=self._root, do="it should hold dataset_description.json and sub-*")
        files = [_without_marks_by_trial(one) for one in find_recordings(self._root, "{subject}")]
        tables = [one.events for one in files if one.events]
        shared = [path for path in tables if tables.count(path) > 1]
        if shared:
            what = f"{len(shared)} recordings share this table of events, and each has its own clock"
            raise DataError(what, where=shared[0], do="move it away where the files' annotations say the same")
        return files

    def _channels(self) -> Sequence[str]:
        """Return the electrodes to read: those of `rename`, or those of all recordings, which must be the same."""
        return tuple(self.settings.layout.rename.values()) or shared_channels(self._files, {}, None)

    def _recording(self, one: RecordingFile, channels: Sequence[str]) -> Recording:
        rename, bad = names_in(one, self.settings.layout.rename)
        sitting = re.match(r"ses-([^_]+)", one.session)
        session = sitting[1] if sitting else "1"
        recording = read_recording(one.path, self.card.name, one.subject, session, rename=rename, channels=channels)
        return replace(recording, bad=tuple(name for name in recording.channels if name in bad))

    def _parts(self, one: RecordingFile, recording: Recording) -> list[Part]:
        return trials_in(one, recording, self.settings.layout, self._ratings)

    def _named(self, person: str, parts: Sequence[Part]) -> list[tuple[str | None, dict]]:
        """Return stimulus and labels of a person's trials, the README's where the set has its lists there."""
        order = self.settings.layout.order
        if order is None:
            return [(part.stimulus, part.labels) for part in parts]
        named = in_order(order, self._lists, person, [part.code for part in parts], self._root)
        lost = sum(emotion is None for _, emotion in named)
        if lost:
            what = f"{lost} trials of sub-{person} have no emotion: the README lists another number of stimuli"
            warnings.warn(f"{what} ({self._root}); fetch it again", stacklevel=3)
        return [
            (stimulus, {**part.labels, "emotion": emotion, "context": order.contexts[part.code]})
            for part, (stimulus, emotion) in zip(parts, named, strict=True)
        ]

    def _unplayed(self, trials: Sequence[Trial]) -> list[str]:
        """Return a line for each person without trials, and each context that the README lists for one in vain."""
        people, order = dict.fromkeys(one.subject for one in self._files), self.settings.layout.order
        played = {(trial.recording.subject, trial.labels.get("context")) for trial in trials}
        contexts = order.contexts.values() if order else [None]
        return [
            f"no {context + ' ' if context else ''}trial of sub-{person} ({self._root}): fetch its recordings again"
            for person in people
            for context in contexts
            if (person, context) not in played and (order is None or of_person(self._lists, person, context))
        ]

    @cached_property
    def _ratings(self) -> dict[str, Rated]:
        ratings = self.settings.layout.ratings
        return {one.subject: rated(self._root, one.subject, ratings) for one in self._files} if ratings else {}

    @cached_property
    def _lists(self) -> Lists:
        return listed(self._root)


def _without_marks_by_trial(one: RecordingFile) -> RecordingFile:
    """Return a recording without its table of channels where that is none of BIDS's, but of bad channels by trial."""
    by_trial = one.channels is not None and "trial" in read_table(one.channels)
    return replace(one, channels=None) if by_trial else one

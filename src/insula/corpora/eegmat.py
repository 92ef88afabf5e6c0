"""EEG during mental arithmetic (Zyma et al. 2019): rest and serial subtraction, EDF."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pandas as pd
from pydantic import PositiveFloat

from insula.corpora.contract import Card, not_here
from insula.corpora.places import corpus_folder
from insula.corpora.trials import Trial, TrialCorpus, TrialSettings
from insula.eeg.checks import check_recording
from insula.eeg.preprocessing import Preprocessing
from insula.eeg.reading import read_recording
from insula.errors import DataError
from insula.samples import Recording
from insula.storage.tables import read_csv

CONDITIONS = {"1": "rest", "2": "arithmetic"}

_FILE = re.compile(r"Subject(\d\d)_([12])\.edf")


class EegmatPreprocessing(Preprocessing):
    """The settings of `Preprocessing`, with defaults for recordings that were low-passed at 45 Hz."""

    band: tuple[PositiveFloat, PositiveFloat] = (1.0, 45.0)
    notch: PositiveFloat | None = None
    rate: PositiveFloat | None = 128.0


class EegmatSettings(TrialSettings):
    """The settings of `TrialSettings`; its root may be the folder of EDF files itself."""

    preprocessing: EegmatPreprocessing = EegmatPreprocessing()


class Eegmat(TrialCorpus):
    """Windows of EEG at rest and during mental arithmetic.

    Samples have the modalities `eeg` (microvolts, channels x times) and `features` (differential entropy, channels x
    bands), the label `condition` and `recording`, its number for the person. A recording is a session and a trial.
    Columns of `subject-info.csv`, where that file is there, are joined under names in lower case.
    """

    card: ClassVar[Card] = Card(
        name="eegmat",
        title="EEG during mental arithmetic tasks",
        licence="ODC-BY 1.0",
        access="open: PhysioNet, https://physionet.org/content/eegmat/1.0.0/",
        size="24 people x 2 recordings of 60 s, 19 EEG channels at 128 Hz (16 MB; 36 people at 500 Hz as published)",
        citation="Zyma et al. (2019), Electroencephalograms during mental arithmetic task performance, Data 4(1), 14, "
        "10.3390/data4010014",
        labels="condition: rest or arithmetic; no emotion",
        modalities=("eeg", "features"),
        notes="Rest always comes first, so condition and time go together. Artefacts were removed by ICA beforehand.",
    )
    Settings: ClassVar[type[EegmatSettings]] = EegmatSettings
    settings: EegmatSettings

    def _lacks(self) -> list[str]:
        """Return what is missing or broken, one line each; headers are read, and a few seconds of each signal."""
        files = self._files()
        folder = files[0].parent
        wanted = [folder / f"Subject{person:02d}_{part}.edf" for person in self._people() for part in CONDITIONS]
        lacks = [f"no such file ({path}): fetch it again" for path in wanted if path not in files]
        rates: dict[float, Path] = {}
        for path in files:
            try:
                recording = self._recording(path)
                check_recording(recording, where=path)
                rates.setdefault(recording.rate, path)
            except DataError as error:
                lacks.append(str(error))
        if len(rates) > 1:
            examples = ", ".join(f"{rate:g} Hz in {path.name}" for rate, path in sorted(rates.items()))
            lacks.append(f"recordings differ in sampling rate ({examples}): fetch the odd ones again")
        return lacks

    def notes(self) -> list[str]:
        """Return who of the set is not here, which stops nothing."""
        with suppress(DataError):
            people = self._people()
            return not_here([f"Subject{person:02d}" for person in range(max(people)) if person not in people])
        return []

    def _people(self) -> list[int]:
        """Return the numbers of the people who are here."""
        return sorted({int(_FILE.fullmatch(path.name)[1]) for path in self._files()})  # type: ignore[index]  # matched

    def recordings(self) -> list[Recording]:
        """Return the recordings, read lazily: subject `Subject00`, session `Subject00_1`, one event, the whole of it.

        Events have the columns `onset`, `duration`, `stimulus` (missing), `trial` and `condition`.
        """
        return [self._recording(path) for path in self._files()]

    def trials(self) -> list[Trial]:
        """Return a trial for each recording, the whole of it."""
        about = self._subject_info()
        trials = []
        for recording in self.recordings():
            person = about.loc[recording.subject].to_dict() if recording.subject in about.index else {}
            number = recording.session[-1]
            labels = {"condition": CONDITIONS[number], "recording": number, **person}
            trials.append(Trial(recording, recording.session, 0.0, labels))
        return trials

    def _files(self) -> list[Path]:
        folder = corpus_folder(self.settings.root, "eegmat")
        if not folder.is_dir():
            raise DataError("no such folder", where=folder, do="correct root")
        files = sorted(path for path in folder.iterdir() if _FILE.fullmatch(path.name))
        if not files:
            raise DataError("no recording in this folder", where=folder, do="it should hold Subject00_1.edf and on")
        return files

    def _recording(self, path: Path) -> Recording:
        recording = read_recording(path, "eegmat", path.stem.split("_")[0], path.stem)
        whole = {
            "onset": [0.0],
            "duration": [recording.n_times / recording.rate],
            "stimulus": pd.array([None], dtype="str"),
            "trial": [path.stem],
            "condition": [CONDITIONS[path.stem[-1]]],
        }
        return replace(recording, events=pd.DataFrame(whole))

    def _subject_info(self) -> pd.DataFrame:
        path = corpus_folder(self.settings.root, "eegmat") / "subject-info.csv"
        if not path.exists():
            return pd.DataFrame()
        table = read_csv(path)
        if "Subject" not in table or table["Subject"].duplicated().any():
            raise DataError("not a row a subject", where=path, do="it should have one column Subject, each named once")
        table = table.set_index("Subject")
        return table.rename(columns=lambda name: "_".join(str(name).lower().split()))

"""The public 4 Hz features of MAHNOB-HCI (Soleymani et al. 2016): EEG, face and gaze with expressed valence."""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import numpy as np

from insula.corpora.contract import BaseCorpus, Card
from insula.corpora.mahnob_labels import LABEL_RATE, Tracks
from insula.corpora.matlab import matlab_array, matlab_shapes
from insula.corpora.places import corpus_folder
from insula.errors import DataError
from insula.samples import ArrayStore, Description, Samples, open_store, provenance
from insula.storage.cache import Cache
from insula.storage.hashing import sha256_of
from insula.storage.settings import Settings

_FILE = re.compile(r"P(\d+)-features-resamp4hz-trial-(\d+)\.mat")

#: Modalities, the variables that hold them, and how many numbers a row has.
_MODALITIES = {"features": ("eeg_band_feats_full", 128), "face_features": ("face_feats", 327)}

#: `target` is this times the annotators' label, in every trial.
_DOUBLED = 2.0


class MahnobFeaturesSettings(Settings):
    """Where the features lie, and the labels.

    Parameters
    ----------
    root : Path, optional
        The folder of feature files, or the folder above it; by default in `INSULA_DATA`.
    continuous : Path, optional
        `lable_continous_Mahnob.mat`. By default labels are half of the files' `target`, with a warning that says so.
    """

    root: Path | None = None
    continuous: Path | None = None


@dataclass(frozen=True)
class _File:
    path: Path
    person: int
    trial: int
    length: int


class MahnobFeatures(BaseCorpus):
    """Features of EEG and face, four rows a second, with the expressed valence of each.

    Samples have the modalities `features` (128 numbers of 32 electrodes' band power) and `face_features` (327, of which
    the first 38 are of face points), and the label `valence_continuous`. A person's trials are one session, one after
    the other on its clock.
    """

    card: ClassVar[Card] = Card(
        name="mahnob-features",
        title="Features of MAHNOB-HCI at 4 Hz, with continuous valence",
        licence="that of MAHNOB-HCI (academic use, signed); the repository that carries the files is GPL-3.0",
        access="https://github.com/soheilrayatdoost/ContinuousEmotionDetection: data/Features and "
        "data/lable_continous_Mahnob.mat (setting continuous)",
        size="239 trials of 24 people, 77,536 rows",
        citation="Soleymani, Asghari-Esfeden, Fu and Pantic (2016), Analysis of EEG signals and facial expressions for "
        "continuous emotion detection, IEEE Trans. Affective Computing 7(1), 17-28, 10.1109/TAFFC.2015.2436926",
        labels="valence_continuous: expressed valence by five annotators of the face, four values a second, from -0.33 "
        "to 0.45",
        modalities=("features", "face_features"),
        notes="The files' target is exactly twice the annotators' label: it is never used as it is. With continuous "
        "the labels are that file's, and target must be twice of them; without it they are half of target. Which "
        "column of features belongs to which electrode and band is not published. Neighbouring rows are nearly the "
        "same: keep trials apart. Always print the constant predictor (root mean square error 0.06).",
    )
    Settings: ClassVar[type[MahnobFeaturesSettings]] = MahnobFeaturesSettings
    settings: MahnobFeaturesSettings

    def _lacks(self) -> list[str]:
        """Return what is missing or broken, one line each; shapes and labels are read."""
        paths = self._paths()
        tracks = self._tracks
        lacks = []
        for path in paths:
            try:
                self._valence(_header(path))
            except DataError as error:
                lacks.append(str(error))
        folder = paths[0].parent
        keys = tracks.values if tracks else ()
        wanted = [f"P{person}-features-resamp4hz-trial-{trial}.mat" for person, trial in keys]
        absent = [folder / name for name in wanted if not (folder / name).is_file()]
        return lacks + [f"no such file ({path}): fetch it again, the labels speak of it" for path in absent]

    def samples(self, cache: Cache) -> Samples:
        """Return one sample a quarter of a second; features lie in the cache, memory-mapped.

        Raises
        ------
        DataError
            Where a file cannot be used, or its target is not twice the label.

        Warns
        -----
        UserWarning
            Where there is no file of labels, so that they are half of the files' target.
        """
        files = sorted((_header(path) for path in self._paths()), key=lambda file: (file.person, file.trial))
        valence = np.concatenate([self._valence(file) for file in files])
        if self._tracks is None:
            warnings.warn(
                "valence is half of the files' target, which is twice the annotators' label: "
                "set continuous to lable_continous_Mahnob.mat to compare them",
                stacklevel=2,
            )
        lengths = np.array([file.length for file in files])
        place = np.repeat(np.arange(len(files)), lengths)
        people = np.array([file.person for file in files])
        before = np.cumsum(lengths) - lengths  # rows of earlier trials, of earlier people too
        first = np.array([before[people == person][0] for person in people])
        start = (np.arange(len(place)) - first[place]) / LABEL_RATE
        table = provenance(
            corpus="mahnob-features",
            subject=people.astype(str).astype(object)[place],
            session=np.full(len(place), "1", object),
            trial=np.array([str(file.trial) for file in files], object)[place],
            start=start,
            stop=start + 1 / LABEL_RATE,
            valence_continuous=valence,
        )
        key = [sha256_of(file.path) for file in files]
        folder = cache.folder("mahnob-features", key, lambda target: _write(files, target))
        samples = Samples(table, {})
        for modality in _MODALITIES:
            samples = samples.with_modality(modality, modality, open_store(folder / modality), range(len(table)))
        return samples

    @cached_property
    def _tracks(self) -> Tracks | None:
        return Tracks.read(self.settings.continuous) if self.settings.continuous else None

    def _paths(self) -> list[Path]:
        folder = corpus_folder(self.settings.root, "mahnob-features")
        if not folder.is_dir():
            raise DataError("no such folder", where=folder, do="correct root")
        below = (sorted(path for path in place.iterdir() if _FILE.fullmatch(path.name))
                 for place in (folder, *sorted(folder.iterdir())) if place.is_dir())  # fmt: skip
        files = next(filter(None, below), [])
        if not files:
            do = "it should hold P1-features-resamp4hz-trial-2.mat and on"
            raise DataError("no features in this folder", where=folder, do=do)
        return files

    def _valence(self, file: _File) -> np.ndarray:
        """Return the labels of a trial, float (times,)."""
        target = np.atleast_1d(matlab_array(file.path, "target")).astype(float)
        if target.shape != (file.length,) or not (np.abs(target) <= _DOUBLED).all():  # NaN is not
            what = f"target is no {file.length} numbers in [-2, 2]"
            raise DataError(what, where=file.path, do="fetch the file again")
        if self._tracks is None:
            return target / _DOUBLED
        label = self._tracks.values.get((file.person, file.trial))
        if label is None or label.shape != target.shape or not np.allclose(target, _DOUBLED * label, atol=1e-6):
            what = f"target is not twice the label of person {file.person}, trial {file.trial}"
            do = f"fetch it and {self.settings.continuous} again: they do not belong together"
            raise DataError(what, where=file.path, do=do)
        return label


def _header(path: Path) -> _File:
    """Return what a file is of, its shapes checked."""
    match = _FILE.fullmatch(path.name)
    assert match is not None
    shapes = matlab_shapes(path)
    length = shapes.get("target", (0,))[-1]
    for name, width in _MODALITIES.values():
        if shapes.get(name) != (length, width):
            what = f"{name} has the shape {shapes.get(name)}, not {(length, width)}"
            raise DataError(what, where=path, do="fetch the file again")
    return _File(path, int(match[1]), int(match[2]), length)


def _write(files: list[_File], folder: Path) -> None:
    """Write a store a modality, file by file."""
    rows = sum(file.length for file in files)
    for modality, (name, width) in _MODALITIES.items():
        raw = folder / f"{modality}.raw"
        values = np.memmap(raw, np.float32, "w+", shape=(rows, width))
        begin = 0
        for file in files:
            part = matlab_array(file.path, name).reshape(file.length, width)
            if not np.isfinite(part).all():
                raise DataError(f"{name} holds values that are not finite", where=file.path, do="fetch the file again")
            values[begin : begin + file.length] = part
            begin += file.length
        ArrayStore(values, Description(kind="features", axes=("feature",))).save(folder / modality)
        raw.unlink()

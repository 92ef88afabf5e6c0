"""How one subject teaches: from EEG and the pictures it watched to a member of the bank."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from insula.emotions import Categorical
from insula.errors import DataError
from insula.samples import FitLog, Samples
from insula.systems.bmci.bank import Member, MemberTraining, PictureLogits
from insula.systems.bmci.brain import Encoder, Epochs, brain_code_once
from insula.systems.bmci.classification import BlockClassifier
from insula.systems.bmci.estimate import estimate_seconds
from insula.systems.bmci.readout import SensorReadout, sensor_readout
from insula.systems.bmci.regression import VirtualEEG, out_of_fold, variance_ratio
from insula.systems.bmci.settings import BMCISettings
from insula.systems.bmci.training_pictures import TrainingPictures
from insula.systems.fitting import brain_given, labelled, stage
from insula.systems.pictures import picture_groups
from insula.training.threads import one_thread, spare_processes

log = logging.getLogger(__name__)

_LONG = 60  # s: below it, starting processes costs more than they save
_SHRUNK = 0.3  # of the variance of the EEG embedding: the specification's mark


@dataclass(frozen=True)
class SubjectFit:
    """What came of one subject: the member, measured facts, the steps that were fitted and the seconds they took."""

    member: Member
    facts: dict[str, Any]
    log: FitLog = field(default_factory=FitLog)
    seconds: dict[str, float] = field(default_factory=dict)


def teach_all(
    pictured: Samples,
    validation: Samples,
    place: np.ndarray,
    training: TrainingPictures,
    task: Categorical,
    settings: BMCISettings,
) -> list[SubjectFit]:
    """Let every subject teach, or those with the most pictures where `settings.subjects` limits them.

    Subjects are independent: a long fit that runs alone gives each a process.

    Parameters
    ----------
    pictured, validation : Samples
        Training and validation rows.
    place : int array, shape (len(pictured),)
        Which training picture each row shows.
    training, task, settings : TrainingPictures, Categorical, BMCISettings
        Of the system.
    """
    subjects, watched = pictured.units("subject"), pictured.has("eeg")
    names, counts = np.unique(subjects[watched].astype(str), return_counts=True)
    if not len(names):
        raise DataError("no training picture has EEG", do="give EEG, or train a picture-only system")
    order = np.argsort(-counts, kind="stable")[: settings.subjects]
    work = []
    for number, name in enumerate(sorted(map(str, names[order]))):
        mine = np.flatnonzero(watched & (subjects == name))
        held = validation.select(validation.has("eeg") & (validation.units("subject") == name))
        work.append((pictured.select(mine), held, place[mine], number, training, task, settings))
    processes = min(spare_processes(), len(work))
    if processes == 1 or estimate_seconds(settings, pictured) < _LONG:
        return [teach(*given) for given in work]
    from joblib import Parallel, delayed

    return Parallel(n_jobs=processes)(delayed(_teach_in_one_thread)(*given) for given in work)


def _teach_in_one_thread(*given: Any) -> SubjectFit:
    with one_thread():
        return teach(*given)


def teach(
    mine: Samples,
    held: Samples,
    place: np.ndarray,
    number: int,
    training: TrainingPictures,
    task: Categorical,
    settings: BMCISettings,
) -> SubjectFit:
    """Fit what one subject teaches: encoder, virtual EEG of every training picture, classifiers.

    Parameters
    ----------
    mine, held : Samples
        The subject's training and validation rows, with EEG.
    place : int array, shape (len(mine),)
        Which training picture each row shows.
    number : int
        Of the subject, for the placebo that draws a code.
    training : TrainingPictures
        What the classifiers learn from, whether this subject watched it or not.
    task, settings : Categorical, BMCISettings
        Of the system.
    """
    name = str(mine.units("subject")[0])
    done = FitLog()
    seconds: dict[str, float] = {}
    with stage(seconds, "EEG encoder"):
        people = training.groups[place * training.views]
        code, encoder, readout, about = _code(mine, held, people, number, task, settings, done)
    if readout is not None:
        done.record(f"sensor readout of {name}", mine)
    watched, which = np.unique(place, return_inverse=True)
    code = by_picture(code, which)
    rows = training.rows(watched)
    visual, groups = training.visual[rows], training.groups[rows]
    code = np.repeat(code, training.views, axis=0)
    with stage(seconds, "virtual EEG"):
        held_back, kind, scores = out_of_fold(visual, code, groups, settings, training.views)
        regressor = VirtualEEG(visual, code, groups, settings, kind, training.views)
        virtual = regressor.predict(training.visual)  # pictures this subject did not see
        virtual[rows] = held_back
        done.record(f"virtual EEG of {name}", mine)
    about |= {"regressor": kind, "r2": scores[kind], "r2_by_regressor": scores}
    about["variance_ratio"] = variance_ratio(code, held_back)
    about["pictures"] = len(watched)
    if settings.classifier_reads == "real":
        virtual[rows] = code
    with stage(seconds, "fusion classifiers"):
        classifiers = _classifiers(virtual, training, settings)
        if encoder is not None:
            classifiers["real"] = BlockClassifier([visual, code], training.labels[rows], groups, settings)
    taught = MemberTraining(visual, code, groups, virtual, training.views)
    member = Member(name, regressor, classifiers, scores[kind]["uniform"], encoder, taught, readout)
    return SubjectFit(member, about, done, seconds)


def _classifiers(code: np.ndarray, training: TrainingPictures, settings: BMCISettings) -> dict[str, BlockClassifier]:
    """Return the classifiers of one subject; the policy `concat` has none, but one over all subjects."""
    if settings.policy == "concat":
        return {}
    rest = (training.labels, training.groups, settings)
    return {
        "virtual": BlockClassifier([code], *rest),
        "fusion": BlockClassifier([training.visual, code], *rest),
    }


def by_picture(code: np.ndarray, which: np.ndarray) -> np.ndarray:
    """Average the embeddings (never the raw epochs) of one picture shown several times."""
    counts = np.bincount(which).astype(np.float32)
    sums = np.zeros((len(counts), code.shape[1]), np.float32)
    np.add.at(sums, which, code)
    return sums / counts[:, None]


def _code(
    mine: Samples,
    held: Samples,
    groups: np.ndarray,
    number: int,
    task: Categorical,
    settings: BMCISettings,
    done: FitLog,
) -> tuple[np.ndarray, Encoder | None, SensorReadout | None, dict[str, Any]]:
    """Return what stands for this subject's brain: one code a row, the encoder, the way back, and facts."""
    labels = task.targets(mine.table)
    name = str(mine.units("subject")[0])
    if settings.brain == "class-code":
        drawn = np.random.default_rng(settings.seed).standard_normal((number + 1, len(task.classes), 128))
        codes = drawn[number].astype(np.float32)[labels]
        return codes, None, sensor_readout(codes, mine), {}
    mine, held = (brain_given(rows, settings.brain, task, settings.seed) for rows in (mine, held))
    epochs = Epochs(mine.read("eeg"), labels, groups)
    watched = None
    if len(held):
        watched = Epochs(held.read("eeg"), task.targets(held.table), picture_groups(held))
        done.record(f"epoch of the EEG encoder of {name}", held, "selection")
    code = brain_code_once(epochs, watched, len(task.classes), settings, name)
    done.record(f"EEG encoder of {name}", mine)
    if code.alignment < 0.5:
        what = (
            "%s: fold encoders disagree (alignment %.2f), so its virtual EEG is weak: give more epochs, or leave it out"
        )
        log.warning(what, name, code.alignment)
    about = {} if np.isnan(code.alignment) else {"alignment": code.alignment}
    return code.targets, code.encoder, sensor_readout(code.targets, mine), about


def stacking(
    training: TrainingPictures, visual: BlockClassifier, task: Categorical, settings: BMCISettings
) -> SubjectFit:
    """Return the placebo's one member: out-of-fold logits of the picture-only model in place of a brain."""
    from sklearn.model_selection import GroupKFold

    classes = len(task.classes)
    code = np.zeros((len(training.visual), classes), np.float32)
    folds = GroupKFold(min(settings.folds, len(np.unique(training.groups))), shuffle=True, random_state=0)
    for inside, outside in folds.split(training.visual, groups=training.groups):
        part = BlockClassifier([training.visual[inside]], training.labels[inside], training.groups[inside], settings)
        code[outside] = PictureLogits(part, classes).predict(training.visual[outside])
    taught = MemberTraining(training.visual, code, training.groups, code, training.views)
    classifiers = _classifiers(code, training, settings)
    return SubjectFit(Member("stacking", PictureLogits(visual, classes), classifiers, 0.0, fitted_on=taught), {})


def one_subject(
    samples: Samples, validation: Samples | None, task: Categorical, members: tuple[str, ...]
) -> tuple[Samples, Samples]:
    """Return a new subject's training and validation rows with picture, EEG and label.

    Raises
    ------
    DataError
        Where they are those of no subject, of several, or of a known one.
    """
    mine, held = (
        labelled(rows.select(rows.has("picture") & rows.has("eeg")), task)
        for rows in (samples, samples.select([]) if validation is None else validation)
    )
    names = sorted(map(str, set(mine.units("subject"))))
    if len(names) != 1:
        raise DataError(f"{len(names)} subjects have pictures, EEG and labels", do="give the rows of one subject")
    if names[0] in members:
        raise DataError(f"{names[0]!r} is a subject already", do="remove the subject first")
    return mine, held.select(held.units("subject") == names[0])


def shrunk(subject_fits: Sequence[SubjectFit]) -> int:
    """Return how many subjects' virtual EEG hardly leaves the mean, as where pictures tell little of the EEG."""
    return sum(subject_fit.facts.get("variance_ratio", 1.0) < _SHRUNK for subject_fit in subject_fits)

"""A toy study, seconds to learn: pictures of bars whose slant is the class, EEG whose pattern is the class."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from insula.samples import ArrayStore, Description, Samples, concat, provenance

CLASSES = ("anger", "happiness", "neutral")


def toy_study(
    pictures: int = 60,
    subjects: Sequence[str] = ("S1", "S2"),
    watched: float = 1.0,
    strength: float = 1.5,
    noise: float = 0.2,
    seed: int = 0,
) -> Samples:
    """Return samples, one row a (subject, picture), and one for each picture that nobody watched."""
    rng = np.random.default_rng(seed)
    classes = np.arange(pictures) % len(CLASSES)
    rng.shuffle(classes)
    y, x = np.mgrid[:48, :48] / 48 - 0.5
    angles = np.pi / 3 * classes
    waves = np.sin(20 * (np.cos(angles)[:, None, None] * x + np.sin(angles)[:, None, None] * y))
    values = 128 + 60 * waves[..., None] + 255 * noise * rng.standard_normal((pictures, 48, 48, 3))
    stores: dict = {
        "pictures": ArrayStore(
            np.clip(values, 0, 255).astype(np.uint8), Description(kind="picture", axes=("row", "column", "colour"))
        )
    }
    form = Description(
        kind="signal", axes=("channel", "time"), rate=100, channels=("Fz", "Cz", "Pz", "Oz"), units="uV", start=0
    )
    rows = []
    for subject in subjects:
        seen = np.sort(rng.permutation(pictures)[: round(watched * pictures)])
        patterns = rng.standard_normal((len(CLASSES), 4, 1))
        epochs = 10 * rng.standard_normal((len(seen), 4, 50)) + 10 * strength * patterns[classes[seen]]
        stores[f"eeg {subject}"] = ArrayStore(epochs.astype(np.float32), form)
        rows += [(subject, picture, row) for row, picture in enumerate(seen)]
    watched_ones = {picture for _, picture, _ in rows}
    rows += [(None, picture, -1) for picture in range(pictures) if picture not in watched_ones]
    subject, picture, row = (np.array(column, object) for column in zip(*rows, strict=True))
    table = provenance(
        corpus="toy",
        subject=subject,
        session=["1" if name else None for name in subject],
        trial=[f"{number}" if name else None for name, number in zip(subject, row, strict=True)],
        stimulus=[f"picture{number:03d}" for number in picture],
        identity=[f"person{number // 3:02d}" for number in picture],
        start=np.where(row >= 0, row, np.nan).astype(float),
        stop=np.where(row >= 0, row + 0.5, np.nan).astype(float),
    ).assign(emotion=np.array(CLASSES, object)[classes[picture.astype(int)]])
    samples = Samples(table, stores).with_modality("picture", "pictures", stores["pictures"], picture.astype(int))
    for name in subjects:
        samples = samples.with_modality("eeg", f"eeg {name}", stores[f"eeg {name}"], np.where(subject == name, row, -1))
    return samples


def toy_styles(pictures: int = 240) -> Samples:
    """Return pictures of `toy_study` that nobody watched, each as it is and paler: two styles of one stimulus."""
    plain = toy_study(pictures, subjects=()).with_columns(style="plain")
    paler = ArrayStore(plain.store("picture").values // 2 + 64, plain.store("picture").description)  # type: ignore[attr-defined]
    drawn = plain.with_columns(style="stylised").with_modality("picture", "paler", paler, plain.rows("picture"))
    return concat([plain, drawn])


def toy_windows(subjects: int = 4, sessions: int = 2, trials: int = 6, windows: int = 2, seed: int = 0) -> Samples:
    """Return windows of EEG and the power of their channels; a class is a wave of 10 Hz in two of six channels.

    Every subject watches the same clips, two of each class, in each session.
    """
    rng = np.random.default_rng(seed)
    subject, session, trial, window = np.indices((subjects, sessions, trials, windows)).reshape(4, -1)
    labels = trial % len(CLASSES)
    rate, channels = 128, ("F3", "F4", "C3", "C4", "P3", "P4")
    values = 10 * rng.standard_normal((len(labels), len(channels), 2 * rate))
    there = np.arange(len(channels)) // 2 == labels[:, None]
    values += 20 * there[..., None] * np.sin(2 * np.pi * 10 * np.arange(2 * rate) / rate)
    start = 2.0 * (window + windows * trial)
    table = provenance(
        corpus="toy",
        subject=[f"S{number + 1}" for number in subject],
        session=(session + 1).astype(str),
        trial=(trial + 1).astype(str),
        stimulus=[f"clip{number}" for number in trial],
        start=start,
        stop=start + 2,
    ).assign(emotion=np.array(CLASSES, object)[labels])
    signal = Description(kind="signal", axes=("channel", "time"), rate=rate, channels=channels, units="uV")
    bands = Description(kind="features", axes=("channel", "band"), channels=channels, units="nats")
    powers = np.log(values.var(axis=2))[..., None].astype(np.float32)
    samples = Samples(table, {})
    for modality, store in (
        ("eeg", ArrayStore(values.astype(np.float32), signal)),
        ("features", ArrayStore(powers, bands)),
    ):
        samples = samples.with_modality(modality, modality, store, range(len(labels)))
    return samples


def toy_pairs(without_face: float = 0.2, seed: int = 0) -> Samples:
    """Return the toy windows with features of the face, which some rows lack; a class is high in two of six numbers."""
    windows = toy_windows(seed=seed)
    rng = np.random.default_rng(seed + 1)
    labels = np.array([CLASSES.index(name) for name in windows.table["emotion"]])
    values = rng.standard_normal((len(labels), 6)) + 1.5 * (np.arange(6) // 2 == labels[:, None])
    store = ArrayStore(values.astype(np.float32), Description(kind="features", axes=("feature",)))
    rows = np.where(rng.random(len(labels)) < without_face, -1, np.arange(len(labels)))
    return windows.with_modality("face_features", "face_features", store, rows)


def toy_parts(samples: Samples, test: int = 5, validation: int = 8) -> tuple[Samples, Samples, Samples]:
    """Return the training, validation and test part: test are the persons below `test`, validation up to the other."""
    person = samples.table["identity"].str[-2:].astype(int).to_numpy()
    parts = [person >= validation, (person >= test) & (person < validation), person < test]
    return tuple(samples.select(np.flatnonzero(part)) for part in parts)  # type: ignore[return-value]


def toy_unpaired(pictures: int = 60, people: int = 4, films: int = 6, seed: int = 0) -> Samples:
    """Return the pictures of the toy study beside people of nobody's faces, who rated films by their band power."""
    rng = np.random.default_rng(seed)
    faces = toy_study(pictures, subjects=(), seed=seed)
    person, film, window = np.indices((people, films, 4)).reshape(3, -1)
    felt = rng.uniform(-1, 1, (films, 2))[film]
    channels = ("F3", "F4", "C3", "C4", "P3", "P4")
    values = 0.3 * rng.standard_normal((len(film), len(channels), 5))
    values[:, 0] += felt[:, :1]
    values[:, 5] += felt[:, 1:]
    form = Description(kind="features", axes=("channel", "band"), channels=channels, units="nats")
    start = 2.0 * (window + 4 * film)
    table = provenance(
        corpus="films",
        subject=[f"S{number + 1}" for number in person],
        session="1",
        trial=(film + 1).astype(str),
        stimulus=[f"film{number}" for number in film],
        start=start,
        stop=start + 2,
    ).assign(valence=3 + np.round(2 * felt[:, 0]), arousal=3 + np.round(2 * felt[:, 1]))
    store = ArrayStore(values.astype(np.float32), form)
    return concat([faces, Samples(table, {}).with_modality("features", "features", store, range(len(table)))])

"""Tiny face corpora in the layouts they are published in, of drawn faces."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from insula.corpora import affectnet, ck_plus, fer2013, fer_votes, raf_db
from insula.corpora.drawn_faces import draw_faces
from insula.emotions import LABEL_SPACES

_STANDS_FOR = {"contempt": ("happiness", 0.4)}  # there is no drawing of it


def fake_raf_db(root: Path) -> None:
    """Write `raf-db/basic/` with aligned pictures: four of each class to train on and two to test."""
    folder = root / "raf-db" / "basic"
    lines = []
    for part, each in (("train", 4), ("test", 2)):
        codes = np.repeat(list(raf_db.CODES), each).tolist()
        pictures = _pictures([raf_db.CODES[code] for code in codes], 100, seed=each)
        for number, (code, picture) in enumerate(zip(codes, pictures, strict=True), 1):
            name = f"{part}_{number:05d}"
            _write(folder / "Image" / "aligned" / f"{name}_aligned.jpg", picture)
            lines.append(f"{name}.jpg {code}")
    (folder / "EmoLabel").mkdir()
    (folder / "EmoLabel" / "list_patition_label.txt").write_text("\n".join(lines) + "\n")


def fake_affectnet(root: Path) -> None:
    """Write `affectnet/` as the older release: drawn faces in wider pictures, their boxes, all eleven codes."""
    folder = root / "affectnet"
    for name, each in (("training.csv", 3), ("validation.csv", 2)):
        codes = np.repeat(np.arange(11), each)
        rows = []
        for number, (code, face) in enumerate(zip(codes, _pictures(_named(codes), 96, seed=each), strict=True)):
            picture = np.full((120, 150, 3), 90, np.uint8)
            picture[12:108, 30:126] = face
            path = f"{number % 3 + 1}/{name[:5]}{number:04x}.jpg"
            _write(folder / "Manually_Annotated_Images" / path, picture)
            none = code > 7  # such pictures have no rating
            rating = (-2.0, -2.0) if none else (round(0.1 * code - 0.3, 2), round(0.5 - 0.1 * code, 2))
            rows.append((path, 30, 12, 96, 96, "40.0;50.0;90.0;50.0", code, *rating))
        columns = ["subDirectory_filePath", "face_x", "face_y", "face_width", "face_height", "facial_landmarks",
                   "expression", "valence", "arousal"]  # fmt: skip
        pd.DataFrame(rows, columns=columns).to_csv(folder / name, index=False)


def fake_affectnet_newer(root: Path) -> None:
    """Write `affectnet/` as the newer release: cut faces, and a file for each annotation with its number as text."""
    for name, each in (("train_set", 3), ("val_set", 2)):
        folder = root / "affectnet" / name
        codes = np.repeat(np.arange(8), each)
        (folder / "annotations").mkdir(parents=True)
        for number, (code, face) in enumerate(zip(codes, _pictures(_named(codes), 112, seed=each), strict=True)):
            _write(folder / "images" / f"{number}.jpg", face)
            for kind, value in (("exp", code), ("val", 0.1 * code - 0.3), ("aro", 0.5 - 0.1 * code)):
                np.save(folder / "annotations" / f"{number}_{kind}.npy", np.array(f"{value:g}"))


def fake_fer2013(root: Path) -> None:
    """Write `fer2013/fer2013.csv`, and `ferplus/fer2013new.csv` with ten votes a row; one row names no picture.

    The last picture of each part is neutral to FER2013, which has no contempt, and contempt to FER+.
    """
    rows: list[tuple] = []
    votes: list[tuple] = []
    for usage, each in zip(fer_votes.PARTS, (4, 2, 2), strict=True):
        codes = np.repeat(np.arange(len(fer2013.CODES)), each)
        emotions = [fer2013.CODES[code] for code in codes]
        emotions[-1] = "contempt"
        for code, emotion, picture in zip(codes, emotions, _pictures(emotions, 48, seed=len(rows)), strict=True):
            grey = picture.mean(axis=-1).astype(np.uint8)
            other = "neutral" if emotion == "contempt" else "contempt"
            count = dict.fromkeys(fer_votes.COLUMNS, 0) | {emotion: 7, other: 1, "unknown": 2}
            name = "" if len(rows) == 1 else f"fer{len(rows) - (len(rows) > 1):07d}.png"  # numbers skip such a row
            votes.append((usage, name, *(count[column] for column in fer_votes.COLUMNS)))
            rows.append((code, " ".join(map(str, grey.ravel())), usage))
    (root / "fer2013").mkdir(parents=True)
    (root / "ferplus").mkdir()
    pd.DataFrame(rows, columns=["emotion", "pixels", "Usage"]).to_csv(root / "fer2013" / "fer2013.csv", index=False)
    table = pd.DataFrame(votes, columns=["Usage", "Image name", *fer_votes.COLUMNS])
    table.to_csv(root / "ferplus" / "fer2013new.csv", index=False)


def fake_fer2013_folders(root: Path) -> None:
    """Write `fer2013/train/angry/*.png` to `fer2013/test/surprise`, named as FER+ names them, and the votes."""
    fake_fer2013(root)
    write_fer2013_folders(root, root / "fer2013")
    (root / "fer2013" / "fer2013.csv").unlink()


def write_fer2013_folders(
    root: Path, folder: Path, name: str = "{ferplus}", parts: Mapping[str, str] = fer_votes.PARTS
) -> None:
    """Write the pictures of the fake `fer2013.csv` as files in a folder for each part and emotion.

    Parameters
    ----------
    root : Path
        Where `fake_fer2013` wrote.
    folder : Path
        To write into.
    name : str
        Of a file, a format of `usage`, `row` and `ferplus`, its name in FER+; a picture that wants a name and has none
        is left out.
    parts : mapping
        Name of the folder of each Usage.
    """
    table = pd.read_csv(root / "fer2013" / "fer2013.csv")
    names = pd.read_csv(root / "ferplus" / "fer2013new.csv")["Image name"]
    emotions = {"anger": "angry", "happiness": "happy", "sadness": "sad"}
    for row, (code, pixels, usage) in enumerate(table.itertuples(index=False)):
        if "{ferplus}" in name and pd.isna(names[row]):
            continue
        emotion = fer2013.CODES[code]
        file = name.format(usage=usage, row=row, ferplus=names[row])
        grey = np.array(pixels.split(), np.uint8).reshape(48, 48)
        _write(folder / parts[usage] / emotions.get(emotion, emotion) / file, grey)


def fake_fed_ro(root: Path) -> None:
    """Write `fed-ro/`: three pictures of each class, neutral in the folder `neural`."""
    folders = ["anger", "disgust", "fear", "happy", "neural", "sad", "surprise"]
    emotions = ["anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise"]
    for number, picture in enumerate(_pictures(emotions * 3, 96, seed=3)):
        _write(root / "fed-ro" / folders[number % 7] / f"occ_img_{number + 1}.jpg", picture)


def fake_ck_plus(root: Path) -> None:
    """Write `ck-plus/`: a sequence of five pictures of each of two emotions of seven people, and its label."""
    folder = root / "ck-plus"
    emotions = ck_plus.CODES[1:]
    for person in range(len(emotions)):
        for sequence in (1, 2):
            emotion = emotions[(person + 3 * sequence) % len(emotions)]
            place, name = f"S{10 + person:03d}/{sequence:03d}", f"S{10 + person:03d}_{sequence:03d}"
            drawn, strength = _STANDS_FOR.get(emotion, (emotion, 1.0))
            steps = np.linspace(0, strength, 5).tolist()
            pictures = draw_faces([drawn] * 5, steps, [person] * 5, nuisance=0.3, seed=20 + sequence)
            for frame, picture in enumerate(pictures, 1):
                _write(folder / "cohn-kanade-images" / place / f"{name}_{frame:08d}.png", picture)
            label = folder / "Emotion" / place / f"{name}_{5:08d}_emotion.txt"
            label.parent.mkdir(parents=True)
            label.write_text(f"   {ck_plus.CODES.index(emotion):.7e}\n")


def _named(codes: np.ndarray) -> list[str]:
    """Return what to draw for AffectNet's codes: anything for those that name no emotion."""
    return [affectnet.CODES[code] if code < 8 else LABEL_SPACES["basic7"][code % 7] for code in codes.tolist()]


def _pictures(emotions: list[str], size: int, seed: int) -> np.ndarray:
    """Return a face of somebody else for each emotion, uint8 (n, size, size, 3)."""
    drawn = [_STANDS_FOR.get(name, (name, 1.0)) for name in emotions]
    names, strengths = zip(*drawn, strict=True)
    return draw_faces(names, strengths, range(len(names)), nuisance=0.3, size=size, seed=seed)


def _write(path: Path, picture: np.ndarray) -> None:
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(path, quality=95)

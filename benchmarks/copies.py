"""Copies of pictures: how many of each kind are found, how often two people count as copies, and how long it takes.

Each picture of a set is changed in one way, and the copies are looked for among all pictures of the set. Of photographs
and drawn faces it is known who they show; of FER2013 it is not, so that all pairs of it that are called copies, most of
which are, stand for an upper bound. What was measured is kept beside the cache: interrupted, the benchmark goes on.

`python -m benchmarks copies` takes some half an hour.
"""

from __future__ import annotations

import json
import os
import resource
import time
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

from insula.corpora.drawn_faces import draw_faces
from insula.errors import DataError
from insula.protocols import mark_pictures, near_duplicates
from insula.storage.cache import Cache
from insula.storage.code import code_version

FER2013 = 35_887  # pictures of the whole set
SOME = 1000  # pictures of it that are changed

Change = Callable[[Image.Image], Image.Image]


def saved(picture: Image.Image, quality: int = 30) -> Image.Image:
    """Return a picture as JPEG keeps it."""
    with BytesIO() as buffer:
        picture.save(buffer, "JPEG", quality=quality)
        return Image.open(buffer).convert(picture.mode)


def cropped(picture: Image.Image, share: float, place: float = 0.5) -> Image.Image:
    """Return a picture without a share of its width and height, at its old size; of place 0 the left and upper stay."""
    left, upper = (place * share * edge for edge in picture.size)
    box = (left, upper, left + (1 - share) * picture.width, upper + (1 - share) * picture.height)
    return picture.resize(picture.size, Image.Resampling.BILINEAR, box)


def turned(picture: Image.Image, degrees: float) -> Image.Image:
    """Return a picture turned about its middle, with black corners."""
    return picture.rotate(degrees, Image.Resampling.BILINEAR)


def shifted(picture: Image.Image, share: float) -> Image.Image:
    """Return a picture moved to the right, with a black edge."""
    return picture.transform(picture.size, Image.Transform.AFFINE, (1, 0, -round(share * picture.width), 0, 1, 0))


def framed(picture: Image.Image, share: float) -> Image.Image:
    """Return a picture in a black border, at its old size."""
    return ImageOps.expand(picture, round(share * picture.width)).resize(picture.size, Image.Resampling.BILINEAR)


def blurred(picture: Image.Image, share: float) -> Image.Image:
    """Return a picture blurred by a share of its width."""
    return picture.filter(ImageFilter.GaussianBlur(share * picture.width))


LOOKED_FOR: dict[str, Change] = {
    "identical": lambda picture: picture,
    "recompressed to quality 30": saved,
    "mirrored": ImageOps.mirror,
    "half size": lambda picture: picture.resize((picture.width // 2, picture.height // 2)),
    "grey": lambda picture: picture.convert("L").convert(picture.mode),
    "darker by a fifth": lambda picture: ImageEnhance.Brightness(picture).enhance(0.8),
    "lighter by a tenth": lambda picture: ImageEnhance.Brightness(picture).enhance(1.1),
    "cropped by 5 %": lambda picture: cropped(picture, 0.05),
    "turned by 5 degrees": lambda picture: turned(picture, 5),
}
FOUND_BESIDES: dict[str, Change] = {
    "cropped by 2 %": lambda picture: cropped(picture, 0.02),
    "cropped by 8 %": lambda picture: cropped(picture, 0.08),
    "cropped by 10 %": lambda picture: cropped(picture, 0.1),
    "cropped by 20 %": lambda picture: cropped(picture, 0.2),
    "turned by 2 degrees": lambda picture: turned(picture, 2),
    "turned by 10 degrees": lambda picture: turned(picture, 10),
    "mirrored, cropped by 6 %, saved at 50": lambda picture: saved(cropped(ImageOps.mirror(picture), 0.06), 50),
}
NOT_LOOKED_FOR: dict[str, Change] = {
    "cropped by 4 % on two sides": lambda picture: cropped(picture, 0.04, 0.0),
    "shifted by 4 %": lambda picture: shifted(picture, 0.04),
    "blurred by 1 % of the width": lambda picture: blurred(picture, 0.01),
    "blurred by 2 % of the width": lambda picture: blurred(picture, 0.02),
    "in a border of 5 %": lambda picture: framed(picture, 0.05),
}  # fmt: skip


def share_found(pictures: np.ndarray, people: np.ndarray | None, change: Change) -> dict[str, int]:
    """Return of how many pictures the changed one is found, and how many pairs of different people count as copies.

    Parameters
    ----------
    pictures : uint8 array, shape (n, side, side) or (n, side, side, 3)
        The set.
    people : array, shape (n,), or None
        Whom they show, if that is known.
    change : callable
        Returns a copy of a picture.
    """
    copies = np.stack([np.asarray(change(Image.fromarray(picture))) for picture in pictures])
    pairs = near_duplicates(mark_pictures(pictures), mark_pictures(copies))
    counts = {"found": int((pairs[:, 0] == pairs[:, 1]).sum()), "of": len(pictures)}
    if people is not None:
        counts |= {"wrong": int((people[pairs[:, 0]] != people[pairs[:, 1]]).sum()),
                   "pairs": int((people[:, None] != people).sum())}  # fmt: skip
    return counts


def _data() -> Path:
    data = os.environ.get("INSULA_DATA")
    if not data:
        raise DataError("no photographs", do="set INSULA_DATA")
    return Path(data)


def photographs(side: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the London photographs at a size, and whom they show."""
    table = pd.read_csv(_data() / "london-faces" / "manifest.csv", dtype=str)
    paths = [_data() / "london-faces" / path for path in table["path"]]
    return np.stack([_read(path, "RGB", side) for path in paths]), table["identity"].to_numpy()


def fer2013() -> np.ndarray:
    """Return the pictures of FER2013 that are at hand, in an order drawn once."""
    paths = sorted((_data() / "fer2013-train").glob("*/*"))
    return np.stack([_read(paths[place], "L", 48) for place in np.random.default_rng(0).permutation(len(paths))])


def _read(path: Path, mode: str, side: int) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture.convert(mode).resize((side, side), Image.Resampling.LANCZOS))


def drawn(side: int) -> tuple[np.ndarray, np.ndarray]:
    """Return drawn faces of fifty people, four expressions of each, and whom they show."""
    people = np.repeat(np.arange(50), 4)
    labels = ["happiness", "neutral", "surprise", "anger"] * 50
    return draw_faces(labels, [1.0] * len(people), people.tolist(), size=side), people


def whole_set(pictures: np.ndarray) -> dict[str, float]:
    """Return what is found in as many pictures as FER2013 has, in which time and memory; averages of two fill it up."""
    draw = np.random.default_rng(1)
    one, other = (pictures[draw.integers(len(pictures), size=FER2013 - len(pictures))] for _ in range(2))
    filled = np.concatenate([pictures, ((one.astype(np.uint16) + other) // 2).astype(np.uint8)])
    begin = time.process_time()
    marks = mark_pictures(filled)
    pairs = near_duplicates(marks, marks)
    seconds = time.process_time() - begin
    pairs = pairs[pairs[:, 0] < pairs[:, 1]]
    given = pairs[pairs[:, 1] < len(pictures)]
    alike = (pictures[given[:, 0]] == pictures[given[:, 1]]).all(axis=(1, 2))
    return {
        "at hand": len(pictures), "seconds": seconds, "pairs": len(given), "identical": int(alike.sum()),
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }  # fmt: skip


def _measured() -> Iterator[tuple[str, str, Callable[[], dict[str, float]]]]:
    """Yield what is measured: the set, the kind of copy, and a function that measures it."""
    known: dict[str, Callable[[], tuple[np.ndarray, np.ndarray | None]]] = {
        "London photographs, 128 pixels": lambda: photographs(128),
        "London photographs, 48 pixels": lambda: photographs(48),
        "FER2013, 48 pixels": lambda: (fer2013()[:SOME], None),
        "drawn faces, 48 pixels": lambda: drawn(48),
    }
    yield "FER2013", "whole", lambda: dict(whole_set(fer2013()))
    for name, load in known.items():
        for kind, change in {**LOOKED_FOR, **FOUND_BESIDES, **NOT_LOOKED_FOR}.items():
            yield name, kind, lambda load=load, change=change: dict(share_found(*load(), change))


def main() -> dict[str, str]:
    """Print and return, for each set and each kind, what was found."""
    kept = Cache().root / f"copies-{code_version()}.json"
    known: dict[str, dict[str, float]] = json.loads(kept.read_text()) if kept.exists() else {}
    figures = {}
    for name, kind, measure in _measured():
        title = f"{name}: {kind}"
        if title not in known:
            known[title] = measure()
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.write_text(json.dumps(known))
        counts = known[title]
        if kind == "whole":
            n, pairs = counts["at hand"], counts["pairs"]
            figures[f"{name}: {n:,} pictures and {FER2013 - n:,} averages of two, compared with each other"] = (
                f"{counts['seconds']:.0f} s of one core, {counts['memory'] / 1e9:.2g} GB at most"
            )
            figures[f"{name}: pairs of the {n:,} pictures that count as copies, an upper bound of wrong ones"] = (
                f"{pairs:,} ({counts['identical']:,} identical), {200 * pairs / (n * (n - 1)):.2g} % of all"
            )
        else:
            wrong = f"{counts['wrong']:,} of {counts['pairs']:,} pairs of different people" if "pairs" in counts else ""
            share = f"{100 * counts['found'] / counts['of']:.1f} % found, {counts['found']:,} of {counts['of']:,}"
            told = "which the report says is not looked for" if kind in NOT_LOOKED_FOR else ""
            figures[title] = "; ".join(part for part in (share, wrong, told) if part)
        print(f"{title}: {counts}", flush=True)
    return figures


if __name__ == "__main__":
    main()

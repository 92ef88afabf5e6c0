"""What can be wrong with a folder of pictures: each function breaks one thing and says what must be named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path


def removed(path: str, named: str | None = None) -> Callable[[Path], str]:
    """Return what removes a file."""

    def damage(root: Path) -> str:
        (root / path).unlink()
        return named or Path(path).name

    return damage


def halved(path: str) -> Callable[[Path], str]:
    """Return what cuts a file in half."""

    def damage(root: Path) -> str:
        content = (root / path).read_bytes()
        (root / path).write_bytes(content[: len(content) // 2])
        return Path(path).name

    return damage


def replaced(path: str, old: str, new: str, named: str) -> Callable[[Path], str]:
    """Return what writes one text of a file otherwise."""

    def damage(root: Path) -> str:
        text = (root / path).read_text()
        assert old in text
        (root / path).write_text(text.replace(old, new, 1))
        return named

    return damage


def _without_a_class(root: Path) -> str:
    for path in (root / "fed-ro" / "sad").iterdir():
        path.unlink()
    return "no picture of sadness"


def _of_another_class(root: Path) -> str:
    (root / "fed-ro" / "sad").rename(root / "fed-ro" / "calm")
    return "calm"


def _a_pixel_short(root: Path) -> str:
    path = root / "fer2013" / "fer2013.csv"
    lines = path.read_text().splitlines()
    code, pixels, usage = lines[3].split(",")
    lines[3] = f"{code},{pixels.rpartition(' ')[0]},{usage}"
    path.write_text("\n".join(lines) + "\n")
    return "row 4"


_SEQUENCE = "ck-plus/cohn-kanade-images/S012/001/S012_001_0000000"
_AFFECTNET = "affectnet/Manually_Annotated_Images/2/train0001.jpg"

DAMAGE: dict[str, dict[str, Callable[[Path], str]]] = {
    "raf-db": {
        "missing": removed("raf-db/basic/Image/aligned/test_00002_aligned.jpg"),
        "truncated": halved("raf-db/basic/Image/aligned/test_00002_aligned.jpg"),
        "label": replaced("raf-db/basic/EmoLabel/list_patition_label.txt", "00005.jpg 2", "00005.jpg 8", "line 5 "),
    },
    "affectnet": {
        "missing": removed(_AFFECTNET),
        "truncated": halved(_AFFECTNET),
        "label": replaced("affectnet/validation.csv", "90.0;50.0,3,", "90.0;50.0,11,", "the expression of"),
    },
    "fer2013": {
        "missing": removed("ferplus/fer2013new.csv"),
        "truncated": _a_pixel_short,
        "label": replaced("fer2013/fer2013.csv", "\n6,", "\n7,", "emotion 7"),
    },
    "fed-ro": {
        "missing": _without_a_class,
        "truncated": halved("fed-ro/neural/occ_img_5.jpg"),
        "label": _of_another_class,
    },
    "ck-plus": {
        "missing": removed(f"{_SEQUENCE}5.png"),
        "truncated": halved(f"{_SEQUENCE}4.png"),
        "label": replaced(
            "ck-plus/Emotion/S012/001/S012_001_00000005_emotion.txt", "   ", "   1", "S012_001_00000005_emotion"
        ),
    },
}

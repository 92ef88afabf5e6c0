"""Measure how faces are found: `python docs/measured/measure_faces.py --output FOLDER`, with INSULA_DATA set.

Photographs are the London faces, the four portraits, and scikit-learn's two sample pictures, which show no face.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw, ImageFilter
from sklearn.datasets import load_sample_images

from insula.faces import LANDMARKS, Face, FaceDetector, HeadPose, align, head_pose, list_pictures, quality, read_picture
from insula.faces.blazeface import BACK, FULL_RANGE, Design, Networks
from insula.faces.detection import _merged

SCORE = 0.5  # of a network that looks alone: what its makers ask for
SMALL, SCENES, FACES_A_SCENE = 40, 8, 6


def looking_once(design: Design) -> Callable[[np.ndarray], int]:
    """Return how many faces one network finds in a picture by itself."""
    networks = Networks()

    def count(picture: np.ndarray) -> int:
        image = Image.fromarray(picture)
        return len(list(_merged(*networks.look(design, image, (0, 0, *image.size), SCORE))))

    return count


def scenes(faces: list[np.ndarray]) -> list[np.ndarray]:
    """Return pictures of 1280 x 960 with small faces, each on a shade of grey of its own."""
    rng = np.random.default_rng(0)
    found = []
    for number in range(SCENES):
        scene = Image.new("RGB", (1280, 960), (90 + 10 * number,) * 3)
        places = rng.permutation(12)[:FACES_A_SCENE]
        for place, face in zip(places, faces[number * FACES_A_SCENE :], strict=False):
            left, top = 320 * (place % 4) + rng.integers(0, 240), 320 * (place // 4) + rng.integers(0, 240)
            # a London face fills 0.4 of its photograph's side
            scene.paste(Image.fromarray(face).resize((100, 100), Image.Resampling.LANCZOS), (int(left), int(top)))
        found.append(np.asarray(scene))
    return found


def networks(detector: FaceDetector, london: list[np.ndarray], group: np.ndarray) -> pd.DataFrame:
    """Return what each network finds alone, and what the detector makes of both."""
    ways = {
        "back camera, 256 pixels": looking_once(BACK),
        "full range, 192 pixels": looking_once(FULL_RANGE),
        "insula: the first proposes, the second judges": lambda picture: len(detector.detect(picture)),
    }
    nothing, crowded = load_sample_images().images, scenes(london[:: len(london) // (SCENES * FACES_A_SCENE)])
    return pd.DataFrame(
        {
            "network": name,
            f"one face found, of {len(london)} London faces": sum(count(picture) == 1 for picture in london),
            "found in group.jpeg, which shows 5": count(group),
            f"found of {SCENES * FACES_A_SCENE} faces of {SMALL} pixels": sum(map(count, crowded)),
            "found in two pictures without a face": sum(map(count, nothing)),
            "CPU ms a photograph": 1000 * seconds(lambda count=count: count(london[0])),
        }
        for name, count in ways.items()
    )


def robustness(detector: FaceDetector, london: list[np.ndarray]) -> pd.DataFrame:
    """Return in how many photographs the face is still found, or flagged, after something was done to them."""
    rows = []
    for angle in (30, 60, 90, 180):
        turned = [np.asarray(Image.fromarray(picture).rotate(angle, expand=True)) for picture in london]
        rows.append((f"turned by {angle} degrees: found", sum(len(detector.detect(picture)) > 0 for picture in turned)))
    done: dict[str, Callable[[Image.Image], Image.Image]] = {
        "nothing: flagged": lambda image: image,
        "a Gaussian blur of 2 pixels: flagged blurred": lambda image: image.filter(ImageFilter.GaussianBlur(2)),
        "a fifth of the light: flagged dark": lambda image: image.point(lambda value: value // 5),
        "a veil of 7 parts white to 3: flagged bright": lambda image: image.point(lambda value: int(0.3 * value + 178)),
        "a quarter of the size: flagged small": lambda image: image.reduce(4),
    }
    for name, change in done.items():
        flag, found = name.rpartition(" ")[2], 0
        for picture in london:
            changed = np.asarray(change(Image.fromarray(picture)))
            flags = [one for face in detector.detect(changed)[:1] for one in quality(changed, face)]
            found += bool(flags) if flag == "flagged" else flag in flags
        rows.append((name, found))
    for name, cover in COVERS.items():
        found = 0
        for picture in london:
            covered = cover(picture, detector.detect(picture)[0])
            found += any("covered" in quality(covered, face) for face in detector.detect(covered)[:1])
        rows.append((f"{name}: flagged covered", found))
    return pd.DataFrame(rows, columns=["done to the photograph", f"of {len(london)}"])


def painted(picture: np.ndarray, face: Face, at: str, corners: list[tuple[float, float]], fill: int) -> np.ndarray:
    """Return a picture with a grey polygon on it: corners in eye distances from one of the landmarks."""
    image, middle = Image.fromarray(picture), face.landmarks[LANDMARKS.index(at)]
    unit = float(np.hypot(*(face.landmarks[1] - face.landmarks[0])))
    ImageDraw.Draw(image).polygon([tuple(middle + unit * np.array(corner)) for corner in corners], fill=(fill,) * 3)
    return np.asarray(image)


def glasses(picture: np.ndarray, face: Face) -> np.ndarray:
    """Return a picture in which both eyes are behind dark glasses."""
    lens = [(0.36 * np.cos(angle), 0.28 * np.sin(angle)) for angle in np.linspace(0, 2 * np.pi, 40)]
    return painted(painted(picture, face, "right eye", lens, 20), face, "left eye", lens, 20)


def fingers(picture: np.ndarray, face: Face) -> np.ndarray:
    """Return a picture with four grey fingers, dark between them, before the mouth."""
    for high in (-0.35, -0.11, 0.13, 0.37):
        for reach, fill in ((0.02, 90), (0.0, 170)):
            low, left, right = high + 0.2 + reach, -0.55 - reach, 1.2 + reach
            corners = [(left, high - reach), (right, high - reach), (right, low), (left, low)]
            picture = painted(picture, face, "mouth", corners, fill)
    return picture


MASK = [(-0.8, -0.1), (0, -0.25), (0.8, -0.1), (0.7, 0.8), (0, 1.4), (-0.7, 0.8)]
CLOTH = [(0, -1.7), (2, -1.7), (2, 2), (0, 2)]
COVERS: dict[str, Callable[[np.ndarray, Face], np.ndarray]] = {
    "a plain mask painted on": lambda picture, face: painted(picture, face, "nose", MASK, 160),
    "a plain cloth over the left half": lambda picture, face: painted(picture, face, "nose", CLOTH, 90),
    "dark glasses painted on": glasses,
    "fingers painted before the mouth": fingers,
}


def single_figures(detector: FaceDetector, london: list[np.ndarray], group: np.ndarray) -> pd.DataFrame:
    """Return scores, the steadiness of the eyes, and milliseconds."""
    found = [detector.detect(picture)[0] for picture in london]
    steady = [moved(detector, *one) for one in zip(london[::4], found[::4], strict=True)]
    photograph = np.asarray(Image.fromarray(london[0]).resize((480, 480)))
    wide = np.full((480, 640, 3), 200, np.uint8)
    wide[:, 80:560] = photograph
    face = detector.detect(wide)[0]
    turned = np.array([head_pose(face) for face in found])
    rows = {
        "lowest score of a London face": min(face.score for face in found),
        "movement of the eyes, % of their distance": 100 * np.mean(steady),
        **{
            f"{angle} of London faces, sd in degrees": turned[:, place].std()
            for place, angle in enumerate(HeadPose._fields)
        },
        "CPU ms, finding one face in 640 x 480": 1000 * seconds(lambda: detector.detect(wide)),
        "CPU ms, aligning to 224 pixels": 1000 * seconds(lambda: align(wide, face, 224)),
        "CPU ms, quality": 1000 * seconds(lambda: quality(wide, face)),
        "CPU ms, head pose": 1000 * seconds(lambda: head_pose(face)),
        "CPU ms, finding five faces in 1280 x 853": 1000 * seconds(lambda: detector.detect(group)),
        "CPU ms, finding the first face, networks loaded": 1000 * seconds(lambda: FaceDetector().detect(wide)),
    }  # fmt: skip
    return pd.DataFrame(rows.items(), columns=["figure", "value"])


def moved(detector: FaceDetector, picture: np.ndarray, face: Face) -> float:
    """Return how far the eyes are found from where they should be, once the picture is mirrored and a tenth smaller."""
    small = Image.fromarray(picture[:, ::-1]).resize((picture.shape[1] * 9 // 10, picture.shape[0] * 9 // 10))
    again = detector.detect(np.asarray(small))[0].landmarks[:2] / 0.9
    wanted = face.landmarks[[1, 0]] * [-1, 1] + [picture.shape[1], 0]
    distance = np.linalg.norm(face.landmarks[0] - face.landmarks[1])
    return float(np.linalg.norm(again - wanted, axis=1).mean() / distance)


def seconds(work: Callable[[], object], repeats: int = 15) -> float:
    """Return the median time of some work on its one thread; what else the machine does hardly counts."""
    times = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return float(np.median(times))


def main() -> None:
    """Write `networks.csv`, `robustness.csv` and `figures.csv`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, required=True)
    output, data = parser.parse_args().output, Path(os.environ["INSULA_DATA"])
    london = [read_picture(path) for path in list_pictures(data / "london-faces")]
    group, detector = read_picture(data / "portraits" / "group.jpeg"), FaceDetector()
    output.mkdir(parents=True, exist_ok=True)
    networks(detector, london, group).to_csv(output / "networks.csv", index=False)
    robustness(detector, london[::4]).to_csv(output / "robustness.csv", index=False)
    single_figures(detector, london, group).to_csv(output / "figures.csv", index=False)


if __name__ == "__main__":
    main()

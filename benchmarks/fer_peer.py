"""The peer of `faces`: milliseconds of `fer` from a picture in memory to emotions, with its detector and its network.

The Python of `.venv-peers` runs it, with fer, tensorflow and opencv.
"""

from __future__ import annotations

import json
import sys
import time
from importlib.metadata import version


def main(picture: str, rounds: int) -> None:
    """Print version, faces found, and the best of `rounds`."""
    import cv2
    from fer.fer import FER

    cv2.setNumThreads(1)
    recogniser, pixels = FER(), cv2.imread(picture)
    found = recogniser.detect_emotions(pixels)
    spent = []
    for _ in range(rounds):
        begin = time.perf_counter()
        recogniser.detect_emotions(pixels)
        spent.append(1000 * (time.perf_counter() - begin))
    print(json.dumps({"version": version("fer"), "faces": len(found), "ms": min(spent)}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))

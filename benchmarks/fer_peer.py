"""The peer of `faces` and `first_answer`: `fer` with its detector and its network, from a file to emotions.

The Python of `.venv-peers` runs it, with fer, tensorflow and opencv.
"""

from __future__ import annotations

import json
import sys
import time
from importlib.metadata import version
from statistics import median


def main(picture: str, rounds: int) -> None:
    """Print version, faces found, and of `rounds` the least and the median of milliseconds of processor time."""
    import cv2
    from fer.fer import FER

    cv2.setNumThreads(1)
    recogniser = FER()
    answers = recogniser.detect_emotions(cv2.imread(picture))
    spent = []
    for _ in range(rounds):
        begin = time.process_time()
        recogniser.detect_emotions(cv2.imread(picture))
        spent.append(1000 * (time.process_time() - begin))
    times = {"ms": min(spent), "median": median(spent)} if spent else {}
    print(json.dumps({"version": version("fer"), "faces": len(answers), **times}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))

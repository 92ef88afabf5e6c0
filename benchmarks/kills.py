"""Commands killed at random moments and given again: whether what they write in the end is what they write in peace.

`run`, `fit`, `predict` and `label` are killed as SIGKILL kills, each in a folder of its own with a cache of its own, at
a moment drawn by the processor's time (or, where several processes work, by the clock), and then given again. In the
end every file must be there that an uninterrupted command leaves, and no other, with the same content but for dates,
and no process may be left. What was done is kept beside the cache: interrupted, the benchmark goes on.

`python -m benchmarks kills` takes some half an hour.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

import insula
from benchmarks.scratch import scratch_folder
from insula.corpora.drawn_faces import draw_faces
from insula.labelling.queue import open_pool
from insula.storage.cache import Cache
from insula.storage.code import code_version

MOMENTS = 50
CLASSES = ("happiness", "neutral", "surprise")

_DATES = re.compile(rb"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?([+]\d\d:\d\d| UTC|Z)?|[0-9a-f]{32,64}")
_PATIENCE = 60.0  # s in which what a killed command started must have ended, too


@dataclass(frozen=True)
class Work:
    """What is killed.

    Parameters
    ----------
    words : tuple of tuple of str
        Commands, one after the other, given in a folder of its own.
    by_clock : bool
        Whether moments are drawn by the clock, for a command of several processes.
    """

    words: tuple[tuple[str, ...], ...]
    by_clock: bool = False


def works(study: Path) -> dict[str, Work]:
    """Return what is killed, by name."""
    fitted = ("--set", "system={name: linear, modality: picture}")
    run = ("run", str(study / "study.yaml"), "-o", "out")
    changes = [word for change in _pictures(study) for word in ("--set", change)]
    queue = ("folder", *changes, "--all", "--scores", str(study / "scores.csv"))
    return {
        "run": Work(((*run, "--jobs", "1"),)),
        "fit": Work((("fit", str(study / "study.yaml"), *fitted, "-o", "out"),)),
        "predict": Work((("predict", str(study / "given"), "-o", "out"),)),
        "label": Work((
            ("label", "queue", *queue, "--count", "6", "-o", "labels/round-1"),
            ("answers", "labels/round-1", "export.json"),
            ("label", "import", "export.json"),
            ("label", "export", "-o", "labels.csv"),
        )),
        "run --jobs 2": Work(((*run, "--jobs", "2"),), by_clock=True),
    }  # fmt: skip


def make_study(folder: Path) -> None:
    """Write pictures of twelve drawn people, a recipe of three folds, and pictures to predict."""
    labels = [CLASSES[number % 3] for number in range(36)]
    pictures = draw_faces(labels, [1.0] * 36, [number // 3 for number in range(36)], size=96)
    lines = ["path,label,identity"]
    for number, (label, picture) in enumerate(zip(labels, pictures, strict=True)):
        path = folder / "pictures" / label / f"{number:02d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(path)
        lines.append(f"{label}/{number:02d}.png,{label},P{number // 3:02d}")
    (folder / "pictures" / "manifest.csv").write_text("\n".join(lines) + "\n")
    (folder / "given").mkdir()
    for number, picture in enumerate(draw_faces(labels[:6], [1.0] * 6, range(6), nuisance=0.0, size=160)):
        Image.fromarray(picture).save(folder / "given" / f"{number}.png")
    items = open_pool("folder", _pictures(folder), Cache(folder / "cache")).items(labelled=True)
    scores = pd.DataFrame({"item": items, "score": range(len(items))})  # in an order that every ledger asks alike
    scores.to_csv(folder / "scores.csv", index=False)
    (folder / "study.yaml").write_text(
        "name: killed\n"
        f"corpus: {{name: folder, root: {folder / 'pictures'}, manifest: manifest.csv, faces: cropped, size: 48}}\n"
        "protocol: {name: identity-disjoint, folds: 3, validation_share: 0.2}\n"
        "system: {name: frozen-features}\nplacebos: []\ncontrols: [majority, linear]\n"
    )


def _pictures(study: Path) -> list[str]:
    return [f"corpus.root={study / 'pictures'}", "corpus.faces=cropped", f"task.classes=[{', '.join(CLASSES)}]"]


def answer(place: Path, export: Path) -> None:
    """Write what Label Studio would export where one person answered every task of a round."""
    from insula.storage.atomic import write_file

    tasks = json.loads((place / "tasks.json").read_text())
    for number, task in enumerate(tasks):
        choice = {"from_name": "answer", "to_name": "picture", "type": "choices", "value": {"choices": [CLASSES[0]]}}
        at = "2026-03-01T10:00:00.123456Z"
        task["annotations"] = [{"id": number, "completed_by": 1, "created_at": at, "updated_at": at, "result": [choice],
                                "was_cancelled": False}]  # fmt: skip
    with write_file(export) as temporary:
        temporary.write_text(json.dumps(tasks))


def start(work: Work, folder: Path, moment: float | None = None) -> tuple[int, float]:
    """Do the work in a fork of this process, killed at a moment (s); return its status and the seconds it took."""
    folder.mkdir(exist_ok=True)
    begin = time.perf_counter()
    child = os.fork()
    if child == 0:
        _work(work, folder, moment)
    used = os.wait4(child, 0)
    _await_end(child)
    usage = used[2]
    seconds = time.perf_counter() - begin if work.by_clock else usage.ru_utime + usage.ru_stime
    return used[1], seconds


def _work(work: Work, folder: Path, moment: float | None) -> None:
    code = 1
    try:
        os.setsid()
        os.chdir(folder)
        for name in ("tmp", "cache"):
            Path(name).mkdir(exist_ok=True)
        os.environ |= {"INSULA_CACHE": str(folder / "cache"), "TMPDIR": str(folder / "tmp")}
        os.environ |= {"JOBLIB_TEMP_FOLDER": str(folder / "tmp"), "PYTHONPATH": str(Path(insula.__file__).parents[1])}
        tempfile.tempdir = None
        log = os.open("log", os.O_CREAT | os.O_TRUNC | os.O_WRONLY)
        os.dup2(log, 1)
        os.dup2(log, 2)
        timer, ends = (signal.ITIMER_REAL, signal.SIGALRM) if work.by_clock else (signal.ITIMER_PROF, signal.SIGPROF)
        signal.signal(ends, signal.SIG_DFL)  # which ends a process as SIGKILL does, whatever it is at
        if moment:
            signal.setitimer(timer, moment)
        if work.by_clock:  # processes of its own are ended where an interpreter ends, and that a fork does not
            os.execv(sys.executable, [sys.executable, "-m", "insula.cli", *work.words[0]])  # noqa: S606
        from insula.cli import main

        for words in work.words:
            if words[0] == "answers":
                answer(Path(words[1]), Path(words[2]))
                continue
            sys.argv = ["insula", *words]
            try:
                main()
            except SystemExit as ended:
                if ended.code not in (None, 0):
                    raise
        Path("modules").write_text("\n".join(sorted(sys.modules)))
        code = 0
    finally:
        sys.stdout.flush()
        os._exit(code)


def _await_end(session: int) -> None:
    """Wait until every process of a session has ended.

    Raises
    ------
    RuntimeError
        Where one goes on.
    """
    begin = time.monotonic()
    while left := list(_members(session)):
        if time.monotonic() - begin > _PATIENCE:
            raise RuntimeError(f"processes are left: {left}")
        time.sleep(0.05)


def _members(session: int) -> Iterator[str]:
    for place in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            name, state, _, _, its_session = re.match(
                r"\d+ \((.*)\) (\S) (\d+) (\d+) (\d+)", place.read_text()
            ).groups()  # type: ignore[union-attr]
            if int(its_session) == session and state != "Z":
                yield name


def contents(folder: Path) -> dict[str, str]:
    """Return what lies in a folder of work, by name: the hash of its content without dates and hashes."""
    files = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if name in ("log", "modules") or path.is_dir():
            if path.is_dir() and not any(path.iterdir()):
                files[f"{name}/"] = ""
            continue
        if name.startswith("cache/") or name.endswith(".sqlite"):  # sealed, or compared by what is exported of it
            files[name] = ""
        elif name.endswith(".parquet"):
            files[name] = hashlib.sha256(pd.read_parquet(path).to_csv().encode()).hexdigest()
        else:
            files[name] = hashlib.sha256(_DATES.sub(b"", path.read_bytes())).hexdigest()
    return files


@cache
def _prepare(names: str) -> None:
    """Import what a command imported, so that its forks need not."""
    for name in names.split("\n"):
        with suppress(Exception):
            import_module(name)


def kill(
    work: Work, folder: Path, moments: int, seed: int, done: Callable[[], None] = lambda: None
) -> tuple[int, float]:
    """Kill the work at so many moments; return how many of them ended like the uninterrupted work, and its seconds.

    Raises
    ------
    RuntimeError
        Where the work ends otherwise.
    """
    for name in ("first", "whole"):  # the first loads what is loaded late
        status, seconds = start(work, folder / name)
        if status:
            raise RuntimeError(f"the work fails: {(folder / name / 'log').read_text()}")
        if not work.by_clock:
            _prepare((folder / name / "modules").read_text())
    wanted, draw, equal = contents(folder / "whole"), np.random.default_rng(seed), 0
    place = folder / "killed"
    while equal < moments:
        moment = draw.uniform(0.001, seconds)
        shutil.rmtree(place, ignore_errors=True)
        status, _ = start(work, place, moment)
        if not os.WIFSIGNALED(status):
            continue  # it had ended by then
        status, _ = start(work, place)
        if status:
            raise RuntimeError(f"killed after {moment:.3f} s, it fails: {(place / 'log').read_text()}")
        here = contents(place)
        for name in sorted(here.keys() | wanted.keys()):
            if here.get(name) != wanted.get(name):
                what = "is left" if name not in wanted else "is missing" if name not in here else "differs"
                raise RuntimeError(f"killed after {moment:.3f} s, {name} {what}")
        equal += 1
        done()
    return equal, seconds


def main(moments: int = MOMENTS) -> dict[str, float | str]:
    """Kill every work at so many moments, print and return how many ended as in peace."""
    kept = Cache().root / f"kills-{code_version()}.json"
    counts: dict[str, int] = json.loads(kept.read_text()) if kept.exists() else {}
    figures: dict[str, float | str] = {}
    with scratch_folder() as folder:
        (folder / "study").mkdir()
        make_study(folder / "study")
        for name, work in works(folder / "study").items():

            def done(name: str = name) -> None:
                counts[name] = counts.get(name, 0) + 1
                kept.write_text(json.dumps(counts))

            before, wanted = counts.get(name, 0), moments // 5 if work.by_clock else moments
            place = folder / name.replace(" ", "-")
            place.mkdir()
            _, seconds = kill(work, place, max(0, wanted - before), before, done)
            figures[f"`{name}`: moments at which it was killed, and then ended as in peace"] = wanted
            figures[f"`{name}`: seconds of work in peace"] = seconds
            print(f"{name}: killed at {wanted} moments of {seconds:.1f} s, and then ended as in peace", flush=True)
    return figures


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else MOMENTS)

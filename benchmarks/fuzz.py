"""Mutated files of every kind that insula reads: each must end in an answer or in one clear line, within five seconds.

Small files of each kind are written, and bytes of them flipped, cut out, doubled, made extreme or taken from another
file of the kind. Raw exceptions, hangs and crashes of the reading process are counted; what does them is kept in
runs/fuzz. `python -m benchmarks fuzz` goes on where it stopped; INSULA_FUZZ says how many inputs there are to be.
"""

from __future__ import annotations

import io
import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
import tempfile
import traceback
import warnings
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from insula.errors import InsulaError

SECONDS = 5  # of the processor; others may be at work, so the clock has more
_WAIT = 60
_BATCH = 250  # inputs a process: one that crashes costs the others of its batch nothing
_OUTCOMES = ("read", "refused", "raw exception", "hang", "crash")
_KEPT = 20  # of each decoder, inputs that did what none should


def pictures(folder: Path) -> list[Path]:
    """Write a picture in each format."""
    from PIL import Image

    values = np.random.default_rng(0).integers(0, 256, (24, 32, 3), dtype=np.uint8)
    paths = [folder / f"picture.{ending}" for ending in ("png", "jpg", "gif", "bmp", "webp", "tiff", "ppm")]
    for path in paths:
        exif = {"exif": b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"}
        Image.fromarray(values).save(path, **(exif if path.suffix in (".jpg", ".webp", ".png") else {}))
    return paths


def films(folder: Path) -> list[Path]:
    """Write a film of eight frames in three containers."""
    import av

    paths = [folder / f"film.{ending}" for ending in ("mp4", "mkv", "avi")]
    for path in paths:
        with av.open(str(path), "w") as container:
            stream = container.add_stream("mpeg4", rate=10)
            stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
            for number in range(8):
                picture = np.full((32, 32, 3), 30 * number, np.uint8)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
            container.mux(stream.encode())
    return paths


def recordings(folder: Path) -> list[Path]:
    """Write one second of four channels as EDF, BDF, BrainVision, EEGLAB and FIF."""
    import mne
    from scipy.io import savemat

    values = 1e-5 * np.random.default_rng(0).standard_normal((4, 256))
    names = ["Fz", "C3", "C4", "Pz"]
    raw = mne.io.RawArray(values, mne.create_info(names, 128, "eeg"), verbose="error")
    raw.set_annotations(mne.Annotations([0.5], [0.1], ["shown"]), verbose="error")
    for ending in ("edf", "bdf", "vhdr"):
        mne.export.export_raw(folder / f"S01.{ending}", raw, physical_range=(-200, 200), verbose="error") if (
            ending != "vhdr"
        ) else _brainvision(folder / "S01.vhdr", values, names)
    raw.save(folder / "S01_raw.fif", verbose="error")
    labels = np.array([(name,) for name in names], dtype=[("labels", object)])
    empty = np.array([])
    struct = {"setname": "x", "nbchan": 4, "trials": 1, "pnts": 256, "srate": 128.0, "xmin": 0.0, "xmax": 255 / 128,
              "data": 1e6 * values, "chanlocs": labels, "event": empty, "epoch": empty, "icawinv": empty,
              "icaweights": empty, "icasphere": empty, "ref": "common"}  # fmt: skip
    savemat(folder / "S01.set", {"EEG": struct}, appendmat=False)
    return [folder / name for name in ("S01.edf", "S01.bdf", "S01.vhdr", "S01_raw.fif", "S01.set")]


def _brainvision(path: Path, values: np.ndarray, names: list[str]) -> None:
    (1e6 * values).T.astype("<f4").tofile(path.with_suffix(".eeg"))
    channels = "\n".join(f"Ch{place}={name},,1,µV" for place, name in enumerate(names, start=1))
    path.write_text(
        "Brain Vision Data Exchange Header File Version 1.0\n[Common Infos]\nCodepage=UTF-8\nDataFile=S01.eeg\n"
        f"DataFormat=BINARY\nDataOrientation=MULTIPLEXED\nNumberOfChannels={len(names)}\nSamplingInterval=7812.5\n"
        f"[Binary Infos]\nBinaryFormat=IEEE_FLOAT_32\n[Channel Infos]\n{channels}\n",
        encoding="utf-8",
    )


def matlab(folder: Path) -> list[Path]:
    """Write a MATLAB file of arrays, cells and structures, plain and compressed."""
    from scipy.io import savemat

    content = {"data": np.arange(24.0).reshape(4, 6), "names": np.array(["a", "bb"], object), "one": {"x": np.eye(2)}}
    for name, packed in (("plain", False), ("packed", True)):
        savemat(folder / f"{name}.mat", content, do_compression=packed)
    return [folder / "plain.mat", folder / "packed.mat"]


def pickles(folder: Path) -> list[Path]:
    """Write what DEAP's pickles hold, in two protocols."""
    content = {"data": np.arange(24.0).reshape(2, 3, 4), "labels": np.ones((2, 4))}
    for protocol in (2, 4):
        (folder / f"s{protocol:02d}.dat").write_bytes(pickle.dumps(content, protocol=protocol))
    return [folder / "s02.dat", folder / "s04.dat"]


def tables(folder: Path) -> list[Path]:
    """Write tables of events and of parts, in three ways of saving them."""
    text = "recording,onset,duration,emotion\nS01,3,1,happy\nS01,8,1.5,sad\nS02,1,1,\nS02,2,1,nan\n"
    (folder / "events.csv").write_text(text)
    (folder / "events.tsv").write_bytes(text.replace(",", "\t").encode("utf-16"))
    (folder / "split.csv").write_text("index;part\n0;train\n1;train\n2;test\n3;test\n")
    return [folder / name for name in ("events.csv", "events.tsv", "split.csv")]


def exports(folder: Path) -> list[Path]:
    """Write what Label Studio exports of two tasks, and the ledger that asked them."""
    from insula.labelling.label_studio import task
    from insula.labelling.ledger import Ledger
    from insula.labelling.question import Question

    ledger = Ledger(folder / "ledger.sqlite", Question(label="emotion", classes=("fear", "joy")))
    given = []
    for request in ledger.ask(["c/1", "c/2"], "one"):
        choice = {"from_name": "answer", "to_name": "picture", "type": "choices", "value": {"choices": ["joy"]}}
        at = "2026-03-01T10:00:00.123456Z"
        given.append({**task(ledger.project, request.id, "one", ["picture"]), "annotations": [
            {"id": 1, "completed_by": {"email": "a@x.org"}, "created_at": at, "updated_at": at, "result": [choice],
             "was_cancelled": False}]})  # fmt: skip
    (folder / "export.json").write_text(json.dumps(given))
    return [folder / "export.json"]


def recipes(folder: Path) -> list[Path]:
    """Write a recipe."""
    (folder / "recipe.yaml").write_text(
        "name: mine\ncorpus: {name: folder, root: pictures, faces: cropped}\n"
        "task: {kind: categorical, label: emotion, classes: [fear, joy]}\n"
        "protocol: {name: stimulus-disjoint, folds: 3}\n"
        "system: {name: linear}\nplacebos: []\ncontrols: [majority]\nseed: 3\n"
    )
    return [folder / "recipe.yaml"]


def manifests(folder: Path) -> list[Path]:
    """Copy the recogniser in the box, a bundle."""
    from insula.deployment import recognisers

    shutil.copytree(Path(recognisers.__file__).parent / "recogniser", folder / "bundle")
    return [folder / "bundle" / "manifest.json"]


def graphs(folder: Path) -> list[Path]:
    """Write a graph of two operators."""
    import onnx
    from onnx import TensorProto, helper

    one, two = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 4]) for name in ("x", "y"))
    weights = onnx.numpy_helper.from_array(np.eye(4, dtype=np.float32), "w")
    nodes = [helper.make_node("MatMul", ["x", "w"], ["z"]), helper.make_node("Softmax", ["z"], ["y"])]
    model = helper.make_model(helper.make_graph(nodes, "g", [one], [two], [weights]))
    (folder / "graph.onnx").write_bytes(model.SerializeToString())
    return [folder / "graph.onnx"]


def _read_picture(path: Path) -> None:
    from insula.faces.pictures import picture_size, read_reduced

    picture_size(path)
    read_reduced(path, 16)


def _read_film(path: Path) -> None:
    from insula.faces.video import read_video

    for _ in read_video(path):
        pass


def _read_recording(path: Path) -> None:
    from insula.eeg.reading import outline, read_recording

    recording = read_recording(path, "c", "S01", "1")
    recording.read(0, min(recording.n_times, 512))
    outline(path)


def _read_matlab(path: Path) -> None:
    from insula.corpora.matlab import matlab_shapes, matlab_variable

    for name in matlab_shapes(path):
        matlab_variable(path, name)


def _read_pickle(path: Path) -> None:
    from insula.storage.arrays_from_pickle import arrays_from_pickle

    arrays_from_pickle(path)


def _read_table(path: Path) -> None:
    from insula.corpora.recording_files import keyed_table
    from insula.protocols.tables import audit_files

    keyed_table(path)
    audit_files(path, path)


def _read_export(path: Path) -> None:
    from insula.labelling.label_studio import import_export
    from insula.labelling.ledger import Ledger

    import_export(Ledger(path.parent / "ledger.sqlite"), path)


def _read_recipe(path: Path) -> None:
    from insula.evaluation.recipe import Recipe

    Recipe.load(path)


def _read_bundle(path: Path) -> None:
    from insula.deployment.bundle import open_bundle

    open_bundle(path.parent)


def _read_graph(path: Path) -> None:
    from insula.deployment.onnx_content import RefusedError, read_content

    try:
        read_content(path.read_bytes())
    except RefusedError as error:
        raise InsulaError(str(error)) from None


DECODERS: dict[str, tuple[Callable[[Path], list[Path]], Callable[[Path], None], int]] = {
    "pictures": (pictures, _read_picture, 40),
    "films": (films, _read_film, 4),
    "recordings": (recordings, _read_recording, 6),
    "MATLAB files": (matlab, _read_matlab, 8),
    "pickles": (pickles, _read_pickle, 12),
    "tables": (tables, _read_table, 8),
    "exports of Label Studio": (exports, _read_export, 8),
    "recipes": (recipes, _read_recipe, 6),
    "manifests of bundles": (manifests, _read_bundle, 4),
    "graphs": (graphs, _read_graph, 20),
}
"""By name: what writes files of the kind, what reads one, and its share of the inputs."""


def mutated(content: bytes, others: list[bytes], rng: np.random.Generator) -> bytes:
    """Return a file changed in one to four places."""
    data = bytearray(content)
    for _ in range(rng.integers(1, 5)):
        place = int(rng.integers(0, max(1, len(data))))
        length = int(min(len(data) - place, rng.choice([1, 2, 4, 8, 64])))
        kind = rng.integers(0, 7)
        if kind == 0 and data:
            data[place] ^= 1 << int(rng.integers(0, 8))
        elif kind == 1:
            data[place : place + length] = rng.bytes(length)
        elif kind == 2:
            data[place : place + length] = bytes([rng.choice([0, 0x7F, 0x80, 0xFF])]) * length
        elif kind == 3:
            del data[place : place + length]
        elif kind == 4:
            data[place:place] = data[place : place + length] * int(rng.integers(1, 9))
        elif kind == 5:
            del data[place:]
        else:
            other = others[int(rng.integers(0, len(others)))]
            start = int(rng.integers(0, max(1, len(other))))
            data[place : place + length] = other[start : start + length]
    return bytes(data)


def batch(name: str, number: int, folder: Path) -> None:
    """Try one batch of a decoder; after each input a line says what came of it, before each which it is."""
    warnings.simplefilter("ignore")
    write, read, _ = DECODERS[name]
    rng = np.random.default_rng([number, *name.encode()])
    scratch = Path(tempfile.mkdtemp(dir=folder))
    paths = write(scratch)
    contents = [path.read_bytes() for path in paths]
    with suppress(InsulaError):
        read(paths[0])  # what it imports is not the input's time
    for late in (signal.SIGALRM, signal.SIGPROF):
        signal.signal(late, _too_long)
    for place in range(_BATCH):
        which = int(rng.integers(0, len(paths)))
        data = mutated(contents[which], contents, rng)
        paths[which].write_bytes(data)
        print(json.dumps(["began", place]), flush=True)
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
        signal.setitimer(signal.ITIMER_REAL, _WAIT)
        try:
            read(paths[which])
            outcome, more = "read", ""
        except InsulaError as error:
            whole = "\n" not in str(error)
            outcome, more = ("refused", "") if whole else ("raw exception", f"more than one line: {error}"[:500])
        except _TooLongError:
            outcome, more = "hang", ""
        except BaseException as error:
            outcome, more = "raw exception", f"{type(error).__name__}: {error}"[:300] + traceback.format_exc()[-700:]
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
        if more or outcome == "hang":
            kept = folder / "kept"
            kept.mkdir(exist_ok=True)
            if len(list(kept.glob(f"{name}-*"))) < _KEPT:
                (kept / f"{name}-{number}-{place}-{paths[which].name}").write_bytes(data)
        print(json.dumps([outcome, more]), flush=True)
        paths[which].write_bytes(contents[which])


class _TooLongError(BaseException):
    pass


def _too_long(*_: Any) -> None:
    raise _TooLongError


def main() -> dict[str, object]:
    """Try so many inputs, and return how many did what."""
    wanted = int(os.environ.get("INSULA_FUZZ", "100000"))
    folder = Path("runs") / "fuzz"
    folder.mkdir(parents=True, exist_ok=True)
    state = folder / "counts.json"
    counts: dict[str, Counter[str]] = {name: Counter() for name in DECODERS}
    if state.exists():
        counts |= {name: Counter(values) for name, values in json.loads(state.read_text()).items()}
    while sum(values.total() for values in counts.values()) < wanted:
        name = min(DECODERS, key=lambda one: counts[one].total() / DECODERS[one][2])
        _count(name, counts[name], folder)
        with tempfile.NamedTemporaryFile("w", dir=folder, delete=False) as file:
            file.write(json.dumps(counts))
        Path(file.name).replace(state)
        total = sum(values.total() for values in counts.values())
        bad = {one: sum(values[one] for values in counts.values()) for one in _OUTCOMES[2:]}
        print(f"\r{datetime.now(UTC):%H:%M:%S} {total:,} inputs, {bad}, last {name}    ", end="", flush=True)
    figures: dict[str, object] = {}
    for name, values in counts.items():
        figures[name] = f"{values.total():,} inputs: " + ", ".join(f"{values[one]:,} {one}" for one in _OUTCOMES)
    figures["all"] = f"{sum(values.total() for values in counts.values()):,} inputs: " + ", ".join(
        f"{sum(values[one] for values in counts.values()):,} {one}" for one in _OUTCOMES
    )
    return figures


def _count(name: str, counts: Counter[str], folder: Path) -> None:
    number = counts.total() // _BATCH
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        command = [sys.executable, "-m", "benchmarks.fuzz", name, str(number), scratch]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_BATCH * _WAIT)
        lines = [json.loads(line) for line in io.StringIO(done.stdout)]
        outcomes = [line for line in lines if line[0] != "began"]
        counts.update(outcome for outcome, _ in outcomes)
        if len(outcomes) < _BATCH:  # the process ended: the input that it began, and those that it never came to
            if not outcomes and not lines:
                raise RuntimeError(f"{name}: {done.stderr[-2000:]}")
            counts["crash"] += 1
            outcomes.append(["crash", f"input {len(outcomes)}: status {done.returncode} {done.stderr[-500:]}"])
        with (folder / "log.jsonl").open("a") as log:
            for outcome, more in outcomes:
                if outcome in _OUTCOMES[2:]:
                    log.write(json.dumps([name, number, outcome, more]) + "\n")
        kept = Path(scratch) / "kept"
        if kept.exists():
            shutil.copytree(kept, folder / "kept", dirs_exist_ok=True)


if __name__ == "__main__":
    batch(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))

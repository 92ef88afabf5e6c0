"""The compact recogniser: begins with what faces are, learns, resumes, answers a mirrored face alike."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from insula.corpora.catalogue import corpus
from insula.corpora.fakes import fake_folder
from insula.emotions import Categorical
from insula.errors import WeightsError
from insula.networks.face_resnet import FaceResNet, load_dlib_faces
from insula.networks.picture_classifier import PictureClassifier
from insula.networks.variations import vary_faces
from insula.samples import Samples
from insula.storage.cache import Cache
from insula.systems.catalogue import system
from insula.systems.compact_recogniser.mixture import Mixture

TASK = Categorical(label="emotion", classes=("anger", "happiness", "neutral"))
FAST = {"epochs": 2, "batch_size": 6, "learning_rate": 1e-3, "keep": "last", "averaging": 0.5}


@pytest.fixture
def samples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Samples:
    monkeypatch.setenv("INSULA_CACHE", str(tmp_path / "cache"))
    fake_folder(tmp_path)
    return corpus("folder", root=tmp_path / "folder", faces="cropped", size=48).samples(Cache())


def fitted(samples: Samples, **settings):
    held = samples.select(np.arange(0, len(samples), 4))
    options = {"weights": None, "sizes": (64,), "training": FAST, **settings}
    return system("compact-recogniser", **options).fit(samples, held, TASK)


def test_a_face_and_its_mirror_image_get_the_same_answer(samples: Samples, tmp_path: Path) -> None:
    recogniser = fitted(samples)
    pictures = torch.from_numpy(samples.read("picture"))
    answer = recogniser.answering()
    with torch.inference_mode():
        one, other = (answer(view)[0] for view in (pictures, pictures.flip(2)))
    np.testing.assert_allclose(one, other, atol=1e-6)
    np.testing.assert_allclose(one, recogniser.predict(samples).probabilities, atol=1e-5)
    recogniser.save(tmp_path / "saved")
    again = type(recogniser).load(tmp_path / "saved").predict(samples)
    np.testing.assert_allclose(again.probabilities, recogniser.predict(samples).probabilities, atol=1e-6)


def test_what_was_trained_once_is_not_trained_again_and_other_settings_are(samples: Samples) -> None:
    first = fitted(samples)
    entries = Cache().root / "compact-recogniser"
    made = {path: path.stat().st_ino for path in entries.iterdir()}
    assert fitted(samples).facts == first.facts
    assert {path: path.stat().st_ino for path in entries.iterdir()} == made, "read, not made anew"
    assert fitted(samples, mixed=0.0).facts["weights"] == first.facts["weights"]
    assert len({*entries.iterdir()}) > len(made)


def test_missing_weights_are_named_with_what_to_type(samples: Samples) -> None:
    with pytest.raises(WeightsError, match=r"dlib-faces.bin are missing: 6.4 MB.*npm pack @vladmandic/face-api@1.7.15"):
        fitted(samples, weights="dlib-faces")


def _reference(arrays: dict[str, np.ndarray], pictures: np.ndarray) -> np.ndarray:
    """Return features of RGB pictures from 0 to 255, (n, height, width, 3), by plain loops over the arrays."""
    maps = (pictures - np.array([122.782, 117.001, 104.298])) / 256

    def convolve(name: str, maps: np.ndarray, stride: int) -> np.ndarray:
        filters, side = arrays[f"{name}/conv/filters"], arrays[f"{name}/conv/filters"].shape[0]
        if stride == 1:
            maps = np.pad(maps, ((0, 0), (side // 2,) * 2, (side // 2,) * 2, (0, 0)))
        high, wide = ((length - side) // stride + 1 for length in maps.shape[1:3])
        summed = np.zeros((len(maps), high, wide, filters.shape[3]))
        for row in range(side):
            for column in range(side):
                part = maps[:, row : row + stride * high : stride, column : column + stride * wide : stride]
                summed += part[:, :high, :wide] @ filters[row, column]
        return (summed + arrays[f"{name}/conv/bias"]) * arrays[f"{name}/scale/weights"] + arrays[f"{name}/scale/biases"]

    maps = np.maximum(convolve("conv32_down", maps, 2), 0)
    windows = np.lib.stride_tricks.sliding_window_view(maps, (3, 3), axis=(1, 2))[:, ::2, ::2]
    maps = windows.max(axis=(-1, -2))
    for name in [key.removesuffix("/conv1/conv/bias") for key in arrays if key.endswith("conv1/conv/bias")]:
        changed = convolve(f"{name}/conv2", np.maximum(convolve(f"{name}/conv1", maps, 1 + ("down" in name)), 0), 1)
        if "down" in name:
            even = maps[:, : maps.shape[1] // 2 * 2, : maps.shape[2] // 2 * 2]
            maps = sum(even[:, row::2, column::2] for row in (0, 1) for column in (0, 1)) / 4
            maps = np.pad(maps, ((0, 0), (0, 0), (0, 0), (0, changed.shape[3] - maps.shape[3])))
            missing = maps.shape[1] - changed.shape[1]
            changed = np.pad(changed, ((0, 0), (0, missing), (0, missing), (0, 0)))
        maps = np.maximum(maps + changed, 0)
        if name == "conv256_down":
            return maps.mean(axis=(1, 2))
    raise AssertionError("no last block")


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, dict[str, np.ndarray]]:
    """Write random weights in the form of the published file: eight bits with a scale, and one array in float32."""
    from insula.networks import face_resnet

    rng, plan, content, arrays = np.random.default_rng(0), [], b"", {}
    layers = [("conv32_down", (7, 7, 3, 32))]
    for name, (inside, outside) in face_resnet._BLOCKS.items():
        layers += [(f"{name}/conv1", (3, 3, inside, outside)), (f"{name}/conv2", (3, 3, outside, outside))]
    for layer, shape in layers:
        for part, form in (("conv/filters", shape), ("conv/bias", shape[-1:]), ("scale/weights", shape[-1:]),
                           ("scale/biases", shape[-1:])):  # fmt: skip
            about = {"name": f"{layer}/{part}", "shape": list(form), "dtype": "float32"}
            if layer == "conv64_down/conv1" and part == "conv/filters":
                values = (0.05 * rng.standard_normal(form)).astype(np.float32)
                content += values.tobytes()
            else:
                small = rng.integers(0, 256, form, np.uint8)
                step, least = (0.002, 0.5) if part == "scale/weights" else (0.0004, -0.05)
                about["quantization"] = {"dtype": "uint8", "scale": step, "min": least}
                values = (small * step + least).astype(np.float32)
                content += small.tobytes()
            plan.append(about)
            arrays[about["name"]] = values
    (tmp_path / "dlib-faces.bin").write_bytes(content)
    (tmp_path / "dlib-faces.json").write_text(json.dumps([{"weights": plan, "paths": ["x.bin"]}]))
    monkeypatch.setattr(face_resnet, "find_weights", lambda name, given=None: given)
    return tmp_path, arrays


def test_the_published_file_is_read_as_its_network_computes(written: tuple[Path, dict[str, np.ndarray]]) -> None:
    folder, arrays = written
    network = FaceResNet().eval()
    load_dlib_faces(network, folder)
    grey = np.random.default_rng(1).integers(0, 256, (2, 96, 96, 1)).repeat(3, axis=3)
    classifier = PictureClassifier(network, 7).eval()
    with torch.inference_mode():
        features = classifier.embed(torch.from_numpy(grey.astype(np.uint8)).permute(0, 3, 1, 2)).numpy()
    wanted = _reference(arrays, grey.astype(float))
    # dlib takes off a mean by colour, ours that of grey: the stem sums over colours, so a constant is what differs.
    shift = np.array([122.782, 117.001, 104.298]) - network.pretrained_cfg["mean"][0] * 255
    added = (arrays["conv32_down/conv/filters"] * shift[:, None] / 256).sum(axis=(0, 1, 2))
    in_grey = {**arrays, "conv32_down/conv/bias": arrays["conv32_down/conv/bias"] + added}
    corrected = _reference(in_grey, grey.astype(float))
    np.testing.assert_allclose(features, corrected, rtol=1e-3, atol=1e-4 * np.abs(wanted).max())
    assert np.corrcoef(features.ravel(), wanted.ravel())[0, 1] > 0.99


def test_settling_changes_how_it_trains_and_not_what_it_says(written: tuple[Path, dict[str, np.ndarray]]) -> None:
    network = FaceResNet().eval()
    load_dlib_faces(network, written[0])
    faces = torch.randn(16, 1, 96, 96, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        before = network(faces)
    network.train().settle(faces)
    assert all(layer.training for layer in network.modules())  # or what is trained next would not normalise its batches
    with torch.no_grad():
        after, training = network.eval()(faces), network.train()(faces)
    scale = before.abs().max()
    assert (after - before).abs().max() < 1e-3 * scale
    assert (training - before).abs().max() < 1e-2 * scale  # the statistics of this very batch


def test_variations_depend_on_the_seed_and_keep_what_is_shown() -> None:
    line = torch.linspace(40, 200, 48)
    ramp = (line[:, None] * 0.5 + line * 0.5).expand(64, 3, 48, 48).to(torch.uint8)
    torch.manual_seed(3)
    one = vary_faces(ramp, 96)
    torch.manual_seed(3)
    again = vary_faces(ramp, 96)
    assert one.shape == (64, 1, 96, 96) and torch.equal(one, again)
    assert len({round(float(face.mean()), 2) for face in one}) == 64
    down = (one[:, 0, 60:].mean(dim=(1, 2)) > one[:, 0, :36].mean(dim=(1, 2))).float().mean()
    assert down > 0.9  # dark above and light below stays so: turned, lit and mirrored, never upside down


def test_the_loss_mixes_labels_as_the_batch_was_mixed() -> None:
    network = PictureClassifier(FaceResNet(), 3, (32,))
    weights = torch.tensor([1.0, 2.0, 0.5])
    mixture = Mixture(network, mixed=1.0, label_smoothing=0.1, weights=weights)
    labels, logits = torch.tensor([0, 1, 2, 1]), torch.randn(4, 3, generator=torch.Generator().manual_seed(0))

    def plain(target: torch.Tensor) -> torch.Tensor:
        return functional.cross_entropy(logits, target, weights, label_smoothing=0.1)

    assert torch.equal(mixture(logits, labels), plain(labels))  # a batch that was not altered
    seen = set()
    for seed in range(12):
        torch.manual_seed(seed)
        mixture.alter(torch.zeros(4, 3, 48, 48, dtype=torch.uint8))
        shares = mixture._shares
        seen.add(shares is None)
        wanted = plain(labels) if shares is None else (
            shares[0] * plain(labels) + (1 - shares[0]) * plain(labels[shares[1]])
        )  # fmt: skip
        assert torch.allclose(mixture(logits, labels), wanted)
    assert seen == {True, False}

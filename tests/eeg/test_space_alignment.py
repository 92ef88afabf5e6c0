"""Alignment against pyRiemann, and what it says it looks at."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from insula.eeg.alignment import Alignment, OnlineAlignment
from insula.eeg.covariance import Method, covariances, reference_covariance, whitening
from insula.errors import DataError, LeakageError, SettingsError
from insula.protocols import audit, protocol
from insula.samples import ArrayStore, Description, Samples, concat, provenance
from insula.storage.cache import Cache
from protocols.studies import TASK

CHANNELS = ("Fz", "Cz", "Pz", "Oz")


def samples_of(windows: np.ndarray, subjects: list[str], channels: tuple[str, ...] = CHANNELS) -> Samples:
    form = Description(kind="signal", axes=("channel", "time"), rate=100, channels=channels, units="uV")
    sessions = ["1"] * len(windows)
    table = provenance(corpus="demo", subject=subjects, session=sessions, trial=[str(i) for i in range(len(windows))])
    return Samples(table, {}).with_modality("eeg", "eeg", ArrayStore(windows, form), range(len(windows)))


def align(samples: Samples, **settings: str) -> Samples:
    return Alignment.parse(settings, where="test").apply(samples, samples, Cache())


@pytest.fixture
def windows() -> np.ndarray:
    random = np.random.default_rng(0)
    mixing = random.normal(size=(2, 4, 4))
    loudness = random.uniform(0.5, 2, size=(150, 1, 1))
    return (loudness * mixing[np.arange(150) % 2] @ random.normal(size=(150, 4, 50))).astype(np.float32)


@pytest.mark.parametrize(("method", "metric"), [("euclidean", "euclid"), ("riemannian", "riemann")])
def test_each_subject_is_centred_at_the_identity(windows: np.ndarray, method: Method, metric: str) -> None:
    from pyriemann.estimation import Covariances
    from pyriemann.geometry.base import invsqrtm
    from pyriemann.geometry.mean import gmean

    samples = samples_of(windows, ["a", "b"] * 75)
    aligned = align(samples, method=method)
    for start in (0, 1):
        covariance = Covariances("scm", assume_centered=True).transform(windows[start::2].astype(float))
        expected = invsqrtm(gmean(covariance, metric=metric)) @ windows[start::2]
        found = aligned.select(np.arange(150) % 2 == start).read("eeg")
        assert_allclose(found, expected, atol=1e-4)
        assert_allclose(gmean(covariances(found), metric=metric), np.eye(4), atol=1e-4)
    assert_array_equal(samples.read("eeg"), windows)


@pytest.mark.parametrize("method", ["euclidean", "riemannian"])
def test_an_average_reference_is_no_obstacle(windows: np.ndarray, method: Method) -> None:
    windows = windows - windows.mean(axis=1, keepdims=True)
    aligned = align(samples_of(windows, ["a", "b"] * 75), method=method).read("eeg")
    assert np.abs(aligned).max() < 20
    assert_allclose(aligned.sum(axis=1), 0, atol=1e-4)
    if method == "euclidean":
        assert_allclose(covariances(aligned[::2]).mean(axis=0), np.eye(4) - 0.25, atol=1e-4)


def test_an_audit_knows_what_alignment_looked_at(windows: np.ndarray) -> None:
    samples = align(samples_of(windows, [f"s{i % 10}" for i in range(150)]))
    assert samples.table["eeg_cleaned_on"][3] == "demo/s3"
    samples = samples.with_columns(emotion=["anger", "fear", "anger"] * 50)
    refusing = protocol("subject-disjoint", folds=5)
    with pytest.raises(LeakageError, match=r"cleaning of eeg demo/s\d and 1 more learnt from inputs of the test part"):
        audit(refusing.splits(samples, TASK)[0], samples, refusing)
    permitted = protocol("subject-disjoint", folds=5, target=Alignment().access(refusing))
    report = audit(permitted.splits(samples, TASK)[0], samples, permitted)
    assert report.clean and any("as the protocol's target access allows" in line for line in report.warnings)


def test_corpora_with_other_channels_are_aligned_each_on_its_own(windows: np.ndarray) -> None:
    both = concat([samples_of(windows, ["a"] * 150), samples_of(windows[:60, :3], ["a"] * 60, CHANNELS[:3])])
    both.table["corpus"] = ["one"] * 150 + ["two"] * 60
    aligned = align(both, domain="subject+session")
    assert aligned.select(slice(150)).read("eeg").shape == (150, 4, 50)
    last = aligned.select(slice(150, None)).read("eeg")
    assert_allclose(covariances(last).mean(axis=0), np.eye(3), atol=1e-4)


@pytest.mark.parametrize("method", ["euclidean", "riemannian"])
def test_online_takes_the_past_and_no_more(windows: np.ndarray, method: Method) -> None:
    from pyriemann.geometry.geodesic import geodesic

    source = reference_covariance(samples_of(windows[::2], ["a"] * 75), method=method)
    online = OnlineAlignment(source, method, weight=2)
    found = np.concatenate([online.align(windows[1:41:2]), online.align(windows[41::2])])
    assert_allclose(found[0], whitening(source) @ windows[1], atol=1e-5)
    mean, metric = source, {"euclidean": "euclid", "riemannian": "riemann"}[method]
    for i, window in enumerate(windows[1::2]):
        assert_allclose(found[i], whitening(mean) @ window, atol=1e-5)
        mean = geodesic(mean, covariances(window[None])[0], 1 / (3 + i), metric=metric)
    changed = windows[1::2].copy()
    changed[40:] *= 9
    assert_array_equal(OnlineAlignment(source, method, weight=2).align(changed)[:40], found[:40])


def test_a_mean_that_is_not_found_is_said_once(windows: np.ndarray) -> None:
    bridged = windows.copy()
    bridged[::3, 1] = bridged[::3, 0] + 1e-3 * bridged[::3, 1]
    with pytest.warns(UserWarning, match=r"2 of 2 times: the Riemannian mean of 75 windows is inexact") as said:
        align(samples_of(bridged, ["a", "b"] * 75), method="riemannian")
    assert len(said) == 1


def test_what_is_no_signal_is_not_aligned() -> None:
    form = Description(kind="features", axes=("channel", "band"), channels=CHANNELS)
    table = provenance(corpus="demo", subject=["a", "b"] * 4, session=["1"] * 8, trial=[str(i) for i in range(8)])
    store = ArrayStore(np.random.default_rng(0).normal(size=(8, 4, 5)).astype(np.float32), form)
    with pytest.raises(DataError, match="alignment needs channels x times"):
        align(Samples(table, {}).with_modality("eeg", "eeg", store, range(8)))


def test_bad_input_is_one_line(windows: np.ndarray) -> None:
    flat = windows.copy()
    flat[4, 1] = 0
    with pytest.raises(DataError, match=r"covariance of 1 of 75 windows is singular \(subject demo/a\): use longer"):
        align(samples_of(flat, ["a", "b"] * 75), method="riemannian")
    flat[4, 1] = np.nan
    with pytest.raises(DataError, match=r"NaN or infinite values \(subject demo/a\)"):
        align(samples_of(flat, ["a", "b"] * 75))
    with pytest.raises(DataError, match=r"1 windows of 3 samples are too few for 4 channels \(subject demo/a\)"):
        align(samples_of(windows[:1, :, :3], ["a"]))
    with pytest.raises(DataError, match="2 samples belong to no subject"):
        align(samples_of(windows[:4], ["a", None, None, "b"]))  # type: ignore[list-item]
    online = OnlineAlignment(np.eye(4), "riemannian")
    with pytest.raises(DataError, match=r"windows of shape \(4, 50\) for a reference of 4 channels"):
        online.align(windows[0])
    with pytest.raises(DataError, match="NaN"):
        online.align(flat[:6])
    assert_allclose(online.align(windows[:1]), windows[:1], atol=1e-5)  # what was refused left no trace
    with pytest.raises(SettingsError, match="a weight of 0"):
        OnlineAlignment(np.eye(4), weight=0)
    with pytest.raises(SettingsError, match="unknown method 'coral': methods are euclidean, riemannian"):
        OnlineAlignment(np.eye(4), "coral")  # type: ignore[arg-type]

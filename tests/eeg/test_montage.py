"""Electrode names, positions, and interpolation against MNE's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from insula.eeg.montage import canonical, flat_positions, interpolation, positions
from insula.errors import DataError

DREAMER = ["AF3", "F7", "F3", "FC5", "T7", "P7", "O1", "O2", "P8", "T8", "FC6", "F4", "F8", "AF4"]
SEED_NAMES = (
    "FP1 FPZ FP2 AF3 AF4 F7 F5 F3 F1 FZ F2 F4 F6 F8 FT7 FC5 FC3 FC1 FCZ FC2 FC4 FC6 FT8 T7 C5 C3 C1 CZ C2 C4 C6 T8 "
    "TP7 CP5 CP3 CP1 CPZ CP2 CP4 CP6 TP8 P7 P5 P3 P1 PZ P2 P4 P6 P8 PO7 PO5 PO3 POZ PO4 PO6 PO8 CB1 O1 OZ O2 CB2"
)
SEED = SEED_NAMES.split()


def test_names_lose_case_age_and_decoration() -> None:
    spelt = ["EEG Fp1", "fp2-REF", "FC5..", " T3 ", "EEG T4-LE", "t5", "T6", "EEG_Oz", "A1"]
    assert canonical(spelt) == ("Fp1", "Fp2", "FC5", "T7", "T8", "P7", "P8", "Oz", "A1")
    assert canonical(canonical(spelt)) == canonical(spelt)
    assert len(canonical(SEED)) == 62


def test_real_edf_channels_are_known(data: Path) -> None:
    import mne

    path = min((data / "eegmat").glob("*.edf"))
    names = mne.io.read_raw_edf(path, verbose="error").ch_names
    assert canonical(names[:19])[:2] == ("Fp1", "Fp2")
    with pytest.raises(DataError, match=r"unknown channels 'EEG A2-A1', 'ECG ECG' \(Subject.*: drop it"):
        canonical(names, where=path.name)


@pytest.mark.parametrize(
    ("channels", "message"),
    [
        (["Cz", "Fpp1"], r"unknown channel 'Fpp1' \(s01\): .*close: Fp1"),
        (["Cz", "ECG ECG"], "unknown channel 'ECG ECG'"),
        (["Fp1-F3"], "unknown channel 'Fp1-F3'"),
        (["Cz", "CZ"], "duplicate channel: 'Cz' and 'CZ' are both Cz"),
        (["T3", "Cz", "T7"], "duplicate channel: 'T3' and 'T7' are both T7"),
    ],
)
def test_unknown_and_duplicate_channels_are_named(channels: list[str], message: str) -> None:
    with pytest.raises(DataError, match=message):
        canonical(channels, where="s01")


def test_positions_are_mnes_head_coordinates() -> None:
    import mne

    names = canonical(SEED)
    info = mne.create_info(list(names), 250, "eeg")
    info.set_montage("colin27_1005")
    assert_allclose(positions(SEED), [channel["loc"][:3] for channel in info["chs"]], atol=1e-12)
    left, right, front = positions(["T3", "t8", "EEG Fpz"])
    assert left[0] < -0.05
    assert right[0] > 0.05
    assert front[1] > 0.1
    assert positions([]).shape == (0, 3)


def test_interpolation_is_mnes_interpolate_bads() -> None:
    import mne

    from insula.eeg.montage import _sphere_centre

    names = list(canonical(SEED))
    bad = ["Cz", "P7", "Fp2", "PO9"]
    good = [name for name in names if name not in bad]
    values = np.random.default_rng(0).normal(0, 1e-5, (62, 50))
    raw = mne.io.RawArray(values, mne.create_info(names, 250, "eeg"), verbose="error")
    raw.set_montage("colin27_1005")
    raw.info["bads"] = bad
    raw.interpolate_bads(origin=_sphere_centre(), method={"eeg": "spline"}, verbose="error")
    ours = interpolation(good, names) @ values[[name in good for name in names]]
    assert_allclose(ours, raw.get_data(), rtol=1e-4, atol=1e-10)


def test_shared_electrodes_are_copied_and_a_constant_stays_one() -> None:
    source, target = DREAMER, ["Cz", "T3", "AF4", "Pz"]
    matrix = interpolation(source, target)
    assert matrix.shape == (4, 14)
    assert matrix.dtype == np.float32
    assert_array_equal(matrix[1], np.array(source) == "T7")
    assert_allclose(matrix.sum(axis=1), 1, atol=1e-5)
    assert_array_equal(interpolation(SEED, SEED), np.eye(62))
    with pytest.raises(DataError, match="no source channel"):
        interpolation([], target)


def test_a_smooth_field_survives_interpolation() -> None:
    x, y, z = positions(SEED).T
    field = 100 * (x + 0.5 * y - z)
    kept = [index for index in range(62) if index % 3]
    guess = interpolation([SEED[index] for index in kept], SEED) @ field[kept]
    assert np.corrcoef(guess, field)[0, 1] > 0.98


def test_the_drawn_head_has_the_left_on_the_left_and_the_angle_from_the_vertex_as_radius() -> None:
    drawn = flat_positions(SEED)
    place = {name.upper(): at for name, at in zip(SEED, drawn, strict=True)}
    for left, right in (("C3", "C4"), ("O1", "O2"), ("TP7", "TP8"), ("F5", "F6")):
        assert place[left][0] < 0 < place[right][0]
        assert_allclose(place[left] * [-1, 1], place[right], atol=0.05)
    assert place["FPZ"][1] > place["FZ"][1] > place["CZ"][1] > place["PZ"][1] > place["OZ"][1]
    equator = np.linalg.norm([place[name] for name in ("FPZ", "T7", "OZ", "T8")], axis=1)
    assert_allclose(equator, 1, atol=0.07)
    assert_allclose(np.linalg.norm(place["C3"]), 0.5, atol=0.05)  # half of the way to the equator

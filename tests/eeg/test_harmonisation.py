"""One montage for all corpora: what is copied, what is averaged, and that nothing is read before it is asked for."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from insula.eeg.harmonisation import MONTAGE_60, Rule, harmonise, montage_matrix
from insula.eeg.montage import canonical, interpolation, positions
from insula.errors import DataError, SettingsError
from insula.samples import ArrayStore, Description, Samples, concat, provenance

SEED = [*MONTAGE_60[:-3], "CB1", *MONTAGE_60[-3:], "CB2"]
DEAP = "Fp1 AF3 F3 F7 FC5 FC1 C3 T7 CP5 CP1 P3 P7 PO3 O1 Oz Pz Fp2 AF4 Fz F4 F8 FC6 FC2 Cz C4 T8 CP6 CP2 P4 P8 PO4 O2"


def samples_of(values: np.ndarray, channels: list[str], corpus: str = "demo") -> Samples:
    form = Description(kind="signal", axes=("channel", "time"), rate=100, channels=tuple(channels), units="uV")
    table = provenance(corpus=corpus, subject=["S1"] * len(values))
    return Samples(table, {}).with_modality("eeg", "eeg", ArrayStore(values, form), range(len(values)))


def by_hand(signal: np.ndarray, source: list[str], target: list[str], inverse: bool) -> np.ndarray:
    """Do what the rule says, electrode by electrode."""
    have, result = list(canonical(source)), []
    for name in canonical(target):
        if name in have:
            result.append(signal[have.index(name)])
            continue
        far = {other: np.linalg.norm(positions([other]) - positions([name])) for other in have
               if other in canonical(target)}  # fmt: skip
        three = sorted(far, key=lambda other: far[other])[:3]
        weights = [1 / far[other] if inverse else 1.0 for other in three]
        result.append(np.average([signal[have.index(other)] for other in three], axis=0, weights=weights))
    return np.array(result)


def test_sixty_are_seeds_cap_in_canonical_spelling() -> None:
    assert len(MONTAGE_60) == 60
    assert canonical(MONTAGE_60) == MONTAGE_60
    matrix = montage_matrix(SEED)
    assert matrix.shape == (60, 62)
    assert_array_equal(matrix.sum(axis=1), 1)
    assert not matrix[:, [SEED.index("CB1"), SEED.index("CB2")]].any()


@pytest.mark.parametrize("rule", ["uniform", "inverse_distance"])
def test_rule_is_that_of_a_plain_loop(rule: Rule) -> None:
    source = [*DEAP.replace("T7", "T3").replace("P8", "T6").split(), "A1"]
    signal = np.random.default_rng(0).normal(size=(33, 5))
    matrix = montage_matrix(source, MONTAGE_60, rule)
    copied = (matrix == 1).any(axis=1)
    assert int((~copied).sum()) == 28  # what is reported of DEAP
    assert_allclose(matrix @ signal, by_hand(signal, source, list(MONTAGE_60), rule == "inverse_distance"), atol=1e-6)


def test_splines_are_the_toolkits_own() -> None:
    assert_array_equal(montage_matrix(DEAP.split(), rule="splines"), interpolation(DEAP.split(), MONTAGE_60))


def test_fewer_than_three_or_none_to_average() -> None:
    assert_array_equal(montage_matrix(["Oz", "Cz"], ["Fz", "Cz", "Oz"])[0], [0.5, 0.5])
    with pytest.warns(UserWarning, match="no electrode of the target montage: all 2 channels are zero"):
        assert not montage_matrix(["A1"], ["Fz", "Cz"]).any()


@pytest.mark.parametrize(
    ("source", "rule", "error", "message"),
    [
        (["Cz", "HEOG"], "uniform", DataError, "unknown channel 'HEOG'"),
        ([], "uniform", DataError, "a montage without electrodes: name at least one"),
        (["Cz"], "linear", SettingsError, "unknown rule 'linear': rules are uniform"),
    ],
)
def test_bad_montages_are_one_line(source: list[str], rule: Rule, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        montage_matrix(source, rule=rule)


def test_corpora_of_two_montages_stack_once_harmonised(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    values = [random.normal(size=(70, 62, 20)).astype(np.float32), random.normal(size=(3, 32, 20)).astype(np.float32)]
    seed, deap = samples_of(values[0], SEED, "seed"), samples_of(values[1], DEAP.split(), "deap")
    joined = concat([seed, deap])
    with pytest.raises(DataError, match="harmonise first"):
        joined.read("eeg")
    one = harmonise(joined)
    both = one.read("eeg")
    assert both.shape == (73, 60, 20)
    assert_array_equal(both[:70, 0], values[0][:, 0])
    assert_allclose(both[70:], np.einsum("ts,nsx->ntx", montage_matrix(DEAP.split()), values[1]), atol=1e-6)
    assert one.store("eeg").description.channels == MONTAGE_60
    assert_array_equal(one.select([71, 2]).read("eeg"), both[[71, 2]])
    one.save(tmp_path / "saved")
    assert_array_equal(Samples.open(tmp_path / "saved").read("eeg"), both)
    assert one.fingerprint() != harmonise(joined, rule="inverse_distance").fingerprint()
    assert one.fingerprint() == harmonise(joined).fingerprint()


def test_features_and_missing_cells_and_shared_stores() -> None:
    form = Description(kind="features", axes=("band", "channel"), channels=("Fz", "Cz"))
    store = ArrayStore(np.arange(8, dtype=np.float32).reshape(2, 2, 2), form)
    samples = Samples(provenance(corpus="demo", subject=["a", "b", "c"]), {})
    samples = samples.with_modality("de", "one", store, [-1, 1, 0]).with_modality("rest", "one", store, [0, 0, 0])
    swapped = harmonise(harmonise(samples, "de", ["Cz", "Fz"]), "rest", ["Fz", "Cz"])
    assert swapped.has("de").tolist() == [False, True, True]
    assert_array_equal(swapped.select([1, 2]).read("de"), store.values[[1, 0]][..., ::-1])
    assert_array_equal(swapped.read("rest"), store.values[[0, 0, 0]])
    assert "one" not in swapped.stores


def test_nan_names_its_row_and_other_data_are_refused() -> None:
    values = np.ones((4, 2, 5), np.float32)
    values[2, 1, 3] = np.nan
    with pytest.raises(DataError, match=r"NaN or infinite values \(row 2 of the store\)"):
        harmonise(samples_of(values, ["Fz", "Cz"]), "eeg", ["Fz"]).read("eeg")
    with pytest.raises(DataError, match="no sample has the modality emg"):
        harmonise(samples_of(values, ["Fz", "Cz"]), "emg")


def test_memory_is_that_of_the_rows_read(tmp_path: Path) -> None:
    path = tmp_path / "values.npy"
    np.lib.format.open_memmap(path, "w+", np.float32, (1000, 32, 200)).flush()  # 26 MB
    samples = samples_of(np.load(path, mmap_mode="r"), DEAP.split())
    positions(MONTAGE_60)  # the template is loaded once
    tracemalloc.start()
    one = harmonise(samples)
    for start in range(0, 1000, 50):
        one.select(slice(start, start + 50)).read("eeg")
    one.store("eeg").save(tmp_path / "saved")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10e6

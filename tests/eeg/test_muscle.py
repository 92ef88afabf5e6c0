"""EEG without bands and electrodes of muscles."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from insula.eeg.features import BANDS
from insula.eeg.steps import apply_steps, parse_steps
from insula.errors import DataError
from insula.samples import ArrayStore, Description, Samples, provenance
from insula.storage.cache import Cache

CHANNELS = ("AF3", "F3", "Cz", "T8")


def entropies() -> Samples:
    values = np.arange(2 * len(CHANNELS) * len(BANDS), dtype=np.float32).reshape(2, len(CHANNELS), len(BANDS))
    form = Description(kind="features", axes=("channel", "band"), channels=CHANNELS)
    samples = Samples(provenance(corpus="c", subject=["a", "b"], trial="1"), {})
    return samples.with_modality("features", "features", ArrayStore(values, form), range(2))


def test_high_bands_and_electrodes_over_muscles_are_left_out(tmp_path: Path) -> None:
    samples = entropies()
    left, log = apply_steps(parse_steps([{"name": "without-muscle"}]), samples, samples.ids, Cache(tmp_path))
    assert left.store("features").description.channels == ("F3", "Cz")
    assert_array_equal(left.read("features"), samples.read("features")[:, 1:3, :3])
    assert not log.fits, "nothing is learnt"


def test_what_names_no_electrodes_or_leaves_none_is_one_line(tmp_path: Path) -> None:
    samples = entropies()
    with pytest.raises(DataError, match="no electrode or band is left"):
        apply_steps(parse_steps([{"name": "without-muscle", "highest": 3}]), samples, samples.ids, Cache(tmp_path))
    bare = ArrayStore(np.zeros((2, 7), np.float32), Description(kind="features", axes=("feature",)))
    flat = samples.with_modality("features", "numbers", bare, range(2))
    with pytest.raises(DataError, match="do not name the band and electrode"):
        apply_steps(parse_steps([{"name": "without-muscle"}]), flat, flat.ids, Cache(tmp_path))

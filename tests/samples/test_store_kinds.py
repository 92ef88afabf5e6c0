"""Stores of sound, text and vectors: read back as written, without pickle, and refused where nothing can read them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from insula.errors import DataError
from insula.samples import ArrayStore, Description, RaggedStore, Samples, concat, open_store, provenance
from insula.systems.baselines.plain import plain_features

TEXT = Description(kind="text", axes=())


def _texts(corpus: str, *texts: str) -> Samples:
    samples = Samples(provenance(len(texts), corpus=corpus), {})
    return samples.with_modality("text", "texts", ArrayStore(np.array(texts), TEXT), range(len(texts)))


def test_texts_are_read_as_written_whatever_their_length(tmp_path: Path) -> None:
    samples = concat([_texts("a", "ja", ""), _texts("b", "ein langer Satz über Freude", "ok")])
    samples.save(tmp_path / "s")
    again = Samples.open(tmp_path / "s")
    for part in (samples, again):
        assert part.read("text").tolist() == ["ja", "", "ein langer Satz über Freude", "ok"]
    assert again.fingerprint() == samples.fingerprint() != concat([_texts("a", "ja", "nein")] * 2).fingerprint()
    assert np.load(next((tmp_path / "s").rglob("values.npy")), allow_pickle=False).dtype.kind == "U"
    with pytest.raises(DataError, match="no plain features of text"):
        plain_features(samples, "text")


def test_sound_has_a_clock_and_any_length(tmp_path: Path) -> None:
    form = Description(kind="audio", axes=("time", "channel"), rate=8000, channels=("mono",))
    sound = np.random.default_rng(0).uniform(-1, 1, (12, 1)).astype(np.float32)
    RaggedStore(sound, np.array([0, 4, 12]), np.arange(12) / 8000, np.ones(12, bool), form).save(tmp_path / "audio")
    again = open_store(tmp_path / "audio")
    assert again.description == form and [len(row) for row in again.read(np.array([0, 1]))] == [4, 8]
    samples = Samples.from_arrays(sound.reshape(2, 6), modality="audio", rate=8000)
    assert samples.read("audio").shape == (2, 1, 6) and samples.store("audio").description.kind == "audio"
    assert plain_features(samples, "audio").shape == (2, 1)  # how loud it is


def test_vectors_are_features_of_another_model() -> None:
    vectors = np.arange(6, dtype=np.float32).reshape(2, 3)
    samples = Samples.from_arrays(vectors, modality="vector")
    assert samples.store("vector").description.kind == "vector"
    assert np.array_equal(plain_features(samples, "vector"), vectors)


def test_texts_in_a_list_are_samples() -> None:
    samples = Samples.from_arrays(["so glad", "no"], ["happiness", "anger"], modality="text")
    assert samples.read("text").tolist() == ["so glad", "no"]
    with pytest.raises(DataError, match="X holds what is no text"):
        Samples.from_arrays(["so glad", None], modality="text")


@pytest.mark.parametrize("form", [{"kind": "audio", "axes": ("channel", "time")}, {"kind": "text", "axes": ("time",)},
                                  {"kind": "vector", "axes": ("channel", "band")}])  # fmt: skip
def test_a_form_that_is_none_of_the_kind_is_one_line(form: dict) -> None:
    with pytest.raises(DataError, match=f"no form of {form['kind']}"):
        Description(**form)


def test_strings_and_numbers_are_not_mistaken_for_each_other() -> None:
    for values, form in ((np.array(["a"], object), TEXT), (np.zeros(1), TEXT),
                         (np.array([["a"]]), Description(kind="vector", axes=("feature",)))):  # fmt: skip
        with pytest.raises(DataError, match="give text as"):
            ArrayStore(values, form)

"""The London faces, real and drawn."""

from __future__ import annotations

from pathlib import Path

import pytest

from insula.corpora.catalogue import corpus
from insula.corpora.fakes import fake_london_faces
from insula.storage.cache import Cache


def test_identities_labels_and_groups(tmp_path: Path) -> None:
    fake_london_faces(tmp_path)
    one = corpus("london-faces", root=tmp_path, faces="cropped", size=24)
    table = one.samples(Cache(tmp_path / "cache")).table
    assert set(table["corpus"]) == {"london-faces"}
    assert table["emotion"].value_counts().to_dict() == {"neutral": 4, "happiness": 4}
    assert table["identity"].nunique() == 4
    assert {"face_age", "face_gender", "face_eth"} <= set(table.columns)


def test_the_root_is_the_folder_or_the_one_above_or_the_variable(tmp_path: Path, monkeypatch) -> None:
    fake_london_faces(tmp_path)
    monkeypatch.delenv("INSULA_DATA", raising=False)
    assert corpus("london-faces").check() == ["no folder given (london-faces): set root, or the variable INSULA_DATA"]
    assert corpus("london-faces", root=tmp_path).check() == []
    assert corpus("london-faces", root=tmp_path / "london-faces").check() == []
    monkeypatch.setenv("INSULA_DATA", str(tmp_path))
    assert corpus("london-faces").check() == []


@pytest.mark.slow
def test_every_real_face_is_found(data: Path, tmp_path: Path) -> None:
    samples = corpus("london-faces", root=data).samples(Cache(tmp_path))
    assert samples.read("picture").shape == (204, 96, 96, 3)
    assert samples.table["identity"].nunique() == 102
    assert samples.table["emotion"].value_counts().to_dict() == {"neutral": 102, "happiness": 102}

"""The style study: who sees whom in which style, and what the report is told."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest

from insula.emotions import Categorical
from insula.errors import DataError
from insula.protocols.protocol import protocol
from insula.samples import Samples
from insula.systems.catalogue import system
from insula.systems.crpn.style import FACTS, StyleStudy
from toy import CLASSES, toy_study, toy_styles

TASK = Categorical(label="emotion", classes=CLASSES)
BRIEF: dict[str, Any] = {"epochs": 1, "batch_size": 16}
SETTINGS: dict[str, Any] = {
    "backbone": "small-cnn", "width": 8, "augment": False, "training": BRIEF,
    "teacher": {"backbone": "small-cnn", "training": BRIEF},
}  # fmt: skip
Parts = tuple[Samples, Samples, Samples]


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("INSULA_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def parts() -> Parts:
    samples = toy_styles(60)
    split = protocol("identity-disjoint", folds=4, validation_share=0.2).splits(samples, TASK)[0]
    return samples.by_id(split.train), samples.by_id(split.validation), samples.by_id(split.test)


@pytest.fixture(scope="module")
def study(parts: Parts) -> StyleStudy:
    return StyleStudy(StyleStudy.Settings.parse(SETTINGS, where="test")).fit(*parts[:2], TASK)


def learnt_from(model: Any, parts: Parts) -> Samples:
    (ids,) = {tuple(fit.ids) for fit in model.log.fits if fit.step == "crpn"}
    return parts[0].by_id(np.array(ids))


def test_each_model_sees_one_style_and_people_whom_the_other_does_not(study: StyleStudy, parts: Parts) -> None:
    human, animate = (learnt_from(study.models[mode], parts) for mode in ("human", "animate"))
    assert set(human.table["style"]) == {"plain"} and set(animate.table["style"]) == {"stylised"}
    people = [set(samples.units("identity")) for samples in (human, animate)]
    assert not people[0] & people[1] and people[0] | people[1] == set(parts[0].units("identity"))
    assert len(study.log.fits) == sum(len(model.log.fits) for model in study.models.values())
    chosen = {ids for model in study.models.values() for fit in model.log.fits if fit.use == "selection"
              for ids in fit.ids}  # fmt: skip
    assert chosen <= set(parts[1].ids)


def test_the_placebo_sees_the_same_pictures_in_both_styles(study: StyleStudy, parts: Parts) -> None:
    placebo = study.placebo("both-styles").fit(*parts[:2], TASK)
    assert list(placebo.models) == list(placebo.modes) == ["human"]
    human, lot = learnt_from(study.models["human"], parts), learnt_from(placebo.models["human"], parts)
    assert sorted(lot.units("stimulus")) == sorted(human.units("stimulus"))
    assert set(lot.table["style"]) == {"plain", "stylised"}


def test_the_style_of_a_picture_is_not_read_when_it_is_predicted(study: StyleStudy, parts: Parts) -> None:
    test = parts[2]
    for mode in study.modes:
        said = study.predict(test, mode)
        assert (said.table["mode"] == mode).all()
        assert np.array_equal(said.probabilities, study.predict(test.without(["style"]), mode).probabilities)
    assert not np.array_equal(study.predict(test, "human").probabilities, study.predict(test, "animate").probabilities)


def test_features_of_both_models_come_with_figures(study: StyleStudy, parts: Parts) -> None:
    test = parts[2]
    assert {name: values.shape for name, values in study.features(test).items()} == dict.fromkeys(
        ("human", "animate"), (len(test), 8)
    )
    found = study.measure(test.without(["emotion"]))
    assert found["share of the more frequent style"] == 0.5
    assert 0.3 <= found["style from features of human: linear probe"] <= 1
    assert -1 <= found["style in features of animate: silhouette"] <= 1
    (table,) = study.tables([{"held_out": found}, {"held_out": found}]).values()
    assert set(study.tables([{"held_out": found}])) == {FACTS}
    assert isinstance(table, pd.DataFrame) and (table["fits"] == 2).all() and len(table) == 5


def test_pictures_of_one_style_are_refused_in_one_line() -> None:
    plain = toy_study(30, subjects=())
    for samples in (plain, plain.with_columns(style="plain"), plain.with_columns(style="stylised")):
        with pytest.raises(DataError, match=r"not of two styles, plain and another \(column style\): use the corpus"):
            system("crpn-style", **SETTINGS).fit(samples, samples, TASK)

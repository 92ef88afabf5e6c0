"""The identity probe of CRPN: what it learns, what it leaves as it was, and what of it is kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from insula.corpora.catalogue import corpus
from insula.emotions import Categorical
from insula.errors import DataError, SettingsError
from insula.protocols.protocol import protocol
from insula.samples import Samples
from insula.storage.cache import Cache
from insula.systems.catalogue import system
from insula.systems.crpn import teaching
from insula.systems.crpn.build import people_classifier
from insula.systems.crpn.identity import PEOPLE, TUNED, learn_people, of_people, people_in
from insula.systems.crpn.measure import dependence, probe
from insula.systems.crpn.settings import CRPNSettings
from insula.systems.crpn.statistics import hash_of
from insula.systems.crpn.system import CRPN

PEOPLE_DRAWN = 4
TINY: dict[str, Any] = {
    "arm": "teacher",
    "backbone": "small-cnn",
    "width": 16,
    "augment": False,
    "teacher": {"backbone": "small-cnn", "training": {"epochs": 2, "learning_rate": 2e-3}},
}
PROBE: dict[str, Any] = {"identity": {"epochs": 12, "learning_rate": 4e-3, "batch_size": 16}}


@pytest.fixture(scope="module", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("INSULA_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def study(own_cache: None) -> Samples:
    drawn = {"pictures": 160, "identities": PEOPLE_DRAWN, "size": 32, "nuisance": 0.3, "label_noise": 0.0}
    return corpus("simulated-faces", **drawn).samples(Cache())


@pytest.fixture(scope="module")
def task(study: Samples) -> Categorical:
    return Categorical(label="emotion", classes=tuple(sorted(set(study.table["emotion"]))))


def cut(study: Samples, task: Categorical, name: str = "stimulus-disjoint") -> tuple[Samples, Samples, Samples]:
    split = protocol(name, test_share=0.25, validation_share=0.34).splits(study, task)[0]
    return study.by_id(split.train), study.by_id(split.validation), study.by_id(split.test).without(["emotion"])


@pytest.fixture(scope="module")
def parts(study: Samples, task: Categorical) -> tuple[Samples, Samples, Samples]:
    return cut(study, task)


def fit(parts: tuple[Samples, Samples, Samples], task: Categorical, **changes: Any) -> CRPN:
    fitted = system("crpn", **{**TINY, **changes}).fit(*parts[:2], task)
    assert isinstance(fitted, CRPN)
    return fitted


@pytest.fixture(scope="module")
def fitted(parts: tuple[Samples, Samples, Samples], task: Categorical) -> CRPN:
    return fit(parts, task, **PROBE)


def test_the_whole_conceptual_pathway_is_as_it_was(parts: Any, task: Categorical) -> None:
    data = teaching.PictureData(*parts[:2], task, CRPNSettings.parse({**TINY, **PROBE}, where="test"))
    teacher, _ = teaching.taught_once(data)
    before = {name: hash_of(part) for name, part in teacher.named_children()}
    network, _ = learn_people(data, teacher)
    assert {name: hash_of(part) for name, part in teacher.named_children()} == before
    assert set(before) == {"emotion", "other"} and hash_of(network.encoder) != before["other"]
    assert not any(part.requires_grad for part in teacher.parameters())


def test_what_is_tuned_begins_as_the_other_encoder_and_all_of_it_learns(fitted: CRPN) -> None:
    assert fitted.teacher is not None and fitted.people is not None
    other = fitted.teacher.other
    begun = people_classifier(fitted.settings, other, PEOPLE_DRAWN, 1)
    assert hash_of(begun.encoder) == hash_of(other)
    assert all(part.requires_grad for part in begun.parameters())
    after = dict(fitted.people.encoder.named_parameters())
    moved = [name for name, part in begun.encoder.named_parameters() if not torch.equal(part, after[name])]
    assert any(name.startswith("backbone") for name in moved) and any(name.startswith("projection") for name in moved)


def test_predictions_and_saved_files_are_those_without_a_probe(
    fitted: CRPN, parts: Any, task: Categorical, tmp_path: Path
) -> None:
    plain = fit(parts, task)
    assert np.array_equal(plain.predict(parts[2]).probabilities, fitted.predict(parts[2]).probabilities)
    for name, one in (("plain", plain), ("probed", fitted)):
        one.save(tmp_path / name)
    held = [{path.name: path.stat().st_size for path in (tmp_path / name).iterdir()} for name in ("plain", "probed")]
    assert held[0].keys() == held[1].keys()
    weights = [(tmp_path / name / "network.safetensors").read_bytes() for name in ("plain", "probed")]
    assert weights[0] == weights[1]
    loaded = CRPN.load(tmp_path / "probed")
    assert loaded.people is None and set(loaded.features(parts[2])) == {"percept"}
    names = [str(name).encode() for name in set(parts[0].table["identity"])]
    assert not any(name in path.read_bytes() for path in (tmp_path / "probed").iterdir() for name in names)


def test_people_are_told_apart_on_pictures_held_out(fitted: CRPN) -> None:
    found = fitted.facts["identity"]
    assert found["people"] == PEOPLE_DRAWN and found["train_losses"][-1] < found["train_losses"][0] / 2
    held = found["held_out"]
    assert held["classifier"] > held["identity: share of the largest group"] + 0.3
    assert held["chance"] == 1 / PEOPLE_DRAWN


def test_people_who_are_named_at_random_are_not(parts: Any, task: Categorical) -> None:
    rng = np.random.default_rng(0)
    dealt = tuple(
        Samples(part.table.assign(identity=rng.permutation(part.table["identity"])), part.stores) for part in parts
    )
    held = fit(dealt, task, **PROBE).facts["identity"]["held_out"]  # type: ignore[arg-type]
    assert held["classifier"] < 0.5


def test_the_table_holds_what_was_measured_on_pictures_held_out(fitted: CRPN, parts: Any) -> None:
    train, held = parts[:2]
    table = CRPN.tables([fitted.facts])[PEOPLE]
    features = [fitted.features(part) for part in (train, held)]
    people = people_in(train)
    codes = [of_people(people, part)[1] for part in (train, held)]
    for space in ("emotion", "non-emotion", TUNED):
        row = table.loc[f"{space} features"]
        wanted = probe(features[0][space], codes[0], features[1][space], codes[1])
        assert row["identity: linear probe"] == pytest.approx(wanted)
        labels = [part.table["emotion"].to_numpy(str) for part in (train, held)]
        wanted = probe(features[0][space], labels[0], features[1][space], labels[1])
        assert row["emotion: linear probe"] == pytest.approx(wanted)
        apart = dependence(features[1]["emotion"], features[1][space])
        assert row["dependence on emotion features (HSIC)"] == pytest.approx(apart)
    shares = pd.Series(codes[1]).value_counts(normalize=True)
    assert table.loc["always the commonest", "identity: linear probe"] == pytest.approx(shares.iloc[0])
    assert PEOPLE not in CRPN.tables([{name: value for name, value in fitted.facts.items() if name != "identity"}])


def test_the_report_maps_the_tuned_features_and_audits_the_pictures_they_learnt_from(fitted: CRPN, parts: Any) -> None:
    found = fitted.features(parts[2])
    assert list(found) == ["emotion", "non-emotion", TUNED]
    assert np.allclose(np.linalg.norm(found[TUNED], axis=1), 1, atol=1e-5)
    assert f"identity from {TUNED} features: linear probe" in fitted.measure(parts[2])
    (used,) = [fit for fit in fitted.log.fits if fit.step == "identity probe"]
    assert set(used.ids) == set(parts[0].ids) and used.use == "labels"


def test_of_new_people_nothing_is_held_against_the_classifier(study: Samples, task: Categorical) -> None:
    short = {"identity": {"epochs": 1}}
    found = fit(cut(study, task, "identity-disjoint"), task, **short)
    assert "held_out" not in found.facts["identity"] and PEOPLE not in CRPN.tables([found.facts])


def test_pictures_of_nobody_known_teach_nothing_and_one_person_is_too_few(parts: Any, task: Categorical) -> None:
    train = parts[0]
    names = train.table["identity"].where(np.arange(len(train)) >= 20)
    some = Samples(train.table.assign(identity=names), train.stores)
    mine, codes = of_people(people_in(some), some)
    assert set(mine.ids) == set(train.ids[20:]) and set(codes) == set(range(PEOPLE_DRAWN))
    first = names.dropna().iloc[0]
    alone = Samples(train.table.assign(identity=names.where(names == first)), train.stores)
    with pytest.raises(DataError, match="show 1 known people"):
        fit((alone, *parts[1:]), task, identity={"epochs": 1})


def test_a_probe_wants_a_conceptual_pathway_and_placebos_have_none() -> None:
    with pytest.raises(SettingsError, match="this arm has none"):
        system("crpn", arm="percept-only", identity={"epochs": 1})
    probed = system("crpn", identity={"epochs": 1})
    assert probed.settings.identity is not None and probed.settings.identity.schedule == "restarts"
    assert all(probed.placebo(name).settings.identity is None for name in probed.placebos)

"""Simulated faces: what is drawn, what is said of it, and what stays sealed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from calibrate_simulated_study import gradient_histograms
from sklearn.linear_model import LogisticRegression

from insula.corpora.drawn_faces import draw_faces
from insula.corpora.simulated_faces import SimulatedFaces, SimulatedFacesSettings
from insula.errors import LabelError, SettingsError
from insula.samples import Samples
from insula.storage.cache import Cache


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Cache:
    return Cache(tmp_path_factory.mktemp("cache"))


def faces(**changes: object) -> SimulatedFaces:
    return SimulatedFaces(SimulatedFacesSettings(**{"pictures": 70, "identities": 14, "size": 32, **changes}))


def disagreement(corpus: SimulatedFaces, samples: Samples) -> float:
    true = corpus.truth().loc[samples.units("stimulus"), "emotion"].to_numpy(str)
    return float((true != samples.table["emotion"].to_numpy(str)).mean())


def test_labels_are_wrong_at_the_rate_asked_for_and_the_picture_is_the_same(cache: Cache) -> None:
    corpus, clean = faces(pictures=700, size=16), faces(pictures=700, size=16, label_noise=0)
    noisy, right = corpus.samples(cache), clean.samples(cache)
    assert disagreement(corpus, noisy) == pytest.approx(0.3, abs=0.05)
    assert disagreement(clean, right) == 0
    np.testing.assert_array_equal(noisy.read("picture"), right.read("picture"))
    assert noisy.store("picture").fingerprint() == right.store("picture").fingerprint()


def test_wrong_labels_do_not_depend_on_ambiguity(cache: Cache) -> None:
    corpus = faces(pictures=2100, size=16)
    table = corpus.samples(cache).table
    wrong = table["emotion"].to_numpy(str) != corpus.truth()["emotion"].to_numpy(str)
    assert abs(np.corrcoef(table["ambiguity"], wrong)[0, 1]) < 0.06


def test_raters_who_name_either_expression_err_as_often_as_the_weaker_one_is_strong(cache: Cache) -> None:
    corpus = faces(pictures=2100, size=16, ambiguity=(0.2, 1.0), label_noise=0, named="either")
    samples = corpus.samples(cache)
    assert disagreement(corpus, samples) == pytest.approx(0.3, abs=0.03)
    wrong = samples.table["emotion"].to_numpy(str) != corpus.truth()["emotion"].to_numpy(str)
    for low, high in ((0.2, 0.4), (0.8, 1.0)):
        some = samples.table["ambiguity"].between(low, high).to_numpy()
        assert wrong[some].mean() == pytest.approx((low + high) / 4, abs=0.06)


def test_a_mixture_lies_between_its_two_expressions_and_an_even_one_is_symmetric() -> None:
    def drawn(first: str, other: str, share: float) -> np.ndarray:
        return draw_faces([first], [1.0], [3], others=[other], shares=[share], nuisance=0, size=64)[0].astype(float)

    apart = [np.abs(drawn("happiness", "sadness", share) - drawn("happiness", "sadness", 0)).mean()
             for share in (0.0, 0.15, 0.3, 0.5, 1.0)]  # fmt: skip
    assert (np.diff(apart) > 0).all()
    np.testing.assert_array_equal(drawn("happiness", "sadness", 0.5), drawn("sadness", "happiness", 0.5))
    np.testing.assert_array_equal(drawn("happiness", "sadness", 1.0), drawn("sadness", "fear", 0.0))
    with pytest.raises(LabelError, match="no face for 'boredom'"):
        drawn("happiness", "boredom", 0.1)


def test_ambiguous_faces_are_harder_to_tell_apart(cache: Cache) -> None:
    clear, mixed = ({"ambiguity": level, "label_noise": 0, "nuisance": 0.2, "size": 64} for level in ((0, 0), (0.9, 1)))
    train = faces(pictures=140, **clear).samples(cache)
    model = LogisticRegression(C=0.1, max_iter=300)
    model.fit(gradient_histograms(train.read("picture")), train.table["emotion"].to_numpy(str))
    scores = []
    for level in (clear, mixed):
        test = faces(pictures=140, seed=1, **level).samples(cache)
        said = model.predict(gradient_histograms(test.read("picture")))
        scores.append((said == test.table["emotion"].to_numpy(str)).mean())
    assert scores[0] > scores[1] + 0.2


def test_cartoons_are_as_many_as_asked_for_and_say_so(cache: Cache) -> None:
    half, plain = faces(cartoons=0.5).samples(cache), faces().samples(cache)
    styled = (half.table["style"] == "cartoon").to_numpy()
    assert 20 < styled.sum() < 50
    assert set(plain.table["style"]) == {"plain"}
    same = (half.read("picture") == plain.read("picture")).all(axis=(1, 2, 3))
    np.testing.assert_array_equal(same, ~styled)


def test_classes_may_be_fewer(cache: Cache) -> None:
    corpus = faces(classes=("anger", "surprise"), label_noise=0.5)
    assert set(corpus.samples(cache).table["emotion"]) == set(corpus.truth()["emotion"]) == {"anger", "surprise"}


def test_a_seed_is_a_set(cache: Cache, tmp_path: Path) -> None:
    first = faces().samples(cache)
    assert faces().samples(Cache(tmp_path)).fingerprint() == first.fingerprint()
    assert faces(seed=1).samples(cache).fingerprint() != first.fingerprint()


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"ambiguity": (0.5, 0.2)}, "no such range.*ambiguity"), ({"intensity": (0.5, 1.2)}, "no such range"),
     ({"classes": ("anger", "boredom")}, "no such classes"), ({"classes": ("anger",)}, "no such classes"),
     ({"identities": 71}, "more identities than pictures"), ({"cartoons": 2}, "cartoons")],
)  # fmt: skip
def test_bad_settings_are_named(changes: dict[str, object], message: str) -> None:
    values = {"pictures": 70, "identities": 14, **changes}
    with pytest.raises(SettingsError, match=message):
        SimulatedFacesSettings.parse(values, where="corpus simulated-faces")

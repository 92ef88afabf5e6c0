"""The contract of a corpus, over every corpus of the catalogue, on fakes and small simulations."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest

from insula.corpora.catalogue import CORPORA, card, corpus
from insula.corpora.contract import Card, Corpus
from insula.corpora.fakes import FAKES, OTHER_FORMS
from insula.samples import PROVENANCE, Samples
from insula.storage.cache import Cache

# a fake is far smaller than what was published, and its reader says so
pytestmark = pytest.mark.filterwarnings("ignore:.* published pictures are there", "ignore:.* rows of FER")

SMALL: dict[str, dict[str, Any]] = {
    "folder": {"faces": "cropped", "size": 24},
    "london-faces": {"faces": "cropped", "size": 24},
    "raf-db": {"size": 24},
    "affectnet": {"size": 24},
    "fer2013": {"label_mode": "majority"},
    "fed-ro": {"faces": "cropped", "size": 24},
    "ck-plus": {"faces": "cropped", "size": 24},
    "eegmat": {"window": 3},
    "recordings": {"stimulus": "stim_file", "preprocessing": {"artefacts": {"peak_to_peak": 80}}},
    "cfaps": {"faces": "cropped", "size": 24, "preprocessing": {"artefacts": {"peak_to_peak": 80}}},
    "seed": {"sessions": [1], "preprocessing": {"band": [4, 40], "notch": None}},
    "seed-iv": {"sessions": [1], "preprocessing": {"band": [4, 40], "notch": None}},
    "dreamer": {},
    "deap": {"window": 3},
    "faced": {"window": 4, "preprocessing": {"notch": None}},
    "mahnob-hci": {"window": 4},
    "mahnob-features": {},
    "bids-emotion": {"layout": {"labels": {"trial_type": None, "valence": [1, 9]}, "stimulus": "stim_file"}},
    "dens": {"window": 20},
    "emoeeg-mc": {"window": 4},
    "music-emotion": {"window": 6},
    "feature-table": {},
    "simulated-caps": {"people": 2, "clips": 3, "target_people": 2, "target_clips": 3, "seconds": 4},
    "simulated-faces": {"pictures": 14, "identities": 4, "size": 24, "cartoons": 0.5},
    "simulated-pairs": {"subjects": 2, "trials": 6, "seconds": 4, "label_noise": 0.5, "drawn": True, "size": 24},
    "simulated-ratings": {"subjects": 2, "films": 4, "seconds": 4},
    "simulated-study": {"pictures": 14, "identities": 4, "subjects": 2, "size": 24},
    "semi-simulated": {"subjects": 2, "size": 24, "faces": "cropped"},
    "watermelon": {"subjects": 2, "trials": 4, "seconds": 4, "channels": 4},
}
CHANGED: dict[str, dict[str, Any]] = {
    "folder": {"size": 20},
    "london-faces": {"size": 20},
    "raf-db": {"size": 20},
    "affectnet": {"contempt": True},
    "fer2013": {"label_mode": "fer2013"},
    "fed-ro": {"size": 20},
    "ck-plus": {"last": 2},
    "eegmat": {"window": 4},
    "recordings": {"preprocessing": {"band": [1, 40]}},
    "cfaps": {"size": 20},
    "seed": {"window": 3},
    "seed-iv": {"sessions": [2]},
    "dreamer": {"last": 4},
    "deap": {"window": 2},
    "faced": {"window": 2},
    "mahnob-hci": {"window": 2},
    "mahnob-features": {},  # nothing to choose
    "bids-emotion": {"window": 4},
    "dens": {"window": 30},
    "emoeeg-mc": {"window": 3},
    "music-emotion": {"window": 4},
    "feature-table": {"features": ("feature_1", "feature_0")},
    "simulated-caps": {"seed": 1},
    "simulated-faces": {"seed": 1},
    "simulated-pairs": {"seed": 1},
    "simulated-ratings": {"seed": 1},
    "simulated-study": {"seed": 1},
    "semi-simulated": {"seed": 1},
    "watermelon": {"seed": 1},
}
ON_DISK = {"folder": "folder/anger/01.png", "london-faces": "london-faces/002_happiness.jpg",
           "raf-db": "raf-db/basic/Image/aligned/train_00003_aligned.jpg",
           "affectnet": "affectnet/Manually_Annotated_Images/2/train0001.jpg",
           "ck-plus": "ck-plus/cohn-kanade-images/S012/001/S012_001_00000005.png",
           "fer2013": "ferplus/fer2013new.csv", "recordings": "recordings/stimuli/003.png", "cfaps": "cfaps/eeg/S1.csv",
           "eegmat": "eegmat/Subject01_1.edf", "semi-simulated": "eegmat/Subject01_1.edf",
           "seed": "seed/Preprocessed_EEG/label.mat", "dreamer": "dreamer/DREAMER.mat",
           "deap": "deap/data_preprocessed_python/s01.dat", "faced": "faced/Processed_data/sub000.pkl",
           "mahnob-hci": "mahnob-hci/Sessions/4/session.xml"}  # fmt: skip
LABELS = {"eegmat": "condition", "deap": "quadrant", "mahnob-hci": "felt_emotion",
          "mahnob-features": "valence_continuous", "bids-emotion": "trial_type", "dens": "valence",
          "music-emotion": "pleasant", "simulated-ratings": "valence"}  # fmt: skip
SEVERAL = {"simulated-caps": {"cap-60", "cap-32", "cap-14", "cap-target"}}  # corpora in one, labelled in the last
FORMS = {"picture": (np.uint8, "picture", "uint8 RGB"), "eeg": (np.float32, "signal", "uV"),
         "features": (np.float32, "features", "nats"), "sources": (np.float32, "features", "nats"),
         "face_features": (np.float32, "features", ""),
         "mahnob-features features": (np.float32, "features", ""),
         "feature-table features": (np.float32, "features", "")}  # fmt: skip


class Study(NamedTuple):
    name: str
    root: Path
    corpus: Corpus
    samples: Samples


def build(name: str, root: Path, **changes: Any) -> Corpus:
    place: dict[str, Any] = {"root": root / name if name in ("folder", "recordings") else root} if name in FAKES else {}
    if name == "recordings":
        place["pictures"] = {
            "root": root / name / "stimuli",
            "manifest": "pictures.csv",
            "faces": "cropped",
            "size": 24,
        }
    return corpus(name, **{**SMALL[name], **place, **changes})


# tests/corpora/test_joined.py, test_stylised.py, tests/evaluation/test_arrays.py
OF_OTHERS = ("joined", "stylised", "samples")


@pytest.fixture(scope="module", params=[*(name for name in CORPORA if name not in OF_OTHERS), *OTHER_FORMS])
def study(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Study:
    name, fake = OTHER_FORMS.get(request.param, (request.param, FAKES.get(request.param)))
    root = tmp_path_factory.mktemp(name)
    if fake:
        fake(root)
    one = build(name, root)
    return Study(name, root, one, one.samples(Cache(root / "cache")))


@pytest.mark.parametrize("name", CORPORA)
def test_the_card_is_complete(name: str) -> None:
    found = card(name)
    assert isinstance(found, Card)
    assert found.name == name
    empty = [key for key, value in found.model_dump(exclude={"notes"}).items() if not value]
    assert empty == []
    assert any(word in found.origin for word in ("real", "simulated", "as in")), "it says what is real"


def test_it_is_a_corpus_that_lacks_nothing(study: Study) -> None:
    assert isinstance(study.corpus, Corpus)
    assert study.corpus.check() == []


@pytest.mark.parametrize("name", ON_DISK)
def test_check_names_the_file_that_is_missing(name: str, tmp_path: Path) -> None:
    FAKES[name](tmp_path)
    missing = tmp_path / ON_DISK[name]
    if name == "folder":  # what is in a folder is all that it should hold, but a broken picture is a lack
        missing.write_bytes(b"")
    else:
        missing.unlink()
    one = build(name, tmp_path)
    lacks = one.check() or one.notes()  # a person who is not there stops nothing
    assert len(lacks) == 1
    assert (missing.stem if name in ("deap", "faced") else missing.name) in lacks[0]
    assert "\n" not in lacks[0]


def test_samples_say_where_they_are_from(study: Study) -> None:
    samples = study.samples
    table = samples.table
    assert set(PROVENANCE) <= set(table.columns)
    assert set(table["corpus"]) == SEVERAL.get(study.name, {study.name})
    for column in PROVENANCE[:6]:
        assert pd.api.types.is_string_dtype(table[column]), column
    has_brain, has_face = samples.has("eeg") | samples.has("features"), samples.has("picture")
    assert table.loc[has_brain, ["subject", "session", "trial", "start", "stop"]].notna().all(axis=None)
    assert table.loc[has_face, "stimulus"].notna().all()
    assert (table.loc[has_brain, "stop"] > table.loc[has_brain, "start"]).all()
    assert len(table) > 4


def test_stores_hold_what_their_modality_means(study: Study) -> None:
    samples = study.samples
    assert samples.modalities == card(study.name).modalities
    for modality in samples.modalities:
        dtype, kind, units = FORMS.get(f"{study.name} {modality}", FORMS[modality])
        for name in set(samples.table["corpus"]):
            part = samples.select(samples.has(modality) & (samples.table["corpus"] == name).to_numpy())
            form, values = part.store(modality).description, part.read(modality)
            assert (values.dtype, form.kind, form.units) == (dtype, kind, units)
            assert np.isfinite(values).all()
            assert values.std() > 0
            if modality == "eeg":
                assert form.rate is not None
                assert 0.5 < values.std() < 500  # microvolts
            if "channel" in form.axes:
                assert values.shape[1] == len(form.channels)


def test_stores_are_memory_mapped(study: Study) -> None:
    assert all(isinstance(store.values, np.memmap) for store in study.samples.stores.values())  # type: ignore[attr-defined]


def test_labels_are_words_or_numbers_never_codes(study: Study) -> None:
    table = study.samples.table
    label = table[LABELS.get(study.name, "emotion")]
    assert pd.api.types.is_string_dtype(label) or pd.api.types.is_float_dtype(label)
    assert label.notna().all() or study.name in SEVERAL
    assert len(set(label.dropna())) > 1


def test_the_second_call_finds_the_first(study: Study) -> None:
    cache = study.root / "cache"
    before = {path: path.stat().st_mtime_ns for path in cache.rglob("*")}
    again = build(study.name, study.root).samples(Cache(cache))
    assert {path: path.stat().st_mtime_ns for path in cache.rglob("*")} == before
    pd.testing.assert_frame_equal(again.table, study.samples.table)
    assert again.fingerprint() == study.samples.fingerprint()


def test_the_fingerprint_is_that_of_settings_and_data(study: Study, tmp_path: Path) -> None:
    anew = build(study.name, study.root).samples(Cache(tmp_path / "a"))
    other = build(study.name, study.root, **CHANGED[study.name]).samples(Cache(tmp_path / "b"))
    assert anew.fingerprint() == study.samples.fingerprint()
    assert (other.fingerprint() != anew.fingerprint()) is bool(CHANGED[study.name])


def test_truth_is_sealed(study: Study) -> None:
    truth, samples = study.corpus.truth(), study.samples
    if truth is None:
        return
    assert truth.index.is_unique
    units = pd.Index(samples.units("stimulus"))
    assert units.dropna().isin(truth.index).all()
    assert set(truth.columns) <= set(samples.table.columns)  # they correct labels of the same name
    for column in truth:
        true = truth[column].reindex(units).to_numpy()
        assert (true == samples.table[column].to_numpy()).mean() < 1  # some labels are wrong, so this can be told apart
        same = [key for key in samples.table if (samples.table[key].to_numpy() == true).all()]
        assert same == []

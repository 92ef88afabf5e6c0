"""FER2013 and the labels that FER+ votes make: counts against the published votes, both layouts, the official parts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from insula.corpora.catalogue import corpus
from insula.corpora.fake_faces import fake_fer2013, write_fer2013_folders
from insula.corpora.fer2013 import _PUBLISHED
from insula.corpora.fer_votes import CLASSES, COLUMNS, LabelMode, labels_of, read_votes
from insula.emotions import LABEL_SPACES, Votes
from insula.errors import DataError
from insula.protocols import audit, protocol
from insula.storage.cache import Cache

pytestmark = pytest.mark.filterwarnings("ignore:.* published pictures are there", "ignore:.* rows of FER")

MODES: tuple[LabelMode, ...] = ("majority", "argmax", "argmax8", "crossentropy", "probability", "multi_target")
RARE = {"majority": (24, 13), "argmax": (34, 24), "argmax8": (36, 25)}  # disgust and contempt to validate on


@pytest.fixture
def root(tmp_path: Path) -> Path:
    fake_fer2013(tmp_path)
    return tmp_path


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


@pytest.fixture(scope="module")
def votes(data: Path) -> pd.DataFrame:
    return read_votes(data / "ferplus" / "fer2013new.csv")


# the votes


@pytest.mark.parametrize("mode", MODES)
def test_published_votes_give_the_published_counts(votes: pd.DataFrame, mode: LabelMode) -> None:
    assert (len(votes), int(votes["name"].isna().sum())) == (35887, 173)
    named = votes[votes["name"].notna()]
    labels, shares = labels_of(named[COLUMNS].to_numpy(), mode)
    kept = pd.Series(labels).notna().to_numpy()
    assert named["part"][kept].value_counts().to_dict() == _PUBLISHED[mode]
    if mode in RARE:
        valid = labels[(named["part"] == "validation").to_numpy()]
        assert ((valid == "disgust").sum(), (valid == "contempt").sum()) == RARE[mode]
    assert (shares[kept].sum(axis=1) > 0).all()


def one_by_one(votes: list[float], mode: str) -> list[float] | None:
    """Return the shares of one picture, by the rule of the authors' reader, said as a loop."""
    left = [count if count > 1 else 0.0 for count in votes]
    total, taken = sum(left), [0.0] * 10
    if mode == "multi_target":
        taken = [count if count >= 0.3 * total else 0.0 for count in left]
    else:
        classes, held, going = 0, 0.0, True
        while going and held < 0.75 * total and classes < 3:
            most = max(left)
            for place in [place for place in range(10) if left[place] == most]:
                left[place] = 0.0
                held += most
                if place >= 8:
                    going = False
                    if not any(taken):
                        taken[place] = most
                    break
                taken[place] = most
                classes += 1
        if classes > 3:
            return None
    if sum(taken) <= total / 2 or max(range(10), key=lambda place: taken[place]) >= 8:
        return None
    return [float(share > 0) for share in taken[:8]] if mode == "multi_target" else taken[:8]


@pytest.mark.parametrize("mode", ["crossentropy", "multi_target"])
def test_shares_are_those_of_a_plain_loop_on_any_votes(mode: LabelMode) -> None:
    rng = np.random.default_rng(0)
    votes = np.array([rng.multinomial(10, rng.dirichlet(np.full(10, 0.3))) for _ in range(3000)], float)
    labels, shares = labels_of(votes, mode)
    for row, expected in enumerate(one_by_one(count, mode) for count in votes.tolist()):
        assert (labels[row] is None) == (expected is None), votes[row]
        assert expected is None or shares[row].tolist() == expected, votes[row]


def test_a_drawn_label_follows_the_votes_and_the_seed() -> None:
    votes = np.tile([[6, 4, 0, 0, 0, 0, 0, 0, 0, 0], [10, 0, 0, 0, 0, 0, 0, 0, 0, 0]], (1000, 1)).astype(float)
    drawn, shares = labels_of(votes, "probability", seed=1)
    assert set(drawn[1::2]) == {"neutral"}
    assert abs((drawn[::2] == "neutral").mean() - 0.6) < 0.05
    assert (shares.sum(axis=1) == 1).all() and (shares[drawn == "happiness", 1] == 1).all()
    assert (labels_of(votes, "probability", seed=1)[0] == drawn).all()
    assert (labels_of(votes, "probability", seed=2)[0] != drawn).any()


@pytest.mark.parametrize(
    ("old", "new", "message"), [("unknown", "nothing", "no column 'unknown'"), ("Training", "Teaching", "row 2 ")]
)
def test_a_table_that_is_none_of_votes_is_refused(root: Path, old: str, new: str, message: str) -> None:
    path = root / "ferplus" / "fer2013new.csv"
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(DataError, match=message):
        read_votes(path)


# the pictures


def test_plain_labels_of_the_table_of_pixels(root: Path, cache: Cache) -> None:
    samples = corpus("fer2013", root=root).samples(cache)
    each = {"train": 4, "validation": 2, "test": 2}
    assert samples.table.groupby(["part", "emotion"]).size().to_dict() == {
        (part, emotion): count for part, count in each.items() for emotion in LABEL_SPACES["basic7"]
    }
    pictures = samples.read("picture")
    assert pictures.shape == (56, 48, 48, 3)
    first = (root / "fer2013" / "fer2013.csv").read_text().splitlines()[1].split(",")
    assert pictures[0, :, :, 1].ravel().tolist() == [int(value) for value in first[1].split()]
    assert samples.table["stimulus"].iloc[0] == "row 2" and samples.table["emotion"].iloc[0] == "anger"
    assert not [name for name in samples.table if name.startswith("votes_")]


@pytest.mark.parametrize("mode", MODES)
def test_every_label_mode_gives_labels_and_votes_to_learn_from(root: Path, cache: Cache, mode: LabelMode) -> None:
    found = corpus("fer2013", root=root, label_mode=mode)
    samples = found.samples(cache)
    assert len(samples) == 55 and "row 3" not in set(samples.table["stimulus"])  # FER+ does not name it
    assert "1 rows of FER+ name no picture" in found.notes()[-1]  # type: ignore[attr-defined]
    task = Votes(label="votes", classes=CLASSES)
    targets = task.targets(samples.table)
    assert np.allclose(targets.sum(axis=1), 1)
    assert [CLASSES[best] for best in targets.argmax(axis=1)] == samples.table["emotion"].tolist()
    picture = samples.select((samples.table["stimulus"] == "row 4").to_numpy()).read("picture")
    plain = corpus("fer2013", root=root).samples(cache).read("picture")
    assert np.array_equal(picture[0], plain[2])  # votes and pictures are of one row
    assert samples.fingerprint() == corpus("fer2013", root=root, label_mode=mode).samples(cache).fingerprint()


def test_the_official_parts_score_votes(root: Path, cache: Cache) -> None:
    samples = corpus("fer2013", root=root, label_mode="crossentropy").samples(cache)
    rule = protocol("as-given")
    (split,) = rule.splits(samples, Votes(label="votes", classes=CLASSES))
    assert [len(part) for part in (split.train, split.validation, split.test)] == [27, 14, 14]
    assert audit(split, samples, rule).clean


def test_votes_of_other_rows_are_refused(root: Path) -> None:
    path = root / "ferplus" / "fer2013new.csv"
    lines = path.read_text().splitlines()
    path.write_text("\n".join(lines[:-1]) + "\n")
    assert (
        "the 55 rows of votes are not those of 56 pictures"
        in corpus("fer2013", root=root, label_mode="argmax").check()[0]
    )
    assert corpus("fer2013", root=root).check() == []  # which needs none


def as_folders(root: Path, name: str, part_names: dict[str, str]) -> Path:
    """Write the fake as folders, too; `name` is a format of part, row and name in FER+, where it has one."""
    write_fer2013_folders(root, root / "folders", name, part_names)
    return root / "folders"


def test_folders_are_read_and_joined_to_votes_by_name(root: Path, cache: Cache) -> None:
    parts = {"Training": "train", "PublicTest": "validation", "PrivateTest": "test"}
    folder = as_folders(root, "{ferplus}", parts)
    own = corpus("fer2013", root=root, label_mode="majority").samples(cache)
    other = corpus("fer2013", root=folder, label_mode="majority").samples(cache)
    order = np.argsort(other.table["stimulus"].map(lambda path: Path(path).name).to_numpy())  # rows in their order
    assert len(own) == len(other) == 55
    for column in ("emotion", "part", "votes_anger"):
        assert other.table[column].iloc[order].tolist() == own.table[column].tolist(), column
    assert np.array_equal(other.read("picture")[order], own.read("picture"))
    assert len(corpus("fer2013", root=folder).samples(cache)) == 55  # their own labels want no votes


def test_a_name_of_two_rows_is_the_later_as_the_authors_script_writes_it(root: Path, cache: Cache) -> None:
    folder = as_folders(root, "{ferplus}", {"Training": "train", "PublicTest": "validation", "PrivateTest": "test"})
    path = root / "ferplus" / "fer2013new.csv"
    table = pd.read_csv(path)
    table.loc[4, "Image name"] = table.loc[0, "Image name"]
    table.loc[4, COLUMNS] = [0, 0, 0, 10, 0, 0, 0, 0, 0, 0]
    table.to_csv(path, index=False)
    path = next(folder.rglob("fer0000003.png"))  # what row 4 was called
    path.unlink()
    found = corpus("fer2013", root=folder, label_mode="majority").samples(cache).table
    assert found.set_index("stimulus")["emotion"]["train/angry/fer0000000.png"] == "sadness"


def test_copies_with_two_parts_keep_the_third_in_their_names_and_have_no_votes(root: Path, cache: Cache) -> None:
    parts = {"Training": "train", "PublicTest": "test", "PrivateTest": "test"}
    folder = as_folders(root, "{usage}_{row}99.jpg", parts)
    found = corpus("fer2013", root=folder)
    assert found.check() == []
    assert found.samples(cache).table["part"].value_counts().to_dict() == {"train": 28, "validation": 14, "test": 14}
    assert "FER+ knows no picture" in corpus("fer2013", root=folder, label_mode="majority").check()[0]


def test_the_folders_of_fers_own_script_have_the_labels_of_votes_alone(root: Path, cache: Cache) -> None:
    parts = {"Training": "FER2013Train", "PublicTest": "FER2013Valid", "PrivateTest": "FER2013Test"}
    folder = as_folders(root, "{ferplus}", parts)
    for path in sorted(folder.rglob("*.png")):
        path.rename(path.parents[1] / path.name)
    found = corpus("fer2013", root=folder, label_mode="majority").samples(cache)
    assert len(found) == 55 and set(found.table["part"]) == {"train", "validation", "test"}
    assert "no labels but those of FER+" in corpus("fer2013", root=folder).check()[0]


def test_the_table_is_read_as_kaggle_gives_it_since(root: Path, cache: Cache) -> None:
    wanted = corpus("fer2013", root=root, label_mode="majority").samples(cache)
    path = root / "fer2013" / "fer2013.csv"
    table = pd.read_csv(path)[["emotion", "Usage", "pixels"]]
    table.set_axis(["emotion", " Usage", " pixels"], axis=1).to_csv(path.with_name("icml_face_data.csv"), index=False)
    path.unlink()
    one = corpus("fer2013", root=root, label_mode="majority")
    assert one.check() == []
    samples = one.samples(cache)
    pd.testing.assert_frame_equal(samples.table[["emotion", "part"]], wanted.table[["emotion", "part"]])
    np.testing.assert_array_equal(samples.read("picture"), wanted.read("picture"))
    table.drop(columns="Usage").to_csv(path, index=False)
    assert "no column 'Usage'" in corpus("fer2013", root=root).check()[0]


def test_capitals_of_columns_do_not_matter_and_a_table_without_rows_is_refused(root: Path) -> None:
    path = next(root.rglob("fer2013.csv"))
    head, *rows = path.read_text().splitlines()
    path.write_text("\n".join([head.upper(), *rows]) + "\n")
    assert corpus("fer2013", root=path.parent).check() == []
    path.write_text(f"{head}\n")
    assert "no picture is listed" in corpus("fer2013", root=path.parent).check()[0]


def test_a_folder_without_any_of_it_is_told_what_to_give(root: Path) -> None:
    (root / "fer2013" / "fer2013.csv").unlink()
    (line,) = corpus("fer2013", root=root).check()
    assert "fer2013.csv" in line and "folders train and test" in line

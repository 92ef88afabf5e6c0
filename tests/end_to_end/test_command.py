"""The main job through the command, on tiny studies."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from commands import TINY, Said, sets
from insula.corpora.catalogue import card
from insula.corpora.contract import Card

Command = Callable[..., Said]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


@pytest.fixture
def bmci_run(insula: Command, runs: Path) -> tuple[Path, Said]:
    """The first call does the work, later ones read what the cache holds."""
    said = insula("run", "bmci", *sets(TINY), "-o", runs / "bmci", "--jobs", 1)
    assert said.code == 0, said.err
    return runs / "bmci", said


def test_run_writes_report_metrics_and_passport_and_says_a_verdict(bmci_run: tuple[Path, Said]) -> None:
    folder, said = bmci_run
    assert "600 units" not in said.out and "140 units" in said.out
    assert "c2: EEG shuffled within each" in said.out and "report " in said.out
    metrics = pd.read_csv(folder / "metrics.csv").set_index("arm")
    assert {"fusion", "visual", "virtual", "real", "eeg", "class-code", "shuffled-within", "shuffled", "visual-logits",
            "majority", "linear", "permuted"} == set(metrics.index)  # fmt: skip
    passport = json.loads((folder / "passport.json").read_text())
    assert passport["as_published"] is False and passport["seeds"] == [0] and passport["audit"]["leaks"] == []
    report = (folder / "report.html").read_text()
    assert "reported" in report.lower() and "http://" not in report.replace("http://www.w3.org", "")


def test_a_finished_run_is_read_not_repeated(
    insula: Command, bmci_run: tuple[Path, Said], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("fitted again")

    monkeypatch.setattr("insula.evaluation.experiment.fit_and_predict", refuse)
    again = insula("run", "bmci", *sets(TINY), "-o", bmci_run[0], "--jobs", 1, "--json")
    assert again.code == 0 and json.loads(again.out)["kind"] in {
        "helps", "harms", "contributes nothing", "undecided", "refused",
    }  # fmt: skip


def test_an_interrupted_run_keeps_what_was_finished(
    insula: Command, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from insula.evaluation import experiment

    whole, done = experiment.fit_and_predict, []

    def interrupted(*arguments: object) -> None:
        if len(done) == 3:
            raise KeyboardInterrupt
        whole(*arguments)  # type: ignore[arg-type]
        done.append(1)

    monkeypatch.setattr(experiment, "fit_and_predict", interrupted)
    few = ["placebos=[class-code]", "controls=[majority]"]
    words = ("run", "bmci", *sets([*TINY, *few, "seed=5"]), "-o", runs / "stopped", "--jobs", 1)
    stopped = insula(*words)
    assert stopped.code == 130 and "goes on from there" in stopped.err and not (runs / "stopped").exists()

    def counted(*arguments: object) -> None:
        done.append(1)
        whole(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(experiment, "fit_and_predict", counted)
    assert insula(*words).code == 0
    assert len(done) == 6, "six fits in all, none twice"


def test_compare_puts_runs_side_by_side(insula: Command, bmci_run: tuple[Path, Said], runs: Path) -> None:
    other = [*TINY, "system.regressors=[forest]"]
    assert insula("run", "bmci", *sets(other), "-o", runs / "forest", "--jobs", 1).code == 0
    said = insula("compare", bmci_run[0], runs / "forest", "--json")
    assert said.code == 0 and len(json.loads(said.out)) >= 2
    assert insula("compare", bmci_run[0], runs / "nowhere").code == 2


def test_fit_then_predict_without_eeg(insula: Command, runs: Path, tmp_path: Path) -> None:
    from PIL import Image

    from insula.corpora.drawn_faces import draw_faces

    assert insula("fit", "bmci", "-o", runs / "bundle", *sets(TINY)).code == 0
    Image.fromarray(draw_faces(["fear"], [1.0], [3])[0]).save(tmp_path / "face.png")
    said = insula("predict", runs / "bundle", tmp_path / "face.png", "-o", tmp_path / "out", "--json")
    row = json.loads(said.out)[0]
    assert said.code == 0 and row["label"] in {name[2:] for name in row if name.startswith("p_")}
    assert (tmp_path / "out" / "predictions.csv").exists() and list((tmp_path / "out").glob("*.png"))
    manifest = runs / "bundle" / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"sha256": "', '"sha256": "0', 1))
    altered = insula("predict", runs / "bundle", tmp_path / "face.png")
    assert altered.code == 2 and "was altered" in altered.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("run", "bmic"), "no recipe 'bmic'"),
        (("run", "bmci", "--set", "corpsu.pictures=3"), "unknown key 'corpsu'"),
        (("run", "bmci", "--set", "corpus.pictuers=30"), "unknown key 'pictuers'"),
        (("run", "bmci", "--set", "system.tree=30"), "unknown key 'tree'"),
        (("run", "bmci", "--set", "protocol.fold=3"), "unknown key 'fold'"),
        (("run", "bmci", "--set", "protocol.name=random"), "the protocol random leaks"),
        (("run", "bmci", "--set", "placebos=[sugar]", *sets(TINY)), "unknown placebo 'sugar'"),
        (("run", "bmci", "--set", "controls=[luck]", *sets(TINY)), "unknown control 'luck'"),
        (("run", "bmci", "--set", "seed"), "cannot read the change 'seed'"),
        (("run", "bmci", "--set", "repeats=0"), "repeats"),
        (("run", "bmci", "--set", "corpus.name=[a]"), "corpus.name"),
        (("run", "bmci", "--set", "corpus=3", "--set", "corpus.name=folder"), "folder"),
        (("run", "bmci", "--as-published"), "identity-disjoint keeps units apart"),
        (("run", "bmci", "--set", "control_modality=smell", *sets(TINY)), "has no modality 'smell' (control_modality)"),
        (("run", "bmci", "--set", "controls=[]", "--set", "placebos=[]", *sets(TINY)), "nothing to compare with"),
        (("run", "bmci", "--set", "task.label=mood", *sets(TINY)), "no label column 'mood'"),
        (("corpora", "card", "fer2099"), "fer2099"),
        (("predict", "no-bundle", "x.jpg"), "no bundle and no picture here"),
        (("predict", "x.jpg", "--recogniser", "no-bundle"), "no recogniser 'no-bundle': give in-box, fer"),
        (("predict", "x.jpg", "--recogniser", "no.onnx"), "no.onnx"),
        (("predict", "x.jpg", "--faces", "mouth"), "give detect, or cropped"),
        (("predict", "*.nothing"), "no file fits this pattern"),
        (("fit", "nothing.yaml", "-o", "b"), "no recipe"),
        (("audit", "no.csv", "no.csv"), "no such file"),
    ],
)
def test_a_wrong_word_is_one_line_and_exit_code_2(insula: Command, words: tuple[str, ...], message: str) -> None:
    said = insula(*words)
    assert said.code == 2 and message in said.err
    assert len([line for line in said.err.splitlines() if line.startswith("insula:")]) == 1
    assert "Traceback" not in said.err


def test_audit_exits_3_and_names_the_trial(insula: Command, tmp_path: Path) -> None:
    table = pd.DataFrame({"subject": ["S1"] * 4, "trial": [7, 7, 8, 9], "start": [0, 1, 2, 3], "stop": [1, 2, 3, 4]})
    table.to_csv(tmp_path / "table.csv", index=False)
    leaking = pd.DataFrame({"index": range(4), "part": ["train", "test", "train", "test"]})
    leaking.to_csv(tmp_path / "leaking.csv", index=False)
    leaking.assign(part=["train", "train", "test", "test"]).to_csv(tmp_path / "clean.csv", index=False)
    said = insula("audit", tmp_path / "table.csv", tmp_path / "leaking.csv")
    assert said.code == 3 and "trial" in said.err and "7" in said.err
    assert insula("audit", tmp_path / "table.csv", tmp_path / "clean.csv").code == 0
    assert insula("audit", tmp_path / "table.csv", tmp_path / "clean.csv", "--unit", "subject").code == 3
    assert json.loads(insula("audit", tmp_path / "table.csv", tmp_path / "leaking.csv", "--json").out)["clean"] is False


def test_names_like_na_and_01_are_names(insula: Command, tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("trial\nNA\nx\nNA\n01\n1\n")
    (tmp_path / "leaking.csv").write_text("index,part\n0,train\n1,train\n2,test\n3,train\n4,test\n")
    said = insula("audit", tmp_path / "table.csv", tmp_path / "leaking.csv")
    assert said.code == 3 and "NA" in said.err
    (tmp_path / "clean.csv").write_text("index,part\n0,train\n1,train\n2,train\n3,train\n4,test\n")
    assert insula("audit", tmp_path / "table.csv", tmp_path / "clean.csv").code == 0


def test_an_audit_says_what_it_could_not_see(insula: Command, tmp_path: Path) -> None:
    pd.DataFrame({"subject": ["a", "a", "b"], "trial": ["1", "2", None]}).to_csv(tmp_path / "t.csv", index=False)
    (tmp_path / "s.csv").write_text("index,part\n0,train\n1,test\n2,test\n")
    said = insula("audit", tmp_path / "t.csv", tmp_path / "s.csv")
    assert said.code == 0 and "unknown" in said.out and "--unit subject" in said.out


def test_outputs_of_others_are_not_touched(insula: Command, tmp_path: Path) -> None:
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "thesis.txt").write_text("mine")
    (tmp_path / "manifest.json").write_text("{}")
    for words in (("run", "bmci", *sets(TINY)), ("fit", "bmci", *sets(TINY)), ("demo",)):
        said = insula(*words, "-o", tmp_path)
        assert said.code == 2 and "holds something else" in said.err
        said = insula(*words, "-o", tmp_path / "manifest.json")
        assert said.code == 2
    assert (tmp_path / "results" / "thesis.txt").read_text() == "mine"


def test_every_system_can_be_fitted_into_a_bundle_with_a_card(insula: Command, tmp_path: Path) -> None:
    words = sets([*TINY[:3], "system.name=linear"])
    assert insula("fit", "bmci", *words, "-o", tmp_path / "bundle").code == 0
    assert "logistic regression" in (tmp_path / "bundle" / "card.md").read_text()
    (tmp_path / "note.jpg").write_text("no picture")
    said = insula("predict", tmp_path / "bundle", tmp_path / "note.jpg", "-o", tmp_path / "out")
    assert said.code == 2 and "nothing could be read" in said.err
    said = insula("predict", tmp_path / "bundle", tmp_path / "note.jpg", "--mode", "fusion")
    assert said.code == 2 and "modes are plain" in said.err


def test_a_plain_system_reads_the_modality_it_is_told(insula: Command, runs: Path) -> None:
    from insula.evaluation.results import Results

    scores = {}
    for modality in ("picture", "eeg"):
        words = sets([*TINY[:3], "repeats=1", "system.name=linear", f"system.modality={modality}"])
        assert insula("run", "bmci", *words, "-o", runs / modality, "--jobs", 1).code == 0
        results = Results.open(runs / modality)
        scores[modality] = results.predictions.query("arm == 'plain'")["p_fear"].to_numpy()
        assert set(results.comparators) == {"majority", "linear"}
    assert not (scores["picture"] == scores["eeg"]).all()


def test_the_watermelon_decodes_under_a_leaking_split_only(insula: Command, runs: Path) -> None:
    from insula.evaluation.results import Results

    def accuracy(name: str, *words: str) -> float:
        said = insula("run", "watermelon", *words, "--set", "protocol.folds=2", "-o", runs / name, "--jobs", 1)
        assert said.code == 0, said.err
        return Results.open(runs / name).accuracy("plain")

    assert accuracy("random", "--set", "protocol.name=random", "--as-published") > 0.85
    assert "leaking" in (runs / "random" / "report.html").read_text()
    assert 0.3 < accuracy("trial") < 0.65
    assert 0.3 < accuracy("subject", "--set", "protocol.name=subject-disjoint") < 0.65
    assert insula("run", "watermelon", "--set", "protocol.name=random").code == 2


def test_corpora_are_listed_with_licence(insula: Command) -> None:
    listed = json.loads(insula("corpora", "list", "--json").out)
    assert {"london-faces", "eegmat", "folder", "simulated-study"} <= {card["name"] for card in listed}
    assert "CC BY 4.0" in insula("corpora", "card", "london-faces").out
    assert insula("corpora", "check", "simulated-study").code == 0


def test_recordings_of_ones_own_are_checked_with_settings(insula: Command, tmp_path: Path) -> None:
    from insula.corpora.fakes import fake_recordings

    fake_recordings(tmp_path)
    folder = tmp_path / "recordings"
    said = insula("corpora", "check", "recordings", folder)
    assert said.code == 2 and "no label column 'emotion'" in said.out and "trial_type" in said.out
    assert insula("corpora", "check", "recordings", folder, "--set", "label=trial_type").code == 0
    said = insula("corpora", "check", "recordings", folder, "--set", "labl=trial_type")
    assert said.code == 2 and "unknown key 'labl'" in said.err


def test_corpora_check_names_what_is_missing(insula: Command, tmp_path: Path) -> None:
    said = insula("corpora", "check", "london-faces", tmp_path)
    assert said.code == 2 and "manifest.csv" in said.out


def test_a_warning_is_one_plain_line_once(insula: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def warns() -> list[Card]:
        for number in range(3):
            warnings.warn_explicit("labels are\nhalves", UserWarning, f"study{number}.py", 47)
        return [card("seed")]

    warnings.simplefilter("default")
    monkeypatch.setattr("insula.corpora.catalogue.cards", warns)
    assert insula("corpora", "list").err == "labels are halves\n"


def test_every_command_explains_itself(insula: Command) -> None:
    for words in ((), ("demo",), ("run",), ("fit",), ("predict",), ("audit",), ("compare",), ("corpora",)):
        said = insula(*words, "--help")
        assert said.code == 0 and "Usage" in said.out

"""Tables of maps against plain loops, and from a run to its report."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from insula.eeg.maps import Signals
from insula.evaluation.experiment import run
from insula.evaluation.plots import plots
from insula.evaluation.recipe import Recipe
from insula.evaluation.results import Results
from insula.evaluation.scalp_maps import scalp_tables
from insula.evaluation.table import metrics_table
from insula.storage.cache import Cache

NAMES = ("a", "b", "c")


def _signals(n: int = 60) -> tuple[Signals, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    codes, subjects = rng.integers(0, 3, n), rng.choice(np.array(["S1", "S2"], object), n)
    real = rng.standard_normal((n, 4, 5)) + 2 * rng.standard_normal((3, 4, 5))[codes]
    return Signals(real, 0.1 * real + 0.01, ("Fz", "Cz", "Pz", "Oz"), np.arange(5) * 0.02), subjects, codes


def test_maps_are_averages_of_classes_within_subjects_and_then_over_subjects() -> None:
    signals, subjects, codes = _signals()
    found = scalp_tables(signals, subjects, codes, NAMES)
    assert found is not None
    for source in ("real", "virtual"):
        expected = np.zeros((3, 4, 5))
        for subject in ("S1", "S2"):
            means = []
            for code in range(3):
                rows = [v for v, s, c in zip(getattr(signals, source), subjects, codes, strict=True)
                        if s == subject and c == code]  # fmt: skip
                means.append(sum(rows) / len(rows))
            expected += (np.array(means) - sum(means) / 3) / 2
        maps = found[0][found[0]["source"] == source]
        for (name, channel, time), part in maps.groupby(["class", "channel", "time"]):
            place = NAMES.index(name), signals.channels.index(channel), round(time / 0.02)
            assert part["value"].tolist() == [pytest.approx(expected[place], abs=1e-5)]


def test_a_shrunken_copy_agrees_wholly_and_says_how_weak_it_is() -> None:
    found = scalp_tables(*_signals(), NAMES)
    assert found is not None
    assert found[1]["agreement"].to_numpy() == pytest.approx(1) and found[1]["amplitude"].to_numpy() == pytest.approx(
        0.1
    )
    assert (found[1]["halves"] > 0.5).all() and found[1]["n"].sum() == 60


def test_samples_without_a_virtual_signal_or_a_class_are_left_out() -> None:
    signals, subjects, codes = _signals()
    signals.virtual[subjects == "S2"] = np.nan
    codes[:5] = -1
    found = scalp_tables(signals, subjects, codes, NAMES)
    assert found is not None and found[1]["subject"].tolist() == ["S1"]
    assert found[1]["n"].tolist() == [int((subjects[5:] == "S1").sum())]
    assert scalp_tables(signals, subjects, np.full(60, -1), NAMES) is None


@pytest.mark.slow
def test_a_run_keeps_what_its_eeg_is_drawn_from(tmp_path: Path) -> None:
    changes = [
        "corpus.pictures=84", "corpus.identities=28", "corpus.subjects=2", "corpus.seed=100", "corpus.size=32",
        "corpus.label_noise=0", "corpus.preprocessing={epoch: [-0.1, 0.5]}", "repeats=1", "placebos=[shuffled]",
        "controls=[majority]", "system.encoder=linear", "system.time_bins=10", "system.regressors=[ridge]",
        "system.penalties=[0.01]",
    ]  # fmt: skip
    results = run(Recipe.load("bmci", changes), Cache(tmp_path / "cache"))
    results.save(tmp_path)
    tables = Results.open(tmp_path).tables
    assert set(tables) == {"maps", "agreement", "decoding"}
    assert set(zip(tables["agreement"]["kind"], tables["agreement"]["arm"], strict=True)) == {
        ("system", "bmci"), ("placebo", "shuffled"),
    }  # fmt: skip
    assert len(tables["maps"]) == 2 * 7 * 32 * 30, "sources, classes, electrodes, bins of 20 ms"
    course = tables["decoding"].groupby("time")["accuracy"].mean()
    assert course[course.index > 0.15].mean() > course[course.index < 0].mean() + 0.2
    assert {"scalp", "agreement", "decoding"} <= {plot.name for plot in plots(results, metrics_table(results))}

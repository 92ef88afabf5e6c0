"""What an audit tells beside leaks, and what it finds in tables and signals of others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from studies import TASK, windows

from insula.errors import DataError, LeakageError
from insula.protocols import Split, audit, protocol
from insula.protocols.signal_copies import copied_people
from insula.protocols.tables import audit_files, audit_tables
from insula.samples import ArrayStore, Description, Samples, provenance

PARTS = pd.DataFrame({"index": range(4), "part": ["train", "train", "test", "test"]})


def recorded(people: dict[str, np.ndarray], kind: str) -> Samples:
    """Return windows of people, their EEG or features given (windows, channels[, times])."""
    values = np.concatenate(list(people.values())).astype(np.float32)
    names = np.repeat(list(people), [len(one) for one in people.values()])
    rows = np.concatenate([np.arange(len(one)) for one in people.values()])
    table = provenance(
        len(names), corpus="c", subject=names, session="1", trial=rows.astype(str), start=rows, stop=rows + 1
    )
    table["emotion"] = np.array(TASK.classes, object)[rows % 3]
    axes = ("channel", "time") if kind == "signal" else ("feature",)
    channels = ("F3", "F4", "Cz", "O1", "O2", "Pz")[: values.shape[1]]
    more = {"rate": 100.0, "channels": channels, "units": "uV"} if kind == "signal" else {}
    store = ArrayStore(values, Description(kind=kind, axes=axes, **more))  # type: ignore[arg-type]
    return Samples(table, {}).with_modality("eeg", "eeg", store, range(len(values)))


def eeg(seed: int, windows: int = 24) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.standard_normal((windows, 3, 100)) * rng.uniform(5, 30, (windows, 3, 1))


@pytest.mark.parametrize("how", ["scaled and shifted", "resampled", "filtered", "features"])
def test_one_recording_under_two_names_is_a_leak(how: str) -> None:
    one, other = eeg(0), eeg(1)
    twin = {
        "scaled and shifted": 3.0 * one + 7.0,
        "resampled": np.repeat(one[:, :, ::2], 2, axis=2),
        "filtered": (one + np.roll(one, 1, axis=2)) / 2,
        "features": one,
    }[how]
    people = {"S01": one, "S02": other, "S15": twin, "S03": eeg(2)}
    kind = "features" if how == "features" else "signal"
    if kind == "features":
        people = {name: np.log(values.var(axis=2)) for name, values in people.items()}
        people["S15"] = 0.5 * people["S15"] - 1
    samples = recorded(people, kind)
    assert len(copied_people(samples, "eeg")[0]) == 1
    split = next(
        split
        for seed in range(9)
        for split in protocol("subject-disjoint", folds=2, validation_share=0, seed=seed).splits(samples, TASK)
        if len({name in set(samples.by_id(split.test).table["subject"]) for name in ("S01", "S15")}) == 2
    )
    with pytest.raises(LeakageError, match=r"eeg of c/S01 and c/S15 rises and falls alike"):
        audit(split, samples, protocol("subject-disjoint"))


def test_people_who_saw_the_same_films_are_no_copies() -> None:
    shared = np.random.default_rng(9).uniform(0.7, 1.4, (24, 1, 1))  # what a film does to everybody
    samples = recorded({f"S{number}": shared * eeg(number) for number in range(6)}, "signal")
    assert copied_people(samples, "eeg")[0] == []
    strong = 20 * np.random.default_rng(3).standard_normal((24, 5))  # what everybody was shown is nearly all there is
    noise = np.random.default_rng(4).standard_normal((8, 24, 5))
    assert copied_people(recorded({f"S{one}": strong + 3 * noise[one] for one in range(8)}, "features"), "eeg")[0] == []
    assert copied_people(recorded({f"S{one}": strong + 3 * noise[one] for one in range(2)}, "features"), "eeg")[0] == []
    few = recorded({"S1": eeg(1, 6), "S2": eeg(1, 6)}, "signal")
    assert copied_people(few, "eeg") == ([], 0), "of six windows nothing can be said"
    split = Split(np.arange(6), np.array([], int), np.arange(6, 12))
    report = audit(split, few, protocol("subject-disjoint"))
    assert "copies of signals" not in report.checks
    assert any("2 of 2 people have too few windows" in note for note in report.warnings)


def test_few_windows_whose_channels_rise_and_fall_together_are_not_taken_for_copies() -> None:
    rng = np.random.default_rng(0)
    people = {f"S{one}": rng.standard_normal((8, 1)) + 0.1 * rng.standard_normal((8, 10)) for one in range(30)}
    assert copied_people(recorded(people, "features"), "eeg") == ([], 30)


@pytest.mark.parametrize("how", ["later", "a channel less", "upside down", "shorter"])
def test_a_copy_may_begin_later_and_lack_a_channel(how: str) -> None:
    values = np.concatenate([eeg(0, 40), eeg(5, 40)], axis=1)
    others = {f"S{seed}": np.concatenate([eeg(seed, 40), eeg(9 + seed, 40)], axis=1) for seed in (1, 2)}
    twin = {"later": values[7:], "a channel less": values, "upside down": -values, "shorter": values[:24]}[how]
    samples = recorded({"S0": values, **others, "twin": twin}, "signal")
    if how == "a channel less":
        own = samples.table["subject"].eq("twin").to_numpy()
        form = samples.stores["eeg"].description.model_copy(update={"channels": ("F3", "F4", "O1", "O2", "Cz")})
        parts = [samples.select(~own), samples.select(own)]
        less = ArrayStore(np.ascontiguousarray(twin[:, [0, 1, 3, 4, 2]], np.float32), form)
        parts[1] = parts[1].with_modality("eeg", "less", less, range(len(twin)))
        samples = Samples(pd.concat([part.table for part in parts]), {**samples.stores, "less": less})
    pairs, compared = copied_people(samples, "eeg")
    assert compared == 4 and len(pairs) == 1


def test_rows_that_are_odd_are_told() -> None:
    table = pd.DataFrame(
        {"subject": list("AABB"), "trial": [1, 2, 1, 2], "start": [0, 10, 0, 10], "stop": [5, 10, 5, 15]}
    )
    notes = audit_tables(table, PARTS).warnings
    assert any("1 row of no duration" in note for note in notes), notes
    table = pd.DataFrame(
        {"subject": list("AABB"), "trial": [1, 1, 2, 2], "start": [3, 3, 9, 20], "stop": [5, 5, 11, 22]}
    )
    assert any(
        "1 row of a recording, start and stop that another row has" in note
        for note in audit_tables(table, PARTS).warnings
    )


def test_people_who_validate_and_are_tested_are_told() -> None:
    table = pd.DataFrame({"subject": list("ABBB"), "trial": [1, 2, 3, 4]})
    split = pd.DataFrame({"index": range(4), "part": ["train", "validation", "test", "test"]})
    assert any("subject: 1 of 1 in the test part are in validation, and not in training" in note
               for note in audit_tables(table, split).warnings)  # fmt: skip


def test_what_a_step_was_fitted_on_is_read_from_a_column() -> None:
    table = pd.DataFrame({"subject": list("AABB"), "trial": [1, 2, 1, 2]})
    clean = audit_tables(table, PARTS.assign(fitted_scaler=[1, 1, 0, 0]))
    assert clean.clean
    with pytest.raises(LeakageError, match=r"step scaler was fitted \(inputs\) on 1 sample outside its part .*row 2"):
        audit_tables(table, PARTS.assign(fitted_scaler=[1, "yes", "true", "no"]))
    with pytest.raises(DataError, match=r"fitted_scaler is 'perhaps'.*write 1 or 0"):
        audit_tables(table, PARTS.assign(fitted_scaler=[1, 1, 0, "perhaps"]))


@pytest.mark.parametrize("column", ["Scaler fit", "fit-scaler", "FittedScaler", "fitted on scaler"])
def test_what_a_step_was_fitted_on_may_be_spelt_otherwise_and_stand_in_the_table(column: str) -> None:
    table = pd.DataFrame({"subject": list("AABB"), "trial": [1, 2, 1, 2]})
    for both in ((table, PARTS.assign(**{column: list("yyyn")})), (table.assign(**{column: [1, 1, 1, 0]}), PARTS)):
        with pytest.raises(
            LeakageError, match=r"step scaler was fitted \(inputs\) on 1 sample outside its part .*row 2"
        ):
            audit_tables(*both)
    quality = audit_tables(table.assign(fit=[0.9, 0.8, 0.7, 0.6], emotion="joy"), PARTS)
    assert any("not read of the table: fit, emotion" in note for note in quality.warnings)


def test_columns_and_parts_are_read_under_the_names_in_use() -> None:
    table = pd.DataFrame({"Participant ID": list("AAAB"), " Onset ": [0, 1, 0, 0], "Duration": 1, "Run": [1, 1, 2, 1]})
    split = pd.DataFrame({"Index": range(4), "split": ["Training", "dev", "testing", ""]})
    report = audit_tables(table, split)
    assert "time" in report.checks and report.counts["test"] == 1, "each run has its own clock"
    assert any("1 of 4 rows are in no part" in note for note in report.warnings)
    with pytest.raises(LeakageError, match=r"windows of A overlap .*row 0.*row 2"):
        audit_tables(table.drop(columns="Run"), split)
    with pytest.raises(LeakageError, match="subject A is in train and validation and test"):
        audit_tables(table, split, ["subject"])


def test_torcheegs_sessions_are_dates() -> None:
    table = pd.DataFrame({"subject_id": 1, "trial_id": [0, 1, 0, 1], "date": [20131027, 20131027, 20131030, 20131030]})
    report = audit_tables(table, PARTS)
    assert any("session: read from the column date" in note for note in report.warnings)
    with pytest.raises(LeakageError, match="trial 1/20131030/1 is in train and test"):
        audit_tables(table.assign(trial_id=1), PARTS.assign(part=["train", "train", "train", "test"]))


def test_tables_saved_by_software_are_read(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("subject;trial;start;stop\nA;1;0,5;1,5\nA;2;1,5;2,5\nB;1;none;\nB;2;inf;4\n")
    (tmp_path / "split.csv").write_text("index|part\n0|train\n1|test\n")
    with pytest.raises(DataError, match=r"start is 'inf' \(row 3\)"):
        audit_files(tmp_path / "table.csv", tmp_path / "split.csv")
    (tmp_path / "table.csv").write_text((tmp_path / "table.csv").read_text().replace("inf", "3,5"))
    assert "time" in audit_files(tmp_path / "table.csv", tmp_path / "split.csv").checks


def test_torcheegs_table_is_read_as_it_writes_it() -> None:
    table = pd.DataFrame({"start_at": [0, 128, 0, 64], "end_at": [128, 256, 128, 192], "clip_id": list("abcd"),
                          "subject_id": [0, 0, 1, 1], "trial_id": [0, 1, 0, 0]})  # fmt: skip
    assert audit_tables(table, PARTS).clean
    crossed = PARTS.assign(part=["train", "train", "train", "test"])
    with pytest.raises(LeakageError, match="trial 1/0 is in train and test"):
        audit_tables(table, crossed)


def test_an_unknown_trial_is_not_said_to_have_been_looked_for() -> None:
    table = provenance(4, corpus="c", subject=list("AABB"))
    split = Split(np.array([0, 1]), np.array([], int), np.array([2, 3]))
    checks = audit(split, Samples(table, {}), protocol("subject-disjoint", scored_unit="sample")).checks
    assert "subject" in checks and "trial" not in checks


def test_a_leak_of_many_rows_names_the_first_and_counts_the_others() -> None:
    samples = windows(subjects=2, trials=2, length=5)
    ids = samples.ids
    split = Split(ids[:7], np.array([], int), ids[7:])
    with pytest.raises(LeakageError, match=r"trial c0/S0/0/1 is in train and test "
                       r"\(train: rows 5, 6; test: rows 7, 8, 9\)"):  # fmt: skip
        audit(split, samples, protocol("trial-disjoint"))
    with pytest.raises(LeakageError, match=r"train: rows 0, 1, 2 and 2 more; test: rows 5, 6, 7 and 2 more\)"):
        audit(Split(ids[:5], np.array([], int), ids[5:10]), samples, protocol("subject-disjoint"))


def test_na_may_be_somebodys_name_and_a_table_without_sessions_is_one() -> None:
    table = pd.DataFrame({"subject": ["NA", "NA", "B", "B"], "trial": ["1", "2", "1", "2"]})
    assert audit_tables(table, PARTS, ["subject"]).clean
    with pytest.raises(LeakageError, match="subject NA is in train and test"):
        audit_tables(table, PARTS.assign(part=["train", "test", "train", "train"]), ["subject"])
    alone = pd.DataFrame({"trial": [1, 1, 2, 2], "start": [0, 1, 1.5, 3], "stop": [1, 2, 3, 4]})
    with pytest.raises(LeakageError, match=r"windows of .* overlap"):
        audit_tables(alone, PARTS)


def test_clocks_that_begin_anew_with_each_trial_are_not_compared() -> None:
    table = pd.DataFrame({"subject": list("AAAA"), "trial": [1, 1, 2, 2], "start": [0, 1, 0, 1], "stop": [1, 2, 1, 2]})
    assert any("begin anew with every trial" in note for note in audit_tables(table, PARTS).warnings)
    moved = table.assign(start=[0, 1, 0.5, 1], stop=[1, 2, 1, 2])
    with pytest.raises(LeakageError, match="overlap"):
        audit_tables(moved, PARTS)


def test_a_window_that_stops_before_it_starts_is_refused_where_clocks_begin_anew_too():
    table = pd.DataFrame({"subject": list("aabb"), "trial": [1, 1, 2, 3], "start": [0, 5, 0, 0], "stop": [2, 3, 2, 2]})
    parts = pd.DataFrame({"index": range(4), "part": ["train", "train", "test", "test"]})
    with pytest.raises(DataError, match=r"a window stops before it starts \(row 1\)"):
        audit_tables(table, parts)

"""The report: one file that opens anywhere, verdict first."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from insula.evaluation.chance import chance_of
from insula.evaluation.draw_scores import p_value
from insula.evaluation.facts import fingerprints, flat, summarise
from insula.evaluation.groups import group_differences, group_table
from insula.evaluation.label_sets import label_set_table, label_sets, record_of, tested_corpora
from insula.evaluation.passport import plain
from insula.evaluation.plots import plots
from insula.evaluation.rating_report import rating_rows
from insula.evaluation.results import CONSTANT, Results
from insula.evaluation.statistics import drawn_units
from insula.evaluation.table import metrics_table
from insula.evaluation.typeset import typeset
from insula.evaluation.verdict import MINUS, Verdict, between, in_units, percent, points, verdict
from insula.protocols.duplicates import NOT_LOOKED_FOR
from insula.storage.atomic import write_into
from insula.storage.tables import as_csv

if TYPE_CHECKING:
    from jinja2 import Template

NONE = "\u2013"

_MISCALIBRATED = 0.1  # expected calibration error from which a reader will wonder


def write_report(results: Results, folder: Path) -> Verdict:
    """Write the results and the files of a run, together or not at all.

    These are `report.html`, `metrics.csv`, `metrics.json`, `metrics.tex` and `metrics.md` (the main table, to paste),
    `passport.json` and, where groups are known, `groups.csv`.

    Parameters
    ----------
    results : Results
        A whole experiment.
    folder : Path
        The run's folder.

    Returns
    -------
    Verdict
        What the report says first.
    """
    table, answer, by_group = metrics_table(results), verdict(results), group_table(results)
    sets = {} if results.rated else label_sets(results)
    contents = {
        "report.html": render_report(results, table, answer, by_group, sets),
        "metrics.csv": as_csv(table),
        **typeset("metrics", *_main_table(results, table), answer.sentence),
        "metrics.json": json.dumps(plain(_in_json(results, table, sets)), indent=2) + "\n",
        **({"groups.csv": as_csv(by_group)} if len(by_group) else {}),
        "passport.json": json.dumps(plain(results.passport), indent=2) + "\n",
    }
    with write_into(folder) as temporary:
        results.save(temporary)
        for name, text in contents.items():
            (temporary / name).write_text(text, encoding="utf-8")
    return answer


def _main_table(results: Results, table: pd.DataFrame) -> tuple[list[str], list[list[str]]]:
    """Return head and rows of what people read first: every arm, what it reached, and the headline minus it."""
    if results.rated:
        ahead = "Headline errs less by, %"
        reached = [f"Error a {results.series or 'unit'}", "95 % interval", "Pearson", "Pooled error", "Pearson"]
        rows = [[*row["own"][:3], row["pooled"][0], row["pooled"][2], row["difference"], row["difference_interval"],
                 row["p"]] for row in rating_rows(results, table)]  # fmt: skip
    else:
        ahead = "Headline minus arm, points"
        reached = ["Accuracy %", "95 % interval", "Balanced accuracy %", "Macro-F1 %", "\u03ba"]
        columns = ("accuracy", "interval", "balanced", "f1", "kappa", "difference", "difference_interval", "p")
        rows = [[_row(results, row)[name] for name in columns] for row in table.to_dict("records")]
    head = ["Arm", "What it is", "Kind", *reached, ahead, "95 % interval", "p (Holm)"]
    whose = table[["arm", "title", "kind"]].to_numpy(str).tolist()
    return head, [[*arm, *row] for arm, row in zip(whose, rows, strict=True)]


def _in_json(results: Results, table: pd.DataFrame, sets: Mapping[str, Any]) -> dict[str, Any]:
    prints = fingerprints(results.facts)
    own = {"fingerprint": {"recipe": results.passport["recipe"]["sha256"], "fits": prints}} if prints else {}
    if not results.rated:
        return {**sets, **own}
    arms = {str(row.pop("arm")): row for row in table.to_dict("records")}
    return {"series": results.series, "cluster": results.cluster, **record_of(results), "arms": arms, **own}


def render_report(
    results: Results, table: pd.DataFrame, answer: Verdict, by_group: pd.DataFrame, sets: Mapping[str, Any]
) -> str:
    """Return the report as HTML that loads nothing from anywhere.

    Parameters
    ----------
    results : Results
        A whole experiment.
    table : DataFrame
        Its `metrics_table`.
    answer : Verdict
        Its `verdict`.
    by_group : DataFrame
        Its `group_table`.
    sets : mapping
        Its `label_sets`; of ratings there are none.
    """
    record = plain(results.passport)
    own = _ratings(results, table) if results.rated else _classes(results, table, by_group, sets)
    return template("rating_report.html" if results.rated else "report.html").render(
        results=results,
        answer=answer,
        title=record.get("recipe", {}).get("settings", {}).get("name") or "insula",
        plots=plots(results, table),
        facts=summarise(plain(results.facts)),
        protocol=flat({key: value for key, value in record.get("protocol", {}).items() if key != "description"}),
        drawn=drawn_units(results),
        clusters=int(table["clusters"].max()),
        has_sd=bool(table["sd"].notna().any()),
        none_mark=NONE,
        task=flat(record.get("task", {})),
        record=record,
        not_looked_for=NOT_LOOKED_FOR,
        record_text=json.dumps(record, indent=2),
        number=number_in_words,
        percent=percent,
        points=points,
        between=between,
        **own,
    )


def _classes(results: Results, table: pd.DataFrame, by_group: pd.DataFrame, sets: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a report of classes shows beside what every report does."""
    return {
        "rows": [_row(results, row) for row in table.to_dict("records")],
        "has_agreement": "agreement" in table,
        "chance": chance_of(results),
        "groups": _groups(results, by_group),
        "label_sets": _label_sets(results, sets),
        "corpora": tested_corpora(results),
        "has_sets": "coverage" in table,
        "has_truth": "coverage_truth" in table,
        "raw": _raw(results, table),
    }


def _raw(results: Results, table: pd.DataFrame) -> str:
    """Return the systems that were given no temperature though others were, and whose calibration error shows it."""
    if "ece_before" not in table:
        return ""
    raw = table[(table["kind"] == "system") & table["ece_before"].isna() & (table["ece"] > _MISCALIBRATED)]
    return " and ".join(f"\u201c{title}\u201d" for title in raw["title"])


def _ratings(results: Results, table: pd.DataFrame) -> dict[str, Any]:
    """Return what a report of ratings shows beside what every report does."""
    headline = table.set_index("arm").loc[results.headline]
    return {
        "rows": rating_rows(results, table),
        "units": int(headline["units"]),
        "number_of_series": int(headline["series"]),
        "constant": in_units(results, results.error(CONSTANT)),
        "has_uncertainty": "uncertainty_error" in table and bool(table["uncertainty_error"].notna().any()),
    }


def number_in_words(value: object) -> str:
    """Return a cell of a measured table: three digits after the point, a true minus, a dash for nothing.

    Examples
    --------
    >>> number_in_words(0.4514), number_in_words("forest"), number_in_words(float("nan"))
    ('0.451', 'forest', '–')
    """
    if not isinstance(value, float):
        return str(value)
    return NONE if math.isnan(value) else f"{value:.3f}".replace("-", MINUS)


def template(name: str) -> Template:
    """Return a page to be filled in; everything put into it is escaped."""
    import jinja2

    folder = jinja2.FileSystemLoader(Path(__file__).parent)
    return jinja2.Environment(loader=folder, autoescape=True, trim_blocks=True, lstrip_blocks=True).get_template(name)


def _groups(results: Results, table: pd.DataFrame) -> list[list[str]]:
    """Return the lines of the table by group, of the system's arms: a group, units, clusters and figures in words."""
    if table.empty:
        return []
    arms = [arm for arm in results.arms if arm.kind == "system"]
    differences = group_differences(results, table)
    lines = []
    for column, arm in product(table["column"].unique(), arms):
        rows, apart = (part[(part["column"] == column) & (part["arm"] == arm.name)] for part in (table, differences))
        whose = f", {arm.title}" if len(arms) > 1 else ""
        for row in rows.itertuples():
            interval = NONE if math.isnan(row.low) else f"{100 * row.low:.1f} to {100 * row.high:.1f}"
            figures = [f"{100 * row.accuracy:.1f}", interval, f"{100 * row.balanced_accuracy:.1f}"]
            group = f"{str(column).replace('_', ' ')}: {row.group}{whose}"
            lines.append([group, str(row.units), str(row.clusters), *figures])
        for gap in apart.itertuples():
            p = NONE if math.isnan(gap.p) else p_value(gap.p)
            figures = [points(gap.difference), between(gap.low, gap.high), p]
            lines.append([f"{gap.best} minus {gap.worst}", "", "", *figures])
    return lines


def _label_sets(results: Results, sets: Mapping[str, Any]) -> list[list[str]]:
    """Return the lines of the table of label sets: what was scored, n, six figures in per cent, classes not there."""
    table = label_set_table(results, sets)
    several = len(set(table["title"])) > 1
    lines = []
    for row in table.itertuples():
        what = ", ".join(part for part in (row.corpus, row.title if several or not row.corpus else "") if part)
        free, bound = (row.acc, row.macro_f1, row.bacc), (row.present_acc, row.present_macro_f1, row.present_bacc)
        figures = [f"{100 * value:.1f}" for value in (*free, *bound)]
        lines.append([what, str(row.n), *figures, ", ".join(row.absent) or NONE])
    return lines


def _row(results: Results, row: dict[str, Any]) -> dict[str, str]:
    name = row["arm"]

    def number(column: str, digits: int = 2) -> str:
        return (
            f"{row[column]:.{digits}f}".replace("-", MINUS) if column in row and not math.isnan(row[column]) else NONE
        )

    def share(column: str) -> str:
        return f"{100 * row[column]:.1f}" if column in row and not math.isnan(row[column]) else NONE

    own = name == results.headline
    return {
        "name": name,
        "title": row["title"],
        "kind": row["kind"],
        "accuracy": share("accuracy"),
        "interval": f"{100 * row['low']:.1f} to {100 * row['high']:.1f}" if not math.isnan(row["low"]) else NONE,
        "sd": share("sd"),
        "balanced": share("balanced_accuracy"),
        "f1": share("macro_f1"),
        "kappa": number("kappa"),
        "difference": NONE if own else points(row["difference"]),
        "difference_interval": NONE if own else between(row["difference_low"], row["difference_high"]),
        "p": p_value(row["p_holm"]).removeprefix("p ").removeprefix("= ") if name in results.comparators else NONE,
        "log_loss": number("log_loss"),
        "brier": number("brier"),
        "ece": share("ece"),
        "ece_before": share("ece_before"),
        "auroc": number("auroc_error"),
        "aurc": share("aurc"),
        "aurc_best": share("aurc_best"),
        "agreement": share("agreement"),
        "promised": share("coverage_promised"),
        "coverage": share("coverage"),
        "coverage_interval": f"{share('coverage_low')} to {share('coverage_high')}",
        "coverage_truth": share("coverage_truth"),
        "set_size": number("set_size"),
        "fell_back": share("fell_back"),
        "refused": share("refused"),
    }

"""A sweep that takes seconds: a plain system on a small study, no brain and no placebo."""

from __future__ import annotations

from pathlib import Path

import yaml

SMALL = {
    "name": "small",
    "about": "Two sizes, clean and as published.",
    "grid": "sizes",
    "base": {
        "name": "base",
        "corpus": {"name": "simulated-study", "pictures": 70, "identities": 14, "subjects": 1, "size": 32, "rate": 100},
        "protocol": {"name": "identity-disjoint", "test_share": 0.3, "validation_share": 0, "scored_unit": "stimulus"},
        "system": {"name": "linear", "modality": "picture"},
        "controls": ["majority"],
    },
    "titles": {"corpus.label_noise": "share of wrong labels"},
    "grids": {
        "sizes": [
            {
                "axes": {
                    "way": {
                        "clean": {},
                        "as published": {"protocol.name": "stimulus-disjoint", "practice": "faces shared"},
                    },
                    "split": {"7:3": {"protocol.test_share": 0.3}, "5:5": {"protocol.test_share": 0.5}},
                },
            }
        ],
        "noise": [
            {"cells": [{"title": "the base"}]},
            {"design": "one-at-a-time", "axes": {"corpus.label_noise": [0.0, 0.3]}},
            {"cells": [{"title": "another seed", "set": {"seed": 5}}]},
        ],
    },
    "tables": [
        {
            "name": "T1", "title": "Accuracy", "across": ["split", "way"],
            "rows": [
                {"title": "picture", "arm": "plain"},
                {"title": "permuted", "arm": "permuted"},
            ],
            "reported": [{"title": "others", "value": "99 %", "source": "somebody 2020"}],
        }
    ],
    "figures": [{"name": "gains", "title": "Gains", "kind": "gains", "marks": {"corpus.label_noise": {0.1: "usual"}}}],
}  # fmt: skip


def write_small(folder: Path, **changes: object) -> Path:
    """Write the sweep as a file, with other top-level keys."""
    path = folder / "small.yaml"
    path.write_text(yaml.safe_dump({**SMALL, **changes}, sort_keys=False))
    return path

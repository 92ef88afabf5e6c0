"""A bundle that embeds, written from a fitted system and compared with it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from insula.deployment.encoder import ARRAYS, open_encoder
from insula.deployment.graph_inputs import Form
from insula.deployment.onnx import write_onnx
from insula.deployment.parity import LIMIT
from insula.deployment.preparation import Preparation
from insula.eeg.epoch_store import Windows
from insula.eeg.pipelines import PIPELINES
from insula.eeg.preprocessing import HIGHEST_EDGE
from insula.eeg.steps import in_order
from insula.errors import BundleError
from insula.samples import Samples
from insula.storage.folder import seal
from insula.systems.base import System

_COMPARED = 64  # windows


def of_any_cap(corpora: Mapping[str, Any], samples: Samples, steps: Any = ()) -> Preparation:
    """Return how a recording of any electrodes becomes windows as a system learnt from.

    It is cleaned as the first of the corpora that says how; where none does, filtered as the pipeline `mdjpt`.

    Parameters
    ----------
    corpora : mapping of str to Corpus
        Those that samples are from.
    samples : Samples
        With EEG, of one rate and length.
    steps : sequence of mapping
        Of the recipe.
    """
    first = samples.select(samples.has("eeg"))
    first = first.select((first.table["corpus"] == first.table["corpus"].iloc[0]).to_numpy())
    for name, corpus in corpora.items():
        own = samples.select((samples.table["corpus"] == name).to_numpy()) if len(corpora) > 1 else first
        how = Preparation.of(corpus.settings, own, steps) if len(own) else ""
        if isinstance(how, Preparation):
            return how.model_copy(update={"channels": None, "features": False})
    rate = first.store("eeg").description.rate or 0.0
    seconds = np.shape(first.select(slice(1)).read("eeg"))[-1] / rate
    apart = np.diff(first.table["start"].to_numpy(float)[in_order(first, "trial", "eeg")[0]])
    (low, high), notch = PIPELINES["mdjpt"].preprocessing.band, None
    cleaning = PIPELINES["mdjpt"].preprocessing.model_copy(
        update={"artefacts": None, "rate": rate, "band": (low, min(high, HIGHEST_EDGE * rate)), "notch": notch}
    )
    windows = Windows(seconds=seconds, hop=float(apart[0]) if len(apart) and apart[0] > 0 else None)
    return Preparation(channels=None, preprocessing=cleaning, windows=windows, steps=tuple(map(dict, steps)))


def write_encoder(system: System, folder: Path, known: Mapping[str, Any], held: Samples) -> dict[str, Any]:
    """Write graphs and arrays of a system that embeds, and return what the manifest says of them.

    Parameters
    ----------
    system : System
        Fitted.
    folder : Path
        Where to.
    known : mapping
        What the manifest says otherwise.
    held : Samples
        With EEG; a session of them is compared.

    Raises
    ------
    BundleError
        Where the bundle does not give the vectors of the system.
    SettingsError
        Where this encoder cannot be written.
    """
    parts = system.embedding()
    name = system.settings.modality
    held = held.select(held.has(name))
    held = held.select(in_order(held, "session" if held.table["session"].notna().any() else "subject", name)[0])
    held = held.select(slice(_COMPARED))
    store, rows = held.store(name), held.rows(name)
    times, rate = int(np.shape(store.read(np.arange(1)))[-1]), store.description.rate
    windows = torch.zeros(1, len(parts.about["montage"]), times)
    with torch.inference_mode():
        tokens = tuple(parts.tokens(windows)[0].shape[1:])
        spatial = (tokens[0], len(parts.arrays["bias"]), tokens[2])
        width = parts.features(torch.zeros(1, *spatial))[0].shape[1]
    about = {**parts.about, "rate": rate, "times": times, "tokens": tokens, "spatial": spatial, "width": width}
    for part, inputs in (("tokens", {"windows": Form("float32", tuple(windows.shape[1:]))}),
                         ("features", {"spatial": Form("float32", spatial)})):  # fmt: skip
        write_onnx(getattr(parts, part), inputs, {"system": known["system"]}, folder / f"{part}.onnx")
    np.savez(folder / ARRAYS, **parts.arrays)
    seal(folder, embeds=about)  # opened as others will open it; what writes the bundle seals it anew
    opened, difference = open_encoder(folder), {}
    for normalise in ("session", "source"):
        vectors, _ = opened.vectors(store, rows, normalise)
        wanted = parts.vectors(held, normalise)
        difference[normalise] = float(np.max(np.abs(vectors - wanted) / np.maximum(np.abs(wanted), 1)))
        if not difference[normalise] <= LIMIT:
            what = f"vectors normalised by {normalise} differ from the trained encoder's by {difference[normalise]:.1g}"
            raise BundleError(what, where=known["system"], do="report this: it is a fault of insula")
    return {"embeds": {**about, "parity": {"windows": len(rows), "difference": difference}}}

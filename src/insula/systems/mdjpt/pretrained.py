"""The encoder as pre-training leaves it, made once of the same data and settings and read from then on."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import torch
from safetensors.torch import load_file, save_file

from insula.errors import DataError
from insula.networks.daest import CLISA, DAEST
from insula.networks.mdjpt import MdJPT
from insula.networks.stratified import Moments
from insula.samples import PROVENANCE, Samples
from insula.storage.cache import Cache
from insula.storage.code import code_version
from insula.systems.mdjpt.aligning import PairAlignment
from insula.systems.mdjpt.encoding import Places, source_moments
from insula.systems.mdjpt.settings import MdJPTSettings
from insula.systems.mdjpt.windows import Windows
from insula.training.pairs import PairSampler
from insula.training.pretraining import pretrain


class Pretrained(NamedTuple):
    """The network, moments and loudness of those it learnt from, and what its pre-training did (JSON-like)."""

    network: Any
    source: Places
    loudness: float
    facts: dict[str, Any]

    def save(self, folder: Path) -> dict[str, Any]:
        """Write it to a folder that is there; return plain values that `load` needs."""
        save_file(self.network.state_dict(), folder / "encoder.safetensors")
        named = {f"{place}.{name}": value.contiguous() for place, moments in enumerate(self.source)
                 for name, value in moments._asdict().items()}  # fmt: skip
        save_file(named, folder / "moments.safetensors")
        return {"loudness": self.loudness, "facts": self.facts}

    @classmethod
    def load(cls, folder: Path, settings: MdJPTSettings, about: Mapping[str, Any]) -> Pretrained:
        """Read what `save` wrote and returned, of a network of these settings."""
        network = untrained(settings)
        network.load_state_dict(load_file(folder / "encoder.safetensors"))
        arrays = load_file(folder / "moments.safetensors")
        places = range(len(arrays) // 2)
        source = tuple(Moments(arrays[f"{place}.mean"], arrays[f"{place}.deviation"]) for place in places)
        return cls(network.eval(), source, about["loudness"], about["facts"])


def untrained(settings: MdJPTSettings) -> Any:
    """Return the network as it begins."""
    encoder = settings.encoder
    channels, sizes = len(encoder.montage), encoder.model_dump(exclude={"montage", "kind"})
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        if encoder.kind == "mdjpt":
            return MdJPT(channels=channels, **sizes).eval()
        return (CLISA if encoder.kind == "clisa" else DAEST)(channels).eval()


def pretrained(samples: Samples, settings: MdJPTSettings) -> Pretrained:
    """Pre-train on these samples, or read what was pre-trained on the same.

    Nothing but signals and provenance is looked at, and the column that `settings.condition` names. Where several
    processes want it at the same time, one trains and the others wait; an interrupted pre-training goes on.
    """
    kept = {*PROVENANCE, *(f"{settings.modality}_{name}" for name in ("store", "row")), settings.condition}
    bare = samples.without([name for name in samples.table if name not in kept])
    names = set(bare.table[f"{settings.modality}_store"].dropna())
    stores = {name: store for name, store in bare.stores.items() if name in names}
    bare = Samples(bare.table, stores, bare.one_person)
    data = bare.fingerprint()

    def build(folder: Path, checkpoints: Path) -> None:
        network = untrained(settings)
        facts: dict[str, Any] = {"corpora": sorted(set(bare.table["corpus"]))}
        windows = Windows(bare, settings.modality, settings.encoder.montage)
        if settings.pretraining.epochs:
            if windows.length < network.least_samples:
                what = f"windows of {windows.length / windows.rate:g} s are too short for this encoder"
                least = math.ceil(10 * network.least_samples / windows.rate) / 10
                do = f"set corpus.window={least:g} or longer, or a smaller system.encoder.pooling"
                raise DataError(what, where=settings.modality, do=do)
            sampler = PairSampler(bare.table, settings.pairs, settings.condition, settings.clips)
            shared = None if settings.condition is None else pd.factorize(bare.table[settings.condition])[0]
            objective = PairAlignment(windows, sampler, settings, data, shared)
            history = pretrain(network, objective, settings.pretraining, settings.seed, checkpoints)
            facts |= {"pre-training": history, "drawn from": sampler.counts}
        source, loudness = source_moments(network, windows, bare, settings)
        values = Pretrained(network, source, loudness, facts).save(folder)
        (folder / "encoder.json").write_text(json.dumps(values))

    about = {"code": code_version(), "settings": settings.of_pretraining(), "data": data}
    folder = Cache().resumable("mdjpt", about, build)
    return Pretrained.load(folder, settings, json.loads((folder / "encoder.json").read_text()))

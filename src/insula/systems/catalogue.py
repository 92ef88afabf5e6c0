"""The table of systems: a name, and where its class is, on which settings, presets and all else hang."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from insula.errors import SettingsError, choices
from insula.storage.own_code import installed, is_own, own_object
from insula.storage.settings import over
from insula.systems.base import System
from insula.tiers import naming_tier

SYSTEMS = {
    "bmci": "insula.systems.bmci.system:BMCI",
    "bmcl": "insula.systems.bmcl.system:BMCL",
    "neurogaze": "insula.systems.neurogaze.system:NeuroGaze",
    "majority": "insula.systems.baselines.plain:Majority",
    "linear": "insula.systems.baselines.plain:Linear",
    "stratified": "insula.systems.baselines.plain:Stratified",
    "tangent-space": "insula.systems.baselines.covariance:TangentSpace",
    "augmented-covariance": "insula.systems.baselines.covariance:AugmentedCovariance",
    "eegnet": "insula.systems.baselines.deep:EEGNet",
    "deep4net": "insula.systems.baselines.deep:Deep4Net",
    "tsception": "insula.systems.baselines.deep:TSception",
    "dgcnn": "insula.systems.baselines.deep:DGCNN",
    "eeg-conformer": "insula.systems.baselines.deep:EEGConformer",
    "band-power-transformer": "insula.systems.baselines.deep:BandPowerTransformer",
    "rbtransformer": "insula.systems.rbtransformer.system:RBTransformer",
    "histn": "insula.systems.histn.system:HiSTN",
    "mdjpt": "insula.systems.mdjpt.system:MdJPT",
    "federated": "insula.systems.federated.system:Federated",
    "pretrained": "insula.systems.pretrained.system:Pretrained",
    "foundation": "insula.systems.pretrained.foundation:FoundationNetwork",
    "personalised": "insula.systems.personalised.system:Personalised",
    "face-network": "insula.systems.faces.system:FaceNetwork",
    "scn": "insula.systems.faces.system:SelfCureNetwork",
    "compact-recogniser": "insula.systems.compact_recogniser.system:CompactRecogniser",
    "frozen-features": "insula.systems.faces.system:FrozenFeatures",
    "fer": "insula.systems.peers.fer:Fer",
    "py-feat": "insula.systems.peers.pyfeat:PyFeat",
    "onnx-file": "insula.systems.peers.onnx_file:OnnxFile",
    "crpn": "insula.systems.crpn.system:CRPN",
    "crpn-style": "insula.systems.crpn.style:StyleStudy",
    "ucmc": "insula.systems.ucmc.system:UCMC",
    "feature-fusion": "insula.systems.fusion.plain:FeatureFusion",
    "late-fusion": "insula.systems.fusion.plain:LateFusion",
    "cafnet": "insula.systems.fusion.cafnet:CAFNet",
    "svm": "insula.systems.baselines.plain:SupportVectors",
}
"""Those that come with insula."""


def systems() -> dict[str, str]:
    """Return where the class of each system is, by name: insula's own, and those that other packages add.

    A package adds its own as entry points of the group `insula.systems`: `name = "module:Class"`.
    """
    return installed("insula.systems") | SYSTEMS


@naming_tier()
def system_class(name: str) -> type[System]:
    """Return the class of a system by name: insula's own, or one that an installed package adds."""
    if name not in systems():
        raise SettingsError(f"unknown system {name!r}", do=choices("systems", name, systems()))
    path = systems()[name]
    if name in SYSTEMS:
        module, cls = path.split(":")
        return getattr(import_module(module), cls)
    cls = own_object(path)
    if not (isinstance(cls, type) and issubclass(cls, System)):
        do = "correct the entry point of the package that adds it"
        raise SettingsError(f"the system {name!r} of another package is none", where=path, do=do)
    return cls


def system(name: Any, preset: str | None = None, **settings: Any) -> System:
    """Build an unfitted system by name, or from code of one's own.

    Parameters
    ----------
    name : str or object
        A key of `SYSTEMS`; an import path such as `my_networks:Small`, or the thing itself: a class of torch modules,
        an estimator of scikit-learn's kind, a class of a system (see `insula.systems.own.own_system`).
    preset : str, optional
        A named set of defaults, where the system has presets.
    **settings
        Settings that differ from the preset.

    Examples
    --------
    >>> system("majority").trains_on
    ()
    >>> system("bmci", trees=50).settings.trees
    50
    """
    if is_own(name):
        from insula.systems.own import own_system

        return own_system(name, settings)
    cls = system_class(name)
    if preset is not None:
        if not isinstance(preset, str) or preset not in cls.presets:
            raise SettingsError(f"unknown preset {preset!r} of {name}", do=choices("presets", preset, cls.presets))
        chosen = cls.presets[preset]
        settings = {**chosen, **{key: over(chosen.get(key), settings[key]) for key in settings}}
    return cls(cls.Settings.parse(settings, where=f"system {name}"))

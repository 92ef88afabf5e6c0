"""The table of systems: a name, and where its class and settings are."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from insula.errors import SettingsError, choices
from insula.samples import System
from insula.storage.own_code import is_own
from insula.storage.settings import over
from insula.tiers import naming_tier

SYSTEMS: dict[str, tuple[str, str]] = {
    "bmci": ("insula.systems.bmci.system:BMCI", "insula.systems.bmci.settings:BMCISettings"),
    "bmcl": ("insula.systems.bmcl.system:BMCL", "insula.systems.bmcl.settings:BMCLSettings"),
    "neurogaze": (
        "insula.systems.neurogaze.system:NeuroGaze",
        "insula.systems.neurogaze.settings:NeuroGazeSettings",
    ),
    "majority": ("insula.systems.baselines.plain:Majority", "insula.systems.baselines.plain:PlainSettings"),
    "linear": ("insula.systems.baselines.plain:Linear", "insula.systems.baselines.plain:PlainSettings"),
    "stratified": ("insula.systems.baselines.plain:Stratified", "insula.systems.baselines.plain:PlainSettings"),
    "tangent-space": (
        "insula.systems.baselines.covariance:TangentSpace",
        "insula.systems.baselines.covariance:CovarianceSettings",
    ),
    "augmented-covariance": (
        "insula.systems.baselines.covariance:AugmentedCovariance",
        "insula.systems.baselines.covariance:AugmentedSettings",
    ),
    "eegnet": ("insula.systems.baselines.deep:EEGNet", "insula.systems.signal_network:SignalNetworkSettings"),
    "deep4net": ("insula.systems.baselines.deep:Deep4Net", "insula.systems.signal_network:SignalNetworkSettings"),
    "tsception": ("insula.systems.baselines.deep:TSception", "insula.systems.signal_network:SignalNetworkSettings"),
    "dgcnn": ("insula.systems.baselines.deep:DGCNN", "insula.systems.signal_network:SignalNetworkSettings"),
    "eeg-conformer": (
        "insula.systems.baselines.deep:EEGConformer",
        "insula.systems.signal_network:SignalNetworkSettings",
    ),
    "band-power-transformer": (
        "insula.systems.baselines.deep:BandPowerTransformer",
        "insula.systems.baselines.deep:BandPowerSettings",
    ),
    "rbtransformer": (
        "insula.systems.rbtransformer.system:RBTransformer",
        "insula.systems.rbtransformer.system:RBTransformerSettings",
    ),
    "histn": ("insula.systems.histn.system:HiSTN", "insula.systems.histn.system:HiSTNSettings"),
    "face-network": (
        "insula.systems.faces.system:FaceNetwork",
        "insula.systems.faces.system:FaceNetworkSettings",
    ),
    "scn": ("insula.systems.faces.system:SelfCureNetwork", "insula.systems.faces.system:SelfCureSettings"),
    "compact-recogniser": (
        "insula.systems.compact_recogniser.system:CompactRecogniser",
        "insula.systems.compact_recogniser.system:CompactRecogniserSettings",
    ),
    "frozen-features": (
        "insula.systems.faces.system:FrozenFeatures",
        "insula.systems.faces.system:FrozenFeaturesSettings",
    ),
    "fer": ("insula.systems.peers.fer:Fer", "insula.systems.peers.fer:FerSettings"),
    "py-feat": ("insula.systems.peers.pyfeat:PyFeat", "insula.systems.peers.pyfeat:PyFeatSettings"),
    "onnx-file": ("insula.systems.peers.onnx_file:OnnxFile", "insula.systems.peers.onnx_file:OnnxFileSettings"),
    "crpn": ("insula.systems.crpn.system:CRPN", "insula.systems.crpn.settings:CRPNSettings"),
    "crpn-style": ("insula.systems.crpn.style:StyleStudy", "insula.systems.crpn.style:StyleStudySettings"),
    "ucmc": ("insula.systems.ucmc.system:UCMC", "insula.systems.ucmc.settings:UCMCSettings"),
    "feature-fusion": ("insula.systems.fusion.plain:FeatureFusion", "insula.systems.fusion.pairs:PairSettings"),
    "late-fusion": ("insula.systems.fusion.plain:LateFusion", "insula.systems.fusion.pairs:PairSettings"),
    "cafnet": ("insula.systems.fusion.cafnet:CAFNet", "insula.systems.fusion.cafnet:CAFNetSettings"),
    "svm": ("insula.systems.baselines.plain:SupportVectors", "insula.systems.baselines.plain:PlainSettings"),
}


@naming_tier()
def _load(path: str) -> Any:
    module, name = path.split(":")
    return getattr(import_module(module), name)


def system_class(name: str) -> type[System]:
    """Return the class of a system by name; code of a user's own is never named here, where bundles are opened."""
    if name not in SYSTEMS:
        raise SettingsError(f"unknown system {name!r}", do=choices("systems", name, SYSTEMS))
    return _load(SYSTEMS[name][0])


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
    path = SYSTEMS[name][1]
    if preset is not None:
        presets = getattr(import_module(path.split(":")[0]), "PRESETS", {})
        if not isinstance(preset, str) or preset not in presets:
            raise SettingsError(f"unknown preset {preset!r} of {name}", do=choices("presets", preset, presets))
        settings = {**presets[preset], **{key: over(presets[preset].get(key), settings[key]) for key in settings}}
    return cls(_load(path).parse(settings, where=f"system {name}"))  # type: ignore[call-arg]

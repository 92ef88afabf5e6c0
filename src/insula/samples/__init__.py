"""Recordings, samples, stores, predictions and the contract of a system."""

from insula.samples.predictions import Predictions, normalised_entropy
from insula.samples.recording import Recording
from insula.samples.stores import ArrayStore, Description, RaggedStore, Store, open_store
from insula.samples.system import Fit, FitLog, Roles, System, check_placebo, mode_of
from insula.samples.table import PROVENANCE, Samples, concat, provenance

__all__ = [
    "PROVENANCE", "ArrayStore", "Description", "Fit", "FitLog", "Predictions", "RaggedStore", "Recording", "Roles",
    "Samples", "Store", "System", "check_placebo", "concat", "mode_of", "normalised_entropy",
    "open_store", "provenance",
]  # fmt: skip

"""Recordings, samples, stores, predictions and the contract of a system."""

from insula.samples.predictions import Predictions
from insula.samples.recording import Recording
from insula.samples.stores import ArrayStore, Description, RaggedStore, Store, open_store
from insula.samples.system import Fit, FitLog, Roles, System
from insula.samples.table import PROVENANCE, Samples, concat, provenance

__all__ = [
    "PROVENANCE", "ArrayStore", "Description", "Fit", "FitLog", "Predictions", "RaggedStore", "Recording", "Roles",
    "Samples", "Store", "System", "concat", "open_store", "provenance",
]  # fmt: skip

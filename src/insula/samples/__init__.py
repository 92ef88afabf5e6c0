"""Recordings, samples, stores, predictions, and the record of what was fitted on which samples."""

from insula.samples.fit_log import Fit, FitLog
from insula.samples.predictions import Predictions, normalised_entropy
from insula.samples.recording import Recording
from insula.samples.stores import ArrayStore, Description, RaggedStore, Store, open_store
from insula.samples.table import PROVENANCE, Samples, concat, provenance

__all__ = [
    "PROVENANCE", "ArrayStore", "Description", "Fit", "FitLog", "Predictions", "RaggedStore", "Recording",
    "Samples", "Store", "concat", "normalised_entropy", "open_store", "provenance",
]  # fmt: skip

"""insula: emotion from faces and from EEG, each teaching the other."""

__version__ = "0.1.0"

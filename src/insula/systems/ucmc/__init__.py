"""UCMC: a face teaches the EEG, and where both are there they decide together."""

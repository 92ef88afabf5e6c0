"""Experiments, metrics, statistics, the passport and the report."""

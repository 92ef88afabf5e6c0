"""Torch modules: torch only, no corpus."""

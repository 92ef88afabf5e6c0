"""Bundles and what predicts from them."""

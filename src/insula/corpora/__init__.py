"""Readers of real corpora, the simulator, and a card for each."""

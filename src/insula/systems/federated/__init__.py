"""Networks that learn from corpora which may not move."""

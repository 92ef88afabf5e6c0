"""Plain classifiers that every result is held against."""

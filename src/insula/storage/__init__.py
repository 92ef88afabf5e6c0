"""Cache, hashes, atomic writes, saved folders and weight files."""

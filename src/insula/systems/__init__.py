"""One folder a system, and the table of their names."""

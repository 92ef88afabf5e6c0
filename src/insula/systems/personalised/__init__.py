"""A system for each person, from the one for everybody."""

"""Losses: torch only, one idea a file."""

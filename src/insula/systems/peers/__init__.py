"""Other people's models, scored as they are on the same pictures."""

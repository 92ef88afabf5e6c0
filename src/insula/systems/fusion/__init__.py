"""Plain ways to join EEG with a face, which any cleverer one is held against."""

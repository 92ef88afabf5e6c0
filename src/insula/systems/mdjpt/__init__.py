"""mdJPT: one EEG encoder from many corpora, aligned between people and between corpora without labels."""

"""EEG networks that begin with what they learnt elsewhere."""

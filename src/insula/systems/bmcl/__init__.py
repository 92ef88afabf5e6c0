"""BMCL: a picture network and an EEG network trained as a couple; the picture network then works alone."""

"""CRPN: a perceptual pathway that learns from a conceptual one."""

"""BMCI: virtual EEG from pictures, fused with the pictures."""

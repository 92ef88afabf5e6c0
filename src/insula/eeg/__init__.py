"""Montages, preprocessing, epochs on disk and features of EEG."""

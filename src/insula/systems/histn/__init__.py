"""HiSTN: electrodes, regions and the whole head in about a thousand weights, with ordered classes."""

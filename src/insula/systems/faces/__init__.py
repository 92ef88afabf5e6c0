"""Face recognisers to compare with: networks of timm with several losses, and frozen features."""

"""The compact recogniser: what lies in the box."""

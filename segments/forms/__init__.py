"""The forms in which staff fill in conditions."""

"""Changing the conditions of a segment: a draft that all staff share, what saving it would do, and saving it."""

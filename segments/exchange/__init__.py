"""Segments as text that people read, keep and pass on."""

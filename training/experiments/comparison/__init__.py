"""Experiments that compare runs and systems."""

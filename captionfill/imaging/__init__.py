"""Decoding, windows, masks and composites: the part of the library that needs no model."""

"""Prepared data: writing, reading, sampling and augmenting them."""

"""Metrics of fills and of sets of pictures, and the networks whose features they compare."""

"""Metrics of fills and of sets of images, and the networks whose features they compare."""

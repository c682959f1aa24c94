"""Benchmarks: the measures of `training.evaluation.targets` on one set of pictures."""

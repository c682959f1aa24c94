"""Benchmarks: the measures of `training.evaluation.benchmarks.targets` on one set of pictures."""

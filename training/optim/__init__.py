"""Optimizers, learning-rate schedules, weight averaging and arithmetic precision."""

"""Evaluation of bundles and baselines on held-out pictures."""

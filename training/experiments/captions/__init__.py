"""Experiments on the effect of captions."""

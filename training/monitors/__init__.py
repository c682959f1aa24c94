"""Monitors: checks of a run for mode collapse and other failures of GANs."""

"""Sweeps over one setting."""

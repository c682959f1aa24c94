"""Errors, ranks, console output and output files: what every package uses."""

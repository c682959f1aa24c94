"""Objectives, and loss terms on frozen networks."""

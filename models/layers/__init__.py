"""Layers and blocks that networks share."""

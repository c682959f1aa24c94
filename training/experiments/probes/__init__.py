"""Experiments on what a discriminator has learnt."""

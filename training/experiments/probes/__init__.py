"""Experiments on the features that a discriminator has learnt."""

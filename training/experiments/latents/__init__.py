"""Experiments on latents: interpolation and vector arithmetic."""

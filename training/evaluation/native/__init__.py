"""Evaluation at the photos' own size: composites, their border and their fine detail."""

"""Pretrained networks that are never trained on: features and scorers."""

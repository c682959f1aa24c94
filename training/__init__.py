"""Offline training: sources, prepared shards, objectives, the trainer and its command line."""

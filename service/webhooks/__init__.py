"""Webhooks: a signed note to the client's own server when its job has ended."""

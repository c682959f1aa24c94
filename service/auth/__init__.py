"""API keys, authentication and principals."""

"""Redis connections, their errors and URLs."""

"""The queue on a Redis stream: jobs, tasks, leases and results."""

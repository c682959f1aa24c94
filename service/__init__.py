"""The service: bytes in, a queued job, a worker's fill, the filled picture out."""

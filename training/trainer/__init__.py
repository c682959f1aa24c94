"""The training loop, its callbacks, signals and timing."""

"""Run directories and what they hold: train state, checkpoints, logs."""

"""What a run keeps on disk to be continued or used: states, checkpoints, snapshots, the best."""

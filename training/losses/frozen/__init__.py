"""Loss terms and augmentations on frozen feature networks."""

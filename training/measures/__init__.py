"""The measures of `training.bounds`, taken of one set of pictures at a time."""

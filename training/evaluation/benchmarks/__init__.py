"""The measures of `training.evaluation.targets`, taken of one set of pictures at a time."""

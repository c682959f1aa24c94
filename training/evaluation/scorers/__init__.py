"""Caption scorers: kinds, training, files, and the judge of evaluations."""

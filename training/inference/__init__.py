"""Generation, samples, export and model cards."""

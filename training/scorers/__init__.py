"""Caption-picture scorers: how they are trained, and the judge that evaluations use."""

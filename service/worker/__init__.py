"""Workers: batching, model processes and the predictor."""

"""Pictures and pages of runs: curves, image grids, run summaries and the HTML report."""

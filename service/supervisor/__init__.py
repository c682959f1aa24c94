"""`captionfill serve`: child processes and the embedded Redis."""

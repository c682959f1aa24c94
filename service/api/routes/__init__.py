"""The routes: HTTP in, HTTP out, and nothing in between. One file for what belongs together."""

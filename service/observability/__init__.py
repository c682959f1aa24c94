"""Logs, traces and the record of a request."""

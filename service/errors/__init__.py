"""Errors and their problem documents (RFC 9457)."""

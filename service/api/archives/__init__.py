"""Zip files: reading uploads and streaming results."""

"""Request bodies and headers, parsed and checked."""

"""Settings, and the parsing of their values."""
